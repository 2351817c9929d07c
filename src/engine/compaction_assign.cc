// Which cells the rows of a compaction go to.
#include <algorithm>

#include "base/macros.h"
#include "engine/compaction_job.h"
#include "segment/row_codec.h"
#include "segment/row_version.h"
#include "segment/segment_writer.h"

namespace isotherm {

namespace {

// Cells are kept until there should be half as many more, or half of them.
constexpr double kMostGrowth = 1.5;
constexpr double kMostShrinkage = 0.5;
// The rows of the cell that a row lies in, on average over the rows, against those of the average cell.
constexpr double kWorstBalance = 3.0;

CellEntry EntryOf(const ScannedBlock& block, uint32_t row, const SegmentInfo& segment, uint64_t origin, const Key& key,
                  const Metadata& columns, uint32_t dimension) {
  CellEntry entry;
  entry.origin = origin;
  entry.attributes = block.view.attributes(row);
  entry.attributes.version = VersionOf(entry.attributes, segment);
  entry.document_bytes = block.view.document_length(row);
  entry.key = &key;
  entry.columns = &columns;
  entry.factors = {block.view.scales()[row], block.view.norms2()[row]};
  entry.code = block.view.codes() + size_t{row} * dimension;
  return entry;
}

}  // namespace

bool CompactionJob::CellsMayBeKept() const {
  if (!plan_.to_cells || !plan_.keep_cells || base_.routing == nullptr) return false;
  if (std::none_of(inputs_.begin(), inputs_.end(),
                   [](const Input& input) { return input.info->kind == SegmentKind::kCells; })) {
    return false;
  }
  const uint64_t rows = LiveRows();
  if (rows < std::max<uint64_t>(1, options_.min_rows_for_cells)) return false;
  const double cells = base_.routing->cells();
  const double wanted = CellsFor(rows, schema_.dimension, TrainingOptions());
  if (options_.cells != 0) return wanted == cells;
  return wanted <= cells * kMostGrowth && wanted >= cells * kMostShrinkage;
}

bool CompactionJob::IsBalanced() const {
  const auto cells = static_cast<uint32_t>(centroids_.size() / schema_.dimension);
  double squares = 0;
  for (uint32_t cell = 0; cell < cells; ++cell)
    squares += static_cast<double>(rows_->rows_of(cell)) * rows_->rows_of(cell);
  const auto rows = static_cast<double>(rows_->rows());
  return squares / rows <= kWorstBalance * rows / cells;
}

// False: what came out is not good; nothing was written.
Result<bool> CompactionJob::FoldIntoCells() {
  const Routing& routing = *base_.routing;
  centroids_ = routing.centroids;
  rows_ = MakeCellRows(SegmentKind::kCells, routing.cells());
  CellAssigner assigner(centroids_, schema_.dimension, TrainingOptions().partition, *resources_.env->executor);
  for (const Input& input : inputs_) {
    if (input.info->kind == SegmentKind::kCells) {
      RETURN_IF_ERROR(FoldPartition(input));
      continue;
    }
    RETURN_IF_ERROR(AssignInput(input, assigner, nullptr));
  }
  if (rows_->rows() == 0 || !IsBalanced()) {
    rows_ = nullptr;
    return false;
  }
  routing_.default_probes = routing.default_probes;
  routing_.scales = routing.scales;
  routing_.codes = routing.codes;
  RETURN_IF_ERROR(WriteObjects(SegmentKind::kCells));
  RETURN_IF_ERROR(WriteRouting());
  return true;
}

Status CompactionJob::AssignInput(const Input& input, const CellAssigner& assigner, ProbeCalibration* calibration) {
  RowBatch batch;
  RETURN_IF_ERROR(ScanLive(input, [&](uint64_t origin, Row row) {
    batch.Add(origin, std::move(row), schema_);
    if (batch.bytes() < batch_bytes_) return Status::Ok();
    Status assigned = AssignBatch(batch, assigner, calibration);
    batch.Clear();
    return assigned;
  }));
  return AssignBatch(batch, assigner, calibration);
}

Status CompactionJob::FoldPartition(const Input& input) {
  ScanParts parts;
  parts.bytes_at_once = batch_bytes_;
  return ScanBlocks(path_, base_, input.segment, parts, context_,
                    [&](std::span<const ScannedBlock> blocks) { return FoldBlocks(input, blocks); });
}

Status CompactionJob::FoldBlocks(const Input& input, std::span<const ScannedBlock> blocks) {
  struct From {
    const ScannedBlock* block;
    uint32_t row;
  };
  AddressedRows addressed;
  std::vector<From> from;
  for (const ScannedBlock& block : blocks) {
    uint64_t document = block.view.primary_rows() > 0 ? block.view.document(0).offset : 0;
    for (uint32_t row = 0; row < block.view.primary_rows(); ++row) {
      if (++scanned_rows_ % 4096 == 0 || scanned_rows_ == input_rows_) Report("reading", scanned_rows_, input_rows_);
      if (!IsDropped(input, block.view.ordinal(row), block.view.expires_at_ms(row))) {
        addressed.Add(*input.info, block, row, document);
        from.push_back({&block, row});
      }
      document += block.view.document_length(row);
    }
    RETURN_IF_ERROR(AddSeconds(block));
  }
  ScanParts parts;
  parts.bytes_at_once = batch_bytes_;
  return VisitRows(path_, schema_, std::move(addressed), parts, context_, [&](size_t i, Row row) {
    const ScannedBlock& block = *from[i].block;
    uint64_t origin = input.first_origin + (block.view.ordinal(from[i].row) - input.info->first_ordinal);
    CellEntry entry = EntryOf(block, from[i].row, *input.info, origin, row.key, row.metadata, schema_.dimension);
    std::string document = EncodeDocument(row);
    entry.document_bytes = static_cast<uint32_t>(document.size());
    return rows_->AddRow(block.address.cell, entry, row.vector, document);
  });
}

Status CompactionJob::AddSeconds(const ScannedBlock& block) {
  for (uint32_t row = block.view.primary_rows(); row < block.view.rows(); ++row) {
    const uint32_t ordinal = block.view.ordinal(row);
    if (SegmentOf(base_, block.address.segment, ordinal) == nullptr) {
      return Status::Corruption(block.address.extent.object + ": block at " +
                                std::to_string(block.address.extent.offset) + ": names a row that is in no segment");
    }
    const Input& input = InputOfCellRow(ordinal);
    if (IsDropped(input, ordinal, block.view.expires_at_ms(row))) continue;
    const uint64_t origin = input.first_origin + (ordinal - input.info->first_ordinal);
    const Key key = block.view.key(row);
    const Metadata columns = block.view.columns().Row(schema_.filter_columns, row);
    CellEntry entry = EntryOf(block, row, *input.info, origin, key, columns, schema_.dimension);
    RETURN_IF_ERROR(rows_->AddSecond(block.address.cell, entry));
  }
  return Status::Ok();
}

// All segments of cells are inputs.
const CompactionJob::Input& CompactionJob::InputOfCellRow(uint32_t ordinal) const {
  const Input* found = nullptr;
  for (const Input& input : inputs_) {
    if (input.info->kind == SegmentKind::kCells && input.info->first_ordinal <= ordinal) found = &input;
  }
  return *found;
}

Status CompactionJob::AssignBatch(const RowBatch& batch, const CellAssigner& assigner, ProbeCalibration* calibration) {
  const uint32_t dimension = schema_.dimension;
  Executor& executor = *resources_.env->executor;
  std::vector<float> vectors = SearchVectors(batch, dimension, schema_.metric, executor);
  struct Coded {
    ResidualFactors primary;
    ResidualFactors second;
  };
  std::vector<CellAssigner::Assignment> assigned(batch.size());
  std::vector<Coded> coded(batch.size());
  std::vector<int8_t> codes(batch.size() * 2 * dimension);  // of each row both
  auto centroid = [&](uint32_t cell) { return centroids_.subspan(size_t{cell} * dimension, dimension); };
  ForBatch(executor, batch.size(), [&](size_t i) {
    std::span<const float> row(&vectors[i * dimension], dimension);
    assigned[i] = assigner.Assign(row.data());
    int8_t* code = &codes[i * 2 * dimension];
    coded[i].primary = EncodeResidual8(row, centroid(assigned[i].primary), code);
    if (assigned[i].second == kNoCell) return;
    coded[i].second = EncodeResidual8(row, centroid(assigned[i].second), code + dimension);
  });
  if (calibration != nullptr) calibration->Offer(vectors, batch.origins, assigned, executor);
  for (size_t i = 0; i < batch.size(); ++i) {
    CellEntry entry{batch.origins[i],         batch.attributes[i], static_cast<uint32_t>(batch.documents[i].size()),
                    &batch.keys[i],           &batch.columns[i],   coded[i].primary,
                    &codes[i * 2 * dimension]};
    RETURN_IF_ERROR(rows_->AddRow(assigned[i].primary, entry, batch.vector(i, dimension), batch.documents[i]));
    if (assigned[i].second == kNoCell) continue;
    entry.factors = coded[i].second;
    entry.code += dimension;
    RETURN_IF_ERROR(rows_->AddSecond(assigned[i].second, entry));
  }
  return Status::Ok();
}

Status CompactionJob::AssignFlat(const RowBatch& batch, uint64_t first_row) {
  const uint32_t dimension = schema_.dimension;
  std::vector<float> vectors = SearchVectors(batch, dimension, schema_.metric, *resources_.env->executor);
  std::vector<int8_t> code(dimension);
  for (size_t i = 0; i < batch.size(); ++i) {
    ResidualFactors factors = EncodeResidual8({&vectors[i * dimension], dimension}, centroids_, code.data());
    CellEntry entry{batch.origins[i], batch.attributes[i], static_cast<uint32_t>(batch.documents[i].size()),
                    &batch.keys[i],   &batch.columns[i],   factors,
                    code.data()};
    auto block = static_cast<uint32_t>((first_row + i) / FlatBlockRows(dimension));
    RETURN_IF_ERROR(rows_->AddRow(block, entry, batch.vector(i, dimension), batch.documents[i]));
  }
  return Status::Ok();
}

}  // namespace isotherm
