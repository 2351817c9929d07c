#!/usr/bin/env python3
"""docs/errors.md against the tests and codes that there are."""

import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = "docs/errors.md"


def status_codes(header):
    """The enumerators of StatusCode."""
    body = re.search(r"enum class StatusCode \{(.*?)\n\};", header, re.DOTALL).group(1)
    return set(re.findall(r"^\s*(k[A-Z]\w*)", body, re.MULTILINE))


def tests_in(root):
    """Suite.Name of every test in the tree."""
    found = set()
    for path in sorted(Path(root, "tests").rglob("*_test.cc")):
        for suite, name in re.findall(r"^TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)", path.read_text(), re.MULTILINE):
            found.add(f"{suite}.{name}")
    return found


def cases(page):
    """(line number, case, codes, tests) of every row of the tables that name tests."""
    in_table = False
    for number, line in enumerate(page.split("\n"), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if cells[-1:] == ["test"]:
            in_table = True
        elif not cells:
            in_table = False
        elif in_table and set(line) - set("|- "):
            case, codes, tests = cells if len(cells) == 3 else (line, "", "")
            yield number, case, re.findall(r"`(k\w+|ok)`", codes), re.findall(r"`(\w+\.\w+)`", tests)


def faults(page, codes, tests):
    """What is wrong with the page, one text each."""
    found = []
    rows = list(cases(page))
    if not rows:
        found.append("there is no table of cases")
    for number, case, row_codes, row_tests in rows:
        where = f"{PAGE}:{number}: {case}"
        if not row_codes and "its own code" not in page.split("\n")[number - 1]:
            found.append(f"{where}: names no code")
        if not row_tests:
            found.append(f"{where}: names no test")
        found += [f"{where}: {code} is no StatusCode" for code in row_codes if code != "ok" and code not in codes]
        found += [f"{where}: there is no test {test}" for test in row_tests if test not in tests]
    found += [f"{PAGE}: says nothing of {code}" for code in sorted(codes - {"kOk"}) if f"`{code}`" not in page]
    return found


class ErrorTable(unittest.TestCase):
    def test_every_case_has_a_code_and_a_test_that_exist(self):
        codes = status_codes(Path(ROOT, "include/isotherm/status.h").read_text())
        self.assertGreater(len(codes), 10)
        self.assertEqual([], faults(Path(ROOT, PAGE).read_text(), codes, tests_in(ROOT)))

    def test_a_wrong_page_is_found_out(self):
        codes, tests = {"kOk", "kNotFound", "kClosed"}, {"Suite.Name"}
        head = "| case | code | test |\n|---|---|---|\n"
        good = head + "| a | `kNotFound` | `Suite.Name` |\n| b | `ok`, `kClosed` | `Suite.Name` |\n"
        self.assertEqual([], faults(good, codes, tests))
        for row in ("| c | `kWrong` | `Suite.Name` |", "| c | `ok` | `Suite.Other` |", "| c | `ok` | |",
                    "| c | | `Suite.Name` |", "| c | `ok` |"):
            self.assertTrue(faults(good + row + "\n", codes, tests), row)
        self.assertTrue(faults(good.replace("`kClosed`", "`ok`"), codes, tests))
        self.assertTrue(faults("", codes, tests))


if __name__ == "__main__":
    unittest.main(verbosity=1)
