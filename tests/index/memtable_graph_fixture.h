// What the tests of the memtable's graph share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

#include "index/memtable_graph.h"
#include "tests/index/exact_distance.h"
#include "tests/index/memtable_graph_inspector.h"
#include "tests/index/random_vectors.h"

namespace isotherm {

inline MemtableGraphOptions GraphOptions(uint32_t dimension, Metric metric = Metric::kL2) {
  MemtableGraphOptions options;
  options.dimension = dimension;
  options.metric = metric;
  return options;
}

inline std::vector<uint32_t> SlotsUpTo(size_t n) {
  std::vector<uint32_t> slots(n);
  std::iota(slots.begin(), slots.end(), 0U);
  return slots;
}

// One row after the other, from slot 0 on.
inline std::unique_ptr<MemtableGraph> BuildGraph(const MemtableGraphOptions& options, std::span<const float> rows) {
  auto graph = std::make_unique<MemtableGraph>(options, nullptr);
  for (uint32_t i = 0; i < rows.size() / options.dimension; ++i) {
    EXPECT_EQ(graph->Insert(i, VectorAt(rows, i, options.dimension)).code(), StatusCode::kOk);
  }
  return graph;
}

inline std::vector<uint32_t> Slots(std::span<const Neighbour> neighbours) {
  std::vector<uint32_t> slots;
  for (const Neighbour& neighbour : neighbours) slots.push_back(neighbour.slot);
  return slots;
}

inline std::vector<Neighbour> SearchGraph(const MemtableGraph& graph, std::span<const float> query, size_t k,
                                          size_t ef = 0, const SlotFilter* filter = nullptr) {
  std::vector<Neighbour> found;
  graph.Search(query, k, ef, filter, &found);
  EXPECT_TRUE(std::is_sorted(found.begin(), found.end(), Nearer));
  return found;
}

class Accept : public SlotFilter {
 public:
  explicit Accept(std::function<bool(uint32_t)> accepts) : accepts_(std::move(accepts)) {}
  bool Accepts(uint32_t slot) const override { return accepts_(slot); }

 private:
  std::function<bool(uint32_t)> accepts_;
};

// Mean over the queries.
inline double Recall(const MemtableGraph& graph, Metric metric, std::span<const float> rows,
                     std::span<const float> queries, uint32_t dimension, size_t k,
                     const std::function<bool(uint32_t)>& accept = nullptr) {
  const Accept filter(accept);
  size_t hits = 0, wanted = 0;
  for (size_t q = 0; q < queries.size() / dimension; ++q) {
    const std::span<const float> query = VectorAt(queries, q, dimension);
    const std::vector<uint32_t> want = ExactNearest(
        metric, rows, query, k, accept != nullptr ? accept : [](uint32_t) { return true; });
    const std::vector<uint32_t> got = Slots(SearchGraph(graph, query, k, 0, accept != nullptr ? &filter : nullptr));
    EXPECT_LE(got.size(), k);
    for (uint32_t slot : got) hits += static_cast<size_t>(std::count(want.begin(), want.end(), slot));
    wanted += want.size();
  }
  return static_cast<double>(hits) / static_cast<double>(wanted);
}

}  // namespace isotherm
