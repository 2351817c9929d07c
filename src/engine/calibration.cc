#include "engine/calibration.h"

#include <algorithm>
#include <cmath>

#include "index/partition.h"
#include "simd/kernels.h"

namespace isotherm {

namespace {

constexpr size_t kNearest = 10;
// Real queries are often of another kind than the rows and need more cells for the same recall: sentences against
// WordNet's definitions took 2.9 times as many among 344 cells and 1.3 times among 2,030, twenty in both cases.
constexpr float kMargin = 1.3F;
constexpr uint32_t kFewest = 20;

}  // namespace

ProbeCalibration::ProbeCalibration(std::span<const float> queries, std::span<const uint64_t> ids, uint32_t dimension,
                                   Metric metric)
    : queries_(queries), ids_(ids), dimension_(dimension), metric_(metric), nearest_(ids.size()) {}

void ProbeCalibration::Offer(std::span<const float> rows, std::span<const uint64_t> ids,
                             std::span<const CellAssigner::Assignment> assigned, Executor& executor) {
  auto farther = [](const Neighbour& a, const Neighbour& b) { return a.distance < b.distance; };
  executor.ParallelFor(ids_.size(), [&](size_t q) {
    const float* query = queries_.data() + q * dimension_;
    std::vector<float> distances(ids.size());
    if (metric_ == Metric::kInnerProduct) {
      simd::Active().dot_f32_rows(query, rows.data(), ids.size(), dimension_, distances.data());
      for (float& d : distances) d = -d;
    } else {
      simd::Active().l2_f32_rows(query, rows.data(), ids.size(), dimension_, distances.data());
    }
    std::vector<Neighbour>& heap = nearest_[q];
    for (size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] == ids_[q] || (heap.size() == kNearest && distances[i] >= heap.front().distance)) continue;
      if (heap.size() == kNearest) {
        std::pop_heap(heap.begin(), heap.end(), farther);
        heap.pop_back();
      }
      heap.push_back({distances[i], assigned[i]});
      std::push_heap(heap.begin(), heap.end(), farther);
    }
  });
}

uint32_t ProbeCalibration::Probes(std::span<const float> centroids, Executor& executor) const {
  const size_t cells = centroids.size() / dimension_;
  // For each true neighbour the place, in the order in which cells are probed, of the first cell that holds it.
  std::vector<std::vector<uint32_t>> found(ids_.size());
  executor.ParallelFor(ids_.size(), [&](size_t q) {
    std::vector<uint32_t> order = RankCells(queries_.subspan(q * dimension_, dimension_), centroids, metric_, cells);
    std::vector<uint32_t> place(order.size());
    for (uint32_t i = 0; i < order.size(); ++i) place[order[i]] = i;
    for (const Neighbour& neighbour : nearest_[q]) {
      uint32_t first = place[neighbour.cells.primary];
      if (neighbour.cells.second != kNoCell) first = std::min(first, place[neighbour.cells.second]);
      found[q].push_back(first);
    }
  });
  std::vector<uint32_t> all;
  for (const auto& places : found) all.insert(all.end(), places.begin(), places.end());
  if (all.empty()) return 1;
  std::sort(all.begin(), all.end());
  auto at = static_cast<size_t>(std::ceil(kTargetRecall * static_cast<float>(all.size()))) - 1;
  auto probes = static_cast<uint32_t>(std::ceil(static_cast<float>(all[at] + 1) * kMargin));
  return std::min(std::max(probes, kFewest), static_cast<uint32_t>(cells));
}

}  // namespace isotherm
