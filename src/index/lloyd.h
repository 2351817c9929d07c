// Lloyd's algorithm and the pieces that everything made of cells needs.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/environment.h"

namespace isotherm {

struct Clustering {
  std::vector<float> centroids;   // cells x dimension
  std::vector<uint32_t> cell_of;  // each row's cell: the nearest, or nearly so
};

// The rows of each cell, in row order.
class Membership {
 public:
  Membership(std::span<const uint32_t> cell_of, uint32_t cells);

  uint32_t size(uint32_t cell) const { return begin_[cell + 1] - begin_[cell]; }
  std::span<const uint32_t> of(uint32_t cell) const { return {members_.data() + begin_[cell], size(cell)}; }

 private:
  std::vector<uint32_t> begin_;
  std::vector<uint32_t> members_;
};

// Brought to length one, unless it is zero.
void Normalise(float* v, uint32_t dimension);

// body(i) for i in [0, n), in tasks of 1,024; without an executor on this thread.
void ForRows(Executor* executor, size_t n, const std::function<void(size_t)>& body);

// Distinct rows picked by chance, cells x dimension.
std::vector<float> SampleCentroids(std::span<const float> rows, uint32_t dimension, uint32_t cells, uint64_t seed);

// The means of the cells' rows, brought to length one if `spherical`; an empty cell keeps its centroid.
void UpdateCentroids(std::span<const float> rows, uint32_t dimension, const Membership& members, bool spherical,
                     Executor* executor, std::vector<float>& centroids);

// `rounds` ≥ 1 assignments of every row to the nearest of all centroids, with an update between two of them.
Clustering Lloyd(std::span<const float> rows, uint32_t dimension, uint32_t cells, uint32_t rounds, bool spherical,
                 uint64_t seed, Executor* executor);

}  // namespace isotherm
