#!/usr/bin/env python3
"""docs/behaviours.md against the tests that there are."""

import re
import unittest
from pathlib import Path

from error_table_test import ROOT, tests_in

PAGE = "docs/behaviours.md"
NUMBERS = [*range(1, 19), *range(23, 29)]
COLUMNS = ("memory", "local directory", "S3")
SAME = "the same"


def suites_over_every_store(root):
    found = set()
    for path in sorted(Path(root, "tests").rglob("*_test.cc")):
        found |= set(re.findall(r"^ISOTHERM_OVER_EVERY_STORE\((\w+)\);", path.read_text(), re.MULTILINE))
    return found


def rows(page):
    """number -> the cells behind the behaviour"""
    found = {}
    for line in page.split("\n"):
        if number := re.match(r"\| E(\d+) \|", line):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            found[int(number.group(1))] = cells[1:]
    return found


def tests_named(cell):
    return re.findall(r"`(\w+\.\w+)`", cell)


def faults_of_cell(cell, first, tests, everywhere):
    """What is wrong with a cell, one text each. `first`: the cell of the first store, when this is another's."""
    if cell == SAME:
        named = tests_named(first or "")
        if any(test.split(".")[0] in everywhere for test in named):
            return []
        return [f"'{SAME}', and no test of the first store runs over all"]
    named = tests_named(cell)
    reason = re.sub(r"`[^`]*`", "", cell).strip(" ,;:")
    if not named and not reason.startswith("none: "):
        return [f"'{cell}' is neither a test nor a reason"]
    return [f"there is no test {test}" for test in named if test not in tests]


def faults(page, tests, everywhere):
    found = []
    table = rows(page)
    found += [f"{PAGE}: E{number} is missing" for number in NUMBERS if number not in table]
    found += [f"{PAGE}: E{number} is none of the engine's" for number in table if number not in NUMBERS]
    for number, cells in table.items():
        if len(cells) != 1 + len(COLUMNS) or not cells[0]:
            found.append(f"{PAGE}: E{number} has {len(cells)} cells")
            continue
        for store, cell in zip(COLUMNS, cells[1:]):
            first = None if store == COLUMNS[0] else cells[1]
            wrong = faults_of_cell(cell, first, tests, everywhere)
            found += [f"{PAGE}: E{number}, {store}: {one}" for one in wrong]
    return found


class BehavioursPage(unittest.TestCase):
    def setUp(self):
        self.page = Path(ROOT, PAGE).read_text()
        self.tests = tests_in(ROOT)
        self.everywhere = suites_over_every_store(ROOT)

    def test_every_cell_names_tests_that_exist_or_a_reason(self):
        self.assertGreater(len(self.everywhere), 3)
        self.assertEqual([], faults(self.page, self.tests, self.everywhere))

    def test_a_wrong_page_is_found_out(self):
        line = next(line for line in self.page.split("\n") if line.startswith("| E3 |"))
        first = tests_named(line)[0]
        for wrong in (line.replace(first, "RowBehaviour.NoSuchTest"), line.replace(f"`{first}`", ""),
                      line.replace(f"`{first}`", "tested"), line.replace(f"`{first}`", "`FormatV1.OpensAndAnswers`"),
                      line.replace("| the same | the same |", "| the same |"), line.replace("| E3 |", "| E99 |"),
                      line.replace("| the same | the same |", "| the same | |"), ""):
            page = self.page.replace(line, wrong)
            self.assertTrue(faults(page, self.tests, self.everywhere), wrong)


if __name__ == "__main__":
    unittest.main(verbosity=1)
