"""export and import, backup and restore, recover: what comes back is bit for bit what was there. In a directory and on
S3."""

import base64
import gzip
import json
import os
import random
import struct
import unittest

from tool import S3ToolTest, ToolTest

FUTURE_MS = 4_102_444_800_000


def any_floats(count, seed):
    """Of all bit patterns, zeros of both signs and subnormal numbers among them, that vectors may have: finite, and
    with squares that do not overflow."""
    generator = random.Random(seed)
    edges = [0, 0x80000000, 1, 0x80000001, 0x007FFFFF, 0x00800000, 0x3F800001]
    numbers = []
    while len(numbers) < count:
        bits = edges.pop() if edges else generator.getrandbits(32)
        number, = struct.unpack("<f", struct.pack("<I", bits))
        if abs(number) < 1e16:
            numbers.append(number)
    return numbers


METADATA = [
    {},
    {"null": None, "yes": True, "no": False, "empty": "", "array": [], "mixed": [None, True, -1, 2.5, "x"]},
    {"least": -2**63, "most": 2**63 - 1, "zero": 0},
    {"whole": 3.0, "tiny": 5e-324, "large": 1.7976931348623157e308, "minus zero": -0.0, "third": 1 / 3, "tenth": 0.1},
    {"é": "ü\u0000\u001f\"\\\u2028\U0001F600", "a.b": "dots", "json": "[{}]"},
    {"key": 1, "vector": [1, 2], "payload": "p", "expires_at_ms": 5, "row_version": 6, "metadata": "m"},
]
PAYLOADS = [b"", b"plain", "Grüße\n\u0000".encode(), bytes(range(256)), b"\xff\xfe", b"{\"a\": 1}"]


