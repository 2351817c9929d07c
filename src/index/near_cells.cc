#include "index/near_cells.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "simd/kernels.h"

namespace isotherm {

namespace {

constexpr uint32_t kCompareAll = 4096;
constexpr uint32_t kRefineNeighbours = 64;
constexpr uint32_t kGroupRounds = 4;
constexpr size_t kNearGroups = 24;

void KeepNearest(std::vector<NearCell>& near, size_t keep) {
  keep = std::min(keep, near.size());
  std::partial_sort(near.begin(), near.begin() + static_cast<ptrdiff_t>(keep), near.end());
  near.resize(keep);
}

std::vector<NearCell> CompareAll(const float* row, std::span<const float> centroids, uint32_t dimension, size_t keep) {
  size_t cells = centroids.size() / dimension;
  std::vector<float> distances(cells);
  simd::Active().l2_f32_rows(row, centroids.data(), cells, dimension, distances.data());
  std::vector<NearCell> near(cells);
  for (uint32_t c = 0; c < cells; ++c) near[c] = {distances[c], c};
  KeepNearest(near, keep);
  return near;
}

}  // namespace

NearCells::NearCells(std::span<const float> centroids, uint32_t dimension, Executor& executor)
    : centroids_(centroids), dimension_(dimension), cells_(static_cast<uint32_t>(centroids.size() / dimension)) {
  if (cells_ <= kCompareAll) return;
  auto count = static_cast<uint32_t>(std::sqrt(cells_));
  groups_ = Lloyd(centroids, dimension, count, kGroupRounds, false, 1, &executor);
  members_.emplace_back(groups_.cell_of, count);
}

std::vector<NearCell> NearCells::Find(const float* row, size_t keep) const {
  if (members_.empty()) return CompareAll(row, centroids_, dimension_, keep);
  std::vector<NearCell> near;
  for (const NearCell& group : CompareAll(row, groups_.centroids, dimension_, kNearGroups)) {
    for (uint32_t cell : members_.front().of(group.cell)) {
      near.push_back({simd::Active().l2_f32(row, centroids_.data() + size_t{cell} * dimension_, dimension_), cell});
    }
  }
  // Of many equal centroids most groups are empty.
  if (near.empty()) return CompareAll(row, centroids_, dimension_, keep);
  KeepNearest(near, keep);
  return near;
}

std::vector<std::vector<uint32_t>> NeighbourLists(std::span<const float> centroids, uint32_t dimension,
                                                  Executor& executor) {
  NearCells near_cells(centroids, dimension, executor);
  std::vector<std::vector<uint32_t>> lists(centroids.size() / dimension);
  executor.ParallelFor(lists.size(), [&](size_t c) {
    for (const NearCell& near : near_cells.Find(centroids.data() + c * dimension, kRefineNeighbours)) {
      lists[c].push_back(near.cell);
    }
  });
  return lists;
}

uint32_t NearestOf(const float* row, std::span<const float> centroids, uint32_t dimension,
                   std::span<const uint32_t> cells) {
  const simd::Kernels& kernels = simd::Active();
  float best = std::numeric_limits<float>::infinity();
  uint32_t best_cell = cells.front();
  for (uint32_t cell : cells) {
    float distance = kernels.l2_f32(row, centroids.data() + size_t{cell} * dimension, dimension);
    if (distance < best) best = distance, best_cell = cell;
  }
  return best_cell;
}

}  // namespace isotherm
