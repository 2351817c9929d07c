"""erase; in a directory and on S3."""

import json
import unittest

from tool import S3ToolTest, ToolTest


class Erase:
    def setUp(self):
        super().setUp()
        self.c = self.place("c")
        rows = [{"key": i, "vector": [i, 1], "metadata": {"n": i}, "payload": f"payload <{i}>"} for i in range(20)]
        self.write("lines.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        self.json("import", self.c, "lines.jsonl", "--create", "--metric", "l2")

    def keys(self, *flags):
        return [row["key"] for row in self.rows(self.c, "--no-vector", *flags)]

    def holding(self, *payloads):
        """Names of the objects that hold one of the payloads."""
        return sorted(name for name, data in self.objects("c").items()
                      if any(f"<{payload}>".encode() in data for payload in payloads))

    def test_nothing_is_left_on_any_branch(self):
        self.tool("branch", self.c, "create", "kept")
        self.tool("delete", self.c, 4, "--branch", "kept")
        before = self.holding(3, 4)
        self.assertGreater(len(before), 0)
        planned = self.json("erase", self.c, 3, 4, 99, "--dry-run")
        self.assertEqual(self.holding(3, 4), before)
        done = self.json("erase", self.c, 3, 4, 99)
        self.assertEqual((done["keys"], done["complete"], done["late"], done["holds"]), (3, True, False, []))
        self.assertEqual([(b["branch"], b["keys_found"]) for b in done["branches"]], [("", 2), ("kept", 1)])
        for branch, foreseen in zip(done["branches"], planned["branches"]):
            for figure in ("keys_found", "segments_rewritten", "bytes_rewritten"):
                self.assertEqual(branch[figure], foreseen[figure], figure)
        self.assertTrue(done["caches_emptied"])
        self.assertEqual(self.holding(3, 4), [])
        left = [i for i in range(20) if i not in (3, 4)]
        self.assertEqual((self.keys(), self.keys("--branch", "kept")), (left, left))
        self.assertEqual(self.json("verify", self.c)["problems"], [])
        self.write("keys.txt", "5\n6\n")
        out = self.tool("erase", self.c, "--file", "keys.txt", "--by", "2100-01-01")
        self.assertIn("erased 2 rows of the main branch", out)
        self.assertIn("nothing is left\n", out)
        self.assertEqual(self.holding(5, 6), [])
        self.assertIn("erase", [entry["operation"] for entry in self.json("log", self.c)["versions"]])

    def test_what_erase_refuses(self):
        self.assertIn("KEY or --file FILE is required", self.refused(2, "erase", self.c))
        self.assertIn("--by", self.refused(2, "erase", self.c, 1, "--by", "tomorrow"))
        self.assertIn("integers from 0", self.refused(3, "erase", self.c, "x"))
        self.assertIn("no collection at", self.refused(4, "erase", self.place("nowhere"), 1))
        self.assertEqual(self.keys(), list(range(20)))


class LocalErase(Erase, ToolTest):
    pass


class S3Erase(Erase, S3ToolTest):
    pass


if __name__ == "__main__":
    unittest.main()
