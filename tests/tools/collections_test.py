"""create, get, scan, stats, ls, cp, verify and compact."""

import json
import os
import unittest

from tool import ToolTest


class Collections(ToolTest):
    def test_a_new_collection_is_what_was_asked_for(self):
        made = self.json("create", "c", "--dimension", 3, "--metric", "ip", "--key-type", "string",
                         "--filter-column", "a", "--filter-column", "b")
        wanted = {"dimension": 3, "metric": "ip", "key_type": "string", "filter_columns": ["a", "b"], "version": 1}
        self.assertEqual({name: made[name] for name in wanted}, wanted)
        stats = self.json("stats", "c")
        self.assertEqual({name: stats[name] for name in wanted}, wanted)
        self.assertEqual(stats["rows"], 0)
        self.assertIn("there is a collection at", self.refused(5, "create", "c", "--dimension", 3, "--metric", "ip"))
        self.assertIn("created d: dimension 4, metric l2, int keys",
                      self.tool("create", "d", "--dimension", 4, "--metric", "l2"))

    def test_dimensions_and_names_out_of_range(self):
        self.assertIn("dimension 0", self.refused(3, "create", "c", "--dimension", 0, "--metric", "l2"))
        self.assertIn("dimension 70000", self.refused(3, "create", "c", "--dimension", 70000, "--metric", "l2"))
        self.assertIn("--dimension", self.refused(2, "create", "c", "--dimension", "many", "--metric", "l2"))
        self.assertIn("l3 not in", self.refused(2, "create", "c", "--dimension", 3, "--metric", "l3"))
        self.assertEqual(os.listdir(self.folder), [])
        self.assertIn("ftp", self.refused(3, "create", "ftp://host/c", "--dimension", 3, "--metric", "l2"))

    def test_get_shows_rows_and_names_what_is_missing(self):
        data = self.import_rows("c", 20)
        out, err = self.run_tool("get", "c", 3, 99, 4, "--json", code=4)
        self.assertEqual([json.loads(line) for line in out.splitlines()],
                         [{"key": i, "vector": data[i], "metadata": {"n": i, "odd": i % 2 == 1}, "payload": f"row {i}",
                           "row_version": 2} for i in (3, 4)])
        self.assertIn("99", err)
        text = self.tool("get", "c", 3)
        for words in ("key        3\n", "(8 numbers)", "odd        true\n", "(payload)  row 3\n", "(version)  2\n"):
            self.assertIn(words, text)
        self.assertIn("integers from 0", self.refused(3, "get", "c", "abc"))
        self.assertIn("integers from 0", self.refused(3, "get", "c", "18446744073709551616"))

    def test_scan_gives_each_row_once(self):
        data = self.import_rows("c", 3000, 128)
        rows = [json.loads(line) for line in self.tool("scan", "c").splitlines()]
        self.assertEqual(sorted(row["key"] for row in rows), list(range(3000)))
        self.assertTrue(all(row["vector"] == data[row["key"]] for row in rows))
        self.assertEqual([row["key"] for row in self.rows("c", "--limit", 5)], [0, 1, 2, 3, 4])
        self.assertEqual(self.rows("c", "--limit", 1, "--no-vector", "--no-payload"),
                         [{"key": 0, "metadata": {"n": 0, "odd": False}}])
        self.assertEqual(self.rows("c", "--limit", 0), [])

    def test_bytes_that_are_no_text_survive(self):
        self.write("r.jsonl", '{"key": "k", "vector": [1], "payload_base64": "/wCA"}\n')
        self.tool("import", "c", "r.jsonl", "--create", "--metric", "l2")
        self.assertEqual(self.rows("c"), [{"key": "k", "vector": [1], "payload_base64": "/wCA"}])

    def test_ls_tells_what_objects_are(self):
        self.import_rows("c", 2500, 128, "--batch", 2000)
        listed = self.json("ls", "c")
        self.assertTrue(listed["collection"])
        on_disk = {entry.name: entry.stat().st_size for entry in os.scandir(self.path("c")) if entry.is_file()}
        self.assertEqual({o["name"]: o["bytes"] for o in listed["objects"]}, on_disk)
        self.assertEqual(listed["bytes"], sum(on_disk.values()))
        what = [o["what"] for o in listed["objects"]]
        self.assertEqual((what.count("head"), what.count("cells segment")), (1, 1))
        # What the import wrote before it was compacted belongs to older versions.
        self.assertGreater(what.count("segment of others"), 0)
        self.assertEqual(self.json("verify", "c")["orphans"], [])
        self.assertIn("cells segment", self.tool("ls", "c"))

    def test_ls_of_a_store_without_a_collection(self):
        os.makedirs(self.path("s/sub"))
        self.write("s/sub/a", "12345")
        self.write("s/b", "1")
        listed = self.json("ls", "s")
        self.assertFalse(listed["collection"])
        self.assertEqual(listed["objects"], [{"name": "b", "bytes": 1}, {"name": "sub/a", "bytes": 5}])
        self.assertIn("2 objects, 6 B", self.tool("ls", "s"))
        self.assertIn("there is nothing at", self.refused(4, "ls", "nowhere"))

    def test_a_copy_has_the_same_rows(self):
        self.import_rows("c", 2500, 128)
        copied = self.json("cp", f"file://{self.path('c')}", f"file://{self.path('d')}")
        stats = self.json("stats", "d")
        self.assertEqual(copied["bytes"], stats["stored_bytes"] - stats["head_bytes"])
        self.assertEqual(self.rows("d"), self.rows("c"))
        self.assertEqual(self.json("verify", "d")["orphans"], [])
        self.assertIn("there is a collection at", self.refused(5, "cp", "c", "d"))
        self.assertEqual(self.refused(4, "cp", "nowhere", "e").count("\n"), 1)
        self.assertIn("copied", self.tool("cp", "c", "e"))

    def test_compact(self):
        self.import_rows("c", 2500, 128, "--no-compact")
        before = self.rows("c")
        report = self.json("compact", "c", "--cells", 16)
        self.assertEqual((report["rows"], report["cells"], report["segments"]), (2500, 16, 1))
        self.assertEqual(self.rows("c"), before)
        self.assertIn("compacted 2,500 rows", self.tool("compact", "c"))
        self.assertIn("no collection at", self.refused(4, "compact", "nowhere"))

    def test_compact_by_policy_does_what_is_due(self):
        self.import_rows("c", 3000, 128, "--no-compact", "--batch", 500)
        report = self.json("compact", "c", "--scope", "policy", "--threshold", 2, "--memory", 8)
        self.assertEqual(report["compactions"], 1)
        self.assertGreater(report["cells"], 0)
        self.assertGreater(report["bytes_written"], report["bytes_read"] // 2)
        again = self.json("compact", "c", "--scope", "policy", "--policy", "leveled")
        self.assertEqual((again["compactions"], again["bytes_written"], again["version"]), (0, 0, report["version"]))
        kept = self.json("compact", "c", "--keep-cells")
        self.assertEqual((kept["compactions"], kept["cells"]), (1, report["cells"]))
        self.assertIn("newest not in", self.refused(2, "compact", "c", "--scope", "newest"))


class Verifying(ToolTest):
    def flip(self, name, offset):
        with open(self.path("c/" + name), "r+b") as file:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 0x10]))

    def test_a_sound_collection_is_clean(self):
        self.import_rows("c", 2500, 128)
        report = self.json("verify", "c")
        self.assertEqual((report["clean"], report["problems"], report["rows"]), (True, [], 2500))
        self.assertIn("clean: ", self.tool("verify", "c"))

    def test_a_flipped_bit_is_found_wherever_it_is(self):
        self.import_rows("c", 2500, 128)
        objects = {o["name"]: o for o in self.json("ls", "c")["objects"]}
        segment = next(name for name in objects if objects[name]["what"] == "cells segment")
        routing = next(name for name in objects if name.startswith("routing") and name != "routing")
        places = [(segment, objects[segment]["bytes"] * part // 7 + 11) for part in range(7)]
        for name, offset in [*places, (routing, objects[routing]["bytes"] // 2), ("head", 40)]:
            with self.subTest(name=name, offset=offset):
                self.flip(name, offset)
                report = self.json("verify", "c", code=1)
                self.assertFalse(report["clean"])
                self.assertIn(name.split("-")[0], " ".join(report["problems"]))
                out, _ = self.run_tool("verify", "c", code=1)
                self.assertTrue(out.startswith("PROBLEM  "), out)
                self.flip(name, offset)
                self.assertTrue(self.json("verify", "c")["clean"])

    def test_a_missing_or_truncated_object_is_found(self):
        self.import_rows("c", 2500, 128)
        segment = next(o["name"] for o in self.json("ls", "c")["objects"] if o["what"] == "cells segment")
        os.truncate(self.path("c/" + segment), 4096)
        self.json("verify", "c", code=1)
        os.remove(self.path("c/" + segment))
        self.assertIn(segment, " ".join(self.json("verify", "c", code=1)["problems"]))
        self.assertEqual(self.refused(9, "search", "c", "--vector", json.dumps([1] * 128)).count("\n"), 1)
        self.assertIn("no collection at", self.refused(4, "verify", "nowhere"))


if __name__ == "__main__":
    unittest.main()
