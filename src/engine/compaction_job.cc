#include "engine/compaction_job.h"

#include <algorithm>

#include "base/context_check.h"
#include "base/crc32c.h"
#include "base/macros.h"
#include "base/sha256.h"
#include "engine/object_names.h"
#include "engine/object_writer.h"
#include "segment/segment_writer.h"

namespace isotherm {

namespace {

// Shares of the memory: what waits to be spilled and the sample; afterwards what waits, centroids and their means.
// The rest is for what is read and written at a time.
constexpr uint64_t SpillBytes(uint64_t memory_bytes) { return memory_bytes / 4; }
constexpr uint64_t SampleBytes(uint64_t memory_bytes) { return memory_bytes * 3 / 8; }
constexpr uint64_t CentroidBytes(uint64_t memory_bytes) { return memory_bytes / 4; }
constexpr uint64_t BatchBytes(uint64_t memory_bytes) {
  return std::clamp<uint64_t>(memory_bytes / 16, 64 << 10, 16 << 20);
}

constexpr uint64_t kMostStreams = 2048;

uint64_t RowBytes(const SegmentInfo& info) { return info.codes.length + info.vectors.length + info.documents.length; }

}  // namespace

CompactionJob::CompactionJob(const ReadPath& path, const Snapshot& base, const CompactionPlan& plan,
                             const CompactOptions& options, const CompactionResources& resources,
                             const CompactionBuild& build, const Progress& progress, const Context& context)
    : path_(path),
      base_(base),
      schema_(base.head.schema),
      plan_(plan),
      options_(options),
      resources_(resources),
      build_(build),
      progress_(progress),
      context_(context),
      now_ms_(build.record != nullptr ? build.record->now_ms : path.env->clock->WallMs()),
      batch_bytes_(BatchBytes(resources.memory_bytes)),
      files_(
          std::make_unique<SpillFiles>(resources.env, resources.spill_directory, SpillBytes(resources.memory_bytes))) {}

Result<Compacted> CompactionJob::Run() {
  RETURN_IF_ERROR(FindInputs());
  const BuildRecord* const record = build_.record.get();
  recorded_ = record != nullptr;
  bool kept = false;
  if (record != nullptr ? record->keeps_cells() : CellsMayBeKept()) {
    ASSIGN_OR_RETURN(kept, FoldIntoCells());
  }
  if (record != nullptr && !record->keeps_cells()) {
    RETURN_IF_ERROR(GoOnWithCells());
  } else if (!kept) {
    RETURN_IF_ERROR(ReadIntoLog());
    const bool to_cells = plan_.to_cells && log_->rows() >= options_.min_rows_for_cells && log_->rows() > 0;
    RETURN_IF_ERROR(to_cells ? BuildCells() : BuildFlat());
  }
  out_.kept_cells = kept;
  out_.rows = rows_ != nullptr ? rows_->rows() : 0;
  out_.bytes_spilled = files_->bytes_on_disk();
  // What was computed after a cancellation is no good.
  RETURN_IF_ERROR(CheckContext(context_, *path_.env->clock, "compaction"));
  return out_;
}

Status CompactionJob::FindInputs() {
  ASSIGN_OR_RETURN(liveness_, base_.Deletions(path_, context_));
  const BuildRecord* record = build_.record.get();
  if (record != nullptr && record->inputs.size() != plan_.inputs.size()) {
    return Status::Internal("a compaction goes on with one of other segments");
  }
  for (uint32_t segment : plan_.inputs) {
    const SegmentInfo& info = base_.head.segments[segment];
    auto deleted = liveness_->now.find(info.name);
    const OrdinalSet* dropped = deleted == liveness_->now.end() ? nullptr : &deleted->second.hard;
    if (record != nullptr) {
      const BuildRecord::Input& recorded = record->inputs[inputs_.size()];
      if (recorded.name != info.name) return Status::Internal("a compaction goes on with one of other segments");
      dropped = &recorded.dropped;
    }
    inputs_.push_back({segment, &info, dropped, input_rows_});
    input_rows_ += info.rows;
    out_.inputs.push_back(info);
    out_.bytes_read += RowBytes(info);
    out_.replaces_routing = out_.replaces_routing || info.kind == SegmentKind::kCells;
  }
  return Status::Ok();
}

void CompactionJob::Report(std::string_view stage, uint64_t done, uint64_t total) const {
  if (progress_) progress_(stage, done, total);
}

bool CompactionJob::IsDropped(const Input& input, uint32_t ordinal, int64_t expires_at_ms) const {
  return IsExpired(expires_at_ms, now_ms_) || (input.dropped != nullptr && input.dropped->Contains(ordinal));
}

// Those that have expired among them.
uint64_t CompactionJob::LiveRows() const {
  uint64_t rows = 0;
  for (const Input& input : inputs_) rows += input.info->rows - input.info->hard_deleted;
  return rows;
}

CellTrainingOptions CompactionJob::TrainingOptions() const {
  CellTrainingOptions training;
  training.partition.cells = options_.cells;
  training.partition.seed = options_.seed;
  training.metric = schema_.metric;
  training.centroid_bytes = CentroidBytes(resources_.memory_bytes);
  return training;
}

std::unique_ptr<CellRows> CompactionJob::MakeCellRows(SegmentKind kind, uint32_t cells) {
  CellRowsOptions options;
  options.kind = kind;
  options.cells = cells;
  options.streams = static_cast<uint32_t>(std::min(kMostStreams, out_.bytes_read / batch_bytes_ + 1));
  options.memory_bytes = batch_bytes_;
  options.key_bytes = build_.record != nullptr ? build_.record->key_bytes : batch_bytes_;
  options.object_bytes = options_.max_object_bytes;
  return std::make_unique<CellRows>(schema_, out_.inputs, *files_, options);
}

Status CompactionJob::ScanLive(const Input& input, const std::function<Status(uint64_t, Row)>& visit) {
  ScanParts parts;
  parts.bytes_at_once = batch_bytes_;
  return ScanSegment(path_, base_, input.segment, parts, context_, [&](uint32_t ordinal, Row row) {
    if (++scanned_rows_ % 4096 == 0 || scanned_rows_ == input_rows_) Report("reading", scanned_rows_, input_rows_);
    if (IsDropped(input, ordinal, row.expires_at_ms)) return Status::Ok();
    return visit(input.first_origin + (ordinal - input.info->first_ordinal), std::move(row));
  });
}

Status CompactionJob::ReadIntoLog() {
  scanned_rows_ = 0;
  log_ = std::make_unique<RowLog>(schema_, *files_, batch_bytes_);
  const uint64_t vector_bytes = uint64_t{schema_.dimension} * sizeof(float);
  const uint64_t capacity = std::max<uint64_t>(1, SampleBytes(resources_.memory_bytes) / vector_bytes);
  sample_ = std::make_unique<RowSample>(schema_.dimension, std::min(capacity, LiveRows()), options_.seed);
  queries_ = std::make_unique<RowSample>(schema_.dimension, std::min(capacity, kCalibrationSample), options_.seed + 1);
  for (const Input& input : inputs_) {
    RETURN_IF_ERROR(ScanLive(input, [&](uint64_t origin, Row row) {
      std::vector<float> vector = SearchVector(row.vector, schema_.metric);
      sample_->Offer(origin, vector);
      queries_->Offer(origin, vector);
      return log_->Append(origin, row);
    }));
  }
  return Status::Ok();
}

Status CompactionJob::BuildFlat() {
  if (log_->rows() == 0) {
    out_.places = std::make_shared<RowPlaces>(out_.inputs);
    return Status::Ok();
  }
  sample_->Clear();
  CellMeans mean(1, schema_.dimension);
  RETURN_IF_ERROR(log_->Read(false, [&](const RowBatch& batch) {
    std::vector<float> vectors = SearchVectors(batch, schema_.dimension, schema_.metric, *resources_.env->executor);
    for (size_t i = 0; i < batch.size(); ++i) mean.Add(0, &vectors[i * schema_.dimension]);
    return Status::Ok();
  }));
  cells_.centroids.resize(schema_.dimension);
  mean.MoveTo(false, cells_.centroids);
  centroids_ = cells_.centroids;
  const uint32_t block_rows = FlatBlockRows(schema_.dimension);
  rows_ = MakeCellRows(SegmentKind::kFlat, static_cast<uint32_t>((log_->rows() + block_rows - 1) / block_rows));
  uint64_t first_row = 0;
  RETURN_IF_ERROR(log_->Read(true, [&](const RowBatch& batch) {
    first_row += batch.size();
    return AssignFlat(batch, first_row - batch.size());
  }));
  return WriteObjects(SegmentKind::kFlat);
}

Status CompactionJob::TrainCells() {
  auto clustering = [&](uint64_t done, uint64_t total) { Report("clustering", done, total + 1); };
  auto trained =
      TrainOnLog(*log_, *sample_, schema_.dimension, TrainingOptions(), *resources_.env, context_, clustering);
  RETURN_IF_ERROR(trained.status());
  // What was computed after a cancellation is no good, for nobody.
  RETURN_IF_ERROR(CheckContext(context_, *path_.env->clock, "compaction"));
  cells_ = std::move(trained).value();
  return Record(false);
}

Status CompactionJob::BuildCells() {
  RETURN_IF_ERROR(TrainCells());
  centroids_ = cells_.centroids;
  rows_ = MakeCellRows(SegmentKind::kCells, cells_.count());
  Executor& executor = *resources_.env->executor;
  CellAssigner assigner(centroids_, schema_.dimension, TrainingOptions().partition, executor);
  ProbeCalibration calibration(queries_->vectors(), queries_->origins(), schema_.dimension, schema_.metric);
  RETURN_IF_ERROR(log_->Read(true, [&](const RowBatch& batch) { return AssignBatch(batch, assigner, &calibration); }));
  return FillCells(calibration);
}

Status CompactionJob::FillCells(const ProbeCalibration& calibration) {
  routing_.default_probes = calibration.Probes(centroids_, *resources_.env->executor);
  routing_.scales = cells_.scales;
  routing_.codes = cells_.codes;
  RETURN_IF_ERROR(WriteObjects(SegmentKind::kCells));
  return WriteRouting();
}

Status CompactionJob::WriteObjects(SegmentKind kind) {
  ASSIGN_OR_RETURN(std::vector<CellRange> ranges, rows_->Plan());
  // Of one object there is nothing to go on with.
  if (!recorded_ && kind == SegmentKind::kCells && ranges.size() > 1) RETURN_IF_ERROR(Record(true));
  ASSIGN_OR_RETURN(written_, FindWritten(ranges.size()));
  uint64_t rows = 0;
  for (uint32_t place = 0; place < ranges.size(); ++place) {
    ASSIGN_OR_RETURN(SegmentInfo info, WriteObject(place, ranges[place]));
    if (resources_.blocks != nullptr) resources_.blocks->EndSegment(info);
    rows_->Drop(ranges[place]);
    if (kind == SegmentKind::kCells) {
      routing_.blocks.insert(routing_.blocks.end(), info.blocks.begin(), info.blocks.end());
      info.blocks.clear();
    }
    Report("writing", rows += info.rows, rows_->rows());
    out_.segments.push_back(std::move(info));
  }
  out_.places = std::make_shared<RowPlaces>(rows_->TakePlaces());
  return Status::Ok();
}

Result<SegmentInfo> CompactionJob::WriteRows(const CellRange& range, const std::string& name, const ByteSink& sink) {
  CodeBlocks* const blocks = resources_.blocks;
  if (blocks == nullptr) return rows_->Write(range, name, centroids_, sink);
  blocks->BeginSegment();
  const SegmentVisitor visitor{
      .block = [&](std::string_view bytes) { blocks->AddBlock(bytes); },
      .keys = [&](std::string_view pages, std::string_view filter) { blocks->AddKeys(pages, filter); }};
  return rows_->Write(range, name, centroids_, sink, visitor);
}

Result<SegmentInfo> CompactionJob::WriteObject(uint32_t place, const CellRange& range) {
  for (const std::string& name : written_[place]) {
    ASSIGN_OR_RETURN(std::optional<SegmentInfo> same, SameObject(range, name));
    if (!same) continue;
    out_.bytes_resumed += same->bytes;
    return *std::move(same);
  }
  const std::string name = BuildObjectName("segment", build_.gc_epoch, build_.id, place);
  objects_.push_back(name);
  auto produce = [&](const ByteSink& sink) { return WriteRows(range, name, sink); };
  ASSIGN_OR_RETURN(SegmentInfo info, isotherm::WriteObject<SegmentInfo>(*path_.store, context_, name, produce));
  out_.bytes_written += info.bytes;
  return info;
}

Status CompactionJob::WriteRouting() {
  routing_.dimension = schema_.dimension;
  // Versions never come back, not even by a rollback: no two compactions of a branch write the same object.
  routing_.generation = base_.head.version + 1;
  out_.replaces_routing = true;
  out_.routing_bytes = EncodeRouting(routing_);
  routing_ = {};
  centroids_ = {};
  cells_ = {};
  Sha256Digest digest = Sha256(out_.routing_bytes);
  out_.ref.generation = base_.head.version + 1;
  out_.ref.sha256_hex = ToHex({reinterpret_cast<const char*>(digest.data()), digest.size()});
  out_.ref.bytes = static_cast<uint32_t>(out_.routing_bytes.size());
  out_.ref.crc32c = Crc32c(out_.routing_bytes);
  auto put = path_.store->Put(context_, RoutingName(out_.ref.sha256_hex), out_.routing_bytes);
  RETURN_IF_ERROR(WithoutOutcome(put.status()));
  out_.bytes_written += out_.routing_bytes.size();
  ASSIGN_OR_RETURN(Routing decoded, DecodeRouting(out_.routing_bytes, out_.segments));
  out_.routing = std::make_shared<const Routing>(std::move(decoded));
  return Status::Ok();
}

DeletionMap Compacted::Rebase(const DeletionMap& now) const {
  DeletionMap out;
  auto add = [&](uint64_t origin, OrdinalSet SegmentDeletions::*kind) {
    const uint32_t moved = places->ordinal(origin);
    if (moved == RowPlaces::kDropped) return;
    for (const SegmentInfo& segment : segments) {
      if (moved < segment.first_ordinal || moved - segment.first_ordinal >= segment.rows) continue;
      (out[segment.name].*kind).Add(moved);
    }
  };
  for (size_t i = 0; i < inputs.size(); ++i) {
    auto found = now.find(inputs[i].name);
    if (found == now.end()) continue;
    auto origin = [&](uint32_t ordinal) { return places->first_origin(i) + (ordinal - inputs[i].first_ordinal); };
    found->second.hard.ForEach([&](uint32_t ordinal) { add(origin(ordinal), &SegmentDeletions::hard); });
    found->second.soft.ForEach([&](uint32_t ordinal) { add(origin(ordinal), &SegmentDeletions::soft); });
  }
  return out;
}

}  // namespace isotherm
