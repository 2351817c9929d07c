"""isotherm search: what it finds, prints and writes, against distances computed here."""

import json
import struct
import unittest

from tool import ToolTest, npy, read_npy_i8, vectors


def l2(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b))


class Searching(ToolTest):
    COUNT = 300

    def setUp(self):
        super().setUp()
        self.data = self.import_rows("c", self.COUNT, 8, "--filter-column", "odd")
        self.queries = vectors(40, 8, seed=9)
        npy(self.path("q.npy"), "<f4", self.queries, 8)

    def nearest(self, query, k):
        return sorted(range(self.COUNT), key=lambda i: (l2(self.data[i], query), i))[:k]

    def test_one_vector(self):
        query = self.data[17]
        answer = self.json("search", "c", "--vector", json.dumps(query), "-k", 3)
        hits = answer["queries"][0]["hits"]
        self.assertEqual([hit["key"] for hit in hits], self.nearest(query, 3))
        self.assertEqual(hits[0], {"key": 17, "distance": 0.0, "metadata": {"odd": True}})
        for hit in hits:
            self.assertAlmostEqual(hit["distance"], l2(self.data[hit["key"]], query), delta=1e-3)

    def test_metadata_and_payload_come_when_asked_for(self):
        answer = self.json("search", "c", "--vector", json.dumps(self.data[4]), "-k", 1, "--metadata", "--payload")
        self.assertEqual(answer["queries"][0]["hits"][0],
                         {"key": 4, "distance": 0.0, "metadata": {"n": 4, "odd": False}, "payload": "row 4"})

    def test_many_queries_equal_brute_force(self):
        answer = self.json("search", "c", "--query", "q.npy", "--exact", "--explain", "--out", "keys.npy")
        wanted = [self.nearest(query, 10) for query in self.queries]
        self.assertEqual([[hit["key"] for hit in one["hits"]] for one in answer["queries"]], wanted)
        self.assertEqual([one["query"] for one in answer["queries"]], list(range(40)))
        self.assertEqual(answer["queries"][0]["explain"]["distances_exact"], self.COUNT)
        self.assertEqual(read_npy_i8(self.path("keys.npy")), wanted)

    def test_one_row_of_a_file(self):
        answer = self.json("search", "c", "--query", "q.npy", "--row", 7, "-k", 2)
        self.assertEqual([(one["query"], [hit["key"] for hit in one["hits"]]) for one in answer["queries"]],
                         [(7, self.nearest(self.queries[7], 2))])
        npy(self.path("one.npy"), "<f8", self.queries[7])
        self.assertEqual(self.json("search", "c", "--query", "one.npy", "-k", 2)["queries"][0]["hits"],
                         answer["queries"][0]["hits"])

    def test_recall_against_a_file_and_against_an_exact_search(self):
        truth = [self.nearest(query, 10) for query in self.queries]
        npy(self.path("truth.npy"), "<i4", truth, 10)
        search = ("search", "c", "--query", "q.npy", "--exact", "--truth")
        self.assertEqual(self.json(*search, "truth.npy")["recall"], 1)
        self.assertIn("recall@10 1.0\n", self.tool(*search, "truth.npy"))
        self.assertEqual(self.json(*search, "exact")["recall"], 1)
        half = [[*row[:5], *range(1000, 1005)] for row in truth]
        self.write("half.ivecs", b"".join(struct.pack("<i10i", 10, *row) for row in half))
        self.assertEqual(self.json(*search, "half.ivecs")["recall"], 0.5)
        # Of one row of the queries it is the same row of the truth.
        self.assertEqual(self.json(*search, "truth.npy", "--row", 39)["recall"], 1)

    def test_what_can_be_read_comes_where_a_partial_answer_is_asked_for(self):
        data = self.import_rows("large", 4000, 128)
        search = ("search", "large", "--vector", json.dumps(data[17]), "-k", 4000)
        self.assertEqual(self.run_tool(*search, "--partial")[1], "")
        self.assertNotIn("missing", self.json(*search, "--partial"))
        # Some of them are older versions'.
        names = [name for name in self.objects("large") if name.startswith("segment-")]
        for name in names:
            whole = self.read(self.file("large", name))
            self.write(self.file("large", name), whole[:len(whole) // 3])
        self.assertIn("segment-", self.refused(9, *search, "--exact"))
        self.assertIn("segment-", self.refused(9, "export", "large", "whole.jsonl"))
        for command in ((*search, "--exact"), ("export", "large", "part.jsonl")):
            answer = self.json(*command, "--partial", code=1)
            self.assertLessEqual({part["object"] for part in answer["missing"]}, set(names))
            self.assertGreaterEqual(sum(part["rows"] for part in answer["missing"]), 1)
            self.assertIn("Corruption", answer["missing"][0]["error"])
        exported = [json.loads(line) for line in self.read("part.jsonl").splitlines()]
        self.assertEqual(len(exported), answer["rows"])
        for row in exported:
            self.assertEqual(row["vector"], data[row["key"]])
        self.assertIn("not whole: ", self.run_tool(*search, "--exact", "--partial", code=1)[1])

    def test_fewer_rows_than_wanted(self):
        answer = self.json("search", "c", "--query", "q.npy", "-k", self.COUNT + 2, "--out", "keys.npy")
        self.assertEqual({len(one["hits"]) for one in answer["queries"]}, {self.COUNT})
        self.assertEqual([row[-2:] for row in read_npy_i8(self.path("keys.npy"))], [[-1, -1]] * 40)

    def test_text_for_people(self):
        out = self.tool("search", "c", "--vector", json.dumps(self.data[5]), "-k", 2, "--payload", "--explain")
        for words in ("rank  key  distance", "payload", "   1    5  0.0", "row 5", "rows compared", "wave", "GET",
                      "latency: none"):
            self.assertIn(words, out)
        out = self.tool("search", "c", "--vector", json.dumps(self.data[5]), "-k", 1, "--metadata")
        self.assertIn("1.  key 5  distance 0.0\n    n    5\n    odd  true\n", out)
        out = self.tool("search", "c", "--query", "q.npy", "-k", 2)
        self.assertEqual(out.count("\nquery "), 19)
        self.assertIn("… and 20 queries more", out)
        self.assertIn("latency: s3: GET p50 63 ms", self.tool("search", "c", "--query", "q.npy", "--profile", "s3"))

    def test_the_cost_is_counted(self):
        cost = self.json("search", "c", "--query", "q.npy", "--row", 0, "--profile", "fixed20")["cost"]
        # A collection of this size is its head alone; the routing object is asked for in the same wave.
        self.assertEqual((cost["waves"], cost["puts"], cost["lists"]), (1, 0, 0))
        self.assertGreater(cost["bytes_read"], self.COUNT * 8)

    def test_wrong_questions(self):
        self.tool("create", "s", "--dimension", 2, "--metric", "l2", "--key-type", "string")
        npy(self.path("short.npy"), "<i4", [[1]], 1)
        npy(self.path("two.npy"), "<f4", [[1, 2]], 2)
        npy(self.path("nan.npy"), "<f4", [[float("nan")] * 8], 8)
        npy(self.path("none.npy"), "<f4", [], 8)
        for code, flags, message in (
                (2, ("c",), "--vector '[...]' or --query FILE is required"),
                (2, ("c", "--vector", "[1]", "--query", "q.npy"), "--vector excludes --query"),
                (2, ("c", "--vector", "[1]", "--row", "1"), "--row requires --query"),
                (3, ("c", "--vector", "[1, 2"), "--vector: not JSON"),
                (3, ("c", "--vector", "[]"), "--vector is empty"),
                (3, ("c", "--vector", "[1, 2]"), "query of 2 numbers; the collection's dimension is 8"),
                (3, ("c", "--query", "q.npy", "--row", "40"), "row 40 of q.npy: it has rows 0 to 39"),
                (3, ("c", "--query", "nan.npy"), "nan"),
                (3, ("c", "--query", "none.npy"), "no queries"),
                (3, ("c", "--query", "q.npy", "-k", "0"), "k is 0"),
                (3, ("c", "--query", "q.npy", "--truth", "short.npy"), "short.npy has the truth of 1 queries; 40"),
                (3, ("c", "--query", "q.npy", "--truth", "q.npy"), "q.npy holds floats"),
                (3, ("s", "--query", "two.npy", "--out", "o.npy"), "this collection's keys are strings"),
                (3, ("s", "--query", "two.npy", "--truth", "short.npy"), "this collection's keys are strings"),
                (4, ("none", "--vector", "[1]"), "no collection at"),
                (4, ("c", "--query", "missing.npy"), "cannot open missing.npy")):
            with self.subTest(flags=flags):
                self.assertIn(message, self.refused(code, "search", *flags))

    def test_string_keys_are_found_and_measured(self):
        lines = [json.dumps({"key": f"k{i}", "vector": row}) + "\n" for i, row in enumerate(self.data)]
        self.write("r.jsonl", "".join(lines))
        self.tool("import", "s", "r.jsonl", "--create", "--metric", "l2")
        answer = self.json("search", "s", "--vector", json.dumps(self.data[3]), "-k", 1, "--truth", "exact")
        self.assertEqual(answer["queries"][0]["hits"], [{"key": "k3", "distance": 0.0}])
        self.assertEqual(answer["recall"], 1)

    def test_a_disk_cache_serves_the_next_process(self):
        self.import_rows("big", 2500, 128)
        npy(self.path("q128.npy"), "<f4", vectors(3, 128, seed=4), 128)
        search = ("search", "big", "--query", "q128.npy", "--row", 1, "--cache-dir", "cache", "--explain")
        cold, warm = self.json(*search), self.json(*search)
        self.assertEqual(warm["queries"][0]["hits"], cold["queries"][0]["hits"])
        self.assertGreater(cold["queries"][0]["explain"]["store"]["gets"], 0)
        self.assertEqual(warm["queries"][0]["explain"]["store"]["gets"], 0)
        self.assertLess(warm["cost"]["gets"], cold["cost"]["gets"])


if __name__ == "__main__":
    unittest.main()
