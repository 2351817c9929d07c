"""isotherm import: every format, interrupted and begun again, and what is wrong with files."""

import gzip
import json
import signal
import struct
import subprocess
import unittest

from tool import TOOL, ToolTest, npy, vectors


class Formats(ToolTest):
    def test_npy_of_every_float_type_gives_the_same_rows(self):
        data = [[1, -2.5], [0.125, 4], [3, 3]]
        for descr in ("<f2", "<f4", "<f8"):
            npy(self.path("v.npy"), descr, data, 2)
            report = self.json("import", descr[1:], "v.npy", "--create", "--metric", "l2")
            self.assertEqual((report["rows_added"], report["rows"], report["compacted"]), (3, 3, False))
            self.assertEqual([row["vector"] for row in self.rows(descr[1:])], data)
            self.assertEqual([row["key"] for row in self.rows(descr[1:])], [0, 1, 2])

    def test_fvecs_and_bvecs(self):
        self.write("v.fvecs", b"".join(struct.pack("<iff", 2, *row) for row in ((1, 2), (3, 4.5))))
        self.write("v.bvecs", b"".join(struct.pack("<iBB", 2, *row) for row in ((1, 2), (3, 255))))
        for name, last in (("v.fvecs", [3, 4.5]), ("v.bvecs", [3, 255])):
            self.tool("import", name + ".db", name, "--create", "--metric", "ip")
            self.assertEqual([row["vector"] for row in self.rows(name + ".db")], [[1, 2], last])

    def test_ids_and_metadata_stand_beside_the_vectors(self):
        npy(self.path("v.npy"), "<f4", [[1, 2], [3, 4]], 2)
        npy(self.path("ids.npy"), "<u8", [2**64 - 1, 5])
        with gzip.open(self.path("m.jsonl.gz"), "wt") as file:
            file.write('{"a": {"b": 1}, "tags": ["x", "y"], "deep": [[1]], "text": "one"}\n{"a": null}\n')
        self.tool("import", "c", "v.npy", "--create", "--metric", "l2", "--ids", "ids.npy", "--metadata", "m.jsonl.gz",
                  "--payload-field", "text")
        self.assertEqual(self.rows("c"), [
            {"key": 5, "vector": [3, 4], "metadata": {"a": None}},
            {"key": 2**64 - 1, "vector": [1, 2], "metadata": {"a.b": 1, "deep": "[[1]]", "tags": ["x", "y"]},
             "payload": "one"}])

    def test_a_field_can_be_the_key(self):
        npy(self.path("v.npy"), "<f4", [[1, 2], [3, 4]], 2)
        self.write("m.jsonl", '{"id": "b"}\n{"id": "a"}\n')
        self.tool("import", "c", "v.npy", "--create", "--metric", "l2", "--metadata", "m.jsonl", "--key-field", "id")
        self.assertEqual(self.json("stats", "c")["key_type"], "string")
        self.assertEqual(self.rows("c"), [{"key": "a", "vector": [3, 4]}, {"key": "b", "vector": [1, 2]}])

    def test_what_scan_prints_import_reads(self):
        self.import_rows("c", 50)
        lines, _ = self.run_tool("scan", "c")
        report, _ = self.run_tool("import", "d", "-", "--create", "--metric", "l2", "--json",
                                  stdin=lines.encode())
        self.assertEqual(json.loads(report)["rows_added"], 50)
        self.assertEqual(self.rows("d"), self.rows("c"))

    def test_foreign_json_lines(self):
        self.write("r.jsonl", '{"id": 7, "embedding": [1, 2], "title": "T"}\n')
        self.tool("import", "c", "r.jsonl", "--create", "--metric", "cosine", "--key-field", "id", "--vector-field",
                  "embedding", "--payload-field", "title", "--filter-column", "year")
        self.assertEqual(self.rows("c"), [{"key": 7, "vector": [1, 2], "payload": "T"}])
        self.assertEqual(self.json("stats", "c")["filter_columns"], ["year"])

    def test_a_limit_and_a_first_key(self):
        npy(self.path("v.npy"), "<f4", vectors(20, 2), 2)
        self.tool("import", "c", "v.npy", "--create", "--metric", "l2", "--limit", 5)
        self.tool("import", "c", "v.npy", "--first-key", 100, "--limit", 3)
        self.assertEqual([row["key"] for row in self.rows("c")], [0, 1, 2, 3, 4, 100, 101, 102])

    def test_a_collection_that_fits_in_its_head_stays_there(self):
        self.import_rows("c", 100)
        stats = self.json("stats", "c")
        self.assertEqual((stats["inline_rows"], stats["segments"]), (100, []))

    def test_many_rows_are_compacted_unless_not_wanted(self):
        self.import_rows("c", 2500, 128, "--batch", 1000)
        stats = self.json("stats", "c")
        self.assertGreater(stats["cells"], 0)
        self.assertEqual([(s["kind"], s["rows"]) for s in stats["segments"]], [("cells", 2500)])
        self.import_rows("d", 2500, 128, "--no-compact")
        self.assertEqual(self.json("stats", "d")["cells"], 0)
        self.assertEqual(self.json("verify", "c")["rows"], 2500)


