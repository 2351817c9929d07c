// Rewriting all rows as one partition.
#include <algorithm>
#include <optional>

#include "base/context_check.h"
#include "base/crc32c.h"
#include "base/macros.h"
#include "base/sha256.h"
#include "engine/calibration.h"
#include "engine/collection_impl.h"
#include "engine/exact_scan.h"
#include "engine/object_writer.h"
#include "index/centroids8.h"
#include "index/partition.h"
#include "segment/routing_object.h"
#include "segment/row_codec.h"
#include "segment/segment_writer.h"

namespace isotherm {

namespace {

// What a compaction wrote, to be put into a head.
struct Compacted {
  std::vector<SegmentInfo> segments;
  RoutingRef ref;
  std::string routing_bytes;
  std::shared_ptr<const Routing> routing;
};

class Compaction {
 public:
  Compaction(const ReadPath& path, const Snapshot& base, const CompactOptions& options, const Progress& progress,
             const Context& context)
      : path_(path),
        base_(base),
        schema_(base.head.schema),
        options_(options),
        progress_(progress),
        context_(context) {}

  Result<Compacted> Run() {
    RETURN_IF_ERROR(ReadAll());
    if (rows_.size() < options_.min_rows_for_cells) {
      std::string name = NewName("segment-");
      ASSIGN_OR_RETURN(SegmentInfo info,
                       WriteObject<SegmentInfo>(*path_.store, context_, name, [&](const ByteSink& sink) {
                         return WriteFlatSegment(schema_, name, rows_, sink);
                       }));
      out_.segments.push_back(std::move(info));
      return std::move(out_);
    }
    RETURN_IF_ERROR(Cluster());
    RETURN_IF_ERROR(WriteCells());
    RETURN_IF_ERROR(WriteRouting());
    return std::move(out_);
  }

  // What was written and nobody else can have written. Not the routing object: its name says its content, and another
  // compaction of the same rows may have put the same into the head.
  const std::vector<std::string>& objects() const { return objects_; }

 private:
  void Report(std::string_view stage, uint64_t done, uint64_t total) const {
    if (progress_) progress_(stage, done, total);
  }

  std::string NewName(const std::string& prefix) {
    objects_.push_back(prefix + NonceHex(MakeNonce(*path_.env->random)));
    return objects_.back();
  }

  Status ReadAll() {
    uint64_t total = 0;
    for (const SegmentInfo& segment : base_.head.segments) total += segment.rows;
    rows_.reserve(total);
    for (uint32_t s = 0; s < base_.head.segments.size(); ++s) {
      RETURN_IF_ERROR(ScanSegment(path_, base_, s, {}, context_, [&](uint32_t, Row row) {
        rows_.push_back(std::move(row));
        if (rows_.size() % 4096 == 0 || rows_.size() == total) Report("reading", rows_.size(), total);
        return Status::Ok();
      }));
    }
    return Status::Ok();
  }

  Status Cluster() {
    search_.reserve(rows_.size() * schema_.dimension);
    for (const Row& row : rows_) {
      std::vector<float> vector = SearchVector(row.vector, schema_.metric);
      search_.insert(search_.end(), vector.begin(), vector.end());
    }
    PartitionOptions partition;
    partition.cells = options_.cells;
    partition.seed = options_.seed;
    ASSIGN_OR_RETURN(partition_,
                     BuildPartition(search_, schema_.dimension, schema_.metric, partition, *path_.env, context_,
                                    [&](uint64_t done, uint64_t total) { Report("clustering", done, total); }));
    probes_ = CalibrateProbes(search_, partition_, schema_.metric, options_.seed, *path_.env->executor);
    return Status::Ok();
  }

