// How many cells a search should look into when it does not say.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/environment.h"
#include "index/cells.h"
#include "isotherm/row.h"

namespace isotherm {

inline constexpr float kTargetRecall = 0.95F;
inline constexpr uint64_t kCalibrationSample = 400;  // rows that are searched for

// Searches for a sample of the rows themselves (each without itself) and counts the cells it takes to hold the target
// share of their true ten nearest; then adds a third of that, and looks into twenty at least, since real queries are
// often of another kind than the rows. Rows come a few at a time.
class ProbeCalibration {
 public:
  // `queries`: the sample, n x dimension, for kCosine of length one; `ids` tells each from the others, and finds it
  // among the rows. Both must stay valid.
  ProbeCalibration(std::span<const float> queries, std::span<const uint64_t> ids, uint32_t dimension, Metric metric);

  // Some rows, count x dimension like the queries, and where each one lies.
  void Offer(std::span<const float> rows, std::span<const uint64_t> ids,
             std::span<const CellAssigner::Assignment> assigned, Executor& executor);
  // After all rows. At least 1, at most all cells.
  uint32_t Probes(std::span<const float> centroids, Executor& executor) const;

 private:
  struct Neighbour {
    float distance = 0;
    CellAssigner::Assignment cells;
  };

  std::span<const float> queries_;
  std::span<const uint64_t> ids_;
  const uint32_t dimension_;
  const Metric metric_;
  std::vector<std::vector<Neighbour>> nearest_;  // of each query, a heap, the farthest first
};

}  // namespace isotherm
