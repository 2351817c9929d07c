// The rows of new segments, gathered by cell and then written object by object. What is held in memory is a few numbers
// a row and a few cells; the rest may be spilled.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/row_places.h"
#include "engine/spilled_cells.h"
#include "segment/segment_stream.h"

namespace isotherm {

// An entry of a cell: a row, or the second copy of one.
struct CellEntry {
  uint64_t origin = 0;  // see row_places.h
  RowAttributes attributes;
  uint32_t document_bytes = 0;
  const Key* key = nullptr;
  const Metadata* columns = nullptr;  // at least the filter columns' fields
  ResidualFactors factors;            // with `code`, which is relative to the cell's centroid
  const int8_t* code = nullptr;
};

struct CellRowsOptions {
  SegmentKind kind = SegmentKind::kCells;
  uint32_t cells = 0;
  uint32_t streams = 1;       // of spill files for each of entries, vectors and documents
  uint64_t memory_bytes = 0;  // for reading them
  uint64_t key_bytes = 0;     // for the keys of one object
  uint64_t object_bytes = 0;  // of one object at most, as far as whole cells allow it
};

// An object to be written: cells that follow each other.
struct CellRange {
  uint32_t begin = 0;
  uint32_t end = 0;
};

// Thread-compatible. AddRow and AddSecond for all entries, then Plan, then Write and Drop for each range.
class CellRows {
 public:
  // References must stay valid.
  CellRows(const SegmentSchema& schema, std::span<const SegmentInfo> inputs, SpillFiles& files,
           const CellRowsOptions& options);

  // In ascending order of origins within a cell. `vector` as it was inserted.
  Status AddRow(uint32_t cell, const CellEntry& entry, std::span<const float> vector, std::string_view document);
  Status AddSecond(uint32_t cell, const CellEntry& entry);

  uint64_t rows() const { return rows_; }
  uint32_t rows_of(uint32_t cell) const { return totals_[cell].rows; }
  // Cuts the cells into objects; a flat segment is one. From here on rows have their places. kResourceExhausted for
  // more rows than a partition can have.
  Result<std::vector<CellRange>> Plan();
  // Once everything is written.
  RowPlaces TakePlaces() { return std::move(places_); }
  // In the order of their cells. `centroids`: of all cells, or one for all.
  Result<SegmentInfo> Write(const CellRange& range, const std::string& name, std::span<const float> centroids,
                            const ByteSink& sink, const SegmentVisitor& visitor = {});
  // It is not written any more, nor is any before it.
  void Drop(const CellRange& range);

 private:
  struct Totals {
    uint32_t rows = 0;
    uint32_t entries = 0;
    uint64_t document_bytes = 0;
    uint64_t key_bytes = 0;
  };
  std::string Encode(const CellEntry& entry, bool second) const;
  KeyTotals KeysOf(const CellRange& range) const;
  uint64_t ObjectBytes(uint32_t cell) const;
  Status WriteBlock(uint32_t cell, std::span<const std::string_view> records, std::span<const float> centroid,
                    SegmentStream& stream) const;

  const SegmentSchema& schema_;
  const CellRowsOptions options_;
  RowPlaces places_;
  SpilledCells entries_;
  SpilledCells vectors_;
  SpilledCells documents_;
  std::vector<Totals> totals_;            // by cell
  std::vector<uint32_t> first_ordinals_;  // by cell; of Plan
  uint64_t rows_ = 0;
  uint64_t longest_key_ = 0;
  bool with_attributes_ = false;
};

}  // namespace isotherm
