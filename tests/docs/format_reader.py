"""A reader of collections, written from docs/format.md alone."""

import hashlib
import struct
from pathlib import Path

CRC_TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    CRC_TABLE.append(byte)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


class Bytes:
    """Reads from the front of a piece of an object."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        piece = self.data[self.at:self.at + size]
        assert len(piece) == size, "cut off"
        self.at += size
        return piece

    def read(self, form):
        values = struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))
        return values[0] if len(values) == 1 else values

    def floats(self, count):
        return list(struct.unpack(f"<{count}f", self.take(4 * count)))

    def bytes(self):
        return self.take(self.read("I"))

    def text(self):
        return self.bytes().decode()

    def rest(self):
        return self.take(len(self.data) - self.at)

    def end(self):
        assert self.at == len(self.data), "bytes behind the end"


def read_value(b):
    kind = b.read("B")
    if kind == 5:
        return [read_value(b) for _ in range(b.read("I"))]
    return {0: lambda: None, 1: lambda: bool(b.read("B")), 2: lambda: b.read("q"), 3: lambda: b.read("d"),
            4: b.text}[kind]()


def read_metadata(b):
    return {b.text(): read_value(b) for _ in range(b.read("I"))}


def read_schema(b):
    dimension, metric, key_type, columns = b.read("IBBH")
    return {"dimension": dimension, "metric": metric, "keys": key_type, "columns": [b.text() for _ in range(columns)]}


def read_block_entries(b):
    return [b.read("IIII") for _ in range(b.read("I"))]


def read_set(data):
    """The numbers in a Roaring bitmap."""
    b = Bytes(data)
    cookie = b.read("I")
    runs = None
    if cookie & 0xFFFF == 12347:
        count = (cookie >> 16) + 1
        runs = b.take((count + 7) // 8)
    else:
        assert cookie == 12346
        count = b.read("I")
    keys = [b.read("HH") for _ in range(count)]
    offsets = [b.read("I") for _ in range(count)] if runs is None or count >= 4 else None
    numbers = set()
    for i, (high, last) in enumerate(keys):
        assert offsets is None or offsets[i] == b.at
        if runs is not None and runs[i // 8] >> i % 8 & 1:
            spans = [b.read("HH") for _ in range(b.read("H"))]
            low = [n for start, more in spans for n in range(start, start + more + 1)]
        elif last < 4096:
            low = [b.read("H") for _ in range(last + 1)]
        else:
            bits = b.take(8192)
            low = [n for n in range(65536) if bits[n // 8] >> n % 8 & 1]
        assert len(low) == last + 1 and low == sorted(low)
        numbers |= {high << 16 | n for n in low}
    b.end()
    return numbers


def read_deletions(data):
    """name of a segment -> (deleted, softly deleted)"""
    b = Bytes(data)
    assert b.take(8) == b"ISODELS1" and b.read("I") == 1
    found = {b.text(): (read_set(b.bytes()), read_set(b.bytes())) for _ in range(b.read("I"))}
    b.end()
    return found


def read_lease(data):
    assert data[:8] == b"ISOLEAS1" and struct.unpack("<I", data[8:12])[0] == crc32c(data[12:])
    b = Bytes(data[12:])
    lease = (b.text(), *b.read("Qq"))
    b.end()
    return lease


def read_build_record(data):
    assert data[:8] == b"ISOBILD1" and struct.unpack("<I", data[8:12])[0] == crc32c(data[12:])
    b = Bytes(data[12:])
    record = {"collection": b.take(16)}
    record["builds"] = [b.take(16) for _ in range(b.read("I"))]
    record["inputs"] = [(b.text(), read_set(b.bytes())) for _ in range(b.read("I"))]
    names = ("time", "keep", "cells", "fewest rows", "object bytes", "seed", "key bytes")
    record.update(zip(names, b.read("qBIQQQQ")))
    record["routing"] = b.text()
    d, k = b.read("II")
    record["scales"] = b.floats(k)
    record["centroids"] = list(struct.unpack(f"{k * d}b", b.take(k * d)))
    q = b.read("I")
    record["queries"] = list(struct.unpack(f"<{q}Q", b.take(8 * q)))
    record["vectors"] = b.floats(q * d)
    b.end()
    return record


def build_object_name(epoch, build, number):
    """The object of that number of a compaction."""
    return f"segment-{epoch:016x}-" + hashlib.sha256(build + struct.pack("<I", number)).hexdigest()[:32]


def read_segment_entry(b):
    entry = {"name": b.text()}
    names = ("kind", "size", "rows", "entries", "first ordinal", "first cell", "cells")
    entry.update(zip(names, b.read("BQQQIII")))
    for section in ("codes", "vectors", "documents", "keys", "filter", "tail"):
        entry[section] = b.read("QQ")
    entry["filter crc"], entry["tail crc"] = b.read("II")
    entry["blocks"] = read_block_entries(b)
    return entry


def read_head(data):
    assert data[:8] == b"ISOHEAD1"
    crc, version, length = struct.unpack("<IIQ", data[8:24])
    assert crc == crc32c(data[12:]) and version in (1, 2) and length == len(data) - 24
    b = Bytes(data[24:])
    features = [b.text() for _ in range(b.read("H"))]
    assert features in ([], ["erasure"])
    head = {"format": version, "identity": b.take(16), "nonce": b.take(16), "version": b.read("Q"), "time": b.read("q")}
    head["schema"] = schema = read_schema(b)
    head["slots"] = [b.read("16sQQq") for _ in range(b.read("I"))]
    head["routing"] = (b.read("Q"), b.text(), b.read("I"), b.read("I"))
    head["segments"] = []
    for _ in range(b.read("I")):
        entry = read_segment_entry(b)
        extra = b.read("QQQQqq") if version > 1 else (1, 0, 0, 0, 0, 0)
        entry.update(zip(("row version", "deleted", "soft", "expiring", "first expiry", "last expiry"), extra))
        head["segments"].append(entry)
    head["rows"] = []
    for _ in range(b.read("I")):
        key = b.read("Q") if schema["keys"] == 1 else b.text()
        content = (b.floats(schema["dimension"]), read_metadata(b), b.bytes())
        row_version, expiry, soft = b.read("QqB") if version > 1 else (1, 0, 0)
        assert soft in (0, 1)
        head["rows"].append((key, (*content, row_version, expiry), soft == 1))
    if version > 1:
        read_history(b, head)
    if features:
        head["erasure"] = b.read("QQ16s")
        assert head["erasure"][0] > 0
    b.end()
    return head


def read_history(b, head):
    head["deletions"] = (b.text(), b.read("I"), b.read("I"))
    head["changes"] = [(b.read("I"), read_set(b.bytes()), read_set(b.bytes())) for _ in range(b.read("I"))]
    head["operation"] = (b.read("B"), b.text(), *b.read("QQQQ"))
    head["epoch"], head["oldest"] = b.read("QQ")
    head["builds"] = [b.read("16sqQ") for _ in range(b.read("I"))]
    head["fork"] = (b.text(), b.read("Q"))


def read_routing(data):
    b = Bytes(data)
    assert b.take(8) == b"ISOROUT1"
    version, dimension, generation, probes = b.read("IIQI")
    assert version == 1 and probes >= 1
    blocks = read_block_entries(b)
    scales = b.floats(len(blocks))
    codes = struct.unpack(f"<{len(blocks) * dimension}b", b.rest())
    centroids = [[s * c for c in codes[i * dimension:(i + 1) * dimension]] for i, s in enumerate(scales)]
    return generation, blocks, centroids


def read_filter_columns(b, names, n):
    rows = [{} for _ in range(n)]
    for name in names:
        values = [b.bytes() for _ in range(b.read("I"))]
        form = "B" if len(values) <= 256 else "H" if len(values) <= 65536 else "I"
        for row in rows:
            value = values[b.read(form)]
            if value:
                row[name] = read_value(Bytes(value))
    return rows


def read_block(data, schema):
    """(ordinal, document offset, document length, key, code, scale, squared length, fields, row version, expiry) of
    each entry; number of rows; centroid"""
    b = Bytes(data)
    assert b.take(4) == b"ICB1"
    d, n, p, first, flags, document, _ = b.read("IIIIIQ32s")
    assert d == schema["dimension"] and p <= n and bool(flags & 2) == (schema["keys"] == 2) and flags < 16
    centroid = b.floats(d) if flags & 1 else None
    scales, norms = b.floats(n), b.floats(n)
    codes = [struct.unpack(f"<{d}b", b.take(d)) for _ in range(n)]
    lengths = [b.read("I") for _ in range(n)]
    ordinals = [first + i for i in range(p)] + [b.read("I") for _ in range(n - p)]
    offsets = [document + sum(lengths[:i]) for i in range(p)] + [b.read("Q") for _ in range(n - p)]
    if schema["keys"] == 1:
        keys = [b.read("Q") for _ in range(n)]
    else:
        ends = [0] + [b.read("I") for _ in range(n)]
        text = b.take(ends[-1])
        keys = [text[begin:end].decode() for begin, end in zip(ends, ends[1:])]
    fields = read_filter_columns(b, schema["columns"], n)
    versions = [b.read("Q") if flags & 4 else 0 for _ in range(n)]
    expiries = [b.read("q") if flags & 8 else 0 for _ in range(n)]
    b.end()
    entries = zip(ordinals, offsets, lengths, keys, codes, scales, norms, fields, versions, expiries)
    return list(entries), p, centroid


def read_key_pages(data):
    """hash -> (ordinal, document length, document offset, key bytes, row version, expiry, page)"""
    found = {}
    for number in range(len(data) // 4096):
        page = data[number * 4096:(number + 1) * 4096]
        assert struct.unpack("<I", page[:4])[0] == crc32c(page[4:])
        b = Bytes(page[4:])
        count, flags = b.read("HH")
        assert flags < 4
        for _ in range(count):
            key_hash, ordinal, length, offset, key = b.read("QIIQH")
            text = b.take(key)
            attributes = b.read("Qq") if flags & 2 else (0, 0)
            found[key_hash] = (ordinal, length, offset, text, *attributes, number)
        assert not any(b.rest())
    return found


def hash_integer(k):
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        k = ((k ^ k >> 33) * factor) % 2**64
    return k ^ k >> 33


def filter_has(data, key_hash):
    m = len(data) // 64
    block = data[((key_hash >> 32) * m >> 32) * 64:][:64]
    x = (key_hash * 0x9E3779B97F4A7C15) % 2**64 ^ key_hash >> 29
    return all(block[(x >> 9 * i) % 512 // 8] >> (x >> 9 * i) % 8 & 1 for i in range(6))


class Collection:
    """Rows as of a head, live ones and softly deleted ones: key -> (vector, metadata, payload, row version, expiry)."""

    def __init__(self, folder, head="head"):
        paths = [path for path in Path(folder).rglob("*") if path.is_file()]
        self.objects = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
        self.head = read_head(self.objects[head])
        self.schema = self.head["schema"]
        self.cell_blocks, self.centroids = [], []
        if self.head["routing"][0] != 0:
            self.read_routing()
        self.placed = {}  # (segment of a row, or None for the partition; ordinal) -> (key, row)
        self.second_copies = 0
        for entry in self.head["segments"]:
            self.read_segment(entry)
        self.rows = {key: row for key, row, soft in self.head["rows"] if not soft}
        self.soft = {key: row for key, row, soft in self.head["rows"] if soft}
        self.sort_out()
        assert not self.rows.keys() & self.soft.keys()

    def read_routing(self):
        generation, sha256, size, crc = self.head["routing"]
        routing = self.objects["routing-" + sha256]
        assert len(routing) == size and crc32c(routing) == crc and hashlib.sha256(routing).hexdigest() == sha256
        stored, self.cell_blocks, self.centroids = read_routing(routing)
        assert stored == generation

    def deletions(self):
        """for each segment of the head: deleted, softly deleted"""
        name, size, crc = self.head.get("deletions", ("", 0, 0))
        stored = {}
        if name:
            data = self.objects[name]
            assert len(data) == size and crc32c(data) == crc
            stored = read_deletions(data)
        found = [stored.get(entry["name"], (set(), set())) for entry in self.head["segments"]]
        for segment, hard, soft in self.head.get("changes", []):
            found[segment] = (found[segment][0] | hard, found[segment][1] | soft)
        return [(hard, soft - hard) for hard, soft in found]

    def sort_out(self):
        for entry, (hard, soft) in zip(self.head["segments"], self.deletions()):
            place = entry["name"] if entry["kind"] == 1 else None
            assert (len(hard), len(soft)) == (entry["deleted"], entry["soft"])
            expiries = []
            for ordinal in range(entry["first ordinal"], entry["first ordinal"] + entry["rows"]):
                key, row = self.placed[place, ordinal]
                expiries += [row[4]] if row[4] else []
                if ordinal in hard:
                    continue
                rows = self.soft if ordinal in soft else self.rows
                assert key not in rows
                rows[key] = row
            assert entry["expiring"] == len(expiries)
            if expiries:
                assert (entry["first expiry"], entry["last expiry"]) == (min(expiries), max(expiries))

    def section(self, entry, name):
        offset, length = entry[name]
        assert offset % 4096 == 0
        return self.objects[entry["name"]][offset:offset + length]

    def vector_of(self, entry, ordinal):
        size = 4 * self.schema["dimension"]
        at = (ordinal - entry["first ordinal"]) * (size + 4)
        stored = self.section(entry, "vectors")[at:at + size + 4]
        assert struct.unpack("<I", stored[size:])[0] == crc32c(stored[:size] + struct.pack("<I", ordinal))
        return list(struct.unpack(f"<{self.schema['dimension']}f", stored[:size]))

    def document_of(self, entry, offset, length):
        if length == 0:
            return {}, b""
        stored = self.section(entry, "documents")[offset:offset + length]
        assert struct.unpack("<I", stored[:4])[0] == crc32c(stored[4:])
        b = Bytes(stored[4:])
        return read_metadata(b), b.rest()

    def holder_of(self, entry, ordinal):
        if entry["kind"] == 1:
            return entry
        return next(e for e in self.head["segments"]
                    if e["kind"] == 2 and e["first ordinal"] <= ordinal < e["first ordinal"] + e["rows"])

    def read_segment(self, entry):
        self.check_header_and_tail(entry)
        cells = range(entry["first cell"], entry["first cell"] + entry["cells"])
        blocks = entry["blocks"] if entry["kind"] == 1 else [self.cell_blocks[cell] for cell in cells]
        codes = Bytes(self.section(entry, "codes"))
        keys = {}
        for i, (length, entries, rows, crc) in enumerate(blocks):
            data = codes.take(length)
            assert crc32c(data) == crc
            read, p, centroid = read_block(data, self.schema)
            assert len(read) == entries and p == rows and (centroid is None) == (entry["kind"] == 2)
            for place, item in enumerate(read):
                self.check_entry(entry, centroid or self.centroids[cells[i]], item)
                if place < p:
                    keys[item[3]] = item[:3] + item[8:]
                else:
                    self.second_copies += 1
        codes.end()
        assert len(keys) == entry["rows"] and sum(b[1] for b in blocks) == entry["entries"]
        self.check_keys(entry, keys)

    def check_entry(self, entry, centroid, item):
        ordinal, offset, length, key, code, scale, norm, fields, row_version, expiry = item
        holder = self.holder_of(entry, ordinal)
        vector = self.vector_of(holder, ordinal)
        metadata, payload = self.document_of(holder, offset, length)
        of_segment = entry["row version"]
        row_version = min(row_version or of_segment, of_segment or row_version)
        row = (vector, metadata, payload, row_version, expiry)
        place = (entry["name"] if entry["kind"] == 1 else None, ordinal)
        assert self.placed.setdefault(place, (key, row)) == (key, row)
        assert fields == {name: metadata[name] for name in self.schema["columns"] if name in metadata}
        size = sum(v * v for v in vector) ** 0.5 if self.schema["metric"] == 2 else 1
        residual = [v / size - c for v, c in zip(vector, centroid)]
        assert all(abs(r - scale * c) <= scale * 0.5001 + 1e-6 for r, c in zip(residual, code))
        assert abs(norm - sum(r * r for r in residual)) <= 1e-5 * (1 + norm)

    def check_keys(self, entry, keys):
        listed = read_key_pages(self.section(entry, "keys"))
        pages = entry["keys"][1] // 4096
        by_place = {place[0]: (place, key_hash) for key_hash, place in listed.items()}
        assert len(by_place) == len(keys)
        assert crc32c(self.section(entry, "filter")) == entry["filter crc"]
        for key, (ordinal, offset, length, row_version, expiry) in keys.items():
            place, key_hash = by_place[ordinal]
            text = b"" if self.schema["keys"] == 1 else key.encode()
            assert place[:6] == (ordinal, length, offset, text, row_version, expiry)
            assert place[6] >= (key_hash >> 32) * pages >> 32
            assert self.schema["keys"] == 2 or key_hash == hash_integer(key)
            assert filter_has(self.section(entry, "filter"), key_hash)

    def check_header_and_tail(self, entry):
        data = self.objects[entry["name"]]
        assert len(data) == entry["size"] == sum(entry["tail"])
        tail = self.section(entry, "tail")
        offset, length, version, crc = struct.unpack("<QQII", tail[-32:-8])
        assert offset == entry["tail"][0] and length == len(tail) - 32 and 1 <= version <= self.head["format"]
        assert crc == crc32c(tail[:-12]) == entry["tail crc"] and tail[-8:] == b"ISOSEG01"
        b = Bytes(tail[:-32])
        assert b.take(8) == b"ISOSEG01" and b.read("I") == version and read_schema(b) == self.schema
        assert data[:b.at] == tail[:b.at] and not any(data[b.at:entry["codes"][0]])
        own = read_segment_entry(b)
        b.end()
        assert own["size"] == offset and own["tail"] == (0, 0) and own["tail crc"] == 0
        assert sum(block[0] for block in own["blocks"]) == entry["codes"][1]
        for name in ("name", "kind", "rows", "entries", "codes", "vectors", "documents", "keys", "filter"):
            assert own[name] == entry[name]