class Resuming(ToolTest):
    BATCH = 50
    COUNT = 3000

    def command(self, *flags, batch=BATCH):
        return ["import", "c", "rows.npy", "--create", "--metric", "l2", "--metadata", "rows.jsonl", "--payload-field",
                "text", "--batch", str(batch), *flags]

    def prepare(self):
        data = vectors(self.COUNT, 16)
        npy(self.path("rows.npy"), "<f4", data, 16)
        self.write("rows.jsonl", "".join(json.dumps({"n": i, "text": f"row {i}"}) + "\n" for i in range(self.COUNT)))
        return data

    def committed(self):
        done = subprocess.run([TOOL, "stats", "c", "--json"], cwd=self.folder, capture_output=True, check=False)
        return json.loads(done.stdout)["rows"] if done.returncode == 0 else 0

    def check_whole(self, data):
        self.assertEqual(self.rows("c"), [{"key": i, "vector": vector, "metadata": {"n": i}, "payload": f"row {i}"}
                                          for i, vector in enumerate(data)])
        report = self.json("verify", "c")
        self.assertTrue(report["clean"], report["problems"])
        self.assertEqual(report["rows"], len(data))

    def test_a_killed_import_goes_on_where_it_was(self):
        data = self.prepare()
        for least in (400, 1200):
            # The slow store makes sure that it is killed on its way.
            importer = subprocess.Popen([TOOL, *self.command("--profile", "fixed20")], cwd=self.folder,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while self.committed() < least and importer.poll() is None:
                pass
            importer.send_signal(signal.SIGKILL)
            self.assertEqual(importer.wait(), -signal.SIGKILL)
            there = self.committed()
            self.assertLess(there, self.COUNT)
            self.assertEqual(there % self.BATCH, 0)
            self.assertEqual([row["key"] for row in self.rows("c", "--no-vector")], list(range(there)))
        report = self.json(*self.command())
        self.assertEqual((report["rows_added"], report["rows_found"]), (self.COUNT - there, there))
        self.check_whole(data)
        report = self.json(*self.command())
        self.assertEqual((report["rows_added"], report["rows_found"], report["compacted"]), (0, self.COUNT, False))
        self.check_whole(data)

    def test_batches_of_another_size_go_on_too(self):
        data = self.prepare()
        self.json(*self.command("--limit", "333", "--no-compact"))
        report = self.json(*self.command(batch=1000))
        self.assertEqual((report["rows_added"], report["rows_found"]), (self.COUNT - 333, 333))
        self.check_whole(data)

    def test_an_import_that_met_a_bad_row_goes_on_when_that_is_mended(self):
        data = self.prepare()
        bad = [list(row) for row in data]
        bad[777][3] = float("nan")
        npy(self.path("rows.npy"), "<f4", bad, 16)
        message = self.refused(3, *self.command())
        self.assertIn("row 777 of rows.npy: component 3 of the vector is nan", message)
        self.assertIn("750 rows are there", message)
        self.assertEqual(self.committed(), 750)
        npy(self.path("rows.npy"), "<f4", data, 16)
        self.assertEqual(self.json(*self.command())["rows_found"], 750)
        self.check_whole(data)

    def test_json_lines_are_resumed_alike(self):
        data = vectors(300, 4)
        lines = [json.dumps({"key": f"k{i:03}", "vector": row, "n": i}) for i, row in enumerate(data)]
        self.write("a.jsonl", "\n".join(lines[:250]) + "\n{]\n")
        command = ["import", "c", "a.jsonl", "--create", "--metric", "l2", "--batch", "40"]
        self.assertIn("line 251 of a.jsonl: not JSON", self.refused(3, *command))
        self.assertEqual(self.committed(), 240)
        self.write("a.jsonl", "\n".join(lines))
        report = self.json(*command)
        self.assertEqual((report["rows_added"], report["rows_found"]), (60, 240))
        self.assertEqual([row["vector"] for row in self.rows("c")], data)

    def test_other_rows_with_the_same_keys_are_not_skipped(self):
        self.prepare()
        self.json(*self.command("--limit", "200"))
        npy(self.path("rows.npy"), "<f4", vectors(self.COUNT, 16, seed=2), 16)
        message = self.refused(5, *self.command())
        self.assertIn("row 0 of rows.npy: key 0 is in the collection already with another vector", message)
        self.assertEqual(self.committed(), 200)

    def test_a_key_that_comes_again_later_in_the_file_is_not_skipped(self):
        npy(self.path("v.npy"), "<f4", vectors(30, 2), 2)
        npy(self.path("ids.npy"), "<i8", [*range(29), 3])
        command = ["import", "c", "v.npy", "--create", "--metric", "l2", "--ids", "ids.npy", "--batch", 10]
        self.assertIn("row 29 of v.npy: key 3 is in the collection already", self.refused(5, *command))
        self.assertEqual(self.committed(), 20)
        npy(self.path("ids.npy"), "<i8", [*range(20), 25, 25, *range(22, 30)])
        self.assertIn("row 21 of v.npy: key 25 is that of row 20 of v.npy too", self.refused(5, *command))


class BadInput(ToolTest):
    def test_a_message_and_a_code_for_each(self):
        npy(self.path("v.npy"), "<f4", [[1, 2], [3, 4]], 2)
        self.write("cut.npy", self.read("v.npy")[:-3])
        self.write("no.npy", "text")
        npy(self.path("wide.npy"), "<f4", [[1, 2, 3]], 3)
        npy(self.path("zero.npy"), "<f4", [[1, 2], [0, 0]], 2)
        npy(self.path("ids.npy"), "<i8", [1])
        npy(self.path("negative.npy"), "<i8", [1, -2])
        self.write("short.jsonl", "{}\n")
        self.write("bad.jsonl", '{"key": 1, "vector": [1, 2]}\n{"key": 2, "vector": [1, "x"]}\n')
        self.write("strings.jsonl", '{"key": "a", "vector": [1, 2]}\n')
        self.write("wide.jsonl", '{"key": 1, "vector": [1, 2]}\n{"key": 2, "vector": [1, 2, 3]}\n')
        with gzip.open(self.path("whole.gz"), "wb") as file:
            file.write(b'{"key": 1, "vector": [1, 2]}\n' * 1000)
        self.write("cut.gz", self.read("whole.gz")[:-20])
        self.tool("create", "c", "--dimension", 2, "--metric", "cosine")
        for code, file, flags, message in (
                (4, "missing.npy", (), "cannot open missing.npy"),
                (4, "missing.jsonl", (), "cannot open missing.jsonl: No such file"),
                (3, "cut.npy", (), "cut.npy: truncated: the header says 2 rows, the file holds 1"),
                (3, "no.npy", (), "no.npy: not a .npy file"),
                (3, "wide.npy", (), "row 0 of wide.npy: a vector of 3 numbers; the collection's dimension is 2"),
                (3, "wide.jsonl", (), "line 2 of wide.jsonl: a vector of 3 numbers"),
                (3, "zero.npy", (), "row 1 of zero.npy: the vector is all zeros"),
                (3, "ids.npy", (), "ids.npy holds integers; floats are wanted"),
                (3, "v.npy", ("--ids", "ids.npy"), "ids.npy has 1 ids, v.npy 2 rows"),
                (3, "v.npy", ("--ids", "negative.npy"), "row 1 of negative.npy: -2 is no key"),
                (3, "v.npy", ("--metadata", "short.jsonl"), "short.jsonl ends after line 1; v.npy has 2 rows"),
                (3, "bad.jsonl", (), "line 2 of bad.jsonl: component 1 of the vector is a string"),
                (3, "strings.jsonl", (), "line 1 of strings.jsonl: key a; this collection's keys are integers"),
                (3, "cut.gz", (), "cut.gz: damaged or truncated"),
                (2, "v.npy", ("--metric", "l2"), "--metric requires --create"),
                (2, "v.npy", ("--create",), "--metric l2|cosine|ip is required"),
                (2, "v.npy", ("--batch", "0"), "--batch")):
            with self.subTest(file=file, flags=flags):
                self.assertIn(message, self.refused(code, "import", "c", file, *flags))
                self.assertEqual(self.json("stats", "c")["rows"], 0)

    def test_a_collection_must_be_there_and_alike(self):
        npy(self.path("v.npy"), "<f4", [[1, 2], [3, 4]], 2)
        self.assertIn("--create --metric", self.refused(4, "import", "c", "v.npy"))
        self.tool("create", "c", "--dimension", 3, "--metric", "l2")
        self.assertIn("dimension 3", self.refused(3, "import", "c", "v.npy", "--create", "--metric", "l2"))
        self.tool("create", "d", "--dimension", 2, "--metric", "l2")
        self.assertIn("metric l2", self.refused(3, "import", "d", "v.npy", "--create", "--metric", "ip"))


if __name__ == "__main__":
    unittest.main()
