#include "index/kmeans.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "tests/index/random_vectors.h"

namespace isotherm {
namespace {

constexpr uint32_t kDimension = 12;

double MeanDistance(std::span<const float> rows, const Clustering& clustering) {
  double sum = 0;
  for (size_t i = 0; i < clustering.cell_of.size(); ++i) {
    sum += SquaredDistance(VectorAt(rows, i, kDimension),
                           VectorAt(clustering.centroids, clustering.cell_of[i], kDimension));
  }
  return sum / static_cast<double>(clustering.cell_of.size());
}

Clustering Train(std::span<const float> rows, const KMeansOptions& options, size_t threads = 2) {
  ThreadPool pool(threads);
  return TrainKMeans(rows, kDimension, options, pool, nullptr);
}

TEST(KMeans, TheSameSeedGivesTheSameCellsWhateverTheNumberOfThreads) {
  std::vector<float> rows = ClusteredVectors(1, 5000, kDimension, 40);
  for (bool spherical : {false, true}) {
    KMeansOptions options{.cells = 60, .seed = 9, .spherical = spherical};
    Clustering one = Train(rows, options, 1);
    Clustering many = Train(rows, options, 7);
    EXPECT_EQ(one.centroids, many.centroids);
    EXPECT_EQ(one.cell_of, many.cell_of);
    options.seed = 10;
    EXPECT_NE(Train(rows, options).cell_of, one.cell_of);
  }
}

TEST(KMeans, RoundsBringCentroidsNearerToTheirRows) {
  std::vector<float> rows = ClusteredVectors(2, 3000, kDimension, 30);
  double before = MeanDistance(rows, Train(rows, {.cells = 50, .refine_rounds = 0}));
  double after = MeanDistance(rows, Train(rows, {.cells = 50}));
  EXPECT_LT(after, 0.9 * before);
}

TEST(KMeans, CellsThatGrewTooLargeAreSplit) {
  // Nine rows of ten lie in one cluster.
  std::vector<float> rows = ClusteredVectors(3, 4500, kDimension, 1);
  std::vector<float> others = ClusteredVectors(4, 500, kDimension, 100, 0.01F);
  rows.insert(rows.end(), others.begin(), others.end());
  KMeansOptions options{.cells = 100};
  Clustering clustering = Train(rows, options);
  Membership members(clustering.cell_of, options.cells);
  uint32_t largest = 0;
  for (uint32_t cell = 0; cell < options.cells; ++cell) largest = std::max(largest, members.size(cell));
  EXPECT_LE(static_cast<float>(largest), 1.2F * options.max_cell_factor * 50);
}

TEST(KMeans, SphericalCentroidsHaveLengthOne) {
  std::vector<float> rows = ClusteredVectors(5, 1000, kDimension, 10);
  Clustering clustering = Train(rows, {.cells = 20, .spherical = true});
  for (uint32_t cell = 0; cell < 20; ++cell) {
    std::vector<float> origin(kDimension, 0.0F);
    EXPECT_NEAR(SquaredDistance(VectorAt(clustering.centroids, cell, kDimension), origin), 1, 1e-4) << cell;
  }
}

TEST(KMeans, AStepThatSaysNoEndsTheTraining) {
  std::vector<float> rows = ClusteredVectors(6, 500, kDimension, 10);
  ThreadPool pool(2);
  std::vector<uint64_t> steps;
  Clustering clustering = TrainKMeans(rows, kDimension, {.cells = 10}, pool, [&](uint64_t done, uint64_t total) {
    EXPECT_EQ(total, 13U);
    steps.push_back(done);
    return done < 3;
  });
  EXPECT_EQ(steps, (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(clustering.cell_of.size(), 500U);
}

TEST(Membership, ListsEachRowOnceInItsCell) {
  SplitMix64 random(7);
  std::vector<uint32_t> cell_of(1000);
  for (uint32_t& cell : cell_of) cell = static_cast<uint32_t>(random.Below(20)) * 2;
  Membership members(cell_of, 41);
  size_t rows = 0;
  for (uint32_t cell = 0; cell < 41; ++cell) {
    EXPECT_EQ(members.of(cell).size(), members.size(cell));
    EXPECT_TRUE(std::is_sorted(members.of(cell).begin(), members.of(cell).end()));
    for (uint32_t row : members.of(cell)) EXPECT_EQ(cell_of[row], cell);
    rows += members.size(cell);
  }
  EXPECT_EQ(rows, cell_of.size());
}

TEST(SampleCentroids, PicksDistinctRows) {
  std::vector<float> rows(100);
  std::iota(rows.begin(), rows.end(), 0.0F);
  for (uint32_t cells : {1U, 50U, 100U}) {
    std::vector<float> picked = SampleCentroids(rows, 1, cells, 8);
    EXPECT_EQ(std::set<float>(picked.begin(), picked.end()).size(), cells);
  }
}

TEST(Lloyd, AssignsEveryRowToTheNearestCentroid) {
  std::vector<float> rows = ClusteredVectors(9, 800, kDimension, 15);
  for (Executor* executor : {static_cast<Executor*>(nullptr), Environment::Default()->executor.get()}) {
    Clustering clustering = Lloyd(rows, kDimension, 20, 5, false, 3, executor);
    for (size_t i = 0; i < 800; ++i) {
      std::span<const float> row = VectorAt(rows, i, kDimension);
      double own = SquaredDistance(row, VectorAt(clustering.centroids, clustering.cell_of[i], kDimension));
      for (uint32_t cell = 0; cell < 20; ++cell) {
        EXPECT_LE(own, SquaredDistance(row, VectorAt(clustering.centroids, cell, kDimension)) * (1 + 1e-5));
      }
    }
  }
}

}  // namespace
}  // namespace isotherm
