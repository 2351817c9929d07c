#include "engine/compaction_job.h"

#include <algorithm>

#include "base/crc32c.h"
#include "base/macros.h"
#include "base/sha256.h"
#include "engine/calibration.h"
#include "engine/exact_scan.h"
#include "engine/object_writer.h"
#include "index/centroids8.h"
#include "segment/row_codec.h"

namespace isotherm {

CompactionJob::CompactionJob(const ReadPath& path, const Snapshot& base, const CompactOptions& options,
                             std::function<std::string(std::string_view)> object_name, const Progress& progress,
                             const Context& context)
    : path_(path),
      base_(base),
      schema_(base.head.schema),
      options_(options),
      object_name_(std::move(object_name)),
      progress_(progress),
      context_(context) {}

Result<Compacted> CompactionJob::Run() {
  RETURN_IF_ERROR(ReadAll());
  out_.rows = rows_.size();
  if (rows_.size() < options_.min_rows_for_cells) {
    RETURN_IF_ERROR(WriteFlat());
  } else {
    RETURN_IF_ERROR(Cluster());
    RETURN_IF_ERROR(WriteCells());
    RETURN_IF_ERROR(WriteRouting());
  }
  for (const SegmentInfo& segment : out_.segments) out_.bytes_written += segment.bytes;
  out_.bytes_written += out_.routing_bytes.size();
  return std::move(out_);
}

void CompactionJob::Report(std::string_view stage, uint64_t done, uint64_t total) const {
  if (progress_) progress_(stage, done, total);
}

std::string CompactionJob::NewName() {
  objects_.push_back(object_name_("segment"));
  return objects_.back();
}

Status CompactionJob::ReadAll() {
  ASSIGN_OR_RETURN(std::shared_ptr<const Liveness> liveness, base_.Deletions(path_, context_));
  const int64_t now_ms = path_.env->clock->WallMs();
  uint64_t total = 0;
  for (const SegmentInfo& segment : base_.head.segments) total += segment.rows;
  uint64_t done = 0;
  for (uint32_t s = 0; s < base_.head.segments.size(); ++s) {
    const SegmentInfo& segment = base_.head.segments[s];
    auto found = liveness->now.find(segment.name);
    const SegmentDeletions* deletions = found == liveness->now.end() ? nullptr : &found->second;
    out_.new_ordinals.emplace_back(segment.rows, Compacted::kDropped);
    RETURN_IF_ERROR(ScanSegment(path_, base_, s, {}, context_, [&](uint32_t ordinal, Row row) {
      if (++done % 4096 == 0 || done == total) Report("reading", done, total);
      if (deletions != nullptr && deletions->hard.Contains(ordinal)) return Status::Ok();
      if (IsExpired(row.expires_at_ms, now_ms)) return Status::Ok();
      rows_.push_back(std::move(row));
      origins_.push_back({s, ordinal});
      return Status::Ok();
    }));
  }
  return Status::Ok();
}

void CompactionJob::MapRows(std::span<const uint32_t> ordinal_of) {
  for (size_t row = 0; row < origins_.size(); ++row) {
    const Origin& origin = origins_[row];
    uint32_t first = base_.head.segments[origin.segment].first_ordinal;
    out_.new_ordinals[origin.segment][origin.ordinal - first] = ordinal_of[row];
  }
}

Status CompactionJob::WriteFlat() {
  if (rows_.empty()) return Status::Ok();
  std::vector<const Row*> rows;
  std::vector<uint32_t> ordinal_of;
  for (const Row& row : rows_) {
    ordinal_of.push_back(static_cast<uint32_t>(rows.size()));
    rows.push_back(&row);
  }
  std::string name = NewName();
  ASSIGN_OR_RETURN(SegmentInfo info, WriteObject<SegmentInfo>(*path_.store, context_, name, [&](const ByteSink& sink) {
                     return WriteFlatSegment(schema_, name, rows, sink);
                   }));
  out_.segments.push_back(std::move(info));
  MapRows(ordinal_of);
  return Status::Ok();
}

Status CompactionJob::Cluster() {
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
std::vector<BlockPlan> CompactionJob::PlanBlocks(std::vector<uint32_t>& row_of) {
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
  MapRows(ordinal_of);
  return blocks;
}

// Cuts the cells into objects of at most about max_object_bytes.
std::vector<SegmentPlan> CompactionJob::PlanSegments(std::vector<BlockPlan> blocks,
                                                     std::span<const std::string> documents) {
  std::vector<SegmentPlan> segments;
  uint64_t bytes = 0;
  uint32_t ordinal = 0;
  for (uint32_t cell = 0; cell < blocks.size(); ++cell) {
    uint64_t cell_bytes = blocks[cell].ordinals.size() * (schema_.dimension + 40) +
                          uint64_t{blocks[cell].primary_rows} * (VectorBytes(schema_.dimension) + 40);
    for (uint32_t i = 0; i < blocks[cell].primary_rows; ++i) cell_bytes += documents[ordinal + i].size();
    if (segments.empty() || bytes + cell_bytes > options_.max_object_bytes) {
      SegmentPlan plan;
      plan.name = NewName();
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

Status CompactionJob::WriteCells() {
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

Status CompactionJob::WriteRouting() {
  Centroids8 centroids = QuantiseCentroids(partition_.centroids, schema_.dimension);
  routing_.dimension = schema_.dimension;
  // Versions never come back, not even by a rollback: no two compactions of a branch write the same object.
  routing_.generation = base_.head.version + 1;
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

DeletionMap Compacted::Rebase(const DeletionMap& now, const std::vector<SegmentInfo>& inputs) const {
  DeletionMap out;
  auto add = [&](size_t input, uint32_t ordinal, OrdinalSet SegmentDeletions::*kind) {
    uint32_t moved = new_ordinals[input][ordinal - inputs[input].first_ordinal];
    if (moved == kDropped) return;
    for (const SegmentInfo& segment : segments) {
      if (moved < segment.first_ordinal || moved - segment.first_ordinal >= segment.rows) continue;
      (out[segment.name].*kind).Add(moved);
    }
  };
  for (size_t s = 0; s < inputs.size(); ++s) {
    auto found = now.find(inputs[s].name);
    if (found == now.end()) continue;
    found->second.hard.ForEach([&](uint32_t ordinal) { add(s, ordinal, &SegmentDeletions::hard); });
    found->second.soft.ForEach([&](uint32_t ordinal) { add(s, ordinal, &SegmentDeletions::soft); });
  }
  return out;
}

}  // namespace isotherm
