"""export to Parquet and import of it: rows come back bit for bit, another reader sees the same, another writer's files
are read. Without the module (-DISOTHERM_PARQUET=ON builds it) the tool says what is missing."""

import json
import os
import sys
import unittest

from tool import ToolTest

if os.environ.get("ISOTHERM_PYARROW"):
    sys.path.insert(0, os.path.dirname(os.environ["ISOTHERM_PYARROW"]))
try:
    import pyarrow
    from pyarrow import parquet
except ImportError:
    pyarrow = None


class Without(ToolTest):
    def test_a_build_without_the_module_says_so(self):
        os.environ["ISOTHERM_PARQUET_MODULE"] = self.path("no-module.so")
        self.addCleanup(os.environ.pop, "ISOTHERM_PARQUET_MODULE")
        self.import_rows("c", 3)
        for arguments in (("export", "c", "c.parquet"), ("import", "d", "c.parquet", "--create", "--metric", "l2")):
            self.write("c.parquet", "")
            message = self.refused(3, *arguments)
            self.assertIn("-DISOTHERM_PARQUET=ON", message)


@unittest.skipUnless("ISOTHERM_PYARROW" in os.environ, "the tool was built without ISOTHERM_PARQUET")
class Files(ToolTest):
    def rows_of_every_kind(self, keys):
        rows = []
        for i in range(500):
            row = {"key": keys(i), "vector": [i / 3, -i, 1e-40, 3.25], "metadata": {"n": i, "share": i / 7}}
            if i % 2:
                row["metadata"] |= {"text": "ünï", "flag": i % 3 == 0, "tags": ["a", 1, 0.5, None, True], "none": None}
            if i % 3 == 0:
                row["payload"] = f"payload {i}"
            if i % 5 == 0:
                row["payload_base64"] = "/wD+"
                row.pop("payload", None)
            if i % 4 == 0:
                row["expires_at_ms"] = 4_000_000_000_000 + i
            if i == 7:
                row = {"key": keys(i), "vector": [0, 0, 0, 1]}
            rows.append(row)
        self.write("rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        return rows

    def lines(self, uri, *flags):
        self.tool("export", uri, "out.jsonl", "--sorted", *flags)
        return self.read("out.jsonl")

    def test_rows_come_back_bit_for_bit(self):
        for name, keys in (("integers", lambda i: 2**64 - 1 - i * 10**9), ("texts", lambda i: f"schlüssel {i}")):
            self.rows_of_every_kind(keys)
            self.tool("import", name, "rows.jsonl", "--create", "--metric", "l2")
            report = self.json("export", name, "out.parquet")
            self.assertEqual((report["rows"], report["bytes"]), (500, len(self.read("out.parquet"))))
            self.tool("import", name + "-copy", "out.parquet", "--create", "--metric", "l2")
            self.assertEqual(self.lines(name + "-copy"), self.lines(name))
            # Over what is there: nothing is different.
            self.assertEqual(self.json("import", name, "out.parquet")["rows_found"], 500)

    def test_a_file_is_whole_or_not_there(self):
        self.import_rows("c", 3)
        self.refused(4, "export", "c", "nowhere/c.parquet")
        self.write("bad.parquet", "PAR1 and nothing else")
        self.assertIn("bad.parquet", self.refused(3, "import", "d", "bad.parquet", "--create", "--metric", "l2"))
        missing = self.refused(4, "import", "d", "missing.parquet", "--create", "--metric", "l2")
        self.assertIn("missing.parquet", missing)
        self.tool("export", "c", "any-name", "--format", "parquet")
        self.assertEqual(self.read("any-name")[:4], b"PAR1")
        self.assertFalse(os.path.exists(self.path("any-name.part")))

    @unittest.skipIf(pyarrow is None, "there is no pyarrow here")
    def test_an_independent_reader_sees_the_same_rows(self):
        rows = self.rows_of_every_kind(lambda i: i * 3)
        self.tool("import", "c", "rows.jsonl", "--create", "--metric", "l2")
        self.tool("delete", "c", "3")
        self.tool("export", "c", "out.parquet", "--sorted")
        table = parquet.read_table(self.path("out.parquet"))
        self.assertEqual(table.column_names, ["key", "vector", "metadata", "payload", "expires_at_ms", "row_version"])
        self.assertEqual(table.schema.field("vector").type.list_size, 4)
        found = table.to_pylist()
        expected = [row for row in rows if row["key"] != 3]
        self.assertEqual([row["key"] for row in found], [row["key"] for row in expected])
        for row, wanted in zip(found, expected):
            self.assertEqual(json.loads(row["metadata"] or "{}"), wanted.get("metadata", {}))
            payload = b"\xff\x00\xfe" if "payload_base64" in wanted else wanted.get("payload", "").encode()
            self.assertEqual(row["payload"] or b"", payload)
            moment = row["expires_at_ms"]
            self.assertEqual(round(moment.timestamp() * 1000) if moment else 0, wanted.get("expires_at_ms", 0))
            self.assertGreater(row["row_version"], 1)
            for got, want in zip(row["vector"], wanted["vector"]):
                self.assertAlmostEqual(got, want, delta=abs(want) * 1e-7 + 1e-44)

    @unittest.skipIf(pyarrow is None, "there is no pyarrow here")
    def test_another_writers_file_is_read(self):
        table = pyarrow.table({
            "id": pyarrow.array([5, 6, 7], pyarrow.int32()),
            "embedding": pyarrow.array([[1, 2], [3, 4], [5, 6.5]], pyarrow.list_(pyarrow.float64())),
            "text": ["a", None, "c"],
            "score": pyarrow.array([0.5, 1.5, None], pyarrow.float32()),
            "tags": [["x", "y"], [], None],
            "until": pyarrow.array([4 * 10**12, None, 5 * 10**12], pyarrow.timestamp("us")),
            "body": pyarrow.array([b"1", b"\xff", None], pyarrow.large_binary())})
        parquet.write_table(table, self.path("other.parquet"), row_group_size=2)
        flags = ("--create", "--metric", "l2", "--key-field", "id", "--vector-field", "embedding", "--payload-field",
                 "body", "--expiry-field", "until")
        self.tool("import", "c", "other.parquet", *flags)
        self.assertEqual(self.rows("c"), [
            {"key": 6, "vector": [3, 4], "metadata": {"score": 1.5, "tags": []}, "payload_base64": "/w=="}])
        self.assertEqual(self.json("stats", "c")["rows"], 3)  # two have expired: 4 * 10**12 microseconds is 1970
        self.assertIn("no column 'key'", self.refused(
            3, "import", "d", "other.parquet", "--create", "--metric", "l2", "--vector-field", "embedding",
            "--key-field", "key"))
        self.assertIn("a list of floats", self.refused(
            3, "import", "d", "other.parquet", "--create", "--metric", "l2", "--vector-field", "text"))


if __name__ == "__main__":
    unittest.main()
