#include "index/lloyd.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/splitmix.h"
#include "simd/kernels.h"

namespace isotherm {

namespace {

constexpr size_t kRowsPerTask = 1024;

uint32_t Nearest(const float* row, const float* centroids, uint32_t cells, uint32_t dimension,
                 std::vector<float>& distances) {
  distances.resize(cells);
  simd::Active().l2_f32_rows(row, centroids, cells, dimension, distances.data());
  return static_cast<uint32_t>(std::min_element(distances.begin(), distances.end()) - distances.begin());
}

// The mean of some rows; of none, what was there.
void UpdateCentroid(std::span<const float> rows, uint32_t dimension, std::span<const uint32_t> members, bool spherical,
                    float* centroid) {
  if (members.empty()) return;
  std::vector<double> sum(dimension, 0.0);
  for (uint32_t row : members) {
    const float* v = rows.data() + size_t{row} * dimension;
    for (uint32_t i = 0; i < dimension; ++i) sum[i] += v[i];
  }
  for (uint32_t i = 0; i < dimension; ++i)
    centroid[i] = static_cast<float>(sum[i] / static_cast<double>(members.size()));
  if (spherical) Normalise(centroid, dimension);
}

}  // namespace

void Normalise(float* v, uint32_t dimension) {
  float norm = std::sqrt(simd::Active().dot_f32(v, v, dimension));
  if (norm == 0) return;
  for (uint32_t i = 0; i < dimension; ++i) v[i] /= norm;
}

Membership::Membership(std::span<const uint32_t> cell_of, uint32_t cells)
    : begin_(cells + 1, 0), members_(cell_of.size()) {
  for (uint32_t cell : cell_of) ++begin_[cell + 1];
  std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
  std::vector<uint32_t> next(begin_.begin(), begin_.end() - 1);
  for (uint32_t i = 0; i < cell_of.size(); ++i) members_[next[cell_of[i]]++] = i;
}

void ForRows(Executor* executor, size_t n, const std::function<void(size_t)>& body) {
  size_t tasks = (n + kRowsPerTask - 1) / kRowsPerTask;
  auto task = [&](size_t t) {
    for (size_t i = t * kRowsPerTask; i < std::min(n, (t + 1) * kRowsPerTask); ++i) body(i);
  };
  if (executor != nullptr) {
    executor->ParallelFor(tasks, task);
  } else {
    for (size_t t = 0; t < tasks; ++t) task(t);
  }
}

std::vector<float> SampleCentroids(std::span<const float> rows, uint32_t dimension, uint32_t cells, uint64_t seed) {
  SplitMix64 random(seed);
  std::vector<uint32_t> order(rows.size() / dimension);
  std::iota(order.begin(), order.end(), 0);
  std::vector<float> centroids;
  centroids.reserve(size_t{cells} * dimension);
  for (uint32_t c = 0; c < cells; ++c) {
    std::swap(order[c], order[c + random.Below(order.size() - c)]);
    const float* row = rows.data() + size_t{order[c]} * dimension;
    centroids.insert(centroids.end(), row, row + dimension);
  }
  return centroids;
}

void UpdateCentroids(std::span<const float> rows, uint32_t dimension, const Membership& members, bool spherical,
                     Executor* executor, std::vector<float>& centroids) {
  size_t cells = centroids.size() / dimension;
  auto update = [&](size_t c) {
    UpdateCentroid(rows, dimension, members.of(static_cast<uint32_t>(c)), spherical, &centroids[c * dimension]);
  };
  if (executor != nullptr) {
    executor->ParallelFor(cells, update);
  } else {
    for (size_t c = 0; c < cells; ++c) update(c);
  }
}

Clustering Lloyd(std::span<const float> rows, uint32_t dimension, uint32_t cells, uint32_t rounds, bool spherical,
                 uint64_t seed, Executor* executor) {
  size_t n = rows.size() / dimension;
  Clustering out{SampleCentroids(rows, dimension, cells, seed), std::vector<uint32_t>(n, 0)};
  for (uint32_t round = 0; round < rounds; ++round) {
    if (round > 0) UpdateCentroids(rows, dimension, Membership(out.cell_of, cells), spherical, executor, out.centroids);
    ForRows(executor, n, [&](size_t i) {
      thread_local std::vector<float> distances;
      out.cell_of[i] = Nearest(rows.data() + i * dimension, out.centroids.data(), cells, dimension, distances);
    });
  }
  return out;
}

}  // namespace isotherm
