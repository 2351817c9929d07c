#include "index/partition.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "base/context_check.h"
#include "base/macros.h"
#include "index/cell_order.h"
#include "index/centroids8.h"
#include "index/kmeans.h"
#include "index/near_cells.h"
#include "simd/kernels.h"

namespace isotherm {

namespace {

// SOAR: among the cells that are nearest after the first, the one whose residual r2 is short and does not point where
// the first residual r1 points: smallest |r2|² + lambda (r1·r2)² / |r1|².
uint32_t SecondCell(const float* row, const Partition& partition, std::span<const NearCell> near,
                    const PartitionOptions& options) {
  const simd::Kernels& kernels = simd::Active();
  uint32_t dimension = partition.dimension;
  const float* first = partition.centroid(near[0].cell).data();
  float r1_norm2 = std::max(near[0].distance, 1e-20F);
  std::vector<float> r1(dimension);
  for (uint32_t i = 0; i < dimension; ++i) r1[i] = row[i] - first[i];
  float r1_row = kernels.dot_f32(r1.data(), row, dimension);
  uint32_t best_cell = kNoCell;
  float best = 0;
  for (size_t i = 1; i < near.size(); ++i) {
    float r1_r2 = r1_row - kernels.dot_f32(r1.data(), partition.centroid(near[i].cell).data(), dimension);
    float loss = near[i].distance + options.soar_lambda * r1_r2 * r1_r2 / r1_norm2;
    if (best_cell == kNoCell || loss < best) best = loss, best_cell = near[i].cell;
  }
  return best_cell;
}

// First and second cell of each row.
void AssignRows(std::span<const float> rows, const PartitionOptions& options, Executor& executor,
                Partition& partition) {
  uint32_t dimension = partition.dimension;
  size_t n = rows.size() / dimension;
  NearCells near_cells(partition.centroids, dimension, executor);
  partition.primary.assign(n, 0);
  partition.second.assign(n, kNoCell);
  ForRows(&executor, n, [&](size_t i) {
    const float* row = rows.data() + i * dimension;
    std::vector<NearCell> near = near_cells.Find(row, size_t{options.second_candidates} + 1);
    partition.primary[i] = near.front().cell;
    partition.second[i] = SecondCell(row, partition, near, options);
  });
}

// Renumbers the cells so that neighbours in space have neighbouring numbers.
void Reorder(Partition& partition) {
  uint32_t cells = partition.cells();
  uint32_t dimension = partition.dimension;
  std::vector<uint32_t> sizes(cells, 0);
  for (uint32_t cell : partition.primary) ++sizes[cell];
  std::vector<uint32_t> order = OrderCells(partition.centroids, dimension, sizes);
  std::vector<uint32_t> place(cells);
  std::vector<float> centroids;
  centroids.reserve(partition.centroids.size());
  for (uint32_t i = 0; i < cells; ++i) {
    place[order[i]] = i;
    std::span<const float> c = partition.centroid(order[i]);
    centroids.insert(centroids.end(), c.begin(), c.end());
  }
  partition.centroids = std::move(centroids);
  for (uint32_t& cell : partition.primary) cell = place[cell];
  for (uint32_t& cell : partition.second) {
    if (cell != kNoCell) cell = place[cell];
  }
}

}  // namespace

uint32_t SuggestCells(uint64_t rows) { return static_cast<uint32_t>(std::clamp<uint64_t>(rows / 58, 1, 65536)); }

Result<Partition> BuildPartition(std::span<const float> rows, uint32_t dimension, Metric metric,
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

  Partition partition;
  partition.dimension = dimension;
  Status interrupted;
  Clustering trained = TrainKMeans(rows, dimension, kmeans, *env.executor, [&](uint64_t done, uint64_t total) {
    interrupted = CheckContext(context, *env.clock, "clustering");
    if (progress) progress(done, total + 2);
    return interrupted.ok();
  });
  RETURN_IF_ERROR(interrupted);
  // From here on everything is relative to the centroids as a reader will see them.
  Centroids8 stored = QuantiseCentroids(trained.centroids, dimension);
  partition.centroids = RestoreCentroids(stored.scales, stored.codes, dimension);
  AssignRows(rows, options, *env.executor, partition);
  RETURN_IF_ERROR(CheckContext(context, *env.clock, "clustering"));
  Reorder(partition);
  return partition;
}

std::vector<uint32_t> RankCells(std::span<const float> query, std::span<const float> centroids, Metric metric,
                                size_t probes) {
  size_t cells = centroids.size() / query.size();
  std::vector<float> distances(cells);
  const simd::Kernels& kernels = simd::Active();
  if (metric == Metric::kInnerProduct) {
    kernels.dot_f32_rows(query.data(), centroids.data(), cells, query.size(), distances.data());
    for (float& d : distances) d = -d;
  } else {
    kernels.l2_f32_rows(query.data(), centroids.data(), cells, query.size(), distances.data());
  }
  std::vector<uint32_t> order(cells);
  std::iota(order.begin(), order.end(), 0);
  probes = std::min(probes, cells);
  std::partial_sort(
      order.begin(), order.begin() + static_cast<ptrdiff_t>(probes), order.end(),
      [&](uint32_t a, uint32_t b) { return distances[a] != distances[b] ? distances[a] < distances[b] : a < b; });
  order.resize(probes);
  return order;
}

}  // namespace isotherm
