"""Changing rows: import --upsert, set, delete, undelete, expiry, conditions; in a directory and on S3."""

import gzip
import json
import random
import time
import unittest

from tool import S3ToolTest, ToolTest, npy

HOUR_MS = 60 * 60 * 1000
FUTURE_MS = 4_102_444_800_000  # 2100-01-01T00:00:00Z


class Changes:
    def import_lines(self, rows, *flags, create=True, code=0):
        self.write("lines.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        more = ("--create", "--metric", "l2") if create else ()
        out, err = self.run_tool("import", self.c, "lines.jsonl", *more, *flags, "--json", code=code)
        return json.loads(out) if code == 0 else err

    def setUp(self):
        super().setUp()
        self.c = self.place("c")

    def ten_rows(self):
        rows = [{"key": i, "vector": [i, 1], "metadata": {"n": i}, "payload": f"row {i}"} for i in range(10)]
        self.import_lines(rows)
        return rows

    def keys(self, *flags):
        return [row["key"] for row in self.rows(self.c, "--no-vector", *flags)]

    def test_deleted_rows_are_gone_and_absent_ones_are_counted(self):
        self.ten_rows()
        report = self.json("delete", self.c, 3, 5, 99, 5)
        self.assertEqual((report["rows_deleted"], report["keys_without_row"], report["rows"]), (2, 1, 8))
        self.assertEqual(self.keys(), [0, 1, 2, 4, 6, 7, 8, 9])
        self.assertIn("99", self.run_tool("get", self.c, 99, code=4)[1])
        self.assertIn("deleted 1 row, 1 key has no row\n", self.tool("delete", self.c, 0, 3))
        self.assertEqual(self.json("stats", self.c)["rows"], 7)
        self.assertIn("KEY or --file FILE is required", self.refused(2, "delete", self.c))
        self.assertIn("integers from 0", self.refused(3, "delete", self.c, "x"))
        self.assertEqual(self.json("delete", self.c, 0)["version"], self.json("stats", self.c)["version"])

    def test_keys_come_from_files_and_pipes(self):
        self.ten_rows()
        self.write("keys.txt", "1\n\n2\n")
        with gzip.open(self.path("keys.gz"), "wt") as file:
            file.write("3\n4")
        self.assertEqual(self.json("delete", self.c, 0, "--file", "keys.txt")["rows_deleted"], 3)
        self.assertEqual(self.json("delete", self.c, "--file", "keys.gz", "--soft")["rows_deleted"], 2)
        out, _ = self.run_tool("delete", self.c, "--file", "-", "--json", stdin=b"5\n6\n")
        self.assertEqual(json.loads(out)["rows"], 3)
        self.assertEqual(self.json("undelete", self.c, "--file", "keys.gz")["rows_restored"], 2)
        self.assertEqual(self.keys(), [3, 4, 7, 8, 9])
        self.write("bad.txt", "7\nseven\n")
        self.assertIn("line 2 of bad.txt: key 'seven'", self.refused(3, "delete", self.c, "--file", "bad.txt"))
        self.assertIn("cannot open nowhere", self.refused(4, "delete", self.c, "--file", "nowhere"))
        self.assertEqual(self.keys(), [3, 4, 7, 8, 9])

    def test_many_keys_are_one_version(self):
        self.import_lines([{"key": f"k{i}", "vector": [i]} for i in range(25_000)], "--no-compact")
        before = self.json("stats", self.c)["version"]
        self.write("keys.txt", "".join(f"k{i}\n" for i in range(1, 25_000)))
        report = self.json("delete", self.c, "--file", "keys.txt", "--soft")
        self.assertEqual((report["rows_deleted"], report["rows"], report["version"]), (24_999, 1, before + 1))
        self.assertEqual(self.json("undelete", self.c, "--file", "keys.txt")["rows"], 25_000)

    def test_soft_deletion_is_taken_back(self):
        rows = self.ten_rows()
        self.assertTrue(self.json("delete", self.c, 3, 5, "--soft")["soft"])
        self.assertEqual(self.keys("--soft-deleted"), [3, 5])
        stats = self.json("stats", self.c)
        self.assertEqual((stats["rows"], stats["soft_deleted_rows"]), (8, 2))
        # All of them or none.
        self.assertIn("77", self.refused(4, "undelete", self.c, 3, 77))
        self.assertEqual(self.keys("--soft-deleted"), [3, 5])
        self.assertEqual(self.json("stats", self.c)["version"], stats["version"])
        report = self.json("undelete", self.c, 3, 5, 6)
        self.assertEqual((report["rows_restored"], report["rows_not_deleted"], report["rows"]), (2, 1, 10))
        self.assertEqual(self.rows(self.c), rows)
        self.assertEqual(self.keys("--soft-deleted"), [])
        self.tool("delete", self.c, 3, "--soft")
        self.tool("vacuum", self.c, "--keep-soft-deleted")
        self.assertIn("brought back 1 row\n", self.tool("undelete", self.c, 3))
        self.tool("delete", self.c, 3, "--soft")
        self.tool("vacuum", self.c)
        self.refused(4, "undelete", self.c, 3)

    def test_set_changes_fields_and_nothing_else(self):
        self.import_lines([{"key": "k", "vector": [1, 2], "metadata": {"a": 1, "b": "x"}, "payload": "p",
                            "expires_at_ms": FUTURE_MS}])
        report = self.json("set", self.c, "k", "--field", "a=2.5", "--field", 'c="é=1"', "--field", "d=[1, null]",
                           "--field", 'o={"x": {"y": true}}', "--remove", "b", "--remove", "absent")
        wanted = {"a": 2.5, "c": "é=1", "d": [1, None], "o.x.y": True}
        self.assertEqual(report["metadata"], wanted)
        row = {"key": "k", "expires_at_ms": FUTURE_MS, "vector": [1, 2], "metadata": wanted, "payload": "p"}
        self.assertEqual(self.rows(self.c), [row])
        out = self.tool("set", self.c, "k", "--remove", "a")
        self.assertEqual(out, f"row k has version {report['row_version'] + 1}\n")

    def test_what_set_refuses(self):
        self.ten_rows()
        for code, arguments, message in ((3, ("--field", "a"), "name=value"), (3, ("--field", "=1"), "name=value"),
                                         (3, ("--field", "a=x"), "a text stands in quotes: 'a=\"x\"'"),
                                         (3, ("--field", "a=1", "--field", "a=2"), "'a' is there twice"),
                                         (2, (), "--field NAME=JSON or --remove NAME is required")):
            with self.subTest(arguments=arguments):
                self.assertIn(message, self.refused(code, "set", self.c, 1, *arguments))
        self.assertIn("99", self.refused(4, "set", self.c, 99, "--field", "a=1"))
        self.assertEqual(self.json("stats", self.c)["version"], 2)

    def test_conditions_on_a_rows_version(self):
        self.ten_rows()
        version = json.loads(self.tool("get", self.c, 4, "--json"))["row_version"]
        self.assertIn(f"(version)  {version}\n", self.tool("get", self.c, 4))
        after = self.json("set", self.c, 4, "--field", "n=0", "--if-version", version)["row_version"]
        self.assertGreater(after, version)
        for command in (("set", self.c, 4, "--field", "n=1"), ("delete", self.c, 4), ("delete", self.c, 4, "--soft")):
            self.assertIn(f"has version {after}; expected was version {version}",
                          self.refused(7, *command, "--if-version", version))
        self.assertEqual(json.loads(self.tool("get", self.c, 4, "--json"))["metadata"], {"n": 0})
        self.assertIn("is gone", self.refused(7, "delete", self.c, 99, "--if-version", version))
        self.assertIn("goes with one key", self.refused(2, "delete", self.c, 4, 5, "--if-version", after))
        self.assertIn("--if-version", self.refused(2, "delete", self.c, 4, "--if-version", 0))
        self.assertEqual(self.json("delete", self.c, 4, "--if-version", after)["rows_deleted"], 1)

    def test_upserts_replace_whole_rows(self):
        self.ten_rows()
        changed = [{"key": 3, "vector": [7, 7]}, {"key": 50, "vector": [1, 2], "payload": "new"},
                   {"key": 51, "vector": [0, 0]}, {"key": 51, "vector": [5, 1], "metadata": {"last": True}}]
        self.assertIn("and changes none, unless --upsert is given",
                      self.import_lines(changed[:2], create=False, code=5))
        report = self.import_lines(changed, "--upsert", create=False)
        self.assertEqual((report["rows_added"], report["rows_replaced"], report["rows_found"], report["rows"]),
                         (2, 2, 0, 12))
        rows = {row["key"]: row for row in self.rows(self.c)}
        self.assertEqual([rows[3], rows[50], rows[51]], [changed[0], changed[1], changed[3]])
        again = self.import_lines(changed, "--upsert", create=False)
        self.assertEqual((again["rows_added"], again["rows_replaced"], again["rows"]), (0, 4, 12))
        self.assertIn(", replaced 4\n", self.tool("import", self.c, "lines.jsonl", "--upsert"))

    def test_rows_expire(self):
        soon_ms = int(time.time() * 1000) + HOUR_MS
        rows = [{"key": 1, "expires_at_ms": soon_ms, "vector": [1, 1]},
                {"key": 2, "expires_at_ms": soon_ms - 2 * HOUR_MS, "vector": [2, 1]},
                {"key": 3, "vector": [3, 1]},
                {"key": 4, "expires_at_ms": 0, "vector": [4, 1]}]
        self.import_lines(rows)
        rows[3].pop("expires_at_ms")
        self.assertEqual(self.rows(self.c), [rows[0], *rows[2:]])
        self.assertIn("no row has the key 2", self.run_tool("get", self.c, 2, code=4)[1])
        self.assertEqual(json.loads(self.tool("get", self.c, 1, "--json"))["expires_at_ms"], soon_ms)
        hits = self.json("search", self.c, "--vector", "[2, 1]", "-k", 9)["queries"][0]["hits"]
        self.assertEqual(sorted(hit["key"] for hit in hits), [1, 3, 4])
        # What is there with another expiry is another row.
        rows[0]["expires_at_ms"] += 1
        self.assertIn("with another expiry", self.import_lines(rows[:1], create=False, code=5))
        for wrong in ("tomorrow", -1, 1.5, None, 2**63):
            err = self.import_lines([{"key": 9, "vector": [1, 1], "expires_at_ms": wrong}], create=False, code=3)
            self.assertIn("milliseconds since 1970 are wanted", err)

    def test_the_expiry_can_be_another_field(self):
        npy(self.path("v.npy"), "<f4", [[1, 2], [3, 4]], 2)
        self.write("m.jsonl", json.dumps({"until": FUTURE_MS, "expires_at_ms": 7}) + '\n{"a": 1}\n')
        self.tool("import", self.c, "v.npy", "--create", "--metric", "l2", "--metadata", "m.jsonl", "--expiry-field",
                  "until")
        self.assertEqual(self.rows(self.c, "--no-vector"),
                         [{"key": 0, "expires_at_ms": FUTURE_MS, "metadata": {"expires_at_ms": 7}},
                          {"key": 1, "metadata": {"a": 1}}])
        self.assertRegex(self.tool("get", self.c, 0), r"\(expires\) +2100-01-01T00:00:00.000Z\n")
        self.import_lines([{"key": 5, "vector": [1, 1], "until": FUTURE_MS}], "--expiry-field", "until", create=False)
        self.assertEqual(json.loads(self.tool("get", self.c, 5, "--json"))["expires_at_ms"], FUTURE_MS)

    def test_versions_are_shown_where_asked_for_and_left_aside_by_import(self):
        self.ten_rows()
        self.tool("set", self.c, 4, "--field", "n=0")
        with_versions = self.rows(self.c, "--row-version")
        self.assertEqual([row.pop("row_version") for row in with_versions], [3 if i == 4 else 2 for i in range(10)])
        self.assertEqual(with_versions, self.rows(self.c))
        lines, _ = self.run_tool("scan", self.c, "--row-version")
        self.run_tool("import", self.place("d"), "-", "--create", "--metric", "l2", stdin=lines.encode())
        self.assertEqual(self.rows(self.place("d")), self.rows(self.c))

    def test_any_changes_are_what_a_dictionary_makes_of_them(self):
        """Each step on the collection and on a model of it; then every version is read again."""
        random_steps = random.Random(7)
        self.import_lines([{"key": 0, "vector": [0, 0]}])
        model, soft = {0: {"key": 0, "vector": [0, 0]}}, {}
        states = {2: dict(model)}
        for step in range(25):
            keys = random_steps.sample(range(12), 4)
            kind = random_steps.choice(["upsert", "upsert", "delete", "soft", "undelete", "set"])
            if kind == "upsert":
                rows = [{"key": k, "vector": [step, k], "metadata": {"step": step}} for k in keys]
                self.import_lines(rows, "--upsert", "--no-compact", create=False)
                model.update({row["key"]: row for row in rows})
                soft = {k: row for k, row in soft.items() if k not in keys}
            elif kind == "delete":
                self.tool("delete", self.c, *keys)
                model = {k: row for k, row in model.items() if k not in keys}
                soft = {k: row for k, row in soft.items() if k not in keys}
            elif kind == "soft":
                self.tool("delete", self.c, *keys, "--soft")
                soft.update({k: model.pop(k) for k in keys if k in model})
            elif kind == "undelete" and soft:
                self.tool("undelete", self.c, *soft)
                model.update(soft)
                soft = {}
            elif kind == "set" and model:
                key = random_steps.choice(sorted(model))
                self.tool("set", self.c, key, "--field", f"step={step}")
                model[key] = {**model[key], "metadata": {"step": step}}
            self.assertEqual(self.rows(self.c, "--soft-deleted"), [soft[k] for k in sorted(soft)], (step, kind))
            states[self.json("stats", self.c)["version"]] = dict(model)
        self.assertGreater(len(states), 10)
        for version, rows in states.items():
            self.assertEqual(self.rows(self.c, "--as-of", version), [rows[k] for k in sorted(rows)], version)
        self.assertTrue(self.json("verify", self.c)["clean"])


class LocalChanges(Changes, ToolTest):
    pass


class S3Changes(Changes, S3ToolTest):
    pass


if __name__ == "__main__":
    unittest.main()
