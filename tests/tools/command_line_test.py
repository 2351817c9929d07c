"""Help, usage, completion, output that can't be written, progress on a terminal, and bench."""

import json
import os
import pty
import subprocess
import unittest

from tool import SOURCE, TOOL, ToolTest, npy, vectors

COMMANDS = ("create", "import", "set", "delete", "undelete", "search", "get", "scan", "export", "stats", "log",
            "versions", "rollback", "branch", "vacuum", "erase", "compact", "verify", "backup", "restore", "recover",
            "ls", "cp", "bench", "completion")
GROUPS = ("branch", "bench")  # commands that have commands
# Sanitizers take several times what the tool takes.
MEMORY_IS_OURS = "ISOTHERM_SANITIZED" not in os.environ


class CommandLine(ToolTest):
    def test_help_tells_of_every_command(self):
        out = self.tool("--help")
        for command in COMMANDS:
            self.assertIn(f"\n  {command} ", out)
        for code in range(13):
            self.assertRegex(out, rf"\n  {code} +\w")
        for command in COMMANDS:
            text = self.tool(command, "--help")
            self.assertIn("Examples:\n  ", text)
            self.assertLessEqual(max(len(line) for line in text.splitlines()), 120, command)
            if command not in ("bench", "branch", "completion"):
                self.assertIn("--json", text)
                self.assertIn("--profile s3|fixed20|none", text)
        for verb in ("create", "list", "delete", "forward"):
            self.assertIn("--json", self.tool("branch", "c", verb, "--help"))
        for bench in ("cold", "warm", "insert", "ingest", "upserts", "churn", "memory", "keys", "kernels"):
            self.assertIn("--json", self.tool("bench", bench, "--help"))
        for action in ("create", "list", "delete", "forward"):
            text = self.tool("branch", "c", action, "--help")
            self.assertIn("--json", text)
            self.assertIn("Examples:\n  ", text)
        self.assertNotIn("{false}", self.tool("scan", "--help"))

    def test_reading_commands_look_back_and_all_know_branches(self):
        reading = {"search", "get", "scan", "export", "stats", "verify", "ls"}
        without = {"create", "restore", "cp", "completion", "erase", *GROUPS}
        for command in COMMANDS:
            text = self.tool(command, "--help")
            self.assertEqual("\n  --as-of VERSION|TIME " in text, command in reading, command)
            self.assertEqual("\n  --branch NAME " in text, command not in without, command)

    def test_a_wrong_line_is_said_in_a_line(self):
        for arguments, message in (((), "a command is wanted behind 'isotherm'"),
                                   (("creat",), "'isotherm' has no command 'creat'"),
                                   (("bench",), "a command is wanted behind 'isotherm bench'"),
                                   (("bench", "hot"), "'isotherm bench' has no command 'hot'"),
                                   (("stats",), "URI is required"),
                                   (("stats", "a", "b"), "b"),
                                   (("stats", "a", "--nosuch"), "--nosuch"),
                                   (("stats", "a", "--profile", "fast"), "fast not in {s3,fixed20,none}"),
                                   (("completion", "tcsh"), "tcsh not in {bash,zsh,fish}")):
            with self.subTest(arguments=arguments):
                err = self.refused(2, *arguments)
                self.assertIn(message, err)
                self.assertIn("--help'", err)

    def test_version(self):
        self.assertRegex(self.tool("--version"), r"^isotherm \d+\.\d+\.\d+\n$")

    def test_an_answer_that_cannot_be_written_is_an_error(self):
        self.import_rows("c", 2000)
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([TOOL, "scan", "c"], cwd=self.folder, stdout=full, stderr=subprocess.PIPE,
                                  check=False)
        self.assertEqual((done.returncode, done.stderr), (10, b"isotherm: cannot write to standard output\n"))

    def test_an_unreadable_store_is_access_denied(self):
        if os.geteuid() == 0:
            self.skipTest("root may read everything")
        self.import_rows("c", 10)
        os.chmod(self.path("c/head"), 0)
        self.refused(6, "stats", "c")

    def test_progress_is_drawn_on_a_terminal_only(self):
        npy(self.path("v.npy"), "<f4", vectors(3000, 128), 128)
        command = ["import", "c", "v.npy", "--create", "--metric", "l2", "--batch", "500"]
        slowly = [*command, "--profile", "fixed20"]
        main, terminal = pty.openpty()
        child = subprocess.Popen([TOOL, *slowly], cwd=self.folder, stdout=subprocess.PIPE, stderr=terminal)
        os.close(terminal)
        drawn = b""
        try:
            while piece := os.read(main, 65536):
                drawn += piece
        except OSError:  # how Linux says that the other end is closed
            pass
        out, _ = child.communicate()
        os.close(main)
        self.assertEqual(child.returncode, 0)
        text = drawn.decode()
        for words in ("importing  ", " of 3,000", "░", "█"):
            self.assertIn(words, text)
        self.assertTrue(text.endswith("\r\x1b[K"), "the line is removed at the end")
        self.assertNotIn(b"\x1b", out)
        self.assertEqual(self.run_tool(*command)[1], "")


