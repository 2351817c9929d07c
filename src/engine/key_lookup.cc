#include "engine/key_lookup.h"

#include <cstring>

#include "base/macros.h"
#include "engine/range_reader.h"
#include "segment/row_codec.h"

namespace isotherm {

namespace {

constexpr uint64_t kGapBytes = 32 << 10;

}  // namespace

Status KeyLookup::LoadFilters(const Snapshot& snapshot, const Context& context) {
  std::vector<Extent> extents;
  {
    std::lock_guard lock(mutex_);
    for (const SegmentInfo& segment : snapshot.head.segments) {
      if (filters_.count(segment.name) != 0) continue;
      extents.push_back(
          {segment.name, segment.filter.offset, static_cast<uint32_t>(segment.filter.length), segment.filter_crc32c});
    }
  }
  if (extents.empty()) return Status::Ok();
  FetchOptions options;
  options.fill_cache = false;
  std::vector<FetchedExtent> fetched = path_.Fetch(context, extents, options, nullptr);
  std::lock_guard lock(mutex_);
  for (size_t i = 0; i < extents.size(); ++i) {
    RETURN_IF_ERROR(fetched[i].status);
    filters_[extents[i].object] = std::move(fetched[i].block);
  }
  return Status::Ok();
}

Result<std::map<size_t, KeyPlace>> KeyLookup::Find(const Snapshot& snapshot, std::span<const Key> keys,
                                                   const Context& context) {
  struct Probe {
    size_t key;
    uint32_t segment;
    uint32_t page;
    uint32_t pages_read = 0;
  };
  std::map<size_t, KeyPlace> found;
  if (snapshot.head.segments.empty()) return found;
  RETURN_IF_ERROR(LoadFilters(snapshot, context));
  std::vector<Probe> probes;
  {
    std::lock_guard lock(mutex_);
    for (uint32_t s = 0; s < snapshot.head.segments.size(); ++s) {
      const SegmentInfo& segment = snapshot.head.segments[s];
      std::string_view filter = filters_[segment.name].bytes();
      for (size_t k = 0; k < keys.size(); ++k) {
        uint64_t hash = HashKey(keys[k]);
        if (KeyFilter::MayContain(filter, hash)) probes.push_back({k, s, KeyPageOf(hash, segment.key_pages())});
      }
    }
  }
  while (!probes.empty()) {
    std::vector<ObjectRange> ranges;
    for (const Probe& probe : probes) {
      const SegmentInfo& segment = snapshot.head.segments[probe.segment];
      ranges.push_back({segment.name, segment.keys.offset + uint64_t{probe.page} * kKeyPageBytes, kKeyPageBytes});
    }
    RangeReads reads = ReadRanges(*path_.store, context, ranges, kGapBytes, path_.ram.get());
    std::vector<Probe> further;
    for (size_t i = 0; i < probes.size(); ++i) {
      RETURN_IF_ERROR(reads.ranges[i].status);
      auto lookup = FindInKeyPage(reads.ranges[i].bytes, keys[probes[i].key]);
      RETURN_IF_ERROR(lookup.status().WithContext(ranges[i].object + ": at " + std::to_string(ranges[i].offset)));
      KeepRange(*path_.ram, ranges[i], reads.ranges[i]);
      if (lookup->found) found[probes[i].key] = {probes[i].segment, *lookup->found};
      if (lookup->look_further) {
        uint32_t pages = snapshot.head.segments[probes[i].segment].key_pages();
        Probe next = probes[i];
        next.page = (next.page + 1) % pages;
        if (++next.pages_read == pages) return Status::Corruption(ranges[i].object + ": all of its key pages ran over");
        further.push_back(next);
      }
    }
    probes = std::move(further);
  }
  return found;
}

namespace {

Status DecodeVector(std::string_view bytes, const RowAddress& address, uint32_t dimension, Row& row) {
  std::string_view floats = bytes.substr(0, size_t{dimension} * sizeof(float));
  uint32_t crc;
  std::memcpy(&crc, bytes.data() + floats.size(), sizeof(crc));
  if (VectorCrc(floats, address.location.ordinal) != crc) {
    return Status::Corruption("raw vector does not match its crc32c");
  }
  row.vector.resize(dimension);
  std::memcpy(row.vector.data(), floats.data(), floats.size());
  return Status::Ok();
}

std::string Where(const ObjectRange& range) { return range.object + ": at " + std::to_string(range.offset); }

}  // namespace

Status ReadRows(const ReadPath& path, const SegmentSchema& schema, std::span<const RowAddress> addresses,
                RowParts parts, const Context& context, std::span<Row> rows) {
  std::vector<ObjectRange> ranges;
  for (const RowAddress& address : addresses) {
    const SegmentInfo& segment = *address.segment;
    Section vector = segment.VectorOf(address.location.ordinal, schema.dimension);
    const DocumentRef& document = address.location.document;
    if (document.offset > segment.documents.length || document.length > segment.documents.length - document.offset) {
      return Status::Corruption(segment.name + ": a document lies outside of its section");
    }
    ranges.push_back({segment.name, vector.offset, parts.vector ? vector.length : 0});
    ranges.push_back({segment.name, segment.documents.offset + document.offset, parts.document ? document.length : 0});
  }
  BlockCache* cache = parts.fill_cache ? path.ram.get() : nullptr;
  RangeReads reads = ReadRanges(*path.store, context, ranges, kGapBytes, cache);
  for (size_t i = 0; i < addresses.size(); ++i) {
    const RangeRead& vector = reads.ranges[2 * i];
    const RangeRead& document = reads.ranges[2 * i + 1];
    RETURN_IF_ERROR(vector.status);
    RETURN_IF_ERROR(document.status);
    if (parts.vector) {
      RETURN_IF_ERROR(
          DecodeVector(vector.bytes, addresses[i], schema.dimension, rows[i]).WithContext(Where(ranges[2 * i])));
    }
    if (parts.document) {
      RETURN_IF_ERROR(DecodeDocument(document.bytes, rows[i]).WithContext(Where(ranges[2 * i + 1])));
    }
    if (cache == nullptr) continue;
    KeepRange(*cache, ranges[2 * i], vector);
    KeepRange(*cache, ranges[2 * i + 1], document);
  }
  return Status::Ok();
}

}  // namespace isotherm
