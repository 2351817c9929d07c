// Many threads insert into the memtable's graph and search it at the same time.
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "index/memtable_graph.h"
#include "tests/index/memtable_graph_fixture.h"

namespace isotherm {
namespace {

constexpr uint32_t kDimension = 24;

struct Load {
  size_t rows;
  size_t writers;
  size_t readers;
  uint32_t m;
  size_t distinct;  // rows; others are equal to one of them
};

class MemtableGraphThreads : public testing::TestWithParam<Load> {};

TEST_P(MemtableGraphThreads, WritersAndReadersDoNotDisturbEachOther) {
  const Load load = GetParam();
  const std::vector<float> vectors = ClusteredVectors(31, load.distinct, kDimension, 40);
  const auto vector = [&](uint32_t slot) { return VectorAt(vectors, slot % load.distinct, kDimension); };
  MemtableGraphOptions options = GraphOptions(kDimension);
  options.m = load.m;
  options.ef_construction = 60;
  MemtableGraph graph(options, nullptr);
  std::vector<std::atomic<bool>> begun(load.rows);
  std::atomic<uint32_t> next{0};
  std::atomic<size_t> writing{load.writers}, wrong{0}, missed{0};

  std::vector<std::thread> threads;
  for (size_t t = 0; t < load.writers; ++t) {
    threads.emplace_back([&] {
      std::vector<Neighbour> found;
      for (uint32_t slot = next.fetch_add(1); slot < load.rows; slot = next.fetch_add(1)) {
        begun[slot] = true;
        if (!graph.Insert(slot, vector(slot)).ok()) ++wrong;
        graph.Search(vector(slot), 1 + load.rows / load.distinct, 0, nullptr, &found);
        const bool own = std::any_of(found.begin(), found.end(), [&](const Neighbour& n) { return n.slot == slot; });
        if (!own) ++missed;
      }
      --writing;
    });
  }
  for (size_t t = 0; t < load.readers; ++t) {
    threads.emplace_back([&, t] {
      const Accept even([](uint32_t slot) { return slot % 2 == 0; });
      std::vector<Neighbour> found;
      for (uint32_t q = static_cast<uint32_t>(t); writing > 0; q += 7) {
        const bool filtered = q % 2 == 0;
        graph.Search(vector(q), 10, 50, filtered ? &even : nullptr, &found);
        std::set<uint32_t> slots;
        for (const Neighbour& n : found) {
          const bool right =
              n.slot < load.rows && begun[n.slot] && slots.insert(n.slot).second && (!filtered || n.slot % 2 == 0);
          if (!right) ++wrong;
        }
        if (!std::is_sorted(found.begin(), found.end(), Nearer)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(wrong, 0U);
  EXPECT_LE(missed, load.rows / 200);
  EXPECT_EQ(graph.rows(), load.rows);
  EXPECT_EQ(MemtableGraphInspector(graph).Check(SlotsUpTo(load.rows)), std::vector<std::string>());
  EXPECT_EQ(SearchGraph(graph, vector(0), load.rows).size(), load.rows);
  if (load.distinct == load.rows) {
    const std::span<const float> queries = std::span(vectors).first(50 * kDimension);
    EXPECT_GE(Recall(graph, Metric::kL2, vectors, queries, kDimension, 10), 0.95);
  }
}

INSTANTIATE_TEST_SUITE_P(All, MemtableGraphThreads,
                         testing::Values(Load{4000, 2, 2, 32, 4000}, Load{4000, 4, 1, 8, 4000},
                                         Load{2000, 4, 2, 8, 20}));

// The first rows make the entry, and races for it are the likeliest there.
TEST(MemtableGraphThreads, ManySmallGraphsBeginAtOnce) {
  const std::vector<float> vectors = ClusteredVectors(32, 40, kDimension, 5);
  for (uint64_t round = 0; round < 500; ++round) {
    MemtableGraphOptions options = GraphOptions(kDimension);
    options.m = 2;
    options.ef_construction = 10;
    options.seed = round;
    MemtableGraph graph(options, nullptr);
    std::atomic<uint32_t> next{0};
    std::atomic<int> ready{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&] {
        for (++ready; ready < 2;) {
        }
        for (uint32_t slot = next.fetch_add(1); slot < 40; slot = next.fetch_add(1)) {
          ASSERT_TRUE(graph.Insert(slot, VectorAt(vectors, slot, kDimension)).ok());
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(MemtableGraphInspector(graph).Check(SlotsUpTo(40)), std::vector<std::string>()) << round;
  }
}

}  // namespace
}  // namespace isotherm
