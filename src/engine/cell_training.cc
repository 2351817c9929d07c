#include "engine/cell_training.h"

#include <algorithm>
#include <optional>

#include "base/context_check.h"
#include "base/macros.h"
#include "segment/segment_writer.h"

namespace isotherm {

namespace {

constexpr size_t kRowsPerTask = 32;
// Passes over the log. After the first one a row looks at its cell's neighbours only.
constexpr uint32_t kRefinements = 4;

}  // namespace

void ForBatch(Executor& executor, size_t n, const std::function<void(size_t)>& body) {
  executor.ParallelFor((n + kRowsPerTask - 1) / kRowsPerTask, [&](size_t task) {
    for (size_t i = task * kRowsPerTask; i < std::min(n, (task + 1) * kRowsPerTask); ++i) body(i);
  });
}

std::vector<float> SearchVectors(const RowBatch& batch, uint32_t dimension, Metric metric, Executor& executor) {
  if (metric != Metric::kCosine) return batch.vectors;
  std::vector<float> out(batch.vectors.size());
  ForBatch(executor, batch.size(), [&](size_t i) {
    std::vector<float> vector = SearchVector(batch.vector(i, dimension), metric);
    std::copy(vector.begin(), vector.end(), out.begin() + static_cast<ptrdiff_t>(i * dimension));
  });
  return out;
}

uint32_t CellsFor(uint64_t rows, uint32_t dimension, const CellTrainingOptions& options) {
  uint64_t wanted = options.partition.cells != 0 ? options.partition.cells : SuggestCells(rows);
  uint64_t most = std::max<uint64_t>(1, options.centroid_bytes / (uint64_t{dimension} * sizeof(float)));
  return static_cast<uint32_t>(std::clamp<uint64_t>(std::min(wanted, most), 1, std::max<uint64_t>(1, rows)));
}

namespace {

class Refinement {
 public:
  Refinement(RowLog& log, uint32_t dimension, const CellTrainingOptions& options, Environment& env,
             const Context& context, std::vector<float> centroids)
      : log_(log),
        dimension_(dimension),
        metric_(options.metric),
        env_(env),
        context_(context),
        centroids_(std::move(centroids)),
        cell_of_(log.rows()) {}

  Status Round(bool first) {
    std::vector<std::vector<uint32_t>> neighbours;
    std::optional<NearCells> all;
    if (first) {
      all.emplace(centroids_, dimension_, *env_.executor);
    } else {
      neighbours = NeighbourLists(centroids_, dimension_, *env_.executor);
    }
    const auto cells = static_cast<uint32_t>(centroids_.size() / dimension_);
    CellMeans means(cells, dimension_);
    size_t begin = 0;
    auto visit = [&](const RowBatch& batch) {
      RETURN_IF_ERROR(CheckContext(context_, *env_.clock, "clustering"));
      std::vector<float> vectors = SearchVectors(batch, dimension_, metric_, *env_.executor);
      uint32_t* cell_of = cell_of_.data() + begin;
      ForBatch(*env_.executor, batch.size(), [&](size_t i) {
        const float* row = vectors.data() + i * dimension_;
        cell_of[i] =
            first ? all->Find(row, 1).front().cell : NearestOf(row, centroids_, dimension_, neighbours[cell_of[i]]);
      });
      for (size_t i = 0; i < batch.size(); ++i) means.Add(cell_of[i], vectors.data() + i * dimension_);
      begin += batch.size();
      return Status::Ok();
    };
    RETURN_IF_ERROR(log_.Read(false, visit));
    means.MoveTo(metric_ == Metric::kCosine, centroids_);
    sizes_.assign(means.counts().begin(), means.counts().end());
    return Status::Ok();
  }

  std::vector<float> TakeCentroids() { return std::move(centroids_); }
  const std::vector<uint32_t>& sizes() const { return sizes_; }

 private:
  RowLog& log_;
  const uint32_t dimension_;
  const Metric metric_;
  Environment& env_;
  const Context& context_;
  std::vector<float> centroids_;
  std::vector<uint32_t> cell_of_;
  std::vector<uint32_t> sizes_;
};

}  // namespace

Result<Cells> TrainOnLog(RowLog& log, RowSample& sample, uint32_t dimension, const CellTrainingOptions& options,
                         Environment& env, const Context& context,
                         const std::function<void(uint64_t, uint64_t)>& progress) {
  PartitionOptions partition = options.partition;
  partition.cells = CellsFor(log.rows(), dimension, options);
  const bool whole = sample.origins().size() == log.rows();
  const uint32_t further = whole ? 0 : kRefinements;
  uint64_t steps = 0;
  uint64_t total = 0;
  auto trained =
      TrainCells(sample.vectors(), dimension, options.metric, partition, env, context, [&](uint64_t done, uint64_t of) {
        steps = done, total = of + further;
        if (progress) progress(steps, total);
      });
  RETURN_IF_ERROR(trained.status());
  sample.Clear();
  if (whole) {
    std::vector<uint32_t> sizes(trained->centroids.size() / dimension, 0);
    for (uint32_t cell : trained->cell_of) ++sizes[cell];
    return StoreCells(std::move(trained->centroids), sizes, dimension);
  }
  Refinement refinement(log, dimension, options, env, context, std::move(trained->centroids));
  for (uint32_t round = 0; round < further; ++round) {
    RETURN_IF_ERROR(refinement.Round(round == 0));
    if (progress) progress(++steps, total);
  }
  return StoreCells(refinement.TakeCentroids(), refinement.sizes(), dimension);
}

}  // namespace isotherm
