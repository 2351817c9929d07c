// The cells nearest to a row. Up to 4,096 cells are all compared; of more, those of the nearest groups of cells. The
// cells near to a row are not those near to its cell: in many dimensions a list of a cell's neighbours misses half of
// them.
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <vector>

#include "base/environment.h"
#include "index/lloyd.h"

namespace isotherm {

struct NearCell {
  float distance = 0;  // squared
  uint32_t cell = 0;
  friend auto operator<=>(const NearCell&, const NearCell&) = default;
};

class NearCells {
 public:
  // `centroids`: cells x dimension; must outlive this.
  NearCells(std::span<const float> centroids, uint32_t dimension, Executor& executor);

  // The `keep` nearest (fewer where there are fewer), nearest first. Thread-safe.
  std::vector<NearCell> Find(const float* row, size_t keep) const;

 private:
  std::span<const float> centroids_;
  uint32_t dimension_;
  uint32_t cells_;
  Clustering groups_;  // of centroids; empty when all are compared
  std::vector<Membership> members_;
};

// For each centroid its 64 nearest ones, itself first: all that a row which was nearest to it looks at in a round of
// refinement.
std::vector<std::vector<uint32_t>> NeighbourLists(std::span<const float> centroids, uint32_t dimension,
                                                  Executor& executor);
uint32_t NearestOf(const float* row, std::span<const float> centroids, uint32_t dimension,
                   std::span<const uint32_t> cells);

}  // namespace isotherm
