// Rows on their way through a compaction: read once from the store, gone through several times, spilled when they are
// too many for memory.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/splitmix.h"
#include "engine/spill_files.h"
#include "isotherm/row.h"
#include "segment/cell_block.h"
#include "segment/segment_schema.h"

namespace isotherm {

// A few rows, column by column.
struct RowBatch {
  std::vector<uint64_t> origins;  // see row_places.h
  std::vector<RowAttributes> attributes;
  std::vector<Key> keys;
  std::vector<Metadata> columns;       // the filter columns' fields
  std::vector<std::string> documents;  // as EncodeDocument makes them
  std::vector<float> vectors;          // as they were inserted, one behind the other

  size_t size() const { return origins.size(); }
  uint64_t bytes() const { return bytes_; }  // roughly
  std::span<const float> vector(size_t i, uint32_t dimension) const {
    return {vectors.data() + i * dimension, dimension};
  }
  void Add(uint64_t origin, Row row, const SegmentSchema& schema);
  void Clear() { *this = {}; }

 private:
  friend class RowLog;
  uint64_t bytes_ = 0;
};

// Thread-compatible.
class RowLog {
 public:
  // `schema` and `files` must outlive this. `batch_bytes`: of what Read gives at a time.
  RowLog(const SegmentSchema& schema, SpillFiles& files, uint64_t batch_bytes)
      : schema_(schema), files_(files), batch_bytes_(batch_bytes) {}

  Status Append(uint64_t origin, const Row& row);
  uint64_t rows() const { return rows_; }
  // All rows in the order in which they came, in the same batches each time. `forget`: they are not read again, and
  // what was read is freed at once.
  Status Read(bool forget, const std::function<Status(const RowBatch&)>& visit);

 private:
  Status Decode(std::string_view piece, RowBatch& batch) const;

  const SegmentSchema& schema_;
  SpillFiles& files_;
  const uint64_t batch_bytes_;
  std::vector<uint32_t> streams_;  // one a batch
  uint64_t last_bytes_ = 0;        // in the last stream
  uint64_t rows_ = 0;
};

// Vectors by chance of a number of rows that is not known beforehand (reservoir sampling: Vitter 1985, algorithm R).
class RowSample {
 public:
  // Takes the memory of `capacity` vectors with the first one.
  RowSample(uint32_t dimension, uint64_t capacity, uint64_t seed)
      : dimension_(dimension), capacity_(capacity), random_(seed) {}

  void Offer(uint64_t origin, std::span<const float> vector);
  // In the order in which they came as long as all are in it.
  std::span<const float> vectors() const { return vectors_; }
  std::span<const uint64_t> origins() const { return origins_; }
  void Clear() { vectors_ = {}, origins_ = {}; }

 private:
  const uint32_t dimension_;
  const uint64_t capacity_;
  SplitMix64 random_;
  uint64_t offered_ = 0;
  std::vector<uint64_t> origins_;
  std::vector<float> vectors_;
};

}  // namespace isotherm
