#!/usr/bin/env python3
"""Each rule of tidy.py finds what is planted for it, at its line, and finds nothing in a clean tree."""

import subprocess
import tempfile
import unittest
from pathlib import Path

import tidy
from cpp_scan import blank_comments_and_literals, functions

CLEAN = {
    "include/isotherm/row.h": '// A row.\n#pragma once\n#include <vector>\n#include "isotherm/key.h"\n',
    "include/isotherm/key.h": "// A key.\n#pragma once\n#include <sys_types>\n",
    "src/base/clock.cc": "int64_t Now() { return std::chrono::steady_clock::now().time_since_epoch().count(); }\n",
    "src/cache/ram_cache.h": '// A cache.\n#pragma once\n#include "base/clock.h"\n#include "cache/block.h"\n',
    "src/cache/ram_cache.cc": '#include <zlib.h>\n// time(nullptr), new, catch (...)\nauto s = "std::cout << 1";\n',
    "tests/cache/ram_cache_test.cc": '#include "cache/ram_cache.h"\nTEST(A, B) { cache.sleep(1); random.rand(2); }\n',
    "tests/engine/all_test.cc": '#include "base/clock.h"\n#include "engine/open.h"\n#include "helper.h"\n',
    "tools/main.cc": '#include "isotherm/row.h"\n#include "tools/progress.h"\n#include "progress.h"\n',
    "tools/progress.h": "// Progress bars.\n#pragma once\n",
    "docs/page.md": "A line of prose may be as long as it likes: " + 200 * "x" + "\nsrc/work/x and file:///srv/x\n",
}


def check_tree(files):
    with tempfile.TemporaryDirectory() as root:
        for path, content in files.items():
            full = Path(root, path)
            full.parent.mkdir(parents=True, exist_ok=True)
            full.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tidy.check(root)


