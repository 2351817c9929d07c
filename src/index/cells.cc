#include "index/cells.h"

#include <algorithm>

#include "base/context_check.h"
#include "base/macros.h"
#include "index/cell_order.h"
#include "index/centroids8.h"
#include "index/kmeans.h"
#include "simd/kernels.h"

namespace isotherm {

uint32_t SuggestCells(uint64_t rows) { return static_cast<uint32_t>(std::clamp<uint64_t>(rows / 58, 1, 65536)); }

Result<Clustering> TrainCells(std::span<const float> rows, uint32_t dimension, Metric metric,
                              const PartitionOptions& options, Environment& env, const Context& context,
                              const std::function<void(uint64_t, uint64_t)>& progress) {
  size_t n = rows.size() / dimension;
  KMeansOptions kmeans;
  kmeans.cells =
      static_cast<uint32_t>(std::clamp<uint64_t>(options.cells != 0 ? options.cells : SuggestCells(n), 1, n));
  kmeans.seed = options.seed;
  kmeans.refine_rounds = options.refine_rounds;
  kmeans.max_cell_factor = options.max_cell_factor;
  kmeans.spherical = metric == Metric::kCosine;
  Status interrupted;
  Clustering trained = TrainKMeans(rows, dimension, kmeans, *env.executor, [&](uint64_t done, uint64_t total) {
    interrupted = CheckContext(context, *env.clock, "clustering");
    if (progress) progress(done, total);
    return interrupted.ok();
  });
  RETURN_IF_ERROR(interrupted);
  return trained;
}

// Of the centroids, which take more memory than all else here, there is never more than one form at a time.
Cells StoreCells(std::vector<float> centroids, std::span<const uint32_t> sizes, uint32_t dimension) {
  Centroids8 stored = QuantiseCentroids(centroids, dimension);
  std::vector<float>().swap(centroids);
  // From here on everything is relative to the centroids as a reader will see them.
  std::vector<float> seen = RestoreCentroids(stored.scales, stored.codes, dimension);
  const std::vector<uint32_t> order = OrderCells(seen, dimension, sizes);
  std::vector<float>().swap(seen);
  Cells cells;
  cells.dimension = dimension;
  cells.codes.reserve(stored.codes.size());
  for (uint32_t cell : order) {
    auto begin = static_cast<ptrdiff_t>(size_t{cell} * dimension);
    cells.scales.push_back(stored.scales[cell]);
    cells.codes.insert(cells.codes.end(), stored.codes.begin() + begin, stored.codes.begin() + begin + dimension);
  }
  cells.centroids = RestoreCentroids(cells.scales, cells.codes, dimension);
  return cells;
}

CellAssigner::CellAssigner(std::span<const float> centroids, uint32_t dimension, const PartitionOptions& options,
                           Executor& executor)
    : centroids_(centroids), dimension_(dimension), options_(options), near_cells_(centroids, dimension, executor) {}

// SOAR: among the cells that are nearest after the first, the one whose residual r2 is short and does not point where
// the first residual r1 points: smallest |r2|² + lambda (r1·r2)² / |r1|².
uint32_t CellAssigner::SecondCell(const float* row, std::span<const NearCell> near) const {
  const simd::Kernels& kernels = simd::Active();
  auto centroid = [&](uint32_t cell) { return centroids_.data() + size_t{cell} * dimension_; };
  const float* first = centroid(near[0].cell);
  float r1_norm2 = std::max(near[0].distance, 1e-20F);
  std::vector<float> r1(dimension_);
  for (uint32_t i = 0; i < dimension_; ++i) r1[i] = row[i] - first[i];
  float r1_row = kernels.dot_f32(r1.data(), row, dimension_);
  uint32_t best_cell = kNoCell;
  float best = 0;
  for (size_t i = 1; i < near.size(); ++i) {
    float r1_r2 = r1_row - kernels.dot_f32(r1.data(), centroid(near[i].cell), dimension_);
    float loss = near[i].distance + options_.soar_lambda * r1_r2 * r1_r2 / r1_norm2;
    if (best_cell == kNoCell || loss < best) best = loss, best_cell = near[i].cell;
  }
  return best_cell;
}

CellAssigner::Assignment CellAssigner::Assign(const float* row) const {
  std::vector<NearCell> near = near_cells_.Find(row, size_t{options_.second_candidates} + 1);
  return {near.front().cell, SecondCell(row, near)};
}

CellMeans::CellMeans(uint32_t cells, uint32_t dimension)
    : dimension_(dimension), counts_(cells, 0), means_(size_t{cells} * dimension, 0.0F) {}

// The mean itself, not the sum, so that floats do for any number of rows.
void CellMeans::Add(uint32_t cell, const float* row) {
  float share = 1.0F / static_cast<float>(++counts_[cell]);
  float* mean = means_.data() + size_t{cell} * dimension_;
  for (uint32_t i = 0; i < dimension_; ++i) mean[i] += (row[i] - mean[i]) * share;
}

void CellMeans::MoveTo(bool spherical, std::vector<float>& centroids) const {
  for (size_t cell = 0; cell < counts_.size(); ++cell) {
    if (counts_[cell] == 0) continue;
    float* centroid = centroids.data() + cell * dimension_;
    std::copy_n(means_.data() + cell * dimension_, dimension_, centroid);
    if (spherical) Normalise(centroid, dimension_);
  }
}

}  // namespace isotherm
