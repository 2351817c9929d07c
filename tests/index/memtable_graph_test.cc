#include "index/memtable_graph.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/index/memtable_graph_fixture.h"

namespace isotherm {
namespace {

using testing::ValuesIn;

// Rows and queries of the same clusters.
struct Sample {
  Sample(uint64_t seed, size_t count, uint32_t dimension, size_t clusters, size_t queries) {
    all = ClusteredVectors(seed, count + queries, dimension, clusters);
    rows = std::span(all).first(count * dimension);
    queries_ = std::span(all).subspan(count * dimension);
  }
  std::vector<float> all;
  std::span<const float> rows, queries_;
};

TEST(MemtableGraph, AnEmptyOneFindsNothing) {
  const MemtableGraph graph(GraphOptions(4), nullptr);
  EXPECT_TRUE(SearchGraph(graph, std::vector<float>(4), 10).empty());
  EXPECT_EQ(graph.rows(), 0U);
  EXPECT_EQ(graph.memory_bytes(), 0U);
}

TEST(MemtableGraph, NoneAreFoundWhenNoneAreAskedFor) {
  const auto graph = BuildGraph(GraphOptions(1), std::vector<float>{1, 2, 3});
  EXPECT_TRUE(SearchGraph(*graph, std::vector<float>{1}, 0).empty());
}

TEST(MemtableGraph, ARowIsFoundAsSoonAsItIsInserted) {
  const uint32_t dimension = 16;
  const std::vector<float> rows = ClusteredVectors(1, 1000, dimension, 50);
  MemtableGraph graph(GraphOptions(dimension), nullptr);
  for (uint32_t i = 0; i < 1000; ++i) {
    ASSERT_TRUE(graph.Insert(i, VectorAt(rows, i, dimension)).ok());
    ASSERT_EQ(Slots(SearchGraph(graph, VectorAt(rows, i, dimension), 1)), std::vector<uint32_t>{i});
    ASSERT_EQ(graph.rows(), i + 1);
  }
}

TEST(MemtableGraph, AllRowsAreFoundWhenMoreAreAskedForThanThereAre) {
  const uint32_t dimension = 8;
  for (size_t count : {1, 2, 3, 10, 1000}) {
    const std::vector<float> rows = ClusteredVectors(count, count, dimension, 10);
    const auto graph = BuildGraph(GraphOptions(dimension), rows);
    std::vector<uint32_t> found = Slots(SearchGraph(*graph, VectorAt(rows, 0, dimension), 10 * count));
    std::sort(found.begin(), found.end());
    EXPECT_EQ(found, SlotsUpTo(count));
  }
}

TEST(MemtableGraph, TheSameRowsInTheSameOrderGiveTheSameGraph) {
  const uint32_t dimension = 24;
  const std::vector<float> rows = ClusteredVectors(5, 1500, dimension, 60);
  MemtableGraphOptions options = GraphOptions(dimension);
  const auto one = BuildGraph(options, rows), two = BuildGraph(options, rows);
  options.seed = 2;
  const auto other = BuildGraph(options, rows);
  const MemtableGraphInspector in_one(*one), in_two(*two), in_other(*other);
  size_t levels_differ = 0;
  for (uint32_t slot = 0; slot < 1500; ++slot) {
    ASSERT_EQ(in_one.Level(slot), in_two.Level(slot));
    for (uint32_t level = 0; level <= in_one.Level(slot); ++level) {
      ASSERT_EQ(in_one.Links(slot, level), in_two.Links(slot, level));
    }
    levels_differ += in_one.Level(slot) != in_other.Level(slot) ? 1 : 0;
  }
  EXPECT_GT(levels_differ, 0U);
}

TEST(MemtableGraph, LevelsAreAsFrequentAsThePaperSays) {
  const std::vector<float> rows = ClusteredVectors(6, 20000, 2, 1000);
  MemtableGraphOptions options = GraphOptions(2);
  options.m = 8;
  options.ef_construction = 10;
  const auto graph = BuildGraph(options, rows);
  const MemtableGraphInspector in(*graph);
  std::vector<size_t> at_least(4, 0);
  for (uint32_t slot = 0; slot < 20000; ++slot) {
    for (uint32_t level = 0; level <= std::min(in.Level(slot), 3U); ++level) ++at_least[level];
  }
  EXPECT_NEAR(static_cast<double>(at_least[1]), 20000.0 / 8, 250);
  EXPECT_NEAR(static_cast<double>(at_least[2]), 20000.0 / 64, 90);
  EXPECT_NEAR(static_cast<double>(at_least[3]), 20000.0 / 512, 35);
}

TEST(MemtableGraph, SlotsMayHaveGaps) {
  const uint32_t dimension = 6;
  const std::vector<float> rows = ClusteredVectors(7, 300, dimension, 10);
  MemtableGraph graph(GraphOptions(dimension), nullptr);
  std::vector<uint32_t> slots;
  for (uint32_t i = 0; i < 300; ++i) {
    slots.push_back(i * 97 % 30011);
    ASSERT_TRUE(graph.Insert(slots.back(), VectorAt(rows, i, dimension)).ok());
  }
  EXPECT_EQ(MemtableGraphInspector(graph).Check(slots), std::vector<std::string>());
  std::vector<uint32_t> found = Slots(SearchGraph(graph, VectorAt(rows, 0, dimension), 300));
  std::sort(found.begin(), found.end());
  std::sort(slots.begin(), slots.end());
  EXPECT_EQ(found, slots);
}

struct Shape {
  Metric metric;
  uint32_t dimension;
  size_t rows;
};

class MemtableGraphRecall : public testing::TestWithParam<Shape> {};

TEST_P(MemtableGraphRecall, IsHighAtTheDefaults) {
  const auto [metric, dimension, count] = GetParam();
  const Sample sample(dimension, count, dimension, 100, 100);
  const auto graph = BuildGraph(GraphOptions(dimension, metric), sample.rows);
  EXPECT_EQ(MemtableGraphInspector(*graph).Check(SlotsUpTo(count)), std::vector<std::string>());
  EXPECT_GE(Recall(*graph, metric, sample.rows, sample.queries_, dimension, 10), 0.95);
}

std::vector<Shape> Shapes() {
  std::vector<Shape> shapes;
  for (Metric metric : {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    shapes.push_back({metric, 48, 3000});
    shapes.push_back({metric, 127, 1500});
    shapes.push_back({metric, 4096, 200});
  }
  shapes.push_back({Metric::kL2, 3, 3000});
  shapes.push_back({Metric::kCosine, 3, 3000});
  return shapes;
}

INSTANTIATE_TEST_SUITE_P(All, MemtableGraphRecall, ValuesIn(Shapes()), [](const auto& test) {
  return std::string(MetricName(test.param.metric)) + "_" + std::to_string(test.param.dimension);
});

TEST(MemtableGraph, OneDimensionIsEnough) {
  std::vector<float> rows;
  for (int i = 0; i < 1000; ++i) rows.push_back(static_cast<float>((i * 7919) % 1000));
  const auto graph = BuildGraph(GraphOptions(1), rows);
  // 1,000 values share 127 codes, but each its own scale.
  const std::vector<Neighbour> found = SearchGraph(*graph, std::vector<float>{500.2F}, 3);
  ASSERT_EQ(found.size(), 3U);
  for (const Neighbour& row : found) EXPECT_LT(std::abs(rows[row.slot] - 500.2F), 1.5F);
}

TEST(MemtableGraph, DistancesAreNearToTheExactOnes) {
  const uint32_t dimension = 100;
  const Sample sample(9, 1000, dimension, 30, 20);
  for (Metric metric : {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    const auto graph = BuildGraph(GraphOptions(dimension, metric), sample.rows);
    for (size_t q = 0; q < 20; ++q) {
      const std::span<const float> query = VectorAt(sample.queries_, q, dimension);
      for (const Neighbour& row : SearchGraph(*graph, query, 10)) {
        const double want = ExactDistance(metric, VectorAt(sample.rows, row.slot, dimension), query);
        EXPECT_NEAR(row.distance, want, 0.02 * std::max(1.0, std::abs(want)));
      }
    }
  }
}

TEST(MemtableGraph, ACentreKeepsTheRecallOfRowsFarFromTheOrigin) {
  const uint32_t dimension = 32;
  std::vector<float> all = ClusteredVectors(10, 1600, dimension, 50);
  for (float& component : all) component += 100;
  const std::span<const float> rows = std::span(all).first(1500 * dimension);
  MemtableGraphOptions options = GraphOptions(dimension);
  const std::vector<float> centre(dimension, 100.0F);
  options.centre = centre;
  const auto graph = BuildGraph(options, rows);
  EXPECT_GE(Recall(*graph, Metric::kL2, rows, std::span(all).subspan(rows.size()), dimension, 10), 0.95);
}

TEST(MemtableGraph, VectorsAtTheEdgeOfFloatsDoNoHarm) {
  const std::vector<float> edges = {0, 3e38F, -3e38F, 1e-45F, 1e-38F, 1, -1};
  for (Metric metric : {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    std::vector<float> rows;
    for (float a : edges) {
      for (float b : edges) rows.insert(rows.end(), {a, b});
    }
    const auto graph = BuildGraph(GraphOptions(2, metric), rows);
    EXPECT_EQ(MemtableGraphInspector(*graph).Check(SlotsUpTo(49)), std::vector<std::string>());
    EXPECT_EQ(SearchGraph(*graph, std::vector<float>{1, 1}, 100).size(), 49U);
  }
}

}  // namespace
}  // namespace isotherm
