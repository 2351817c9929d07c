#include "index/cell_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/index/random_vectors.h"

namespace isotherm {
namespace {

constexpr uint32_t kDimension = 6;

bool IsPermutation(std::vector<uint32_t> order, size_t cells) {
  std::sort(order.begin(), order.end());
  std::vector<uint32_t> all(cells);
  std::iota(all.begin(), all.end(), 0);
  return order == all;
}

// The length of the way through all centroids.
double WayLength(const std::vector<float>& centroids, const std::vector<uint32_t>& order) {
  double length = 0;
  for (size_t i = 1; i < order.size(); ++i) {
    length += std::sqrt(
        SquaredDistance(VectorAt(centroids, order[i - 1], kDimension), VectorAt(centroids, order[i], kDimension)));
  }
  return length;
}

TEST(CellOrder, IsAPermutationInWhichNeighboursAreNear) {
  for (size_t cells : {1, 2, 3, 50, 700}) {
    std::vector<float> centroids = ClusteredVectors(cells, cells, kDimension, 1 + cells / 10);
    SplitMix64 random(1);
    std::vector<uint32_t> sizes(cells);
    for (uint32_t& size : sizes) size = static_cast<uint32_t>(random.Below(100));
    std::vector<uint32_t> order = OrderCells(centroids, kDimension, sizes);
    ASSERT_TRUE(IsPermutation(order, cells)) << cells;
    if (cells < 50) continue;
    std::vector<uint32_t> as_given(cells);
    std::iota(as_given.begin(), as_given.end(), 0);
    EXPECT_LT(WayLength(centroids, order), 0.6 * WayLength(centroids, as_given)) << cells;
  }
}

TEST(CellOrder, OfMoreCellsThanOneGroupHoldsIsAPermutationToo) {
  std::vector<float> centroids = ClusteredVectors(2, 5000, kDimension, 100);
  std::vector<uint32_t> order = OrderCells(centroids, kDimension, std::vector<uint32_t>(5000, 10));
  ASSERT_TRUE(IsPermutation(order, 5000));
  std::vector<uint32_t> as_given(5000);
  std::iota(as_given.begin(), as_given.end(), 0);
  EXPECT_LT(WayLength(centroids, order), 0.6 * WayLength(centroids, as_given));
}

TEST(CellOrder, OfEqualCentroidsEnds) {
  for (size_t cells : {2, 7, 300, 4500}) {
    std::vector<float> centroids(cells * kDimension, 2.0F);
    EXPECT_TRUE(IsPermutation(OrderCells(centroids, kDimension, std::vector<uint32_t>(cells, 0)), cells));
  }
}

// Squared distances times sizes are beyond what a float holds.
TEST(CellOrder, OfTheLargestVectorsAndSizes) {
  std::vector<float> centroids = ClusteredVectors(3, 40, kDimension, 40);
  for (float& v : centroids) v *= 1e16F;
  EXPECT_TRUE(IsPermutation(OrderCells(centroids, kDimension, std::vector<uint32_t>(40, UINT32_MAX)), 40));
}

}  // namespace
}  // namespace isotherm