class PlantedViolations(unittest.TestCase):
    def test_a_clean_tree_has_none(self):
        self.assertEqual(check_tree(CLEAN), [])

    def assert_found(self, rule, path, content, line):
        found = check_tree({**CLEAN, path: content})
        self.assertEqual([(v[0], v[1], v[2]) for v in found], [(path, line, rule)])

    def assert_clean(self, path, content):
        self.assertEqual(check_tree({**CLEAN, path: content}), [])

    def test_include_of_a_layer_above(self):
        for path, header in [("src/cache/a.cc", "engine/open.h"), ("src/base/a.cc", "simd/kernels.h"),
                             ("tests/blob/a_test.cc", "cache/ram_cache.h")]:
            self.assert_found("include-direction", path, f'int a;\n#include "{header}"\n', 2)

    def test_an_include_in_a_comment_does_not_count(self):
        self.assert_clean("src/base/a.cc", '// #include "engine/open.h"\n/*\n#include "engine/open.h"\n*/\n')

    def test_include_without_its_layer(self):
        self.assert_found("include-direction", "src/cache/a.cc", '#include "ram_cache.h"\n', 1)

    def test_public_header_includes_what_users_lack(self):
        for include in ('"base/clock.h"', "<curl/curl.h>", '"row.h"'):
            content = f"// A.\n#pragma once\n#include {include}\n"
            self.assert_found("include-direction", "include/isotherm/a.h", content, 3)

    def test_tools_and_examples_include_only_public_headers(self):
        for path in ("tools/a.cc", "examples/demo/a.cc"):
            self.assert_found("include-direction", path, '#include "engine/open.h"\n', 1)
            self.assert_clean(path, '#include "tools/formats/npy.h"\n#include "tools/terminal/table.h"\n')
        self.assert_clean("tools/a.cc", '#include "base/macros.h"\n')
        self.assert_found("include-direction", "examples/demo/a.cc", '#include "base/macros.h"\n', 1)

    def test_file_length(self):
        self.assert_found("file-length", "src/base/a.cc", 501 * "int a;\n", 501)
        self.assert_found("file-length", "src/base/a.h", "// A.\n#pragma once\n" + 299 * "int a;\n", 301)
        self.assert_clean("src/base/a.cc", 500 * "int a;\n")

    def test_function_length(self):
        self.assert_found("function-length", "src/base/a.cc", "\nint F() {\n" + 69 * "  f();\n" + "}\n", 2)
        self.assert_clean("src/base/a.cc", "\nint F() {\n" + 68 * "  f();\n" + "}\n")

    def test_clock(self):
        for call in ("std::chrono::steady_clock::now()", "time(nullptr)", "::clock_gettime(CLOCK_REALTIME, &t)"):
            self.assert_found("banned-call", "src/engine/a.cc", f"int F() {{\n  return {call};\n}}\n", 2)

    def test_sleep(self):
        for call in ("std::this_thread::sleep_for(1ms)", "usleep(3)", "::sleep (1)"):
            if call.startswith("::"):
                call = call[2:]
            self.assert_found("banned-call", "tests/engine/a_test.cc", f"void F() {{ {call}; }}\n", 1)

    def test_random(self):
        for call in ("rand()", "std::rand()", "srand(1)", "std::random_device d"):
            self.assert_found("banned-call", "src/engine/a.cc", f"void F() {{ {call}; }}\n", 1)

    def test_output(self):
        for call in ("std::cout << 1", "printf(text)", "fprintf(stderr, text)", "puts(text)"):
            self.assert_found("banned-call", "src/engine/a.cc", f"void F() {{ {call}; }}\n", 1)
        self.assert_clean("src/engine/a.cc", "void F() { snprintf(a, 1, b); meter.puts(3); }\nint puts() const;\n")

    def test_environment_variables(self):
        self.assert_found("banned-call", "src/index/a.cc", 'int a = std::getenv("A") != nullptr;\n', 1)

    def test_waiting_that_cannot_be_simulated(self):
        for line in ("std::mutex mutex_;", "std::shared_mutex mutex_;", "std::condition_variable_any done;",
                     "std::thread thread_;", "auto a = std::async(f);"):
            self.assert_found("banned-call", "src/cache/a.cc", line + "\n", 1)
        self.assert_clean("src/base/a.cc", "std::mutex mutex_;\n")
        self.assert_clean("src/cache/a.cc", "Mutex mutex_;\nstd::lock_guard lock(mutex_);\n")

    def test_catch_all(self):
        self.assert_found("banned-call", "bench/a.cc", "void F() {\n  try { g(); } catch ( ... ) {}\n}\n", 2)

    def test_using_namespace_std(self):
        self.assert_found("banned-call", "examples/a.cc", "using namespace std;\n", 1)

    def test_raw_memory(self):
        for statement in ("auto* p = new Block", "delete p", "Block* p = new (place) Block"):
            self.assert_found("raw-memory", "src/cache/a.cc", f"void F() {{ {statement}; }}\n", 1)

    def test_owned_and_deleted_are_no_raw_memory(self):
        for statement in ("std::unique_ptr<A> p(new A(1));", "return std::unique_ptr<A>(new A(1));", "p_.reset(new A);",
                          "struct A { A(const A&) = delete; };", "#include <new>", "void* operator new(size_t n);"):
            self.assert_clean("src/cache/a.cc", f"{statement}\n")

    def test_leftover(self):
        for path, line in [("src/base/a.cc", "// TO" "DO: x"), ("docs/a.md", "FIX" "ME"), ("scripts/a.sh", "# XX" "X")]:
            self.assert_found("leftover", path, f"\n{line}\n", 2)
        self.assert_clean("scripts/a.sh", "mktemp /tmp/a.XXXXXX\n")

    def test_header_shape(self):
        self.assert_found("header-shape", "src/base/a.h", "#pragma once\n// Late.\n", 1)
        self.assert_found("header-shape", "src/base/a.h", "// A.\n#ifndef A\n#define A\n#endif\n", 1)

    def test_final_newline(self):
        self.assert_found("final-newline", "src/base/a.cc", "int a;\nint b;", 2)
        self.assert_found("final-newline", "docs/a.md", "text\n\n", 3)

    def test_machine_path(self):
        for path in ("/wo" "rk/x", "file:///ho" "me/someone/x", "'/ro" "ot/.cache'"):
            self.assert_found("machine-path", "docs/a.md", f"\nsee {path}\n", 2)

    def test_line_length(self):
        self.assert_found("line-length", "src/base/a.cc", "// " + 118 * "é" + "\n", 1)
        self.assert_clean("src/base/a.cc", "// " + 117 * "é" + "\n")

    def test_binary_files_are_left_alone(self):
        self.assert_clean("docs/a.png", b"\x89PNG\0\xff TO" b"DO")
        self.assert_clean("tests/fuzz/corpus/a/b.txt", b"TO" b"DO")


