#!/usr/bin/env python3
"""The rules of this source tree that no compiler checks. Usage: tidy.py ROOT

Prints each violation as PATH:LINE: RULE: what is wrong, and ends with 1 if there is one. Exceptions stand, with their
reason, in tests/tidy/allowed.txt.
"""

import fnmatch
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from cpp_scan import blank_comments_and_literals, functions

# A layer may include itself and what stands before it.
LAYERS = ["base", "simd", "blob", "cache", "quant", "index", "segment", "engine"]
# The library's insides that the tool may see: early returns, the clock and files that it runs on, the kernels that it
# measures and converts numbers with.
TOOL_HEADERS = {"base/macros.h", "base/environment.h", "base/file_system.h", "simd/kernels.h"}
# What examples share with the tool.
SHARED_FOLDERS = ("tools/formats/", "tools/terminal/")
MAX_HEADER_LINES = 300
MAX_SOURCE_LINES = 500
MAX_FUNCTION_LINES = 70
MAX_COLUMNS = 120
ALLOWED = "tests/tidy/allowed.txt"

CPP_SUFFIXES = (".h", ".cc", ".cpp")
CODE_SUFFIXES = CPP_SUFFIXES + (".py", ".sh", ".cmake", "CMakeLists.txt", "Makefile")
# Data for the examples and tests: text that others wrote.
DATA_FOLDERS = ("examples/data/", "tests/data/", "tests/fuzz/corpus/")


@dataclass
class SourceFile:
    path: str  # from the root, with slashes
    text: str
    lines: list = field(init=False)
    code: str = field(init=False, default="")  # C++ without comments and literals
    code_lines: list = field(init=False, default_factory=list)

    def __post_init__(self):
        self.lines = self.text.split("\n")
        if self.is_cpp:
            self.code = blank_comments_and_literals(self.text)
            self.code_lines = self.code.split("\n")

    @property
    def is_cpp(self):
        return self.path.endswith(CPP_SUFFIXES)

    @property
    def is_header(self):
        return self.path.endswith(".h")

    @property
    def is_code(self):
        return self.path.endswith(CODE_SUFFIXES) or self.path.startswith((".ci/", "scripts/"))

    def is_in(self, *folders):
        return self.path.startswith(tuple(f + "/" for f in folders))

    def layer(self, top):
        """The layer whose folder in `top` (src or tests) holds the file, or None."""
        parts = self.path.split("/")
        return parts[1] if len(parts) > 2 and parts[0] == top and parts[1] in LAYERS else None

    def includes(self):
        """(line number, opening quote or bracket, what is included)"""
        for number, (code, line) in enumerate(zip(self.code_lines, self.lines), 1):
            if re.match(r'\s*#\s*include\s*["<]', code):
                match = re.match(r'\s*#\s*include\s*(["<])([^">]*)', line)
                yield number, match.group(1), match.group(2)


def include_direction(file, root):
    if not file.is_cpp:
        return
    layer = file.layer("src") or file.layer("tests")
    for number, quote, name in file.includes():
        target = name.split("/")[0] if "/" in name else ""
        if file.is_in("include"):
            if target not in ("", "isotherm") or (quote == '"' and target == ""):
                yield number, f"a public header includes {name}; it may include isotherm/… and the standard library"
        elif layer and target in LAYERS and LAYERS.index(target) > LAYERS.index(layer):
            yield number, f"layer {layer} includes {name}; {target} stands above it"
        elif file.is_in("src") and quote == '"' and target not in LAYERS + ["isotherm"]:
            yield number, f"{name}: name a header by its layer, as in \"base/coding.h\""
        elif file.is_in("tools", "examples") and quote == '"' and target != "isotherm":
            beside = Path(root, os.path.dirname(file.path), name).is_file()
            same_top = file.is_in(target) and Path(root, name).is_file()
            shared = name.startswith(SHARED_FOLDERS) or (file.is_in("tools") and name in TOOL_HEADERS)
            if not (beside or same_top or shared):
                yield number, f"{name} is no public header; include isotherm/… or a file of the same folder"


def file_length(file, _root):
    limit = MAX_HEADER_LINES if file.is_header else MAX_SOURCE_LINES
    count = file.text.count("\n")
    if file.is_code and count > limit:
        yield count, f"{count} lines, at most {limit}: the file has more than one subject"


def function_length(file, _root):
    for name, first, last in functions(file.code):
        if last - first + 1 > MAX_FUNCTION_LINES:
            yield first, f"{name} has {last - first + 1} lines, at most {MAX_FUNCTION_LINES}"


# (what is searched for, folders, folders of these left out, what to do)
BANNED = [
    (r"_clock\s*::\s*now\b|\b(?:clock_gettime|gettimeofday)\s*\(|\btime\s*\(\s*(?:nullptr|NULL|0|&)",
     ("src", "include"), ("src/base",), "the clock is read only in src/base; use Environment::clock"),
    (r"\bsleep_(?:for|until)\b|\b(?:usleep|nanosleep)\s*\(|(?<![\w.>:])sleep\s*\(",
     ("src", "include", "tools", "tests"), ("src/base",), "no sleeping; wait on a condition or inject a clock"),
    (r"(?<![\w.>])s?rand\s*\(|\brandom_device\b",
     ("src", "include", "tools", "tests"), ("src/base",), "chance comes from Environment::random"),
    (r"\bstd\s*::\s*(?:cout|cerr|clog)\b|(?<![\w.>])(?:v?f?printf|putchar|perror)\s*\(|(?<![\w.>])f?puts\s*\(\s*[^\s)]",
     ("src", "include"), (), "a library prints nothing; return a Status"),
    (r"\b(?:secure_)?getenv\s*\(",
     ("src", "include"), (), "settings are options; the environment is read only where allowed.txt says"),
    (r"\bstd\s*::\s*(?:(?:shared_|recursive_|timed_)*mutex|condition_variable(?:_any)?|j?thread|async)\b",
     ("src", "include"), ("src/base",), "wait by base/sync.h and run by Environment::executor, which can be simulated"),
    (r"\bcatch\s*\(\s*\.\.\.\s*\)",
     ("src", "include", "tools", "tests", "examples", "bench"), (), "catch what can be thrown by its type"),
    (r"\busing\s+namespace\s+std\b",
     ("src", "include", "tools", "tests", "examples", "bench"), (), "name what you use"),
]