class Completion(ToolTest):
    def test_the_installed_script_is_what_the_tool_prints(self):
        with open(os.path.join(SOURCE, "tools/completion/isotherm.bash"), encoding="utf-8") as file:
            self.assertEqual(self.tool("completion", "bash"), file.read(),
                             "write it anew: isotherm completion bash > tools/completion/isotherm.bash")

    def complete(self, *words):
        script = self.write("isotherm.bash", self.tool("completion", "bash"))
        code = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _isotherm; '
                'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-euc", code, "bash", script, "isotherm", *words], cwd=self.folder,
                              capture_output=True, check=True)
        return done.stdout.decode().split()

    def test_bash_completes_commands_flags_values_and_files(self):
        self.write("queries.npy", "")
        self.assertEqual(sorted(self.complete("")), sorted(COMMANDS))
        self.assertEqual(self.complete("co"), ["compact", "completion"])
        self.assertEqual(sorted(self.complete("re")), ["recover", "restore"])
        self.assertEqual(self.complete("vacuum", "c", "--keep"),
                         ["--keep-versions", "--keep-age", "--keep-soft-deleted"])
        self.assertEqual(sorted(self.complete("branch", "c", "")),
                         ["create", "delete", "forward", "isotherm.bash", "list", "queries.npy"])
        self.assertEqual(self.complete("branch", "que"), ["queries.npy"])
        self.assertEqual(self.complete("branch", "c", "create", "--v"), ["--version"])
        self.assertEqual(self.complete("delete", "c", "--file", "que"), ["queries.npy"])
        self.assertEqual(self.complete("bench", ""),
                         ["cold", "warm", "insert", "ingest", "upserts", "churn", "memory", "keys", "kernels"])
        self.assertEqual(self.complete("create", "c", "--me"), ["--metric"])
        self.assertEqual(self.complete("create", "--metric", ""), ["l2", "cosine", "ip"])
        self.assertEqual(self.complete("import", "--no"), ["--no-compact"])
        self.assertEqual(self.complete("bench", "cold", "--queries", "que"), ["queries.npy"])
        self.assertEqual(self.complete("search", "c", "--truth", "ex"), ["exact"])
        self.assertEqual(self.complete("completion", ""), ["bash", "zsh", "fish"])
        self.assertEqual(self.complete("search", "c", "-k", ""), [])
        self.assertNotIn("cold-once", self.complete("bench", ""))

    def test_every_shell_has_every_command(self):
        for shell in ("zsh", "fish"):
            out = self.tool("completion", shell)
            for command in COMMANDS:
                self.assertIn(command, out)


