"""Running the built tool in a folder of the test's own."""

import json
import os
import random
import shutil
import struct
import subprocess
import tempfile
import unittest

from s3_server import S3Server

TOOL = os.environ["ISOTHERM_TOOL"]
SOURCE = os.environ["ISOTHERM_SOURCE"]
PATIENCE_S = float(os.environ.get("ISOTHERM_PATIENCE_S", 120))  # with one command


def npy(path, descr, rows, columns=None):
    """Writes a .npy file; a one-dimensional one where `columns` is None."""
    shape = f"{len(rows)}," if columns is None else f"{len(rows)}, {columns}"
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}"
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    kind = {"<f4": "f", "<f2": "e", "<f8": "d", "<i8": "q", "<i4": "i", "<u8": "Q"}[descr]
    flat = rows if columns is None else [number for row in rows for number in row]
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        file.write(struct.pack(f"<{len(flat)}{kind}", *flat))
    return path


def read_npy_i8(path):
    """The rows of a two-dimensional array of int64."""
    with open(path, "rb") as file:
        data = file.read()
    length, = struct.unpack("<H", data[8:10])
    header = data[10:10 + length].decode()
    assert "'<i8'" in header, header
    rows, columns = (int(n) for n in header.split("(")[1].split(")")[0].split(","))
    numbers = struct.unpack(f"<{rows * columns}q", data[10 + length:])
    return [list(numbers[i * columns:(i + 1) * columns]) for i in range(rows)]


def vectors(count, dimension, seed=1):
    """Numbers whose few decimals a float of four bytes holds exactly."""
    generator = random.Random(seed)
    return [[generator.randint(-1024, 1024) / 16 for _ in range(dimension)] for _ in range(count)]


class ToolTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="isotherm-tool-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def run_tool(self, *arguments, code=0, stdin=None):
        """(standard output, standard error); fails unless the exit code is `code`."""
        done = subprocess.run([TOOL, *map(str, arguments)], cwd=self.folder, input=stdin, capture_output=True,
                              timeout=PATIENCE_S, check=False)
        out, err = done.stdout.decode(), done.stderr.decode()
        self.assertEqual(done.returncode, code, f"{arguments}\n{out}\n{err}")
        return out, err

    def tool(self, *arguments):
        return self.run_tool(*arguments)[0]

    def json(self, *arguments, code=0):
        out, _ = self.run_tool(*arguments, "--json", code=code)
        return json.loads(out)

    def refused(self, code, *arguments):
        """What the tool says on standard error, in one line, when it ends with `code`."""
        out, err = self.run_tool(*arguments, code=code)
        self.assertEqual(out, "")
        for line in err.splitlines():
            self.assertTrue(line.startswith("isotherm: "), err)
        self.assertNotIn("exception", err)
        return err

    def place(self, name):
        """The address of a collection, and with file() where its objects lie."""
        return name

    def file(self, collection, name):
        return self.path(os.path.join(collection, name))

    def objects(self, collection):
        """Names and bytes of all objects."""
        names = [entry["name"] for entry in self.json("ls", self.place(collection))["objects"]]
        return {name: self.read(self.file(collection, name)) for name in names}

    def rows(self, uri, *flags):
        return [json.loads(line) for line in self.tool("scan", uri, "--sorted", *flags).splitlines()]

    def import_rows(self, uri, count, dimension=8, *flags, metric="l2", seed=1):
        """Imports `count` rows with metadata n and odd; returns their vectors."""
        data = vectors(count, dimension, seed)
        npy(self.path("rows.npy"), "<f4", data, dimension)
        lines = "".join(json.dumps({"n": i, "odd": i % 2 == 1, "text": f"row {i}"}) + "\n" for i in range(count))
        self.write("rows.jsonl", lines)
        self.tool("import", uri, "rows.npy", "--create", "--metric", metric, "--metadata", "rows.jsonl",
                  "--payload-field", "text", *flags)
        return data


@unittest.skipIf(os.environ.get("ISOTHERM_SKIP_SERVERS") == "1", "ISOTHERM_SKIP_SERVERS is set")
class S3ToolTest(ToolTest):
    """Collections in a bucket instead of the test's folder."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = S3Server()
        cls.addClassCleanup(cls.server.close)
        for name, value in S3Server.environment().items():
            os.environ[name] = value

    def place(self, name):
        return self.server.uri(f"{self.id()}/{name}")

    def file(self, collection, name):
        return self.server.path(os.path.join(self.id(), collection, name))