  // Rows get their ordinals in the order of their first cells; a cell lists its own rows first, then the second copies.
  std::vector<BlockPlan> PlanBlocks(std::vector<uint32_t>& row_of) const {
    std::vector<BlockPlan> blocks(partition_.cells());
    std::vector<std::vector<uint32_t>> members(partition_.cells());
    for (uint32_t row = 0; row < rows_.size(); ++row) members[partition_.primary[row]].push_back(row);
    std::vector<uint32_t> ordinal_of(rows_.size());
    for (uint32_t cell = 0; cell < blocks.size(); ++cell) {
      for (uint32_t row : members[cell]) {
        ordinal_of[row] = static_cast<uint32_t>(row_of.size());
        blocks[cell].ordinals.push_back(ordinal_of[row]);
        row_of.push_back(row);
      }
      blocks[cell].primary_rows = static_cast<uint32_t>(members[cell].size());
      blocks[cell].centroid = partition_.centroid(cell);
    }
    for (uint32_t row = 0; row < rows_.size(); ++row) {
      if (partition_.second[row] != kNoCell) blocks[partition_.second[row]].ordinals.push_back(ordinal_of[row]);
    }
    return blocks;
  }

  // Cuts the cells into objects of at most about max_object_bytes.
  std::vector<SegmentPlan> PlanSegments(std::vector<BlockPlan> blocks, std::span<const std::string> documents) {
    std::vector<SegmentPlan> segments;
    uint64_t bytes = 0;
    uint32_t ordinal = 0;
    for (uint32_t cell = 0; cell < blocks.size(); ++cell) {
      uint64_t cell_bytes = blocks[cell].ordinals.size() * (schema_.dimension + 40) +
                            uint64_t{blocks[cell].primary_rows} * (VectorBytes(schema_.dimension) + 40);
      for (uint32_t i = 0; i < blocks[cell].primary_rows; ++i) cell_bytes += documents[ordinal + i].size();
      if (segments.empty() || bytes + cell_bytes > options_.max_object_bytes) {
        SegmentPlan plan;
        plan.name = NewName("segment-");
        plan.kind = SegmentKind::kCells;
        plan.first_ordinal = ordinal;
        plan.first_cell = cell;
        segments.push_back(std::move(plan));
        bytes = 0;
      }
      bytes += cell_bytes;
      ordinal += blocks[cell].primary_rows;
      segments.back().rows += blocks[cell].primary_rows;
      segments.back().blocks.push_back(std::move(blocks[cell]));
    }
    return segments;
  }

  Status WriteCells() {
    std::vector<uint32_t> row_of;  // by ordinal
    std::vector<BlockPlan> blocks = PlanBlocks(row_of);
    std::vector<SegmentRow> rows;
    std::vector<std::string> documents;
    for (uint32_t row : row_of) {
      rows.push_back({&rows_[row], &search_[size_t{row} * schema_.dimension]});
      documents.push_back(EncodeDocument(rows_[row]));
    }
    std::vector<SegmentPlan> segments = PlanSegments(std::move(blocks), documents);
    std::vector<DocumentRef> places = PlaceDocuments(documents, segments);
    uint64_t written = 0;
    for (const SegmentPlan& plan : segments) {
      ASSIGN_OR_RETURN(SegmentInfo info,
                       WriteObject<SegmentInfo>(*path_.store, context_, plan.name, [&](const ByteSink& sink) {
                         return WriteSegment(schema_, plan, rows, documents, places, sink);
                       }));
      routing_.blocks.insert(routing_.blocks.end(), info.blocks.begin(), info.blocks.end());
      info.blocks.clear();
      out_.segments.push_back(std::move(info));
      Report("writing", written += plan.rows, rows_.size());
    }
    return Status::Ok();
  }

  Status WriteRouting() {
    Centroids8 centroids = QuantiseCentroids(partition_.centroids, schema_.dimension);
    routing_.dimension = schema_.dimension;
    routing_.generation = base_.head.routing.generation + 1;
    routing_.default_probes = probes_;
    routing_.scales = std::move(centroids.scales);
    routing_.codes = std::move(centroids.codes);
    out_.routing_bytes = EncodeRouting(routing_);
    Sha256Digest digest = Sha256(out_.routing_bytes);
    out_.ref.generation = routing_.generation;
    out_.ref.sha256_hex = ToHex({reinterpret_cast<const char*>(digest.data()), digest.size()});
    out_.ref.bytes = static_cast<uint32_t>(out_.routing_bytes.size());
    out_.ref.crc32c = Crc32c(out_.routing_bytes);
    auto put = path_.store->Put(context_, RoutingName(out_.ref.sha256_hex), out_.routing_bytes);
    RETURN_IF_ERROR(WithoutOutcome(put.status()));
    ASSIGN_OR_RETURN(Routing decoded, DecodeRouting(out_.routing_bytes, out_.segments));
    out_.routing = std::make_shared<const Routing>(std::move(decoded));
    return Status::Ok();
  }