class Bench(ToolTest):
    def test_cold_starts_are_processes_with_two_waves(self):
        self.import_rows("c", 2500, 128)
        npy(self.path("q.npy"), "<f4", vectors(4, 128, seed=5), 128)
        report = self.json("bench", "cold", "c", "--queries", "q.npy", "--runs", 4, "--profile", "fixed20")
        self.assertEqual((report["runs"], report["waves_p50"], report["waves_max"]), (4, 2, 2))
        self.assertGreaterEqual(report["cold_ms_p50"], 40)
        self.assertGreater(report["gets_mean"], 2)
        self.assertGreater(report["bytes_mean"], 1000)
        self.assertGreater(report["allocations_mean"], 0)
        self.assertIn("it has rows 0 to 3", self.refused(3, "bench", "cold", "c", "--queries", "q.npy", "--runs", 5))
        out = self.tool("bench", "cold", "c", "--runs", 2)
        for words in ("2 cold starts of c", "random queries", "open", "first query", "waves", "GETs", "latency: none"):
            self.assertIn(words, out)
        _, err = self.run_tool("bench", "cold", "nowhere", "--runs", 1, code=4)
        self.assertIn("no collection at", err)

    def test_warm_queries_make_no_request(self):
        self.import_rows("c", 2500, 128)
        passes = self.json("bench", "warm", "c", "--count", 20, "--cache-dir", "cache")["passes"]
        self.assertEqual([p["pass"] for p in passes], ["first time", "again (RAM)", "opened again (disk)"])
        self.assertGreater(passes[0]["gets"], 0)
        self.assertEqual([p["gets"] for p in passes[1:]], [0, 0])
        self.assertGreater(passes[2]["extents_from_disk"], 0)
        self.assertGreater(passes[1]["allocations_mean"], 0)
        self.assertIn("p99", self.tool("bench", "warm", "c", "--count", 5))

    def test_insert(self):
        report = self.json("bench", "insert", "--dimension", 16, "--rows", 1000, "--batch", 100, "--compact")
        self.assertEqual((report["rows"], report["uri"]), (1000, "memory:"))
        self.assertGreater(report["rows_per_second"], 0)
        self.assertIn("rows/s", self.tool("bench", "insert", "c", "--dimension", 4, "--rows", 30))
        self.assertEqual(self.json("stats", "c")["rows"], 30)
        self.refused(5, "bench", "insert", "c", "--dimension", 4, "--rows", 30)

    def test_upserts_are_counted_for_each_policy(self):
        policies = self.json("bench", "upserts", "--keys", 4000, "--upserts", 8000, "--dimension", 128,
                             "--batch", 500)["policies"]
        tiered, leveled, none = policies
        self.assertEqual([p["policy"] for p in policies], ["size-tiered", "leveled", "none"])
        self.assertGreater(tiered["compactions"], 0)
        self.assertEqual((none["compactions"], none["compaction_bytes_written"]), (0, 0))
        self.assertEqual(len({p["row_bytes"] for p in policies}), 1)
        for policy in policies:
            written = policy["commit_bytes_written"] + policy["compaction_bytes_written"]
            self.assertAlmostEqual(policy["write_amplification"], written / policy["row_bytes"])
            self.assertGreaterEqual(policy["puts"], 8000 // 500 * 3)
        self.assertLess(none["write_amplification"], tiered["write_amplification"])
        self.assertLess(tiered["write_amplification"], leveled["write_amplification"])
        self.assertLess(none["usd_per_million_upserts"], tiered["usd_per_million_upserts"])

    def test_churn_leaves_answers_and_disk_what_they_were(self):
        for policy in ("size-tiered", "leveled"):
            arguments = ("bench", "churn", policy, "--rows", 6000, "--turnovers", 3, "--batch", 400, "--dimension", 128,
                         "--queries", 100, "--every", 3, "--policy", policy, "--json")
            # Not its exit code: memory says nothing at this size, where caches fill for the first time.
            done = subprocess.run([TOOL, *map(str, arguments)], cwd=self.folder, capture_output=True, check=False)
            report = json.loads(done.stdout)
            first = report["turnovers"][0]["recall"]
            self.assertEqual(len(report["turnovers"]), 3)
            for turnover in report["turnovers"]:
                self.assertGreater(turnover["recall"], first - 0.01)
                self.assertLess(turnover["stored_bytes"], 1.3 * report["fresh_bytes"])
            self.assertGreater(report["turnovers"][-1]["compactions"], 3)
            self.assertEqual((report["asked_for"], report["unreachable"]), (2000, 0))
            self.assertEqual(self.json("stats", policy)["rows"], 6000)

    def test_memory_is_held_by_data_several_times_larger(self):
        report = self.json("bench", "memory", "c", "--size", 128, "--memory", 32, "--dimension", 384, "--background",
                           "--beyond", 64 if MEMORY_IS_OURS else 4096)
        self.assertTrue(report["within"])
        self.assertEqual([phase["phase"] for phase in report["phases"]], ["import", "compact", "search"])
        for phase in report["phases"]:
            self.assertLessEqual(phase["budget_bytes_peak"], report["budget_bytes"])
        self.assertEqual(self.json("stats", "c")["rows"], report["rows"])

    def test_a_writer_needs_little_memory_for_many_string_keys(self):
        for compacted in (True, False):
            uri = f"keys{compacted}"
            report = self.json("bench", "keys", uri, "--keys", 200_000, "--upserts", 2000, "--memory", 16,
                               "--within", 40 if MEMORY_IS_OURS else 4096, *(() if compacted else ("--no-compaction",)))
            self.assertTrue(report["within"])
            self.assertEqual([phase["phase"] for phase in report["phases"]], ["open", "one upsert", "all upserts"])
            # Neither keys nor filters are read whole for one key.
            self.assertLess(report["phases"][1]["bytes_read"], 100_000)
            self.assertEqual(self.json("stats", uri)["rows"], 201_000)

    def test_kernels_at_every_level(self):
        report = self.json("bench", "kernels", "--dimension", 32)
        levels = {kernel["level"] for kernel in report["kernels"]}
        self.assertIn("scalar", levels)
        self.assertIn(report["active_level"], levels)
        self.assertFalse(levels & set(report["skipped_levels"]))
        self.assertTrue(all(kernel["ns"] > 0 for kernel in report["kernels"]))


if __name__ == "__main__":
    unittest.main()
