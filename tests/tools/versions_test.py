"""log, versions, --as-of, rollback, branch and vacuum; in a directory and on S3."""

import json
import os
import re
import unittest
from datetime import datetime, timedelta, timezone

from tool import S3ToolTest, ToolTest


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class Versions:
    def setUp(self):
        super().setUp()
        self.c = self.place("c")

    def write_rows(self, first, count, *flags, step=0):
        self.write("lines.jsonl", "".join(json.dumps({"key": i, "vector": [i, step]}) + "\n"
                                          for i in range(first, first + count)))
        return self.json("import", self.c, "lines.jsonl", "--no-compact", *flags)["version"]

    def create(self, count=4):
        """Version 2 has `count` rows."""
        self.write_rows(0, count, "--create", "--metric", "l2")

    def keys(self, *flags):
        return [row["key"] for row in self.rows(self.c, "--no-vector", *flags)]

    def versions(self, *flags):
        return {v["version"]: v for v in self.json("versions", self.c, *flags)["versions"]}

    def test_the_log_tells_what_made_each_version(self):
        self.create()
        self.tool("delete", self.c, 1, 2)
        self.tool("compact", self.c)
        self.tool("rollback", self.c, 2)
        log = self.json("log", self.c)["versions"]
        self.assertEqual([v["version"] for v in log], list(range(len(log), 0, -1)))
        by_version = {v["version"]: v for v in log}
        facts = ("operation", "rows", "rows_written", "rows_deleted")
        self.assertEqual([by_version[1][f] for f in facts], ["create", 0, 0, 0])
        self.assertEqual([by_version[2][f] for f in facts], ["commit", 4, 4, 0])
        self.assertEqual([by_version[3][f] for f in facts], ["commit", 2, 0, 2])
        self.assertIn("compact", [v["operation"] for v in log])
        self.assertEqual([log[0][f] for f in facts[:2]], ["rollback", 4])
        compacted = next(v for v in log if v["operation"] == "compact")
        self.assertEqual((compacted["rows"], compacted["segments"]), (2, 1))
        self.assertGreater(compacted["bytes_written"], 0)
        self.assertEqual(sorted(v["commit_ms"] for v in log), [v["commit_ms"] for v in reversed(log)])
        self.assertEqual(self.json("log", self.c, "-n", 2)["versions"], log[:2])
        self.assertEqual(self.json("log", self.c, "-n", 0)["versions"], [])

    def test_the_log_is_a_table(self):
        self.create()
        self.tool("delete", self.c, 1, "--soft")
        title, rule, newest, second, first = self.tool("log", self.c).splitlines()
        self.assertEqual(title.split(),
                         ["version", "time", "operation", "cause", "rows", "written", "deleted", "bytes"])
        self.assertEqual(set(rule), {"─", " "})
        self.assertRegex(newest, r"^ +3  \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z  commit +commit +3 +0 +1 +0 B$")
        self.assertRegex(second, r"^ +2  .* 4 +4 +0 +0 B$")
        self.assertRegex(first, r"^ +1  .*  create ")
        self.assertEqual([line.split() for line in self.tool("versions", self.c).splitlines()[2:]],
                         [line.split()[:2] for line in (newest, second, first)])

    def test_reading_as_of_a_version_or_a_time(self):
        self.create()
        for i in range(3):
            self.tool("delete", self.c, i)
        wanted = {2: [0, 1, 2, 3], 3: [1, 2, 3], 4: [2, 3], 5: [3]}
        times = self.versions()
        for version, keys in wanted.items():
            at = moment(times[version]["time"])
            elsewhere = at.astimezone(timezone(timedelta(hours=5, minutes=30)))
            for as_of in (version, times[version]["time"], elsewhere.isoformat()):
                self.assertEqual(self.keys("--as-of", as_of), keys)
                self.assertEqual(self.json("stats", self.c, "--as-of", as_of)["version"], version)
            hits = self.json("search", self.c, "--vector", "[0, 0]", "--as-of", version)["queries"][0]["hits"]
            self.assertEqual([hit["key"] for hit in hits], keys)
            self.assertTrue(self.json("verify", self.c, "--as-of", version)["clean"])
            self.tool("export", self.c, "old.jsonl", "--as-of", version, "--sorted")
            self.assertEqual([json.loads(line)["key"] for line in self.read("old.jsonl").splitlines()], keys)
        self.assertEqual(json.loads(self.tool("get", self.c, 0, "--as-of", 2, "--json"))["key"], 0)
        self.refused(4, "get", self.c, 0, "--as-of", 3)
        self.assertEqual(self.keys("--as-of", "2100-01-01T00:00:00Z"), [3])

    def test_moments_that_are_none(self):
        self.create()
        self.assertIn("as of 99: there is no version 99", self.refused(4, "stats", self.c, "--as-of", 99))
        self.assertIn("as of 2001-01-01T00:00:00Z: ",
                      self.refused(4, "stats", self.c, "--as-of", "2001-01-01T00:00:00Z"))
        for wrong in ("yesterday", "2026-13-01T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00", "0", "-1", "",
                      "99999999999999999999", "1960-01-01T00:00:00Z"):
            with self.subTest(wrong):
                self.assertIn("--as-of", self.refused(2, "stats", self.c, f"--as-of={wrong}"))
                self.refused(2, "rollback", self.c, wrong)

    def test_rollback_and_back_again(self):
        self.create()
        self.tool("delete", self.c, 0, 1)
        self.write_rows(10, 2)
        report = self.json("rollback", self.c, 3)
        self.assertEqual((report["rolled_back_to"], report["version"], report["rows"]), (3, 5, 2))
        self.assertEqual(self.keys(), [2, 3])
        self.assertIn("is again what it was at version 4: 4 rows, as version 6\n", self.tool("rollback", self.c, 4))
        self.assertEqual(self.keys(), [2, 3, 10, 11])
        self.assertEqual(self.json("rollback", self.c, self.versions()[2]["time"])["rolled_back_to"], 2)
        self.assertEqual(self.keys(), [0, 1, 2, 3])
        self.assertIn("no version is as old as", self.refused(4, "rollback", self.c, "2001-01-01T00:00:00Z"))
        self.assertIn("there is no version 99", self.refused(4, "rollback", self.c, 99))
        self.assertTrue(self.json("verify", self.c)["clean"])

    def test_a_branch_goes_its_own_way(self):
        self.create()
        made = self.json("branch", self.c, "create", "trial")
        self.assertEqual((made["name"], made["fork_of"], made["version"]), ("trial", "", 2))
        self.tool("branch", self.c, "create", "early", "--version", 1)
        self.tool("delete", self.c, 0, "--branch", "trial")
        self.write_rows(10, 1, "--branch", "trial")
        self.tool("branch", self.c, "create", "further", "--branch", "trial")
        self.tool("set", self.c, 10, "--field", "a=1", "--branch", "further")
        self.assertEqual(self.keys(), [0, 1, 2, 3])
        self.assertEqual(self.keys("--branch", "trial"), [1, 2, 3, 10])
        self.assertEqual(self.keys("--branch", "trial", "--as-of", 3), [1, 2, 3])
        self.assertEqual(self.keys("--branch", "trial", "--as-of", 1), [])
        self.assertEqual(self.keys("--branch", "early"), [])
        listed = {b["name"]: b for b in self.json("branch", self.c, "list")["branches"]}
        self.assertEqual({name: (b["version"], b["fork_of"], b["fork_version"]) for name, b in listed.items()},
                         {"": (2, "", 0), "trial": (4, "", 2), "early": (1, "", 1), "further": (5, "trial", 4)})
        self.assertRegex(self.tool("branch", self.c, "list"), r"\nfurther +5  \S+  version 4 of branch 'trial'\n")
        self.assertEqual([v["operation"] for v in self.json("log", self.c, "--branch", "trial")["versions"]],
                         ["commit", "commit", "branch"])
        for branch in ("trial", "early", "further"):
            self.assertTrue(self.json("verify", self.c, "--branch", branch)["clean"])

    def test_branches_are_forwarded_and_deleted(self):
        self.create()
        self.tool("branch", self.c, "create", "trial")
        self.tool("delete", self.c, 0, "--branch", "trial")
        report = self.json("branch", self.c, "forward", "trial")
        self.assertEqual((report["version"], report["rows"]), (3, 3))
        self.assertEqual(self.keys(), [1, 2, 3])
        # The main branch has moved on by that.
        self.assertIn("'trial' began at version 2", self.refused(7, "branch", self.c, "forward", "trial"))
        self.assertIn("deleted branch 'trial'", self.tool("branch", self.c, "delete", "trial"))
        self.assertEqual([b["name"] for b in self.json("branch", self.c, "list")["branches"]], [""])
        for refused in (("branch", self.c, "delete", "trial"), ("branch", self.c, "forward", "trial")):
            self.assertIn("there is no branch 'trial'", self.refused(4, *refused))
        self.assertIn("branch 'trial': ", self.refused(4, "stats", self.c, "--branch", "trial"))
        self.assertIn("branch 'trial': ", self.refused(4, "ls", self.c, "--branch", "trial"))
        self.assertEqual(self.keys(), [1, 2, 3])

    def test_what_branches_can_not_be(self):
        self.create()
        self.tool("branch", self.c, "create", "trial")
        self.assertIn("there is a branch 'trial'", self.refused(5, "branch", self.c, "create", "trial"))
        self.assertIn("'a/b'", self.refused(3, "branch", self.c, "create", "a/b"))
        self.assertIn("99", self.refused(4, "branch", self.c, "create", "late", "--version", 99))
        self.assertIn("a command is wanted behind 'isotherm branch'", self.refused(2, "branch", self.c))
        self.assertIn("'isotherm branch' has no command 'rename'", self.refused(2, "branch", self.c, "rename"))
        self.assertIn("NAME is required", self.refused(2, "branch", self.c, "create"))
        # The address comes first.
        self.assertIn("a command is wanted behind 'isotherm branch'", self.refused(2, "branch", "create"))
        self.assertIn("'isotherm branch' has no command 'trial'", self.refused(2, "branch", "create", "trial"))

    def grow(self):
        """Versions that need objects of their own, of which some are garbage; a branch; softly deleted rows."""
        self.create(1500)
        self.tool("compact", self.c)
        for step in range(3):
            self.write_rows(step * 300, 300, "--upsert", step=step + 1)
            self.tool("compact", self.c)
        self.tool("branch", self.c, "create", "kept", "--version", 3)
        self.tool("delete", self.c, 1, 2, 3, "--soft")

    def test_a_dry_run_tells_what_the_vacuum_then_removes(self):
        for flags in (("--keep-versions", 2), ("--keep-versions", 1, "--keep-soft-deleted"), ("--keep-age", "1w"), ()):
            with self.subTest(flags):
                self.c = self.place(f"c{len(flags)}{flags[0] if flags else ''}")
                self.grow()
                folder = self.c if self.c.startswith("s3:") else self.path(self.c)
                name = folder.split("?")[0].rsplit("/", 1)[1]
                before = self.objects(name)
                version = self.json("stats", self.c)["version"]
                rows = self.rows(self.c)
                planned = self.json("vacuum", self.c, *flags, "--dry-run")
                self.assertEqual((planned.pop("dry_run"), self.objects(name)), (True, before))
                text = self.tool("vacuum", self.c, *flags, "--dry-run")
                self.assertTrue(text.startswith(f"would remove {planned['versions_removed']} version"), text)
                done = self.json("vacuum", self.c, *flags)
                self.assertFalse(done.pop("dry_run"))
                after = self.objects(name)
                self.assertEqual(planned["objects_removed"], done["objects_removed"])
                self.assertEqual(set(before) - set(after), set(done["objects_removed"]))
                self.assertEqual(sum(len(before[o]) for o in done["objects_removed"]), done["bytes_removed"])
                for figure in ("bytes_removed", "versions_removed", "oldest_version", "soft_deleted_rows_removed"):
                    self.assertEqual(planned[figure], done[figure], figure)
                self.assertEqual(done["soft_deleted_rows_removed"], 0 if "--keep-soft-deleted" in flags else 3)
                self.assertEqual(self.rows(self.c), rows)
                self.assertEqual(len(self.rows(self.c, "--branch", "kept")), 1500)
                if "--keep-versions" in flags:
                    self.assertGreater(done["bytes_removed"], 100_000)
                    # The vacuum is a version itself.
                    self.assertIn(done["oldest_version"], (version + 1 - flags[1], version + 2 - flags[1]))
                    self.refused(4, "stats", self.c, "--as-of", done["oldest_version"] - 1)
                else:
                    self.assertEqual(done["versions_removed"], 0)
                    self.assertEqual(self.keys("--as-of", 2), list(range(1500)))
                self.assertEqual(len(self.keys("--as-of", done["oldest_version"])) > 0, done["oldest_version"] > 1)
                self.assertEqual(self.json("verify", self.c)["orphans"], [])

    def test_what_vacuum_refuses(self):
        self.create()
        for flags in (("--keep-versions", 0), ("--keep-versions", -1), ("--keep-age", "7"), ("--keep-age", "0d"),
                      ("--keep-age", "7 d"), ("--keep-age", "-7d"), ("--keep-age", "99999999999999w")):
            with self.subTest(flags):
                self.assertIn(flags[0], self.refused(2, "vacuum", self.c, *flags))
        self.assertIn("no collection at", self.refused(4, "vacuum", self.place("nowhere")))
        self.assertEqual(self.json("stats", self.c)["version"], 2)

    def test_an_age_keeps_what_is_younger(self):
        self.create()
        self.tool("delete", self.c, 1)
        self.assertEqual(self.json("vacuum", self.c, "--keep-age", "1h")["versions_removed"], 0)
        out = self.tool("vacuum", self.c, "--keep-versions", 1)
        self.assertTrue(re.match(r"removed 3 versions and 3 objects, ", out), out)


