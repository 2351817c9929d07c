#include "engine/key_lookup.h"

#include <cstring>
#include <numeric>
#include <set>

#include "base/macros.h"
#include "engine/range_reader.h"
#include "segment/row_codec.h"
#include "segment/row_version.h"

namespace isotherm {

namespace {

constexpr uint64_t kGapBytes = 32 << 10;

}  // namespace

Status KeyLookup::LoadFilters(const Snapshot& snapshot, size_t keys, std::span<const uint32_t> segments,
                              const Context& context) {
  std::vector<Extent> extents;
  {
    std::lock_guard lock(mutex_);
    ForgetAllBut(snapshot.head);
    for (uint32_t s : segments) {
      const SegmentInfo& segment = snapshot.head.segments[s];
      if (filters_.contains(segment.name)) continue;
      if (page_bytes_read_[segment.name] + keys * kKeyPageBytes <= segment.filter.length) {
        page_bytes_read_[segment.name] += keys * kKeyPageBytes;
        continue;
      }
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

// What an older snapshot has not may be of a newer one.
void KeyLookup::ForgetAllBut(const Head& head) {
  if (head.version <= newest_version_) return;
  newest_version_ = head.version;
  std::set<std::string_view> there;
  for (const SegmentInfo& segment : head.segments) there.insert(segment.name);
  auto is_gone = [&](const auto& entry) { return !there.contains(entry.first); };
  std::erase_if(filters_, is_gone);
  std::erase_if(page_bytes_read_, is_gone);
  std::erase_if(pages_, is_gone);
  std::erase_if(remembered_, [&](const std::string& segment) { return !pages_.contains(segment); });
}

void KeyLookup::Remember(std::vector<SegmentKeys> keys) {
  std::lock_guard lock(mutex_);
  for (SegmentKeys& of : keys) {
    filters_[of.segment] = std::move(of.filter);
    if (!of.pages.valid()) continue;
    if (pages_.try_emplace(of.segment, std::move(of.pages)).second) remembered_.push_back(of.segment);
  }
  uint64_t bytes = 0;
  for (const auto& [segment, pages] : pages_) bytes += pages.bytes().size();
  while (bytes > most_bytes_) {
    auto oldest = pages_.find(remembered_.front());
    bytes -= oldest->second.bytes().size();
    pages_.erase(oldest);
    remembered_.pop_front();
  }
}

void KeyLookup::Forget() {
  std::lock_guard lock(mutex_);
  filters_.clear();
  pages_.clear();
  remembered_.clear();
}

std::vector<PinnedBlock> KeyLookup::PagesInRam(const Snapshot& snapshot) const {
  std::vector<PinnedBlock> pages(snapshot.head.segments.size());
  std::lock_guard lock(mutex_);
  for (size_t s = 0; s < pages.size(); ++s) {
    if (auto at = pages_.find(snapshot.head.segments[s].name); at != pages_.end()) pages[s] = at->second;
  }
  return pages;
}

std::vector<KeyLookup::Probe> KeyLookup::MakeProbes(const Snapshot& snapshot, std::span<const Key> keys,
                                                    std::span<const uint32_t> segments) {
  std::vector<uint64_t> hashes;
  for (const Key& key : keys) hashes.push_back(HashKey(key));
  std::vector<Probe> probes;
  std::lock_guard lock(mutex_);
  for (uint32_t s : segments) {
    const SegmentInfo& segment = snapshot.head.segments[s];
    auto filter = filters_.find(segment.name);
    for (size_t k = 0; k < keys.size(); ++k) {
      if (filter != filters_.end() && !KeyFilter::MayContain(filter->second.bytes(), hashes[k])) continue;
      probes.push_back({k, s, KeyPageOf(hashes[k], segment.key_pages())});
    }
  }
  return probes;
}

Result<std::vector<std::vector<KeyPlace>>> KeyLookup::Find(const Snapshot& snapshot, std::span<const Key> keys,
                                                           std::span<const uint32_t> segments, const Context& context) {
  std::vector<std::vector<KeyPlace>> places(keys.size());
  if (segments.empty() || keys.empty()) return places;
  RETURN_IF_ERROR(LoadFilters(snapshot, keys.size(), segments, context));
  std::vector<Probe> probes = MakeProbes(snapshot, keys, segments);
  const std::vector<PinnedBlock> in_ram = PagesInRam(snapshot);
  while (!probes.empty()) {
    std::vector<ObjectRange> ranges;
    for (const Probe& probe : probes) {
      const SegmentInfo& segment = snapshot.head.segments[probe.segment];
      ranges.emplace_back();
      if (in_ram[probe.segment].valid()) continue;
      ranges.back() = {segment.name, segment.keys.offset + uint64_t{probe.page} * kKeyPageBytes, kKeyPageBytes};
    }
    RangeReads reads = ReadRanges(*path_.store, context, ranges, kGapBytes, path_.ram.get());
    std::vector<Probe> further;
    for (size_t i = 0; i < probes.size(); ++i) {
      RETURN_IF_ERROR(reads.ranges[i].status);
      const Probe& probe = probes[i];
      const SegmentInfo& segment = snapshot.head.segments[probe.segment];
      const PinnedBlock& pages = in_ram[probe.segment];
      const size_t offset = size_t{probe.page} * kKeyPageBytes;
      const std::string_view page = pages.valid() ? pages.bytes().substr(offset, kKeyPageBytes) : reads.ranges[i].bytes;
      auto lookup = FindInKeyPage(page, keys[probe.key]);
      if (!lookup.ok()) {
        return lookup.status().WithContext(segment.name + ": at " + std::to_string(segment.keys.offset + offset));
      }
      KeepRange(*path_.ram, ranges[i], reads.ranges[i]);
      if (lookup->found) places[probe.key].push_back({probe.segment, *lookup->found});
      if (lookup->look_further) {
        Probe next = probe;
        next.page = (next.page + 1) % segment.key_pages();
        if (++next.pages_read == segment.key_pages()) {
          return Status::Corruption(segment.name + ": all of its key pages ran over");
        }
        further.push_back(next);
      }
    }
    probes = std::move(further);
  }
  return places;
}

StoredRow RowOfKey(const Snapshot& snapshot, const Liveness& liveness, const Key& key, std::span<const KeyPlace> places,
                   int64_t now_ms) {
  StoredRow out;
  if (const Row* row = snapshot.rows.Find(key)) {
    out = {StoredRow::State::kLive, row, {}, row->version, row->expires_at_ms};
  }
  if (const Row* row = snapshot.soft_rows.Find(key)) {
    out = {StoredRow::State::kSoftDeleted, row, {}, row->version, row->expires_at_ms};
  }
  for (const KeyPlace& place : places) {
    const SegmentInfo& segment = snapshot.head.segments[place.segment];
    auto state = StoredRow::State::kLive;
    if (auto deleted = liveness.now.find(segment.name); deleted != liveness.now.end()) {
      if (deleted->second.hard.Contains(place.location.ordinal)) continue;
      if (deleted->second.soft.Contains(place.location.ordinal)) state = StoredRow::State::kSoftDeleted;
    }
    const RowAttributes& attributes = place.location.attributes;
    out = {state, nullptr, place, VersionOf(attributes, segment), attributes.expires_at_ms};
  }
  if (out.state == StoredRow::State::kLive && IsExpired(out.expires_at_ms, now_ms)) {
    out.state = StoredRow::State::kExpired;
  }
  return out;
}

Result<std::vector<StoredRow>> FindRows(const ReadPath& path, KeyLookup& lookup, const Snapshot& snapshot,
                                        std::span<const Key> keys, const Context& context) {
  std::vector<uint32_t> segments(snapshot.head.segments.size());
  std::iota(segments.begin(), segments.end(), 0);
  ASSIGN_OR_RETURN(std::shared_ptr<const Liveness> liveness, snapshot.Deletions(path, context));
  ASSIGN_OR_RETURN(auto places, lookup.Find(snapshot, keys, segments, context));
  int64_t now_ms = path.env->clock->WallMs();
  std::vector<StoredRow> rows;
  for (size_t i = 0; i < keys.size(); ++i) rows.push_back(RowOfKey(snapshot, *liveness, keys[i], places[i], now_ms));
  return rows;
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
  MemoryReservation memory;
  if (parts.charged) {
    constexpr uint64_t kCopies = 2;  // the answer, and the rows that are made of it
    uint64_t bytes = 0;
    for (const ObjectRange& range : ranges) bytes += range.length;
    ASSIGN_OR_RETURN(memory, ReserveMemory(path.memory.get(), MemoryUse::kQuery, kCopies * bytes));
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
