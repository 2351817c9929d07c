// The cells of a partition without its rows: finding them, and telling where a row belongs. So that rows need not be in
// memory all at once.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/environment.h"
#include "index/lloyd.h"
#include "index/near_cells.h"
#include "isotherm/context.h"
#include "isotherm/row.h"
#include "isotherm/status.h"

namespace isotherm {

struct PartitionOptions {
  uint32_t cells = 0;  // 0: SuggestCells
  uint64_t seed = 1;
  uint32_t refine_rounds = 12;
  uint32_t second_candidates = 8;  // nearest cells that the second assignment chooses from
  float soar_lambda = 1.0F;
  float max_cell_factor = 3.0F;  // cells larger than this many times the mean are split while refining
};

inline constexpr uint32_t kNoCell = UINT32_MAX;

// Weighs the bytes of the centroids against those of the rows that a query reads.
uint32_t SuggestCells(uint64_t rows);

// In storage order: neighbours in space have neighbouring numbers.
struct Cells {
  uint32_t dimension = 0;
  std::vector<float> scales;     // one a cell; with `codes` as they are stored, see centroids8.h
  std::vector<int8_t> codes;     // cells x dimension
  std::vector<float> centroids;  // cells x dimension, as a reader will see them

  uint32_t count() const { return static_cast<uint32_t>(scales.size()); }
  std::span<const float> centroid(uint32_t cell) const {
    return {centroids.data() + size_t{cell} * dimension, dimension};
  }
};

// `rows`: n x dimension with n ≥ 1, all or a sample; for kCosine of length one. options.cells, if not 0, is cut to n.
// `progress` is told (done, total) and may be null. The same input and seed give the same, whatever the number of
// threads.
Result<Clustering> TrainCells(std::span<const float> rows, uint32_t dimension, Metric metric,
                              const PartitionOptions& options, Environment& env, const Context& context,
                              const std::function<void(uint64_t, uint64_t)>& progress);

// `sizes`: about how many rows each cell will have.
Cells StoreCells(std::vector<float> centroids, std::span<const uint32_t> sizes, uint32_t dimension);

// Where rows belong. Thread-safe.
class CellAssigner {
 public:
  // `cells` must outlive this.
  CellAssigner(std::span<const float> centroids, uint32_t dimension, const PartitionOptions& options,
               Executor& executor);

  struct Assignment {
    uint32_t primary = 0;
    uint32_t second = kNoCell;  // kNoCell where there is but one cell
  };
  Assignment Assign(const float* row) const;
  uint32_t Nearest(const float* row) const { return near_cells_.Find(row, 1).front().cell; }

 private:
  uint32_t SecondCell(const float* row, std::span<const NearCell> near) const;

  std::span<const float> centroids_;
  const uint32_t dimension_;
  const PartitionOptions options_;
  const NearCells near_cells_;
};

// The means of rows that come one after the other.
class CellMeans {
 public:
  CellMeans(uint32_t cells, uint32_t dimension);
  void Add(uint32_t cell, const float* row);
  std::span<const uint32_t> counts() const { return counts_; }
  // An empty cell keeps its centroid; `spherical`: brought to length one.
  void MoveTo(bool spherical, std::vector<float>& centroids) const;

 private:
  const uint32_t dimension_;
  std::vector<uint32_t> counts_;
  std::vector<float> means_;
};

}  // namespace isotherm