class LocalVersions(Versions, ToolTest):
    def test_ls_tells_objects_by_their_kind(self):
        self.grow()
        self.tool("branch", self.c, "create", "trial")
        self.tool("delete", self.c, 9, "--branch", "trial")
        what = {o["name"]: o["what"] for o in self.json("ls", self.c)["objects"]}
        self.assertEqual((what["head"], what["branches/trial/head"]), ("head", "head of branch 'trial'"))
        counts = {}
        for kind in what.values():
            counts[kind.split(" ")[0]] = counts.get(kind.split(" ")[0], 0) + 1
        self.assertEqual(counts["flat"], 1)
        self.assertGreater(counts["segment"], 2)
        self.assertIn("version 1", what.values())
        self.assertNotIn("unknown", what.values())
        # Seen from an old version, other segments are the ones in use.
        old = {o["name"]: o["what"] for o in self.json("ls", self.c, "--as-of", 4)["objects"]}
        flat = lambda objects: [name for name in objects if objects[name] == "flat segment"]
        self.assertNotEqual(flat(old), flat(what))

    def test_looking_back_and_a_dry_run_write_nothing(self):
        self.grow()
        before = {name: os.stat(self.file("c", name)).st_mtime_ns for name in self.objects("c")}
        for command in (("log",), ("versions",), ("stats", "--as-of", 2), ("vacuum", "--keep-versions", 1, "--dry-run"),
                        ("branch",)):
            self.tool(command[0], self.c, *(command[1:] if command[0] != "branch" else ["list"]))
        self.assertEqual({name: os.stat(self.file("c", name)).st_mtime_ns for name in self.objects("c")}, before)


class S3Versions(Versions, S3ToolTest):
    pass


if __name__ == "__main__":
    unittest.main()