class Backups:
    def setUp(self):
        super().setUp()
        self.c = self.place("c")

    def all_kinds_of_rows(self, count=60, dimension=24):
        numbers = any_floats(count * dimension, seed=3)
        rows = []
        for i in range(count):
            row = {"key": f"k{i:03}", "vector": numbers[i * dimension:(i + 1) * dimension]}
            if i % 4 == 1:
                row["expires_at_ms"] = FUTURE_MS + i
            row["metadata"] = METADATA[i % len(METADATA)]
            row["payload_base64"] = base64.b64encode(PAYLOADS[i // 7 % len(PAYLOADS)]).decode()
            rows.append(row)
        rows[7].pop("key")
        rows[7]["key_base64"] = base64.b64encode(b"k\xff\x00\xfe").decode()
        self.write("rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        self.tool("import", self.c, "rows.jsonl", "--create", "--metric", "l2", "--filter-column", "yes")
        return rows

    def exported(self, uri, *flags):
        self.tool("export", uri, "out.jsonl", "--sorted", *flags)
        return self.read("out.jsonl")

    @staticmethod
    def content(row):
        """The row's key, bits of its vector, text of its metadata, payload, expiry."""
        key = row["key"].encode() if "key" in row else base64.b64decode(row["key_base64"])
        payload = row["payload"].encode() if "payload" in row else base64.b64decode(row.get("payload_base64", ""))
        return (key, struct.pack(f"<{len(row['vector'])}f", *row["vector"]),
                json.dumps(row.get("metadata", {}), sort_keys=True), payload, row.get("expires_at_ms", 0))

    def test_what_was_exported_is_imported_bit_for_bit(self):
        rows = self.all_kinds_of_rows()
        report = self.json("export", self.c, "all.jsonl")
        self.assertEqual((report["rows"], report["version"], report["bytes"]),
                         (60, self.json("stats", self.c)["version"], len(self.read("all.jsonl"))))
        lines = [json.loads(line) for line in self.read("all.jsonl").splitlines()]
        self.assertEqual(sorted(map(self.content, lines)), sorted(map(self.content, rows)))
        d = self.place("d")
        self.assertEqual(self.json("import", d, "all.jsonl", "--create", "--metric", "l2")["rows_added"], 60)
        self.assertEqual(self.exported(d), self.exported(self.c))
        # Compacted rows are read from other places than those that wait in the head.
        self.tool("compact", d)
        self.assertEqual(self.exported(d), self.exported(self.c))
        # Importing them over what is there changes nothing and finds nothing different.
        self.assertEqual(self.json("import", self.c, "all.jsonl")["rows_found"], 60)

    def test_a_compressed_export_holds_the_same_lines(self):
        self.all_kinds_of_rows()
        self.tool("export", self.c, "all.jsonl.gz", "--sorted")
        self.assertEqual(gzip.decompress(self.read("all.jsonl.gz")), self.exported(self.c))
        self.assertIn("exported 60 rows of version ", self.tool("export", self.c, "all.jsonl.gz"))
        self.tool("import", self.place("d"), "all.jsonl.gz", "--create", "--metric", "l2")
        self.assertEqual(self.exported(self.place("d")), self.exported(self.c))

    def test_an_export_is_of_one_version_without_deleted_rows(self):
        self.all_kinds_of_rows()
        before, version = self.exported(self.c), self.json("stats", self.c)["version"]
        self.tool("branch", self.c, "create", "trial")
        self.tool("delete", self.c, "k000", "--soft")
        self.tool("delete", self.c, "k001", "--branch", "trial")
        keys = [json.loads(line).get("key") for line in self.exported(self.c).splitlines()]
        self.assertEqual((len(keys), "k000" in keys), (59, False))
        self.assertNotIn(b'"k001"', self.exported(self.c, "--branch", "trial"))
        for flags in ((), ("--branch", "trial")):
            self.assertEqual(self.exported(self.c, "--as-of", version, *flags), before)

    def test_an_export_is_whole_or_not_there(self):
        self.all_kinds_of_rows()
        self.tool("compact", self.c)
        self.write("all.jsonl", "what was there")
        self.assertIn("cannot create nowhere/all.jsonl.part", self.refused(4, "export", self.c, "nowhere/all.jsonl"))
        segment = next(o["name"] for o in self.json("ls", self.c)["objects"] if o["what"].endswith(" segment"))
        os.truncate(self.file("c", segment), 4096)
        self.refused(9, "export", self.c, "all.jsonl")
        self.assertEqual(self.read("all.jsonl"), b"what was there")
        self.assertEqual([name for name in os.listdir(self.folder) if ".part" in name], [])
        # A device is written to, not replaced.
        os.symlink("/dev/null", self.path("null"))
        self.tool("create", self.place("e"), "--dimension", 2, "--metric", "l2")
        self.tool("export", self.place("e"), "null")
        self.assertTrue(os.path.islink(self.path("null")))

    def test_an_export_leaves_no_lease(self):
        self.all_kinds_of_rows()
        names = set(self.objects("c"))
        self.tool("export", self.c, "all.jsonl")
        self.assertEqual(set(self.objects("c")), names)

    def immutable(self, objects):
        return {name: data for name, data in objects.items()
                if name.startswith(("segment-", "routing-", "deletions-"))}

    def test_a_backup_is_restored_bit_for_bit(self):
        self.import_rows(self.c, 3000, 128)
        self.tool("delete", self.c, 5, 6, "--soft")
        b, r = self.place("b"), self.place("r")
        report = self.json("backup", self.c, b)
        self.assertEqual(report["version"], self.json("stats", self.c)["version"])
        copied = self.objects("b")
        stored = self.objects("c")
        self.assertEqual(report["objects_copied"], len(self.immutable(copied)))
        self.assertEqual(report["bytes_copied"], sum(map(len, self.immutable(copied).values())))
        self.assertGreater(len(self.immutable(copied)), 1)
        for name, data in self.immutable(copied).items():
            self.assertEqual(stored[name], data, name)
        restored = self.json("restore", b, r)
        self.assertEqual(restored["objects_copied"], report["objects_copied"])
        self.assertEqual(self.objects("r"), copied)
        for place in (b, r):
            self.assertTrue(self.json("verify", place)["clean"])
            self.assertEqual(self.rows(place), self.rows(self.c))
            self.assertEqual(self.rows(place, "--soft-deleted"), self.rows(self.c, "--soft-deleted"))
        # It goes on from there.
        self.tool("undelete", r, 5)
        self.assertEqual(self.json("stats", r)["rows"], 2999)
        self.assertIn("there is a collection at", self.refused(5, "restore", b, r))
        self.assertIn("version ", self.tool("restore", b, self.place("r2")))

    def test_a_backup_is_brought_up_to_date(self):
        self.import_rows(self.c, 2500, 128)
        b = self.place("b")
        first = self.json("backup", self.c, b)
        old_rows = self.rows(b)
        again = self.json("backup", self.c, b)
        self.assertEqual((again["version"], again["objects_copied"]), (first["version"], 0))
        self.tool("import", self.c, "rows.npy", "--first-key", 5000, "--no-compact")
        second = self.json("backup", self.c, b)
        self.assertEqual((second["objects_there"], second["bytes_there"]),
                         (first["objects_copied"], first["bytes_copied"]))
        self.assertGreater(second["objects_copied"], 0)
        self.assertEqual(self.rows(b), self.rows(self.c))
        self.assertEqual(self.rows(b, "--as-of", first["version"]), old_rows)
        self.assertTrue(self.json("verify", b)["clean"])
        # To an older version it does not go back.
        self.assertIn("which is newer", self.refused(7, "backup", self.c, b, "--version", first["version"]))
        self.tool("create", self.place("other"), "--dimension", 2, "--metric", "l2")
        self.assertIn("there is something else at", self.refused(5, "backup", self.c, self.place("other")))

    def test_backups_of_versions_and_branches(self):
        self.all_kinds_of_rows()
        self.tool("delete", self.c, "k000")
        self.tool("branch", self.c, "create", "trial")
        self.tool("delete", self.c, "k001", "--branch", "trial")
        for flags, as_of in ((("--version", 2), ("--as-of", 2)), (("--branch", "trial"), ("--branch", "trial")),
                             ((), ())):
            to = self.place("b" + "".join(map(str, flags)))
            self.tool("backup", self.c, to, *flags)
            self.assertEqual(self.exported(to), self.exported(self.c, *as_of))
            self.assertTrue(self.json("verify", to)["clean"])
        self.assertIn("99 is not kept", self.refused(4, "backup", self.c, self.place("n"), "--version", 99))
        self.refused(4, "backup", self.c, self.place("n"), "--branch", "none")
        self.refused(4, "backup", self.place("nowhere"), self.place("n"))

    def damage(self, name, content):
        with open(self.file("c", name), "wb") as file:
            file.write(content)

    def test_a_head_that_was_lost_or_overwritten_is_recovered(self):
        self.all_kinds_of_rows()
        self.tool("delete", self.c, "k000")
        head = self.read(self.file("c", "head"))
        for what, content in (("text", b"not a head at all"), ("nothing", b""), ("half", head[:len(head) // 2]),
                              ("a bit", head[:40] + bytes([head[40] ^ 1]) + head[41:])):
            with self.subTest(what):
                before, version = self.exported(self.c), self.json("stats", self.c)["version"]
                self.damage("head", content)
                self.refused(9, "stats", self.c)
                report = self.json("recover", self.c)
                self.assertEqual((report["from_version"], report["version"]), (version, version + 1))
                self.assertIn("head", report["what_was_wrong"])
                self.assertEqual(self.exported(self.c), before)
                self.assertTrue(self.json("verify", self.c)["clean"])
                self.tool("set", self.c, "k002", "--field", f"after={version}")
        before = self.exported(self.c)
        os.remove(self.file("c", "head"))
        self.assertIn("the head was: missing\n", self.tool("recover", self.c))
        self.assertEqual(self.exported(self.c), before)

    def test_a_branch_is_recovered_like_the_main_one(self):
        self.all_kinds_of_rows()
        self.tool("branch", self.c, "create", "trial")
        self.tool("delete", self.c, "k000", "--branch", "trial")
        before, main = self.exported(self.c, "--branch", "trial"), self.exported(self.c)
        self.damage("branches/trial/head", b"xxxx")
        self.assertEqual(self.exported(self.c), main)
        self.assertEqual(self.json("recover", self.c, "--branch", "trial")["branch"], "trial")
        self.assertEqual(self.exported(self.c, "--branch", "trial"), before)

    def test_what_needs_no_recovery_or_has_none(self):
        self.tool("create", self.c, "--dimension", 2, "--metric", "l2")
        self.assertIn("needs no recovery", self.refused(5, "recover", self.c))
        self.assertIn("nothing to recover from", self.refused(4, "recover", self.place("nowhere")))


class LocalBackups(Backups, ToolTest):
    pass


class S3Backups(Backups, S3ToolTest):
    def test_from_a_bucket_to_a_directory_and_back(self):
        self.all_kinds_of_rows()
        self.tool("backup", self.c, "b")
        self.tool("restore", "b", self.place("r"))
        self.assertEqual(self.exported(self.place("r")), self.exported(self.c))
        names = self.objects("r")
        self.assertEqual({name: self.read(os.path.join("b", name)) for name in names}, names)


if __name__ == "__main__":
    unittest.main()
