// Going on where another compaction of the same rows died: with its cells, and with what it has written. Nothing of
// that is believed: an object is taken when it is, checksum by checksum, the one that would be written now.
#include <utility>

#include "base/macros.h"
#include "engine/compaction_job.h"
#include "engine/object_names.h"
#include "engine/object_writer.h"
#include "index/centroids8.h"
#include "segment/segment_tail.h"

namespace isotherm {

bool CompactionJob::FitsMemory(const BuildRecord& record, uint64_t memory_bytes) {
  // There is no sample: its share is room for centroids.
  const uint64_t centroid_bytes = record.scales.size() * uint64_t{record.dimension} * sizeof(float);
  return centroid_bytes <= memory_bytes / 2 && record.key_bytes <= memory_bytes / 4;
}

// From here on others may go on with this one.
Status CompactionJob::Record(bool cells_are_kept) {
  BuildRecord record;
  record.collection = base_.head.collection;
  record.builds = {build_.id};
  for (const Input& input : inputs_) {
    record.inputs.push_back({input.info->name, input.dropped == nullptr ? OrdinalSet() : *input.dropped});
  }
  record.now_ms = now_ms_;
  record.keep_cells = plan_.keep_cells;
  record.cells = options_.cells;
  record.min_rows_for_cells = options_.min_rows_for_cells;
  record.max_object_bytes = options_.max_object_bytes;
  record.seed = options_.seed;
  record.key_bytes = batch_bytes_;
  record.dimension = schema_.dimension;
  if (cells_are_kept) {
    record.routing_sha256_hex = base_.head.routing.sha256_hex;
  } else {
    record.scales = cells_.scales;
    record.codes = cells_.codes;
    record.query_origins.assign(queries_->origins().begin(), queries_->origins().end());
    record.queries.assign(queries_->vectors().begin(), queries_->vectors().end());
  }
  recorded_ = true;
  const std::string bytes = EncodeBuildRecord(record);
  auto put = path_.store->Put(context_, BuildRecordName(build_.gc_epoch, build_.id), bytes);
  if (put.ok()) out_.bytes_written += bytes.size();
  return WithoutOutcome(put.status());
}

Status CompactionJob::GoOnWithCells() {
  const BuildRecord& record = *build_.record;
  cells_ = {record.dimension, record.scales, record.codes,
            RestoreCentroids(record.scales, record.codes, record.dimension)};
  centroids_ = cells_.centroids;
  rows_ = MakeCellRows(SegmentKind::kCells, cells_.count());
  CellAssigner assigner(centroids_, schema_.dimension, TrainingOptions().partition, *resources_.env->executor);
  ProbeCalibration calibration(record.queries, record.query_origins, schema_.dimension, schema_.metric);
  for (const Input& input : inputs_) RETURN_IF_ERROR(AssignInput(input, assigner, &calibration));
  return FillCells(calibration);
}

Result<std::vector<std::vector<std::string>>> CompactionJob::FindWritten(size_t places) {
  std::vector<std::vector<std::string>> written(places);
  if (build_.record == nullptr) return written;
  std::vector<ReadRequest> requests;
  std::vector<size_t> of_place;
  for (size_t place = 0; place < places; ++place) {
    for (const Nonce& build : build_.record->builds) {
      if (build == build_.id) continue;
      std::string name = BuildObjectName("segment", build_.gc_epoch, build, static_cast<uint32_t>(place));
      requests.push_back({std::move(name), ByteRange{0, 1}, {}});
      of_place.push_back(place);
    }
  }
  if (requests.empty()) return written;
  std::vector<ReadResult> found = path_.store->Read(context_, requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    if (found[i].status.code() == StatusCode::kNotFound) continue;
    RETURN_IF_ERROR(found[i].status);
    objects_.push_back(requests[i].name);
    written[of_place[i]].push_back(std::move(requests[i].name));
  }
  Report("resuming", objects_.size(), places);
  return written;
}

// What `range` is written as under this name, if that is what is there. The tail has the checksums of all blocks, and
// so of all keys: vectors and documents are of the same rows in the same order.
Result<std::optional<SegmentInfo>> CompactionJob::SameObject(const CellRange& range, const std::string& name) {
  auto forget = [](std::string_view) { return Status::Ok(); };
  ASSIGN_OR_RETURN(SegmentInfo info, WriteRows(range, name, forget));
  ReadRequest request{name, ByteRange{info.tail.offset, info.tail.length}, {}};
  ReadResult read = std::move(path_.store->Read(context_, {&request, 1})[0]);
  // Gone since it was found, by whoever gave this compaction up; or shorter than that.
  const StatusCode code = read.status.code();
  if (code == StatusCode::kNotFound || code == StatusCode::kInvalidArgument) return std::optional<SegmentInfo>();
  RETURN_IF_ERROR(read.status);
  SegmentSchema schema;
  auto tail = ParseTail(read.data, &schema);
  if (!tail.ok() || read.object_size != info.bytes || tail->tail_crc32c != info.tail_crc32c) {
    return std::optional<SegmentInfo>();
  }
  return std::optional(std::move(info));
}

}  // namespace isotherm
