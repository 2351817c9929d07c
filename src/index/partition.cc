#include "index/partition.h"

#include <algorithm>
#include <numeric>

#include "base/context_check.h"
#include "base/macros.h"
#include "simd/kernels.h"

namespace isotherm {

Result<Partition> BuildPartition(std::span<const float> rows, uint32_t dimension, Metric metric,
                                 const PartitionOptions& options, Environment& env, const Context& context,
                                 const std::function<void(uint64_t, uint64_t)>& progress) {
  size_t n = rows.size() / dimension;
  ASSIGN_OR_RETURN(Clustering trained, TrainCells(rows, dimension, metric, options, env, context, progress));
  std::vector<uint32_t> sizes(trained.centroids.size() / dimension, 0);
  for (uint32_t cell : trained.cell_of) ++sizes[cell];
  Partition partition;
  partition.dimension = dimension;
  partition.centroids = StoreCells(trained.centroids, sizes, dimension).centroids;
  partition.primary.resize(n);
  partition.second.resize(n);
  CellAssigner assigner(partition.centroids, dimension, options, *env.executor);
  ForRows(env.executor.get(), n, [&](size_t i) {
    auto [primary, second] = assigner.Assign(rows.data() + i * dimension);
    partition.primary[i] = primary;
    partition.second[i] = second;
  });
  RETURN_IF_ERROR(CheckContext(context, *env.clock, "clustering"));
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