  const ReadPath& path_;
  const Snapshot& base_;
  const SegmentSchema& schema_;
  const CompactOptions& options_;
  const Progress& progress_;
  const Context& context_;
  std::vector<Row> rows_;
  std::vector<float> search_;
  Partition partition_;
  uint32_t probes_ = 0;
  Routing routing_;
  Compacted out_;
  std::vector<std::string> objects_;
};

// The segments that came beside those of `base` since; nothing when one of base's is gone: another compaction was
// faster.
std::optional<std::vector<SegmentInfo>> AddedSince(const Head& base, const Head& now) {
  auto names = [](const Head& head) {
    std::vector<std::string> out;
    for (const SegmentInfo& segment : head.segments) out.push_back(segment.name);
    return out;
  };
  std::vector<std::string> before = names(base);
  std::vector<SegmentInfo> added;
  for (const SegmentInfo& segment : now.segments) {
    if (std::find(before.begin(), before.end(), segment.name) == before.end()) added.push_back(segment);
  }
  if (now.segments.size() - added.size() != before.size()) return std::nullopt;
  return added;
}

void RemoveObjects(BlobStore& store, const std::vector<std::string>& names, const Context& context) {
  for (const std::string& name : names) {
    Status removed = store.Delete(context, name);
    (void)removed;  // an orphan does no harm
  }
}

}  // namespace

Status CollectionImpl::Compact(const CompactOptions& options, const Progress& progress, const Context& context) {
  RETURN_IF_ERROR(CheckWritable());
  std::lock_guard write(write_mutex_);
  // The head's rows go into a segment first: then what is compacted are whole segments, whatever else is committed
  // meanwhile.
  RETURN_IF_ERROR(CommitLocked(true, context));
  return CompactLocked(options, progress, context);
}

Status CollectionImpl::CompactLocked(const CompactOptions& options, const Progress& progress, const Context& context) {
  std::shared_ptr<const Snapshot> base = snapshot();
  if (base->head.segments.empty()) return Status::Ok();
  Compaction compaction(*path_, *base, options, progress, context);
  auto compacted = compaction.Run();
  if (!compacted.ok()) {
    RemoveObjects(*path_->store, compaction.objects(), context);
    return compacted.status();
  }
  while (true) {
    std::shared_ptr<const Snapshot> current = snapshot();
    auto added = AddedSince(base->head, current->head);
    if (!added) {
      RemoveObjects(*path_->store, compaction.objects(), context);
      return Status::Conflict("another compaction published version " + std::to_string(current->head.version) +
                              " first");
    }
    Head next = current->head;
    next.inline_rows = current->rows.rows();
    next.segments = compacted->segments;
    next.segments.insert(next.segments.end(), added->begin(), added->end());
    next.routing = compacted->ref;
    SwapResult swap = log_.Swap({current->head, current->etag, current->head_bytes}, std::move(next), context);
    if (swap.outcome == SwapOutcome::kLanded) {
      Publish(MakeSnapshot(std::move(swap.head.head), std::move(swap.head.etag), swap.head.bytes, compacted->routing),
              0);
      break;
    }
    const bool lost = swap.outcome == SwapOutcome::kLost;
    bool landed = false;
    Status status = AfterSwap(std::move(swap), 0, context, &landed);
    // What may be the head, or become it: its objects stay.
    if (!lost) return status;
    if (!status.ok()) {
      RemoveObjects(*path_->store, compaction.objects(), context);
      return status;
    }
  }
  if (compacted->ref.generation == 0) return Status::Ok();
  // The copy for the first wave. Without it, or with an older one, opening costs one more wave.
  auto copy = path_->store->Put(context, kRoutingObject, compacted->routing_bytes);
  return WithoutOutcome(copy.status())
      .WithContext(
          "the compaction is published, but opening takes one more wave until the next one: the copy of its "
          "routing object was not written");
}

}  // namespace isotherm
