// How many cells a search should look into when it does not say.
#pragma once

#include <cstdint>
#include <span>

#include "base/environment.h"
#include "index/partition.h"
#include "isotherm/row.h"

namespace isotherm {

inline constexpr float kTargetRecall = 0.95F;

// Searches for a sample of the rows themselves (each without itself) and counts the cells it takes to hold the target
// share of their true ten nearest; then adds half as many, and looks into twenty at least, since real queries are often
// of another kind than the rows. `rows`: n x dimension, as given to BuildPartition. At least 1, at most all cells.
uint32_t CalibrateProbes(std::span<const float> rows, const Partition& partition, Metric metric, uint64_t seed,
                         Executor& executor);

}  // namespace isotherm
