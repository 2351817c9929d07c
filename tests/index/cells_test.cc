#include "index/cells.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "index/centroids8.h"
#include "index/partition.h"
#include "tests/base/manual_clock.h"
#include "tests/index/random_vectors.h"

namespace isotherm {
namespace {

constexpr uint32_t kDimension = 7;

TEST(CellMeans, AreTheMeansAndEmptyCellsStayWhereTheyAre) {
  std::vector<float> rows = ClusteredVectors(1, 5000, kDimension, 9);
  std::vector<float> centroids(4 * kDimension, 42.0F);
  CellMeans means(4, kDimension);
  std::vector<double> sums(3 * kDimension, 0.0);
  std::vector<uint32_t> counts(3, 0);
  for (size_t i = 0; i < 5000; ++i) {
    auto cell = static_cast<uint32_t>(i % 10 == 0 ? 2 : i % 2);
    means.Add(cell, &rows[i * kDimension]);
    ++counts[cell];
    for (uint32_t d = 0; d < kDimension; ++d) sums[cell * kDimension + d] += rows[i * kDimension + d];
  }
  means.MoveTo(false, centroids);
  for (size_t i = 0; i < sums.size(); ++i) EXPECT_NEAR(centroids[i], sums[i] / counts[i / kDimension], 1e-4);
  for (size_t i = sums.size(); i < centroids.size(); ++i) EXPECT_EQ(centroids[i], 42.0F);
  EXPECT_EQ(means.counts()[3], 0U);
  means.MoveTo(true, centroids);
  for (size_t cell = 0; cell < 3; ++cell) {
    double norm2 = 0;
    for (uint32_t d = 0; d < kDimension; ++d) norm2 += std::pow(centroids[cell * kDimension + d], 2);
    EXPECT_NEAR(norm2, 1.0, 1e-5);
  }
}

TEST(StoreCells, GivesTheCentroidsAsTheyWillBeReadEachOnce) {
  std::vector<float> centroids = ClusteredVectors(2, 50, kDimension, 5);
  Cells cells = StoreCells(centroids, std::vector<uint32_t>(50, 3), kDimension);
  ASSERT_EQ(cells.count(), 50U);
  EXPECT_EQ(cells.centroids, RestoreCentroids(cells.scales, cells.codes, kDimension));
  Centroids8 stored = QuantiseCentroids(centroids, kDimension);
  std::vector<float> expected = stored.scales;
  std::vector<float> got = cells.scales;
  std::sort(expected.begin(), expected.end());
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, expected);
}

TEST(CellAssigner, TellsWhatBuildPartitionDoes) {
  auto environment = EnvironmentWithThreads(2);
  std::vector<float> rows = ClusteredVectors(3, 800, kDimension, 20);
  PartitionOptions options{.cells = 30};
  auto partition = BuildPartition(rows, kDimension, Metric::kL2, options, *environment, {}, nullptr);
  ASSERT_TRUE(partition.ok());
  CellAssigner assigner(partition->centroids, kDimension, options, *environment->executor);
  for (size_t i = 0; i < 800; ++i) {
    auto [primary, second] = assigner.Assign(&rows[i * kDimension]);
    EXPECT_EQ(primary, partition->primary[i]);
    EXPECT_EQ(second, partition->second[i]);
  }
}

}  // namespace
}  // namespace isotherm
