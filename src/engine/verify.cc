// Reading everything once and holding it against its checksums, its directories and each other.
#include <algorithm>
#include <set>

#include "base/crc32c.h"
#include "base/macros.h"
#include "engine/collection_impl.h"
#include "engine/exact_scan.h"
#include "engine/history.h"
#include "engine/range_reader.h"
#include "segment/key_pages.h"
#include "segment/routing_object.h"
#include "segment/segment_tail.h"

namespace isotherm {

namespace {

constexpr size_t kMaxProblems = 100;

class Verification {
 public:
  Verification(const ReadPath& path, const Snapshot& snapshot, const Progress& progress, const Context& context)
      : path_(path),
        snapshot_(snapshot),
        schema_(snapshot.head.schema),
        progress_(progress),
        context_(context),
        store_only_(path.store, std::make_shared<BlockCache>(BlockCacheOptions{.capacity_bytes = 0}), nullptr, path.env,
                    kCacheScope) {}

  Result<VerifyReport> Run() {
    report_.objects = 1;
    report_.rows = snapshot_.rows.size();
    report_.bytes = snapshot_.head_bytes;
    for (const Row& row : snapshot_.rows.rows()) CountKey(row.key);
    for (const Row& row : snapshot_.soft_rows.rows()) CountKey(row.key);
    RETURN_IF_ERROR(CheckRouting());
    RETURN_IF_ERROR(CheckDeletions());
    for (uint32_t s = 0; s < snapshot_.head.segments.size(); ++s) RETURN_IF_ERROR(CheckSegment(s));
    RETURN_IF_ERROR(FindOrphans());
    return std::move(report_);
  }

 private:
  void Problem(const std::string& text) {
    if (report_.problems.size() < kMaxProblems) report_.problems.push_back(text);
  }

  // Corruption becomes a problem of the report, and so does a format of later days in a collection of these; anything
  // else ends the verification.
  Status Note(const Status& status) {
    if (status.code() != StatusCode::kCorruption && status.code() != StatusCode::kUnsupported) return status;
    Problem(status.message());
    return Status::Ok();
  }

  void CountKey(const Key& key) {
    if (!keys_.insert(key).second) Problem("key " + key.ToString() + " is there twice");
  }

  // The bytes of an extent; nullopt (and a problem) when they are corrupt.
  Result<std::optional<PinnedBlock>> Read(const Extent& extent) {
    FetchOptions options;
    options.fill_cache = false;
    std::vector<FetchedExtent> fetched = store_only_.Fetch(context_, {&extent, 1}, options, nullptr);
    ++report_.extents;
    report_.bytes += extent.length;
    if (fetched[0].status.ok()) return std::optional(std::move(fetched[0].block));
    StatusCode code = fetched[0].status.code();
    if (code != StatusCode::kCorruption && code != StatusCode::kNotFound) return fetched[0].status;
    Problem(extent.object + ": " + fetched[0].status.message());
    return std::optional<PinnedBlock>();
  }

  Status CheckRouting() {
    if (snapshot_.routing == nullptr) return Status::Ok();
    const RoutingRef& ref = snapshot_.head.routing;
    ++report_.objects;
    return Read({RoutingName(ref.sha256_hex), 0, ref.bytes, ref.crc32c}).status();
  }

  // Without knowing what is deleted nothing can be said about keys.
  Status CheckDeletions() {
    if (auto extent = snapshot_.UnreadDeletions()) {
      ++report_.objects;
      ASSIGN_OR_RETURN(auto bytes, Read(*extent));
      if (bytes) RETURN_IF_ERROR(Note(snapshot_.SetDeletions(bytes->bytes())));
    }
    liveness_ = snapshot_.KnownDeletions();
    if (liveness_ == nullptr) return Status::Ok();
    for (const SegmentInfo& segment : snapshot_.head.segments) {
      auto of = liveness_->now.find(segment.name);
      uint64_t hard = of == liveness_->now.end() ? 0 : of->second.hard.size();
      uint64_t soft = of == liveness_->now.end() ? 0 : of->second.soft.size();
      if (hard != segment.hard_deleted || soft != segment.soft_deleted) {
        Problem(segment.name + ": number of deleted rows differs from the head's");
      }
    }
    return Status::Ok();
  }

  Status CheckSegment(uint32_t index) {
    const SegmentInfo& info = snapshot_.head.segments[index];
    ++report_.objects;
    RETURN_IF_ERROR(CheckTail(info));
    RETURN_IF_ERROR(CheckBlocks(index));
    std::set<uint64_t> hashes;
    RETURN_IF_ERROR(CheckRows(index, hashes));
    return CheckKeys(info, hashes);
  }

  // What the segment says of itself at its beginning and in its tail.
  Status CheckTail(const SegmentInfo& info) {
    std::string header = EncodeSegmentHeader(schema_);
    ObjectRange ranges[] = {{info.name, 0, header.size()}, {info.name, info.tail.offset, info.tail.length}};
    RangeReads read = ReadRanges(*path_.store, context_, ranges);
    if (!read.ranges[0].status.ok()) return Note(read.ranges[0].status);
    if (!IsSegmentHeader(read.ranges[0].bytes, schema_))
      Problem(info.name + ": the header at offset 0 is not that of this collection's segments");
    if (!read.ranges[1].status.ok()) return Note(read.ranges[1].status);
    report_.extents += 2;
    report_.bytes += header.size() + info.tail.length;
    SegmentSchema schema;
    auto tail = ParseTail(read.ranges[1].bytes, &schema);
    if (!tail.ok()) return Note(tail.status().WithContext(info.name + ": at " + std::to_string(info.tail.offset)));
    if (tail->name != info.name || tail->rows != info.rows || tail->bytes != info.bytes ||
        tail->tail_crc32c != info.tail_crc32c) {
      Problem(info.name + ": the tail tells of another segment than the head");
    }
    if (schema.dimension != schema_.dimension || schema.metric != schema_.metric ||
        schema.key_type != schema_.key_type) {
      Problem(info.name + ": the tail's dimension, metric or type of keys differ from the head's");
    }
    return Status::Ok();
  }

