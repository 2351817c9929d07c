// Finding cells for rows that need not fit in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/environment.h"
#include "engine/row_log.h"
#include "index/cells.h"
#include "isotherm/context.h"

namespace isotherm {

struct CellTrainingOptions {
  PartitionOptions partition;
  Metric metric = Metric::kL2;
  uint64_t centroid_bytes = 0;  // at most so many cells that their centroids take no more
};

// The number of cells for `rows`, within those bytes.
uint32_t CellsFor(uint64_t rows, uint32_t dimension, const CellTrainingOptions& options);

// Trains on the sample, which is freed, and when that is not all of the rows, refines on all of them, going through the
// log a few times: a sample alone finds centroids that lie where its rows do, and costs recall. `sample`: brought to
// length one for kCosine. `progress` is told (done, total).
Result<Cells> TrainOnLog(RowLog& log, RowSample& sample, uint32_t dimension, const CellTrainingOptions& options,
                         Environment& env, const Context& context,
                         const std::function<void(uint64_t, uint64_t)>& progress);

// The vectors of a batch that codes are made of, one behind the other.
std::vector<float> SearchVectors(const RowBatch& batch, uint32_t dimension, Metric metric, Executor& executor);

// body(i) for i in [0, n) in small tasks: where a batch has few rows and each takes long.
void ForBatch(Executor& executor, size_t n, const std::function<void(size_t)>& body);

}  // namespace isotherm
