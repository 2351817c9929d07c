// A partition of the rows into cells: balanced k-means with a second assignment, cells in an order in which neighbours
// in space lie side by side.
//
// Sources: second assignment: Sun et al., "SOAR: Improved Indexing for Approximate Nearest Neighbor Search", NeurIPS
// 2023, section 3 (here with the exact squared norm instead of its expectation). Order: Ward's hierarchical clustering
// by the nearest-neighbour chain (Murtagh 1983), subtrees flipped so that near leaves meet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/environment.h"
#include "index/cells.h"
#include "isotherm/context.h"
#include "isotherm/row.h"
#include "isotherm/status.h"

namespace isotherm {

struct Partition {
  uint32_t dimension = 0;
  std::vector<float> centroids;   // cells x dimension, as they will be stored (after rounding to 8 bits)
  std::vector<uint32_t> primary;  // of each row
  std::vector<uint32_t> second;   // of each row; kNoCell where there is but one cell

  uint32_t cells() const { return dimension == 0 ? 0 : static_cast<uint32_t>(centroids.size() / dimension); }
  std::span<const float> centroid(uint32_t cell) const {
    return {centroids.data() + size_t{cell} * dimension, dimension};
  }
};

// `rows`: n x dimension, n ≥ 1; for kCosine of length one. `progress` is told (done, total) and may be null. The same
// input and seed give the same partition, whatever the number of threads.
Result<Partition> BuildPartition(std::span<const float> rows, uint32_t dimension, Metric metric,
                                 const PartitionOptions& options, Environment& env, const Context& context,
                                 const std::function<void(uint64_t, uint64_t)>& progress);

// The `probes` cells nearest to the query, nearest first. `centroids`: cells x dimension. For kCosine `query` is of
// length one.
std::vector<uint32_t> RankCells(std::span<const float> query, std::span<const float> centroids, Metric metric,
                                size_t probes);

}  // namespace isotherm
