#!/usr/bin/env python3
"""readme_examples.py passes the page that holds and fails each of those that don't, for the reason they were made for.

Usage: readme_test.py OPTIONS, where OPTIONS are those of readme_examples.py without the page.
"""

import sys
import unittest
from pathlib import Path

import readme_examples

TESTDATA = Path(__file__).parent / "testdata"
FAILING = {
    "does_not_compile": "building the C\\+\\+ blocks ended with(.|\n)*NoSuchCode",
    "program_fails": "the block of line 1 ended with 3",
    "command_fails": "the block of line 1 ended with 1",
    "wrong_output": "is said to print\n18 rows\nbut prints\n17 rows",
    "output_of_nothing": "line 5: output that follows no block",
    "unknown_mark": "line 1: a block marked 'sh runs'",
    "nothing_to_run": "no cpp block is marked",
}
arguments = sys.argv[1:]


class Pages(unittest.TestCase):
    def run_page(self, name, *more):
        page = TESTDATA / f"{name}.md"
        return readme_examples.run_page(page.read_text(), readme_examples.options_from([str(page), *arguments, *more]))

    def test_a_page_that_holds(self):
        self.assertEqual(self.run_page("good", "--require", "cpp", "--require", "sh"), 2)

    def test_pages_that_do_not(self):
        self.assertEqual({page.stem for page in TESTDATA.glob("*.md")}, {"good", *FAILING})
        for name, reason in FAILING.items():
            with self.subTest(name), self.assertRaisesRegex(readme_examples.Failure, reason):
                self.run_page(name, *(["--require", "cpp"] if name == "nothing_to_run" else []))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
