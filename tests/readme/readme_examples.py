#!/usr/bin/env python3
"""Runs the examples of a Markdown page as they stand there. CONTRIBUTING.md tells how a block is marked.

All blocks of a page run in order, in one empty folder, in which `examples` is the source tree's folder of that name.
The C++ ones are built as a user's project against the installed package; the shell ones find the installed tool.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S = float(os.environ.get("ISOTHERM_PATIENCE_S", 120))
ANYTHING = "…"  # in expected output: any text within a line, or, alone on a line, any lines

PROJECT = """cmake_minimum_required(VERSION 3.25)
project(readme LANGUAGES CXX)
find_package(isotherm REQUIRED)
"""
PROGRAM = """add_executable({name} {file})
target_compile_options({name} PRIVATE -Wall -Wextra -Wpedantic -Werror)
target_link_libraries({name} PRIVATE isotherm::isotherm)
"""


class Failure(Exception):
    pass


@dataclass
class Block:
    line: int
    kind: str  # cpp, sh
    file: str  # of a cpp block
    text: str
    expected: str | None = None


def read_blocks(page):
    """The marked blocks of a page, each with the output that is promised below it."""
    blocks = []
    fences = re.finditer(r"^```([^\n`]*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    runnable = None  # the block whose output would come next
    for fence in fences:
        line = page.count("\n", 0, fence.start()) + 1
        language, _, mark = fence.group(1).strip().partition(" ")
        text = fence.group(2)
        if (language, mark) == ("text", "output"):
            if runnable is None:
                raise Failure(f"line {line}: output that follows no block that is run")
            runnable.expected, runnable = text, None
        elif language == "cpp" and re.fullmatch(r"file=\w+\.cpp", mark):
            runnable = Block(line, "cpp", mark.removeprefix("file="), text)
            blocks.append(runnable)
        elif (language, mark) == ("sh", "run"):
            runnable = Block(line, "sh", "", text)
            blocks.append(runnable)
        elif mark:
            raise Failure(f"line {line}: a block marked '{language} {mark}'; marks are 'cpp file=NAME.cpp', 'sh run' "
                          "and 'text output'")
        else:
            runnable = None
    return blocks


def matches(expected, actual):
    pattern = []
    for line in expected.splitlines():
        if line.strip() == ANYTHING:
            pattern.append(r"(?:[^\n]*\n)*")
        else:
            pattern.append(".*".join(re.escape(part) for part in line.rstrip().split(ANYTHING)) + r"[ \t]*\n")
    return re.fullmatch("".join(pattern), actual) is not None


def run(command, what, **arguments):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=TIMEOUT_S, check=False, **arguments)
    except subprocess.TimeoutExpired as error:
        raise Failure(f"{what}: not done after {TIMEOUT_S} s") from error
    if done.returncode != 0:
        raise Failure(f"{what} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def build(blocks, folder, options):
    """Builds all C++ blocks as one project and returns the folder of its programs."""
    source, binary = Path(folder, "source"), Path(folder, "build")
    source.mkdir()
    project = PROJECT
    for block in blocks:
        Path(source, block.file).write_text(block.text)
        project += PROGRAM.format(name=Path(block.file).stem, file=block.file)
    Path(source, "CMakeLists.txt").write_text(project)
    configure = ["cmake", "-S", source, "-B", binary, "-G", options.generator, f"-DCMAKE_PREFIX_PATH={options.prefix}"]
    if options.compiler:
        configure.append(f"-DCMAKE_CXX_COMPILER={options.compiler}")
    configure.append(f"-DCMAKE_CXX_FLAGS={options.cxx_flags}")
    run(configure, "configuring the C++ blocks")
    run(["cmake", "--build", binary], "building the C++ blocks")
    return binary


def run_page(page, options):
    blocks = read_blocks(page)
    for kind in options.require:
        if not any(block.kind == kind for block in blocks):
            raise Failure(f"no {kind} block is marked to be run")
    with tempfile.TemporaryDirectory() as folder:
        cpp = [block for block in blocks if block.kind == "cpp"]
        programs = build(cpp, folder, options) if cpp else None
        place = Path(folder, "run")
        place.mkdir()
        if options.examples:
            Path(place, "examples").symlink_to(os.path.abspath(options.examples))
        environment = {**os.environ, "PATH": f"{options.prefix}/bin:{os.environ['PATH']}"}
        for block in blocks:
            command = [programs / Path(block.file).stem] if block.kind == "cpp" else ["bash", "-euo", "pipefail", "-c",
                                                                                      block.text]
            output = run(command, f"the block of line {block.line}", cwd=place, env=environment)
            if block.expected is not None and not matches(block.expected, output):
                raise Failure(f"the block of line {block.line} is said to print\n{block.expected}but prints\n{output}")
    return len(blocks)


def options_from(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page")
    parser.add_argument("--prefix", required=True, help="where isotherm is installed")
    parser.add_argument("--examples", help="the source tree's examples folder")
    parser.add_argument("--require", action="append", default=[], choices=["cpp", "sh"], help="fail if none is there")
    parser.add_argument("--compiler", default="")
    parser.add_argument("--cxx-flags", default="")
    parser.add_argument("--generator", default="Ninja")
    return parser.parse_args(arguments)


def main(arguments):
    options = options_from(arguments)
    try:
        count = run_page(Path(options.page).read_text(), options)
    except Failure as failure:
        print(f"{options.page}: {failure}")
        return 1
    print(f"{options.page}: {count} blocks ran")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