def banned_call(file, _root):
    for pattern, folders, left_out, advice in BANNED:
        if not file.is_in(*folders) or (left_out and file.is_in(*left_out)):
            continue
        for match in re.finditer(pattern, file.code):
            yield file.code.count("\n", 0, match.start()) + 1, f"{match.group().strip()}: {advice}"


def raw_memory(file, _root):
    """`new` that a smart pointer takes in the same expression is fine: a private constructor leaves no other way."""
    if not file.is_in("src", "include", "tools", "examples"):
        return
    code = re.sub(r"^\s*#.*$", "", file.code, flags=re.MULTILINE)
    code = re.sub(r"=\s*delete\b|\boperator\s+(?:new|delete)\b", lambda m: " " * len(m.group()), code)
    owned = {m.end() for m in re.finditer(r"_ptr\s*<[^;{}]*>\s*\w*\s*[({]\s*new\b|\breset\s*\(\s*new\b", code)}
    for match in re.finditer(r"\b(?:new|delete)\b", code):
        if match.end() not in owned:
            line = code.count("\n", 0, match.start()) + 1
            yield line, f"raw {match.group()}: own memory by a container or smart pointer"


def leftover(file, _root):
    words = "|".join(("TO" "DO", "FIX" "ME", "XX" "X"))
    for number, line in enumerate(file.lines, 1):
        if match := re.search(rf"\b(?:{words})\b", line):
            yield number, f"{match.group()}: do it, or file it where work is tracked"


def header_shape(file, _root):
    if not file.is_header:
        return
    if not file.text.startswith("//"):
        yield 1, "a header begins with a comment that says what it is for"
    if not re.search(r"^#pragma once$", file.text, re.MULTILINE):
        yield 1, "no #pragma once"


def final_newline(file, _root):
    if file.text and (not file.text.endswith("\n") or file.text.endswith("\n\n")):
        yield len(file.lines), "a file ends with one newline"


def machine_path(file, _root):
    for number, line in enumerate(file.lines, 1):
        if match := re.search(r"(?<![\w.-])/(?:work|root|home)/[^\s\"']*", line):
            yield number, f"{match.group()}: a path of one machine"


def line_length(file, _root):
    for number, line in enumerate(file.lines, 1):
        if file.is_code and len(line) > MAX_COLUMNS:
            yield number, f"{len(line)} columns, at most {MAX_COLUMNS}"


RULES = {
    "include-direction": include_direction,
    "file-length": file_length,
    "function-length": function_length,
    "banned-call": banned_call,
    "raw-memory": raw_memory,
    "leftover": leftover,
    "header-shape": header_shape,
    "final-newline": final_newline,
    "machine-path": machine_path,
    "line-length": line_length,
}


def tree_files(root):
    """Paths of the tree's text: what git tracks or would add, or everything outside build/ where there is no git."""
    listing = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             capture_output=True, check=False)
    if listing.returncode == 0:
        return sorted({p for p in listing.stdout.decode().split("\0") if p})
    paths = []
    for folder, subfolders, names in os.walk(root):
        at_top = os.path.samefile(folder, root)
        subfolders[:] = [s for s in subfolders if s != ".git" and not (at_top and s == "build")]
        paths += [os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/") for name in names]
    return sorted(paths)


def read_tree(root):
    for path in tree_files(root):
        full = Path(root, path)
        if path.startswith(DATA_FOLDERS) or full.is_symlink() or not full.is_file():
            continue
        content = full.read_bytes()
        try:
            text = content.decode()
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            yield SourceFile(path, text)


def read_allowed(root):
    """[[rule, path pattern, times used, line number]]; a line is RULE PATTERN REASON, and # begins a comment."""
    path = Path(root, ALLOWED)
    entries = []
    for number, line in enumerate(path.read_text().split("\n") if path.is_file() else [], 1):
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split(None, 2)
        if len(words) < 3 or words[0] not in RULES:
            raise SystemExit(f"{ALLOWED}:{number}: want a rule's name, a path pattern and a reason, got '{line}'")
        entries.append([words[0], words[1], 0, number])
    return entries


def check(root):
    """[(path, line, rule, message)] for the tree at root."""
    allowed = read_allowed(root)
    violations = []
    for file in read_tree(root):
        for rule, find in RULES.items():
            for line, message in find(file, root):
                entry = next((e for e in allowed if e[0] == rule and fnmatch.fnmatch(file.path, e[1])), None)
                if entry:
                    entry[2] += 1
                else:
                    violations.append((file.path, line, rule, message))
    for rule, pattern, used, number in allowed:
        if not used:
            violations.append((ALLOWED, number, "unused-exception", f"nothing in {pattern} breaks {rule}"))
    return violations


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    violations = check(arguments[1])
    for path, line, rule, message in violations:
        print(f"{path}:{line}: {rule}: {message}")
    print(f"{len(violations)} violations" if violations else "tidy")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
