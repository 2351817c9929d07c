#!/usr/bin/env python3
"""docs/durability.md against the tests that there are."""

import re
import unittest
from pathlib import Path

from error_table_test import ROOT, tests_in

PAGE = "docs/durability.md"


def invariants(page):
    """{number: its row} of the table of invariants."""
    return {int(number): row for number, row in re.findall(r"^\| D(\d+) (\|.*)$", page, re.MULTILINE)}


def faults(page, tests, named):
    """What is wrong, one text each; `named`: {number: file} of the invariants that tests refer to."""
    rows = invariants(page)
    in_order = rows and list(rows) == list(range(1, len(rows) + 1))
    found = [] if in_order else [f"{PAGE}: the invariants are not D1, D2, …"]
    for number, row in rows.items():
        if not re.search(r"`\w+\.\w+`|the same", row):
            found.append(f"{PAGE}: D{number} names no test")
    mentioned = re.findall(r"`([A-Z]\w+\.[A-Z]\w+)`", page)
    found += [f"{PAGE}: there is no test {test}" for test in mentioned if test not in tests]
    return found + [f"{file}: there is no D{number} in {PAGE}" for number, file in named.items() if number not in rows]


def named_in(root):
    named = {}
    for path in sorted(Path(root, "tests/engine").glob("*.cc")):
        for number in re.findall(r"\bD(\d+)\b", path.read_text()):
            named[int(number)] = path.name
    return named


class Durability(unittest.TestCase):
    def test_invariants_and_tests_name_each_other(self):
        named = named_in(ROOT)
        self.assertGreater(len(named), 4)
        self.assertEqual([], faults(Path(ROOT, PAGE).read_text(), tests_in(ROOT), named))

    def test_every_planted_bug_is_listed(self):
        header = Path(ROOT, "src/base/planted.h").read_text()
        bugs = re.findall(r"^  k(\w+),", header, re.MULTILINE)
        self.assertGreater(len(bugs), 1)
        listed = re.findall(r"^\| `([A-Z]\w+)` \|", Path(ROOT, PAGE).read_text(), re.MULTILINE)
        self.assertEqual([bug for bug in bugs if bug != "None"], listed)

    def test_a_wrong_page_is_found_out(self):
        good = "| D1 | a | `Suite.Name` |\n| D2 | b | the same |\n"
        self.assertEqual([], faults(good, {"Suite.Name"}, {2: "x_test.cc"}))
        self.assertTrue(faults(good, {"Suite.Other"}, {}))
        self.assertTrue(faults(good, {"Suite.Name"}, {3: "x_test.cc"}))
        self.assertTrue(faults(good + "| D4 | c | the same |\n", {"Suite.Name"}, {}))
        self.assertTrue(faults(good + "| D3 | c | |\n", {"Suite.Name"}, {}))
        self.assertTrue(faults("", set(), {}))


if __name__ == "__main__":
    unittest.main(verbosity=1)
