#!/usr/bin/env python3
"""Makes the excerpt in this folder from the whole WordNet set. README.md says what both are.

Usage: make_excerpt.py WHOLE_SET_FOLDER [TARGET_FOLDER]     (target: this script's own folder)

Needs nothing but Python 3. The exact answers are computed here, by plain loops over all rows and queries, and not by the
library that they are used to check: a few minutes on two cores. The same set gives the same bytes every time; only
the compressed form of texts.jsonl.gz depends on zlib's version, what it holds does not.
"""

import gzip
import io
import json
import math
import multiprocessing
import re
import shutil
import struct
import sys
from operator import mul
from pathlib import Path

ROWS = 20_000
NEAREST = 100
FIELDS = ("id", "lemmas", "pos", "lexfile", "freq", "definition")

# What the workers search; set before they are started, who inherit it.
vectors = []
norms = []


def read_f16(path):
    """(rows, columns, bytes) of a little-endian float16 .npy of two dimensions."""
    content = Path(path).read_bytes()
    if content[:8] != b"\x93NUMPY\x01\x00":
        raise SystemExit(f"{path}: not a .npy file of version 1")
    header_bytes = struct.unpack("<H", content[8:10])[0]
    header = content[10:10 + header_bytes].decode("latin-1")
    shape = re.search(r"'shape': \((\d+), (\d+)\)", header)
    if "'<f2'" not in header or "'fortran_order': False" not in header or not shape:
        raise SystemExit(f"{path}: wanted two dimensions of '<f2' in C order, got {header.strip()}")
    return int(shape[1]), int(shape[2]), content[10 + header_bytes:]


def write_npy(path, descr, shape, data):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    Path(path).write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)


def chosen_rows(total):
    """Rows spread evenly over the set, ascending: its file order is by part of speech and subject."""
    return [i * total // ROWS for i in range(ROWS)]


def unpack_rows(data, columns):
    row = struct.Struct(f"<{columns}e")
    return [values for values in row.iter_unpack(data)]


def nearest_rows(query):
    """The nearest rows by cosine, ties by row. A product of two float16 is a multiple of 2^-48 and sums of them stay
    below 2^4, so a double holds every sum exactly, in whatever order it is made."""
    cosines = [sum(map(mul, query, row)) / norm for row, norm in zip(vectors, norms)]
    return sorted(range(len(cosines)), key=lambda row: (-cosines[row], row))[:NEAREST]


def write_texts(source, target, rows):
    wanted = set(rows)
    with gzip.open(source / "texts.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line) for number, line in enumerate(lines) if number in wanted]
    # Without a file name and a time of its own the archive depends on its content alone.
    with open(target / "texts.jsonl.gz", "wb") as out, gzip.GzipFile("", "wb", 9, out, mtime=0) as packed:
        with io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as lines:
            for text in texts:
                fields = {name: text[name] for name in FIELDS}
                lines.write(json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n")


def write_queries(source, target, rows):
    row_in_excerpt = {row: i for i, row in enumerate(rows)}
    shutil.copyfile(source / "queries.f16.npy", target / "queries.f16.npy")
    with open(source / "queries.jsonl", encoding="utf-8") as lines, \
         open(target / "queries.jsonl", "w", encoding="utf-8", newline="\n") as out:
        for line in lines:
            query = json.loads(line)
            query["relevant_row"] = row_in_excerpt.get(query["relevant_row"])
            out.write(json.dumps(query, ensure_ascii=False) + "\n")


def main(arguments):
    if len(arguments) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    source = Path(arguments[1])
    target = Path(arguments[2]) if len(arguments) == 3 else Path(__file__).resolve().parent
    total, columns, data = read_f16(source / "vectors.f16.npy")
    row_bytes = 2 * columns
    rows = chosen_rows(total)
    excerpt = b"".join(data[row * row_bytes:(row + 1) * row_bytes] for row in rows)
    write_npy(target / "vectors.f16.npy", "<f2", (len(rows), columns), excerpt)
    write_texts(source, target, rows)
    write_queries(source, target, rows)
    shutil.copyfile(source / "LICENSE.wordnet", target / "LICENSE.wordnet")

    vectors.extend(unpack_rows(excerpt, columns))
    norms.extend(math.sqrt(sum(map(mul, row, row))) for row in vectors)
    queries = unpack_rows(read_f16(source / "queries.f16.npy")[2], columns)
    nearest = []
    with multiprocessing.get_context("fork").Pool() as pool:
        for answer in pool.imap(nearest_rows, queries, chunksize=4):
            nearest.append(answer)
            if len(nearest) % 50 == 0:
                print(f"exact answers: {len(nearest)} of {len(queries)}", file=sys.stderr)
    answers = b"".join(struct.pack(f"<{NEAREST}i", *answer) for answer in nearest)
    write_npy(target / "groundtruth.npy", "<i4", (len(queries), NEAREST), answers)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
