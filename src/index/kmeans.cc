#include "index/kmeans.h"

#include <algorithm>
#include <numeric>

#include "base/splitmix.h"
#include "index/near_cells.h"

namespace isotherm {

namespace {

constexpr uint32_t kSettlingRounds = 3;  // the last ones, without moving cells

// Each row goes to the nearest of its cell's neighbours.
void Reassign(std::span<const float> rows, uint32_t dimension, const std::vector<float>& centroids,
              const std::vector<std::vector<uint32_t>>& neighbours, Executor& executor,
              std::vector<uint32_t>& cell_of) {
  ForRows(&executor, cell_of.size(), [&](size_t i) {
    cell_of[i] = NearestOf(rows.data() + i * dimension, centroids, dimension, neighbours[cell_of[i]]);
  });
}

// Moves the centroids of the smallest cells into the largest ones, as long as these hold more than the limit; their
// rows are handed to the nearest other cell. Returns how many were moved.
size_t SplitLargeCells(std::span<const float> rows, uint32_t dimension, const Membership& members, float max_factor,
                       const std::vector<std::vector<uint32_t>>& neighbours, SplitMix64& random,
                       std::vector<float>& centroids, std::vector<uint32_t>& cell_of) {
  auto cells = static_cast<uint32_t>(neighbours.size());
  auto limit = static_cast<uint32_t>(max_factor * static_cast<float>(cell_of.size()) / static_cast<float>(cells)) + 1;
  std::vector<uint32_t> by_size(cells);
  std::iota(by_size.begin(), by_size.end(), 0);
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](uint32_t a, uint32_t b) { return members.size(a) < members.size(b); });
  std::vector<bool> moved(cells, false);
  size_t moves = 0;
  for (; moves < cells / 2; ++moves) {
    uint32_t large = by_size[cells - 1 - moves];
    uint32_t small = by_size[moves];
    if (members.size(large) <= limit || members.size(small) * 2 > members.size(large)) break;
    uint32_t pick = members.of(large)[random.Below(members.size(large))];
    std::copy_n(rows.data() + size_t{pick} * dimension, dimension,
                centroids.begin() + static_cast<ptrdiff_t>(size_t{small} * dimension));
    moved[small] = true;
    // The cells of a row's old neighbourhood must stay reachable: members of the dissolved cell move to its nearest
    // one.
    for (uint32_t row : members.of(small)) {
      for (uint32_t next : neighbours[small]) {
        if (next == small || moved[next]) continue;
        cell_of[row] = next;
        break;
      }
    }
    // Half of the large cell starts in the new one, so that both are in each other's reach.
    for (size_t i = 0; i < members.size(large); i += 2) cell_of[members.of(large)[i]] = small;
  }
  return moves;
}

// The first clustering: rows picked by chance, and every row at the nearest of them. Groups of cells found one inside
// the other would be quicker, but no refinement brings them to the same recall.
Clustering Start(std::span<const float> rows, uint32_t dimension, const KMeansOptions& options, Executor& executor) {
  Clustering out{SampleCentroids(rows, dimension, options.cells, options.seed),
                 std::vector<uint32_t>(rows.size() / dimension)};
  NearCells near_cells(out.centroids, dimension, executor);
  ForRows(&executor, out.cell_of.size(),
          [&](size_t i) { out.cell_of[i] = near_cells.Find(rows.data() + i * dimension, 1).front().cell; });
  return out;
}

}  // namespace

Clustering TrainKMeans(std::span<const float> rows, uint32_t dimension, const KMeansOptions& options,
                       Executor& executor, const KMeansStep& step) {
  uint64_t total = options.refine_rounds + 1;
  Clustering clustering = Start(rows, dimension, options, executor);
  SplitMix64 random(options.seed ^ 0x5bd1e995);
  for (uint32_t round = 0; round < options.refine_rounds; ++round) {
    if (step && !step(round + 1, total)) return clustering;
    Membership members(clustering.cell_of, options.cells);
    UpdateCentroids(rows, dimension, members, options.spherical, &executor, clustering.centroids);
    auto neighbours = NeighbourLists(clustering.centroids, dimension, executor);
    if (round + kSettlingRounds < options.refine_rounds &&
        SplitLargeCells(rows, dimension, members, options.max_cell_factor, neighbours, random, clustering.centroids,
                        clustering.cell_of) > 0) {
      neighbours = NeighbourLists(clustering.centroids, dimension, executor);
    }
    Reassign(rows, dimension, clustering.centroids, neighbours, executor, clustering.cell_of);
  }
  UpdateCentroids(rows, dimension, Membership(clustering.cell_of, options.cells), options.spherical, &executor,
                  clustering.centroids);
  if (step) step(total, total);
  return clustering;
}

}  // namespace isotherm
