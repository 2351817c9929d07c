#include "engine/calibration.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/splitmix.h"
#include "simd/kernels.h"

namespace isotherm {

namespace {

constexpr size_t kSample = 200;
constexpr size_t kNearest = 10;
// Real queries are often of another kind than the rows and need more cells for the same recall: sentences against
// WordNet's definitions took 2.9 times as many among 344 cells and 1.6 times among 2,030, twenty in both cases.
constexpr float kMargin = 1.5F;
constexpr uint32_t kFewest = 20;

// The true nearest rows of row `self`, itself apart.
std::vector<uint32_t> TrueNearest(std::span<const float> rows, uint32_t dimension, Metric metric, uint32_t self) {
  size_t n = rows.size() / dimension;
  const float* query = rows.data() + size_t{self} * dimension;
  std::vector<float> distances(n);
  if (metric == Metric::kInnerProduct) {
    simd::Active().dot_f32_rows(query, rows.data(), n, dimension, distances.data());
    for (float& d : distances) d = -d;
  } else {
    simd::Active().l2_f32_rows(query, rows.data(), n, dimension, distances.data());
  }
  std::vector<uint32_t> order;
  order.reserve(n);
  for (uint32_t i = 0; i < n; ++i) {
    if (i != self) order.push_back(i);
  }
  size_t k = std::min(kNearest, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(k), order.end(),
                    [&](uint32_t a, uint32_t b) { return distances[a] < distances[b]; });
  order.resize(k);
  return order;
}

// For each true neighbour the place, in the order in which cells are probed, of the first cell that holds it.
std::vector<uint32_t> FoundAt(std::span<const float> rows, const Partition& partition, Metric metric, uint32_t self) {
  uint32_t dimension = partition.dimension;
  std::span<const float> query = rows.subspan(size_t{self} * dimension, dimension);
  std::vector<uint32_t> order = RankCells(query, partition.centroids, metric, partition.cells());
  std::vector<uint32_t> place(order.size());
  for (uint32_t i = 0; i < order.size(); ++i) place[order[i]] = i;
  std::vector<uint32_t> found;
  for (uint32_t row : TrueNearest(rows, dimension, metric, self)) {
    uint32_t first = place[partition.primary[row]];
    if (partition.second[row] != kNoCell) first = std::min(first, place[partition.second[row]]);
    found.push_back(first);
  }
  return found;
}

}  // namespace

uint32_t CalibrateProbes(std::span<const float> rows, const Partition& partition, Metric metric, uint64_t seed,
                         Executor& executor) {
  size_t n = partition.primary.size();
  SplitMix64 random(seed);
  std::vector<uint32_t> sample(std::min(kSample, n));
  for (uint32_t& row : sample) row = static_cast<uint32_t>(random.Below(n));
  std::vector<std::vector<uint32_t>> found(sample.size());
  executor.ParallelFor(sample.size(), [&](size_t i) { found[i] = FoundAt(rows, partition, metric, sample[i]); });
  std::vector<uint32_t> all;
  for (const auto& places : found) all.insert(all.end(), places.begin(), places.end());
  if (all.empty()) return 1;
  std::sort(all.begin(), all.end());
  auto at = static_cast<size_t>(std::ceil(kTargetRecall * static_cast<float>(all.size()))) - 1;
  auto probes = static_cast<uint32_t>(std::ceil(static_cast<float>(all[at] + 1) * kMargin));
  return std::min(std::max(probes, kFewest), partition.cells());
}

}  // namespace isotherm
