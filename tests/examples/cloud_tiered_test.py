#!/usr/bin/env python3
"""Runs the tiered demo as a user would, with a quick latency profile. Usage: cloud_tiered_test.py PROGRAM

Counts, bytes and recall are asserted; times are not.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

PROGRAM = ""


def objects_in(place):
    """{name: bytes} of a local store, whose own files are below .tmp."""
    files = {str(path.relative_to(place)): path for path in place.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(".tmp/")}


class CloudTieredTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.scratch = self.folder / "scratch"
        self.scratch.mkdir()

    def run_demo(self, *arguments):
        """Returns (exit code, standard output, standard error)."""
        command = [PROGRAM, "--svg", self.folder / "tiers.svg", "--json", self.folder / "figures.json", *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              env={**os.environ, "TMPDIR": str(self.scratch)})
        self.assertEqual(list(self.scratch.iterdir()), [], "the demo left something behind")
        return done.returncode, done.stdout, done.stderr

    def figures(self):
        return json.loads((self.folder / "figures.json").read_text())

    def test_figures_keep_their_promises(self):
        code, output, errors = self.run_demo("--profile", "fixed20", "--cold-starts", "2")
        self.assertEqual((code, errors), (0, ""))
        figures = self.figures()
        for name in ("open_ms", "cold_ms", "cold_waves", "cold_gets", "cold_bytes", "warm_ram_us", "warm_disk_us",
                     "recall_at_10", "price_usd"):
            self.assertGreater(figures[name], 0, name)
        self.assertEqual((figures["rows"], figures["dimension"], figures["cold_questions"]), (20000, 384, 1000))
        self.assertIn("20 ms", figures["profile"])
        # Open and first question, the mean of all questions and the worst of them.
        for name in ("cold_waves", "cold_waves_max", "cold_starts_waves_max"):
            self.assertEqual(figures[name], 2, name)
        self.assertLessEqual(figures["cold_gets"], 10)
        self.assertLessEqual(figures["cold_bytes"], 2_000_000)
        self.assertEqual(figures["cold_other_requests"], 0)
        self.assertGreaterEqual(figures["recall_at_10"], 0.95)
        self.assertAlmostEqual(figures["price_usd"], figures["cold_gets"] * 0.0004 / 1000, places=12)
        # The same question again; after a restart; the texts.
        self.assertEqual((figures["warm_ram_requests"], figures["warm_disk_requests"]), (0, 0))
        self.assertEqual((figures["restart_open_waves"], figures["restart_open_gets"]), (1, 1))
        self.assertEqual(figures["texts_waves"], 1)
        # What the store takes is inside of what is said to be measured over it.
        self.assertGreaterEqual(figures["open_ms"], 20)
        self.assertGreaterEqual(figures["cold_ms"], figures["open_ms"] + 20)
        self.assertGreaterEqual(figures["cold_process_ms"], figures["cold_ms"])

        self.assertIn("a write is rejected: ReadOnly", output)
        self.assertNotIn("\x1b", output, "colours, although the output is no terminal")
        picture = "".join(ElementTree.parse(self.folder / "tiers.svg").getroot().itertext())
        for tier in ("RAM", "Disk", "Object store", "Cold start"):
            self.assertIn(tier, output)
            self.assertIn(tier, picture)

    def test_a_given_store_is_emptied_again_or_kept(self):
        place = self.folder / "bucket"
        short = ("--store", f"file://{place}", "--cold-starts", "1", "--queries", "1")
        code, _, errors = self.run_demo(*short)
        self.assertEqual((code, errors), (0, ""))
        self.assertEqual(objects_in(place), {})
        self.assertIn("none", self.figures()["profile"])  # no latency on top of a store's own

        code, _, errors = self.run_demo(*short, "--keep")
        self.assertEqual((code, errors), (0, ""))
        kept = objects_in(place)
        self.assertIn("head", kept)

        code, _, errors = self.run_demo(*short)
        self.assertEqual(code, 1)
        self.assertIn("is not empty", errors)
        self.assertEqual(objects_in(place), kept)

    def test_errors_are_said(self):
        for arguments, words in ((("--profile", "mars"), "mars"), (("--data", "/nowhere"), "/nowhere"),
                                 (("--store", "gopher://x"), "gopher"), (("--queries", "0"), "--queries")):
            with self.subTest(arguments=arguments):
                code, _, errors = self.run_demo(*arguments)
                self.assertNotEqual(code, 0)
                self.assertIn(words, errors)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