class Exceptions(unittest.TestCase):
    DELETE = {"src/cache/a.cc": "void F() { delete p; }\n"}

    def test_a_listed_one_is_no_violation(self):
        self.assertEqual(check_tree({**self.DELETE, tidy.ALLOWED: "# why\n\nraw-memory src/cache/* a reason\n"}), [])

    def test_one_that_nothing_needs_is_a_violation(self):
        found = check_tree({**CLEAN, tidy.ALLOWED: "raw-memory src/cache/* a reason\n"})
        self.assertEqual([(v[0], v[1], v[2]) for v in found], [(tidy.ALLOWED, 1, "unused-exception")])

    def test_one_without_a_reason_is_refused(self):
        for line in ("raw-memory src/cache/*", "no-such-rule src/* a reason"):
            with self.assertRaises(SystemExit):
                check_tree({**self.DELETE, tidy.ALLOWED: line + "\n"})


class GitTrees(unittest.TestCase):
    def test_ignored_files_are_left_alone_and_new_ones_are_not(self):
        with tempfile.TemporaryDirectory() as root:
            subprocess.run(["git", "init", "-q", root], check=True)
            Path(root, ".gitignore").write_text("/out/\n")
            Path(root, "out").mkdir()
            Path(root, "out", "a.md").write_text("TO" "DO\n")
            Path(root, "b.md").write_text("TO" "DO\n")
            self.assertEqual([v[0] for v in tidy.check(root)], ["b.md"])


class Scanner(unittest.TestCase):
    def found(self, code):
        return functions(blank_comments_and_literals(code))

    def test_blanks_keep_every_position(self):
        code = 'int a = 1\'000; // "x" {\nauto b = "a\\"{//"; /* {\n } */ char c = \'{\', d = \'\\\'\';\n'
        blanked = blank_comments_and_literals(code)
        self.assertEqual([len(line) for line in blanked.split("\n")], [len(line) for line in code.split("\n")])
        self.assertNotIn("{", blanked)
        self.assertIn("int a = 1'000;", blanked)
        self.assertIn("char c = ' ', d = '  ';", blanked)

    def test_raw_strings(self):
        blanked = blank_comments_and_literals('auto a = R"x({ " )" \n} )x"; int b; // c\nint d;')
        self.assertNotIn("{", blanked)
        self.assertIn("int b;", blanked)
        self.assertIn("\nint d;", blanked)

    def test_a_continued_line_comment(self):
        self.assertNotIn("{", blank_comments_and_literals("// a \\\n { \nint b;"))

    def test_functions_in_scopes(self):
        code = ("namespace a {\nclass B : public C {\n public:\n  int F() const override {\n    return 1;\n  }\n};\n"
                "template <class T, int N = (1 > 0)>\nvoid G(const struct stat& s) {\n}\n"
                'extern "C" {\nint H() { return 1; }\n}\n}\n')
        self.assertEqual(self.found(code), [("F", 4, 6), ("G", 8, 10), ("H", 12, 12)])

    def test_a_constructor_with_member_initialisers(self):
        code = "Foo::Foo(int a)\n    : a_(a),\n      b_{1},\n      c_{std::move(d)} {\n  f();\n}\nint g;\nint H() {}\n"
        names = self.found(code)
        self.assertIn(("Foo::Foo", 1, 6), names)
        self.assertEqual(names[-1], ("H", 8, 8))

    def test_tables_are_no_functions(self):
        code = ("constexpr Row kRows[] = {\n{1, F(2)},\n{3, 4},\n};\nalignas(64) std::array<int, 2> x{1,\n2};\n"
                "enum class E : int {\na };\n")
        self.assertEqual(self.found(code), [])

    def test_default_arguments_and_lambdas(self):
        code = "void F(std::vector<int> v = {}) {\n  auto g = [](int a) {\n    return a;\n  };\n}\n"
        self.assertEqual(self.found(code), [("F", 1, 5)])

    def test_both_branches_of_a_condition(self):
        code = "#ifdef A\nint F(int a) {\n#else\nint F() {\n#endif\n  return 1;\n}\nint G() {\n}\n"
        self.assertEqual([f[0] for f in self.found(code)], ["F", "G"])

    def test_macros_are_left_out(self):
        self.assertEqual(self.found("#define A(x) \\\n  if (x) { \\\n\nint F() {\n}\n"), [("F", 4, 5)])

    def test_operators_and_test_macros(self):
        code = "bool operator==(const A& a) {\n}\nint A::operator()(int b) const {\n}\nTEST(A, B) {\n}\n"
        self.assertEqual([f[0] for f in self.found(code)], ["operator==", "A::operator()", "TEST"])


if __name__ == "__main__":
    unittest.main()
