#!/usr/bin/env python3
"""docs/limits.md against the constants and the tests that there are."""

import re
import unittest
from pathlib import Path

from error_table_test import ROOT, status_codes, tests_in

PAGE = "docs/limits.md"
UNITS = {"": 1, "bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def constants(header):
    """name -> value"""
    found = {}
    for name, text in re.findall(r"inline constexpr \w+ (k\w+) = ([^;]+);", header):
        number = re.fullmatch(r"(\d+) << (\d+)|(UINT32_MAX - \d+)|([\d.e]+)F?", text)
        if not number:
            raise AssertionError(f"{name} = {text}: write it as the others are")
        if number.group(1):
            found[name] = int(number.group(1)) << int(number.group(2))
        elif number.group(3):
            found[name] = 2**32 - 1 - int(number.group(3).split("-")[1])
        else:
            found[name] = float(number.group(4))
    return found


def rows(page):
    """(constant, limit, code, tests) of each row of the first table."""
    table = page.split("\n## ")[0]
    for line in table.split("\n"):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 5 and cells[2].startswith("`"):
            yield cells[2].strip("`"), cells[1], cells[3], cells[4]


def value_of(limit):
    number, _, unit = limit.replace(",", "").partition(" ")
    return float(number) * UNITS[unit]


def faults(page, header, codes, tests):
    """What is wrong with the page, one text each."""
    found = []
    wanted = constants(header)
    there = {constant: (limit, code, test) for constant, limit, code, test in rows(page)}
    found += [f"{PAGE} has nothing of {name}" for name in sorted(wanted.keys() - there.keys())]
    found += [f"{PAGE}: there is no constant {name}" for name in sorted(there.keys() - wanted.keys())]
    for name in sorted(wanted.keys() & there.keys()):
        limit, code, test = there[name]
        if value_of(limit) != wanted[name]:
            found.append(f"{PAGE}: {name} is {wanted[name]}, not {limit}")
        named = re.findall(r"`(k\w+)`", code)
        if not named or not set(named) <= codes:
            found.append(f"{PAGE}: {name}: {code} is no StatusCode")
        named = re.findall(r"`(\w+\.\w+)`", test)
        if not named and not test.startswith("none: "):
            found.append(f"{PAGE}: {name} names no test")
        found += [f"{PAGE}: {name}: there is no test {one}" for one in named if one not in tests]
    return found


class LimitsPage(unittest.TestCase):
    def setUp(self):
        self.header = Path(ROOT, "include/isotherm/limits.h").read_text()
        self.codes = status_codes(Path(ROOT, "include/isotherm/status.h").read_text())
        self.tests = tests_in(ROOT)
        self.page = Path(ROOT, PAGE).read_text()

    def test_every_constant_has_its_value_its_code_and_its_test(self):
        self.assertGreater(len(constants(self.header)), 10)
        self.assertEqual([], faults(self.page, self.header, self.codes, self.tests))

    def test_a_wrong_page_is_found_out(self):
        line = next(line for line in self.page.split("\n") if "`kMaxKeyBytes`" in line)
        for wrong in (self.page.replace(line + "\n", ""),
                      self.page.replace(line, line.replace("1,024", "1,025")),
                      self.page.replace(line, line.replace("kMaxKeyBytes", "kMaxKey")),
                      self.page.replace(line, line.replace("kInvalidArgument", "kWrong")),
                      self.page.replace(line, line.replace("`Limits.OfAKey`", "`Limits.OfNothing`")),
                      self.page.replace(line, line.replace("`Limits.OfAKey`", ""))):
            self.assertTrue(faults(wrong, self.header, self.codes, self.tests), wrong)


if __name__ == "__main__":
    unittest.main(verbosity=1)
