// Which rows a search of the memtable's graph returns: filters, equal rows, rows apart, a budget that ends.
#include <gtest/gtest.h>

#include <set>

#include "base/memory_budget.h"
#include "index/memtable_graph.h"
#include "tests/index/memtable_graph_fixture.h"
#include "tools/commands/allocation_count.h"

namespace isotherm {
namespace {

constexpr uint32_t kDimension = 16;

const std::vector<std::string> kNothing;

// One graph for all of them: they only search it.
class MemtableGraphFilter : public testing::Test {
 protected:
  static constexpr size_t kRows = 4000;

  static void SetUpTestSuite() {
    all_ = ClusteredVectors(21, kRows + 50, kDimension, 80);
    graph_ = BuildGraph(GraphOptions(kDimension), rows());
  }
  static void TearDownTestSuite() { graph_.reset(); }

  static std::span<const float> rows() { return std::span(all_).first(kRows * kDimension); }
  static std::span<const float> queries() { return std::span(all_).subspan(kRows * kDimension); }
  static double RecallOf(const std::function<bool(uint32_t)>& accept) {
    return Recall(*graph_, Metric::kL2, rows(), queries(), kDimension, 10, accept);
  }

  static inline std::vector<float> all_;
  static inline std::unique_ptr<MemtableGraph> graph_;
};

TEST_F(MemtableGraphFilter, OnlyAcceptedRowsAreFoundAndTheRecallStays) {
  for (uint32_t one_of : {1U, 2U, 10U, 100U, 1000U}) {
    EXPECT_GE(RecallOf([&](uint32_t slot) { return slot % one_of == 0; }), 0.95) << one_of;
  }
  const Accept late([](uint32_t slot) { return slot >= kRows / 2; });
  for (const Neighbour& row : SearchGraph(*graph_, queries().first(kDimension), 100, 0, &late)) {
    EXPECT_GE(row.slot, kRows / 2);
  }
}

TEST_F(MemtableGraphFilter, ARowThatAloneIsAcceptedIsFoundWhereverItLies) {
  for (uint32_t slot = 0; slot < kRows; slot += 131) {
    const Accept alone([&](uint32_t s) { return s == slot; });
    EXPECT_EQ(Slots(SearchGraph(*graph_, queries().first(kDimension), 10, 0, &alone)), std::vector<uint32_t>{slot});
  }
}

TEST_F(MemtableGraphFilter, NothingIsFoundWhenNothingIsAccepted) {
  const Accept none([](uint32_t) { return false; });
  EXPECT_TRUE(SearchGraph(*graph_, queries().first(kDimension), 10, 0, &none).empty());
}

TEST_F(MemtableGraphFilter, AFilterThatAcceptsAllFindsWhatNoneFinds) {
  const Accept all([](uint32_t) { return true; });
  for (size_t q = 0; q < 50; ++q) {
    const std::span<const float> query = VectorAt(queries(), q, kDimension);
    EXPECT_EQ(Slots(SearchGraph(*graph_, query, 20, 20, &all)), Slots(SearchGraph(*graph_, query, 20, 20)));
  }
}

TEST(MemtableGraphRows, AWarmSearchAllocatesNothing) {
  const std::vector<float> rows = ClusteredVectors(22, 1000, kDimension, 50);
  const auto graph = BuildGraph(GraphOptions(kDimension), rows);
  const Accept even([](uint32_t slot) { return slot % 2 == 0; });
  std::vector<Neighbour> found;
  const auto ask = [&] {
    for (size_t q = 0; q < 100; ++q) {
      graph->Search(VectorAt(rows, q, kDimension), 10, 0, nullptr, &found);
      graph->Search(VectorAt(rows, q, kDimension), 10, 0, &even, &found);
    }
  };
  ask();
  const tool::AllocationCount allocations;
  ask();
  EXPECT_EQ(allocations.count(), 0U);
}

TEST(MemtableGraphRows, EqualRowsAreAllFound) {
  const std::vector<float> rows = ClusteredVectors(23, 200, kDimension, 20);
  MemtableGraph graph(GraphOptions(kDimension), nullptr);
  for (uint32_t i = 0; i < 1000; ++i) ASSERT_TRUE(graph.Insert(i, VectorAt(rows, i % 200, kDimension)).ok());
  MemtableGraphInspector inspector(graph);
  EXPECT_EQ(inspector.Check(SlotsUpTo(1000)), kNothing);
  EXPECT_EQ(inspector.hung(), 800U);
  for (uint32_t i = 0; i < 200; ++i) {
    const std::vector<uint32_t> found = Slots(SearchGraph(graph, VectorAt(rows, i, kDimension), 5));
    EXPECT_EQ(std::set<uint32_t>(found.begin(), found.end()),
              (std::set<uint32_t>{i, i + 200, i + 400, i + 600, i + 800}));
    const Accept newest([](uint32_t slot) { return slot >= 800; });
    EXPECT_EQ(Slots(SearchGraph(graph, VectorAt(rows, i, kDimension), 1, 0, &newest)), std::vector<uint32_t>{i + 800});
  }
}

// Thousands of equal rows, which would fill each other's links, and others around them.
TEST(MemtableGraphRows, ManyEqualRowsDoNotHideOthers) {
  const std::vector<float> others = ClusteredVectors(24, 500, kDimension, 20);
  const std::vector<float> equal(kDimension, 0.1F);
  MemtableGraph graph(GraphOptions(kDimension), nullptr);
  for (uint32_t i = 0; i < 5000; ++i) {
    const bool other = i % 10 == 9;
    ASSERT_TRUE(graph.Insert(i, other ? VectorAt(others, i / 10, kDimension) : std::span<const float>(equal)).ok());
  }
  EXPECT_EQ(MemtableGraphInspector(graph).Check(SlotsUpTo(5000)), kNothing);
  for (uint32_t i = 0; i < 500; ++i) {
    EXPECT_EQ(Slots(SearchGraph(graph, VectorAt(others, i, kDimension), 1)), std::vector<uint32_t>{10 * i + 9});
  }
  EXPECT_EQ(SearchGraph(graph, equal, 5000).size(), 5000U);
}

// Rows in heaps far from each other and in an order that leaves a heap for good; few links.
TEST(MemtableGraphRows, EveryRowIsReachableWhateverIsPruned) {
  for (uint32_t m : {2U, 3U, 5U, 16U}) {
    MemtableGraphOptions options = GraphOptions(kDimension);
    options.m = m;
    options.ef_construction = 20;
    std::vector<float> rows;
    for (int heap = 0; heap < 10; ++heap) {
      std::vector<float> near = ClusteredVectors(static_cast<uint64_t>(heap), 200, kDimension, 1, 0.01F);
      for (float component : near) rows.push_back(component + 100.0F * static_cast<float>(heap));
    }
    const auto graph = BuildGraph(options, rows);
    EXPECT_EQ(MemtableGraphInspector(*graph).Check(SlotsUpTo(2000)), kNothing) << m;
    EXPECT_EQ(SearchGraph(*graph, VectorAt(rows, 0, kDimension), 2000).size(), 2000U) << m;
  }
}

// One row is the nearest of all others, which are far from each other: it can't be the parent of all.
TEST(MemtableGraphRows, ARowThatIsEverybodysNeighbourDoesNotCutOthersOff) {
  const uint32_t dimension = 600;
  for (Metric metric : {Metric::kL2, Metric::kInnerProduct}) {
    MemtableGraphOptions options = GraphOptions(dimension, metric);
    options.m = 4;
    options.ef_construction = 10;
    std::vector<float> rows(dimension, 0.05F);
    for (uint32_t i = 0; i < dimension; ++i) {
      std::vector<float> row(dimension, 0.0F);
      row[i] = 1;
      rows.insert(rows.end(), row.begin(), row.end());
    }
    const auto graph = BuildGraph(options, rows);
    EXPECT_EQ(MemtableGraphInspector(*graph).Check(SlotsUpTo(dimension + 1)), kNothing);
    EXPECT_EQ(SearchGraph(*graph, std::span(rows).first(dimension), dimension + 1).size(), dimension + 1);
  }
}

TEST(MemtableGraphRows, ARefusedChunkLeavesTheGraphUsable) {
  const uint32_t dimension = 8192;
  const std::vector<float> rows = ClusteredVectors(26, 1200, dimension, 50);
  auto budget = MakeMemoryBudget(2 * Arena::kChunkBytes + 1);
  {
    MemtableGraph graph(GraphOptions(dimension), budget);
    uint32_t inserted = 0;
    Status status;
    for (; inserted < 1200 && status.ok(); ++inserted)
      status = graph.Insert(inserted, VectorAt(rows, inserted, dimension));
    --inserted;
    ASSERT_EQ(status.code(), StatusCode::kResourceExhausted);
    EXPECT_NE(status.message().find("memtable"), std::string::npos) << status;
    EXPECT_GT(inserted, 900U);
    EXPECT_EQ(graph.rows(), inserted);
    EXPECT_EQ(graph.memory_bytes(), 2 * Arena::kChunkBytes);
    EXPECT_EQ(graph.Insert(inserted, VectorAt(rows, inserted, dimension)).code(), StatusCode::kResourceExhausted);
    EXPECT_EQ(MemtableGraphInspector(graph).Check(SlotsUpTo(inserted)), kNothing);
    for (uint32_t i = 0; i < inserted; i += 10) {
      EXPECT_EQ(Slots(SearchGraph(graph, VectorAt(rows, i, dimension), 1)), std::vector<uint32_t>{i});
    }
  }
  EXPECT_EQ(UsageOf(*budget).used_bytes, 0U);
}

TEST(MemtableGraphRows, ARowThatWasRefusedMayComeAgain) {
  auto budget = MakeMemoryBudget(Arena::kChunkBytes);
  MemtableGraph graph(GraphOptions(kDimension), budget);
  const std::vector<float> rows = ClusteredVectors(27, 10, kDimension, 2);
  {
    MemoryReservation other = budget->Reserve(MemoryUse::kOther, 1).value();
    EXPECT_EQ(graph.Insert(0, VectorAt(rows, 0, kDimension)).code(), StatusCode::kResourceExhausted);
    EXPECT_TRUE(SearchGraph(graph, VectorAt(rows, 0, kDimension), 1).empty());
  }
  EXPECT_TRUE(graph.Insert(0, VectorAt(rows, 0, kDimension)).ok());
  EXPECT_EQ(Slots(SearchGraph(graph, VectorAt(rows, 0, kDimension), 1)), std::vector<uint32_t>{0});
}

}  // namespace
}  // namespace isotherm
