// Lloyd's k-means in which a row, after the first round, looks at its cell's neighbours only, with cells kept from
// growing too large.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/environment.h"
#include "index/lloyd.h"

namespace isotherm {

struct KMeansOptions {
  uint32_t cells = 1;
  uint64_t seed = 1;
  uint32_t refine_rounds = 12;
  float max_cell_factor = 3.0F;
  bool spherical = false;  // centroids are brought to length one
};

// Reports each finished step; returning false stops the work early, with what there is.
using KMeansStep = std::function<bool(uint64_t done, uint64_t total)>;

// `rows`: n x dimension with n ≥ cells ≥ 1. Deterministic for a seed, whatever the number of threads.
Clustering TrainKMeans(std::span<const float> rows, uint32_t dimension, const KMeansOptions& options,
                       Executor& executor, const KMeansStep& step);

}  // namespace isotherm
