#include "index/partition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "index/centroids8.h"
#include "tests/base/manual_clock.h"
#include "tests/index/random_vectors.h"

namespace isotherm {
namespace {

constexpr uint32_t kDimension = 12;

Partition Build(std::span<const float> rows, uint32_t dimension, const PartitionOptions& options = {},
                Metric metric = Metric::kL2, size_t threads = 2) {
  auto partition = BuildPartition(rows, dimension, metric, options, *EnvironmentWithThreads(threads), {}, nullptr);
  EXPECT_TRUE(partition.ok()) << partition.status();
  return std::move(partition).value();
}

void Normalise(std::vector<float>& rows, uint32_t dimension) {
  for (size_t i = 0; i < rows.size(); i += dimension) {
    double norm2 = 0;
    for (uint32_t d = 0; d < dimension; ++d) norm2 += double{rows[i + d]} * rows[i + d];
    for (uint32_t d = 0; d < dimension; ++d) rows[i + d] = static_cast<float>(rows[i + d] / std::sqrt(norm2));
  }
}

// What must hold of any partition of any rows into at most 4,096 cells.
void ExpectWellFormed(std::span<const float> rows, const Partition& partition) {
  uint32_t dimension = partition.dimension;
  size_t n = rows.size() / dimension;
  ASSERT_EQ(partition.primary.size(), n);
  ASSERT_EQ(partition.second.size(), n);
  for (size_t i = 0; i < n; ++i) {
    std::span<const float> row = VectorAt(rows, i, dimension);
    ASSERT_LT(partition.primary[i], partition.cells());
    if (partition.cells() == 1) {
      EXPECT_EQ(partition.second[i], kNoCell);
    } else {
      ASSERT_LT(partition.second[i], partition.cells());
      EXPECT_NE(partition.second[i], partition.primary[i]);
    }
    double own = SquaredDistance(row, partition.centroid(partition.primary[i]));
    for (uint32_t cell = 0; cell < partition.cells(); ++cell) {
      EXPECT_LE(own, SquaredDistance(row, partition.centroid(cell)) * (1 + 1e-5) + 1e-12) << "row " << i;
    }
  }
}

TEST(Partition, EveryRowLiesInItsNearestCellAndInASecondOne) {
  for (Metric metric : {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    std::vector<float> rows = ClusteredVectors(1, 2000, kDimension, 50);
    if (metric == Metric::kCosine) Normalise(rows, kDimension);
    Partition partition = Build(rows, kDimension, {.cells = 70}, metric);
    EXPECT_EQ(partition.cells(), 70U);
    ExpectWellFormed(rows, partition);
  }
}

TEST(Partition, TheSameSeedGivesTheSamePartitionWhateverTheNumberOfThreads) {
  std::vector<float> rows = ClusteredVectors(2, 3000, kDimension, 50);
  Partition one = Build(rows, kDimension, {.seed = 5}, Metric::kL2, 1);
  Partition many = Build(rows, kDimension, {.seed = 5}, Metric::kL2, 6);
  EXPECT_EQ(one.centroids, many.centroids);
  EXPECT_EQ(one.primary, many.primary);
  EXPECT_EQ(one.second, many.second);
}

// The centroids that rows are assigned by are those that a reader will see.
TEST(Partition, ItsCentroidsSurviveStorageUnchanged) {
  std::vector<float> rows = ClusteredVectors(3, 1000, kDimension, 20);
  Partition partition = Build(rows, kDimension);
  Centroids8 stored = QuantiseCentroids(partition.centroids, kDimension);
  std::vector<float> restored = RestoreCentroids(stored.scales, stored.codes, kDimension);
  ASSERT_EQ(restored.size(), partition.centroids.size());
  for (size_t i = 0; i < restored.size(); ++i) EXPECT_FLOAT_EQ(restored[i], partition.centroids[i]);
}

// Of the nearest cells after the first, the second one is that of the least loss as the header gives it.
TEST(Partition, TheSecondCellIsTheOneOfTheLeastLoss) {
  std::vector<float> rows = ClusteredVectors(4, 400, kDimension, 20);
  PartitionOptions options{.cells = 40};
  Partition partition = Build(rows, kDimension, options);
  for (size_t i = 0; i < 400; ++i) {
    std::span<const float> row = VectorAt(rows, i, kDimension);
    std::vector<std::pair<double, uint32_t>> near;
    for (uint32_t cell = 0; cell < 40; ++cell) near.emplace_back(SquaredDistance(row, partition.centroid(cell)), cell);
    std::sort(near.begin(), near.end());
    auto loss = [&](uint32_t cell) {
      double cross = 0;
      for (uint32_t d = 0; d < kDimension; ++d) {
        cross +=
            (double{row[d]} - partition.centroid(near[0].second)[d]) * (double{row[d]} - partition.centroid(cell)[d]);
      }
      return SquaredDistance(row, partition.centroid(cell)) + options.soar_lambda * cross * cross / near[0].first;
    };
    double least = 1e30;
    for (size_t c = 1; c <= options.second_candidates; ++c) least = std::min(least, loss(near[c].second));
    EXPECT_LE(loss(partition.second[i]), least * (1 + 1e-4));
  }
}

TEST(Partition, OfFewOrEqualRowsIsOneToo) {
  SplitMix64 random(5);
  struct Case {
    const char* name;
    std::vector<float> rows;
    uint32_t cells;
  };
  std::vector<float> two_points;
  for (int i = 0; i < 300; ++i) two_points.insert(two_points.end(), 4, i % 3 == 0 ? 1.0F : -1.0F);
  const Case cases[] = {
      {"one row", {1, 2, 3, 4}, 0},
      {"one row, many cells asked for", {1, 2, 3, 4}, 50},
      {"two rows", {1, 2, 3, 4, 5, 6, 7, 8}, 2},
      {"two equal rows", {1, 2, 3, 4, 1, 2, 3, 4}, 2},
      {"equal rows only", std::vector<float>(4 * 1000, 0.5F), 30},
      {"zeros only", std::vector<float>(4 * 1000, 0.0F), 30},
      {"fewer distinct rows than cells", two_points, 40},
      {"as many cells as rows", ClusteredVectors(6, 100, 4, 10), 100},
      {"more cells than rows", ClusteredVectors(7, 20, 4, 10), 100},
      {"the smallest numbers there are", std::vector<float>(4 * 100, 1e-45F), 5},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Partition partition = Build(c.rows, 4, {.cells = c.cells});
    EXPECT_GE(partition.cells(), 1U);
    EXPECT_LE(partition.cells(), c.rows.size() / 4);
    ExpectWellFormed(c.rows, partition);
  }
}

TEST(Partition, OfTheLargestVectorsThatAreAllowed) {
  constexpr uint32_t kLong = 512;
  std::vector<float> rows = ClusteredVectors(8, 600, kLong, 10);
  for (float& v : rows) v = v > 0 ? 1e16F : -1e16F;
  ExpectWellFormed(rows, Build(rows, kLong, {.cells = 12}));
}

TEST(Partition, OfMoreCellsThanAreAllComparedFindsNearlyTheNearest) {
  std::vector<float> rows = ClusteredVectors(9, 6000, 8, 500);
  Partition partition = Build(rows, 8, {.cells = 5000, .refine_rounds = 2});
  ASSERT_EQ(partition.cells(), 5000U);
  size_t nearest = 0;
  for (size_t i = 0; i < 6000; i += 10) {
    std::span<const float> row = VectorAt(rows, i, 8);
    double best = 1e30;
    for (uint32_t cell = 0; cell < 5000; ++cell) best = std::min(best, SquaredDistance(row, partition.centroid(cell)));
    nearest += SquaredDistance(row, partition.centroid(partition.primary[i])) <= best * (1 + 1e-5) + 1e-12 ? 1 : 0;
  }
  EXPECT_GE(nearest, 570U);  // of 600
}

TEST(Partition, OfThousandsOfCellsForAFewDistinctRows) {
  std::vector<float> rows;
  for (int i = 0; i < 5000; ++i) rows.insert(rows.end(), 4, static_cast<float>(i % 7));
  Partition partition = Build(rows, 4, {.cells = 4500, .refine_rounds = 2});
  EXPECT_EQ(partition.cells(), 4500U);
  for (size_t i = 0; i < 5000; ++i) {
    ASSERT_LT(partition.primary[i], 4500U);
    ASSERT_LT(partition.second[i], 4500U);
    EXPECT_NE(partition.primary[i], partition.second[i]);
  }
}

TEST(Partition, StopsWhenItIsCancelledOrOutOfTime) {
  std::vector<float> rows = ClusteredVectors(10, 500, kDimension, 10);
  auto clock = std::make_shared<ManualClock>();
  auto environment = EnvironmentWithClock(clock);
  CancelToken cancel;
  Context context;
  context.cancel = &cancel;
  uint64_t last = 0;
  auto partition =
      BuildPartition(rows, kDimension, Metric::kL2, {}, *environment, context, [&](uint64_t done, uint64_t) {
        last = done;
        if (done == 3) cancel.Cancel();
      });
  EXPECT_EQ(partition.status().code(), StatusCode::kCancelled);
  EXPECT_EQ(last, 4U);
  context = {};
  context.deadline_ns = clock->NowNs() - 1;
  partition = BuildPartition(rows, kDimension, Metric::kL2, {}, *environment, context, nullptr);
  EXPECT_EQ(partition.status().code(), StatusCode::kDeadlineExceeded);
}

TEST(SuggestCells, GrowsWithTheRowsWithinItsBounds) {
  EXPECT_EQ(SuggestCells(0), 1U);
  EXPECT_EQ(SuggestCells(1), 1U);
  uint32_t last = 1;
  for (uint64_t rows = 1; rows < uint64_t{1} << 40; rows *= 2) {
    EXPECT_GE(SuggestCells(rows), last);
    EXPECT_LE(SuggestCells(rows), rows);
    last = SuggestCells(rows);
  }
  EXPECT_EQ(last, 65536U);
}

TEST(RankCells, AreThoseOfBruteForce) {
  SplitMix64 random(11);
  std::vector<float> centroids = ClusteredVectors(12, 300, kDimension, 20);
  for (Metric metric : {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    for (size_t probes : {0, 1, 5, 299, 300, 1000}) {
      std::vector<float> query = ClusteredVectors(random.Next(), 1, kDimension, 1);
      if (metric == Metric::kCosine) Normalise(query, kDimension);
      auto distance = [&](uint32_t cell) {
        std::span<const float> centroid = VectorAt(centroids, cell, kDimension);
        if (metric != Metric::kInnerProduct) return SquaredDistance(query, centroid);
        double dot = 0;
        for (uint32_t d = 0; d < kDimension; ++d) dot += double{query[d]} * centroid[d];
        return -dot;
      };
      std::vector<double> expected;
      for (uint32_t cell = 0; cell < 300; ++cell) expected.push_back(distance(cell));
      std::sort(expected.begin(), expected.end());
      std::vector<uint32_t> cells = RankCells(query, centroids, metric, probes);
      ASSERT_EQ(cells.size(), std::min<size_t>(probes, 300));
      EXPECT_EQ(std::set<uint32_t>(cells.begin(), cells.end()).size(), cells.size());
      for (size_t i = 0; i < cells.size(); ++i) EXPECT_NEAR(distance(cells[i]), expected[i], 1e-5);
    }
  }
}

TEST(RankCells, OfEqualDistanceComeInTheOrderOfTheirNumbers) {
  std::vector<float> centroids(10 * 2, 1.0F);
  std::vector<float> query{0, 0};
  EXPECT_EQ(RankCells(query, centroids, Metric::kL2, 4), (std::vector<uint32_t>{0, 1, 2, 3}));
}

}  // namespace
}  // namespace isotherm