  Status CheckBlocks(uint32_t index) {
    const SegmentInfo& info = snapshot_.head.segments[index];
    uint64_t entries = 0;
    std::vector<BlockAddress> blocks = SegmentBlocks(snapshot_, index);
    for (size_t b = 0; b < blocks.size(); ++b) {
      ASSIGN_OR_RETURN(auto block, Read(blocks[b].extent));
      if (progress_) progress_("blocks of " + info.name, b + 1, blocks.size());
      if (!block) continue;
      auto view = ParseBlock(block->bytes(), blocks[b], schema_.block());
      if (!view.ok()) {
        Problem(view.status().message());
        continue;
      }
      entries += view->rows();
      for (uint32_t row = 0; row < view->rows(); ++row) {
        if (SegmentOf(snapshot_, index, view->ordinal(row)) != nullptr) continue;
        Problem(info.name + ": block at " + std::to_string(blocks[b].extent.offset) +
                ": names a row that is in no segment");
      }
    }
    if (entries != info.entries && report_.problems.empty())
      Problem(info.name + ": number of entries differs from the head's");
    return Status::Ok();
  }

  Status CheckRows(uint32_t index, std::set<uint64_t>& hashes) {
    const SegmentInfo& info = snapshot_.head.segments[index];
    uint64_t rows = 0;
    const SegmentDeletions* deletions = nullptr;
    if (liveness_ != nullptr) {
      if (auto of = liveness_->now.find(info.name); of != liveness_->now.end()) deletions = &of->second;
    }
    Status scanned = ScanSegment(path_, snapshot_, index, {}, context_, [&](uint32_t ordinal, Row row) {
      ++rows;
      report_.bytes += VectorBytes(schema_.dimension);
      hashes.insert(HashKey(row.key));
      bool deleted = liveness_ == nullptr || (deletions != nullptr && deletions->hard.Contains(ordinal));
      if (!deleted) CountKey(row.key);
      if (progress_ && (rows % 4096 == 0 || rows == info.rows)) progress_("rows of " + info.name, rows, info.rows);
      return Status::Ok();
    });
    RETURN_IF_ERROR(Note(scanned));
    report_.rows += rows;
    report_.extents += rows;
    if (scanned.ok() && rows != info.rows) {
      Problem(info.name + ": " + std::to_string(rows) + " rows; the head says " + std::to_string(info.rows));
    }
    return Status::Ok();
  }

  Status CheckKeys(const SegmentInfo& info, const std::set<uint64_t>& hashes) {
    ASSIGN_OR_RETURN(auto filter, Read({info.name, info.filter.offset, static_cast<uint32_t>(info.filter.length),
                                        info.filter_crc32c}));
    std::set<uint64_t> listed;
    for (uint32_t page = 0; page < info.key_pages(); ++page) {
      ObjectRange range{info.name, info.keys.offset + uint64_t{page} * kKeyPageBytes, kKeyPageBytes};
      RangeReads read = ReadRanges(*path_.store, context_, {&range, 1});
      Status status = read.ranges[0].status;
      if (status.ok()) {
        status = VisitKeyPage(read.ranges[0].bytes,
                              [&](uint64_t hash, std::string_view, const KeyLocation&) { listed.insert(hash); });
      }
      RETURN_IF_ERROR(Note(status.WithContext(info.name + ": key page at " + std::to_string(range.offset))));
      ++report_.extents;
      report_.bytes += kKeyPageBytes;
    }
    if (!report_.problems.empty()) return Status::Ok();
    if (listed != hashes) Problem(info.name + ": its key pages and its rows have different keys");
    for (uint64_t hash : hashes) {
      if (filter && !KeyFilter::MayContain(filter->bytes(), hash)) {
        Problem(info.name + ": its key filter denies a key that is there");
        break;
      }
    }
    return Status::Ok();
  }

  Status FindOrphans() {
    ASSIGN_OR_RETURN(std::set<std::string> named, NamedObjects(*path_.store, context_));
    AddReferences(snapshot_.head, named);
    std::string after;
    while (true) {
      ASSIGN_OR_RETURN(ListPage page, path_.store->List(context_, "", after));
      for (const ListEntry& entry : page.entries) {
        if (!named.contains(entry.name)) report_.orphans.push_back(entry.name);
        after = entry.name;
      }
      if (!page.more) return Status::Ok();
    }
  }

  const ReadPath& path_;
  const Snapshot& snapshot_;
  const SegmentSchema& schema_;
  const Progress& progress_;
  const Context& context_;
  ExtentCache store_only_;  // past the caches: what is verified is the store
  VerifyReport report_;
  std::set<Key> keys_;
  std::shared_ptr<const Liveness> liveness_;  // null: could not be read
};

}  // namespace

Result<VerifyReport> CollectionImpl::Verify(const Progress& progress, const Context& context) {
  RETURN_IF_ERROR(CheckOpen());
  std::shared_ptr<const Snapshot> at = snapshot();
  return Verification(*path_, *at, progress, context).Run();
}

}  // namespace isotherm
