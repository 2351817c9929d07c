// Vectors in clusters, as real ones lie, and executors of one and of several threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/environment.h"
#include "base/splitmix.h"
#include "base/thread_pool.h"

namespace isotherm {

inline float RandomComponent(SplitMix64& random) {
  return static_cast<float>(static_cast<double>(random.Next() >> 11) * 0x1p-52 - 1.0);
}

// `count` x `dimension`, each near one of `clusters` points.
inline std::vector<float> ClusteredVectors(uint64_t seed, size_t count, uint32_t dimension, size_t clusters,
                                           float spread = 0.3F) {
  SplitMix64 random(seed);
  std::vector<float> centres(clusters * dimension);
  for (float& c : centres) c = RandomComponent(random);
  std::vector<float> rows;
  rows.reserve(count * dimension);
  for (size_t i = 0; i < count; ++i) {
    const float* centre = &centres[random.Below(clusters) * dimension];
    for (uint32_t d = 0; d < dimension; ++d) rows.push_back(centre[d] + spread * RandomComponent(random));
  }
  return rows;
}

inline double SquaredDistance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return sum;
}

inline std::span<const float> VectorAt(std::span<const float> vectors, size_t i, uint32_t dimension) {
  return vectors.subspan(i * dimension, dimension);
}

inline std::shared_ptr<Environment> EnvironmentWithThreads(size_t width) {
  auto environment = std::make_shared<Environment>(*Environment::Default());
  environment->executor = std::make_shared<ThreadPool>(width);
  return environment;
}

}  // namespace isotherm
