#!/usr/bin/env python3
"""docs/format.md: a reader written from it alone reads the collections of all format versions that are kept."""

import struct
import unittest
from pathlib import Path

from format_reader import Collection, build_object_name, crc32c, read_build_record, read_head, read_lease, read_set

KEPT = Path(__file__).resolve().parents[1] / "engine" / "testdata"
CORPUS = KEPT.parents[1] / "fuzz" / "corpus"
V1 = KEPT / "format-v1"
V2 = KEPT / "format-v2"
BEGIN = 1_700_000_000_000
FORK = 6


class Version1(unittest.TestCase):
    def test_the_kept_collections_are_what_the_page_says(self):
        folders = sorted(V1.iterdir())
        self.assertEqual(["cosine-text", "l2-integer"], [folder.name for folder in folders])
        for folder in folders:
            collection = Collection(folder)
            self.assertEqual(50, len(collection.rows))
            self.assertEqual(10, len(collection.head["rows"]))
            self.assertEqual(30, collection.second_copies)
            self.assertEqual([1, 2], sorted(entry["kind"] for entry in collection.head["segments"]))

    def test_a_row_is_the_one_that_went_in(self):
        row = Collection(V1 / "l2-integer").rows[28 * 1000003]
        self.assertEqual([(28 * 37 + d * d * 11 + 5) % 101 / 8 - 6 for d in range(5)], row[0])
        self.assertEqual({"colour": "green", "missing in most": None, "number": 21,
                          "tags": ["ü", -1, 0.5, True, None]}, row[1])
        self.assertEqual((b"\xff" * 84 + b"payload", 1, 0), row[2:])


class Erasure(unittest.TestCase):
    def test_its_mark_is_in_the_head_behind_all_else(self):
        for name in ("integer", "text"):
            head = read_head((CORPUS / "head_fuzz" / name).read_bytes())
            erased = read_head((CORPUS / "head_fuzz" / f"{name}-erased").read_bytes())
            self.assertEqual((2, 1, struct.pack("<QQ", 3, 4)), erased.pop("erasure"))
            self.assertEqual(head, erased)


def key_of(number, folder):
    if folder.name == "ip-integer":
        return number * 65537
    return f"kept {number}" + "x" * (number % 5 * 9)


def archived(folder, version, branch=""):
    """The name of an archived version; the times are those that they were written at."""
    return f"{branch}version-{version:016x}-{BEGIN + version * 1000:016x}"


# Which rows there are at each version: live ones, and softly deleted ones.
def numbers(*parts, without=()):
    return {n for part in parts for n in part} - set(without)


MAIN = {
    1: (set(), set()),
    2: (numbers(range(24)), set()),
    3: (numbers(range(24)), set()),
    4: (numbers(range(24)), set()),
    5: (numbers(range(32), without=(8, 11, 12, 13, 19)), {12, 13, 19}),
    6: (numbers(range(36), without=(2, 8, 11, 13, 19, 25, 28)), {2, 13, 19, 28}),
    7: (numbers(range(39), without=(2, 8, 11, 19, 25, 28, 33, 34)), {2, 19, 28, 33}),
}
BRANCH = {
    6: MAIN[6],
    7: (numbers(range(36), range(50, 53), without=(2, 8, 11, 13, 19, 25, 32)), {2, 13, 19}),
    8: (numbers(range(1, 36), range(50, 53), without=(2, 8, 11, 13, 19, 25, 32)), {0, 2, 13, 19}),
}


class Version2(unittest.TestCase):
    def folders(self):
        folders = sorted(V2.iterdir())
        self.assertEqual(["ip-integer", "l2-text"], [folder.name for folder in folders])
        return folders

    def expect(self, folder, head, rows):
        collection = Collection(folder, head)
        live, soft = rows
        self.assertEqual({key_of(n, folder) for n in live}, set(collection.rows), head)
        self.assertEqual({key_of(n, folder) for n in soft}, set(collection.soft), head)
        return collection

    def test_every_version_of_every_branch_has_its_rows(self):
        for folder in self.folders():
            for version, rows in MAIN.items():
                head = "head" if version == 7 else archived(folder, version)
                self.assertEqual(version, self.expect(folder, head, rows).head["version"])
            for version, rows in BRANCH.items():
                head = "branches/trial/head" if version == 8 else archived(folder, version, "branches/trial/")
                collection = self.expect(folder, head, rows)
                self.assertEqual(("", FORK), collection.head["fork"])

    def test_rows_are_those_that_went_in(self):
        for folder in self.folders():
            rows = Collection(folder).rows
            # Never changed; compacted; its early expiry has a version of its own beside it.
            vector, metadata, payload, version, expiry = rows[key_of(10, folder)]
            self.assertEqual([(10 * 29 + d * d * 13 + 3) % 97 / 4 - 11 for d in range(3)], vector)
            self.assertEqual({"number": 6, "colour": "green", "tags": ["a", 7, 0.25, False, None]}, metadata)
            self.assertEqual((b"\x01" * 10 + b"payload 0", 2, BEGIN + 60_000), (payload, version, expiry))
            # Replaced: in a flat segment, whose version the head tells.
            vector, metadata, payload, version, expiry = rows[key_of(5, folder)]
            self.assertEqual([(5 * 29 + d * d * 13 + 7 + 3) % 97 / 4 - 11 for d in range(3)], vector)
            self.assertEqual((5, BEGIN + 1_000_000), (version, expiry))
            # Patched, in the head.
            self.assertEqual(({"patched": True, "colour": "patched", "tags": ["a", 7, 0.25, False, None]}, b"", 7),
                             rows[key_of(35, folder)][1:4])
            # Restored: written anew.
            self.assertEqual(6, rows[key_of(12, folder)][3])

    def test_all_kinds_of_objects_and_places_are_there(self):
        for folder in self.folders():
            collection = Collection(folder)
            head = collection.head
            self.assertEqual({1, 2}, {entry["kind"] for entry in head["segments"]})
            self.assertTrue(head["deletions"][0] and head["changes"] and head["rows"] and head["builds"])
            self.assertTrue(any(entry["expiring"] for entry in head["segments"]))
            leases = [data for name, data in collection.objects.items() if name.startswith("lease-")]
            self.assertEqual([("trial", FORK + 1, BEGIN + 1_000_000)], [read_lease(data) for data in leases])
            copies = [data for name, data in collection.objects.items() if name.endswith("routing")]
            self.assertEqual([collection.objects["routing-" + head["routing"][1]]] * 2, copies)


class BuildRecords(unittest.TestCase):
    """Those that fuzzing begins with: as the library writes them."""

    def read(self, name):
        return read_build_record((CORPUS / "build_record_fuzz" / name).read_bytes())

    def test_they_are_read(self):
        for name in ("kept", "trained"):
            record = self.read(name)
            self.assertEqual([struct.pack("<QQ", *halves) for halves in ((3, 4), (5, 6))], record["builds"])
            self.assertEqual([("segment-a", set()), ("segment-b", {7})], record["inputs"])
        self.assertEqual(("a" * 64, []), tuple(self.read("kept")[part] for part in ("routing", "centroids")))
        trained = self.read("trained")
        self.assertEqual(("", [0.5], [1, -2]), tuple(trained[part] for part in ("routing", "scales", "centroids")))
        self.assertEqual(([8], [0.25, -1]), (trained["queries"], trained["vectors"]))

    def test_objects_are_named_by_build_and_number(self):
        # As BuildObjectNames.AreOfTheBuildThePlaceAndTheEpoch has it.
        self.assertEqual("segment-0000000000000007-263296264503a60e3e960f824cfbd914",
                         build_object_name(7, struct.pack("<QQ", 1, 0), 1))


class Basics(unittest.TestCase):
    def test_the_checksum_is_the_one_that_is_meant(self):
        self.assertEqual(0xE3069283, crc32c(b"123456789"))

    def test_a_set_of_every_kind_of_container_is_read(self):
        # Array {1, 5}; run 65536 + (7 … 9); bitmap of the even numbers from 131072 on.
        runs = bytes.fromhex("3b300200" "02" "0000" "0100" "0100" "0200" "0200" "ff7f"
                             "0100" "0500" "0100" "0700" "0200") + b"\x55" * 8192
        self.assertEqual({1, 5, 65543, 65544, 65545} | set(range(131072, 196608, 2)), read_set(runs))
        self.assertEqual(set(), read_set(bytes.fromhex("3a30000000000000")))


if __name__ == "__main__":
    unittest.main(verbosity=1)
