// The memtable's index: a graph over 8-bit codes, searchable while it grows.
//
// Y. Malkov and D. Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable
// Small World graphs" (arXiv:1603.09320). It departs from the paper in three points:
//  - Distances are those of the rows' codes (graph_codec.h), while building and while searching.
//  - Rows with equal codes are one node: the later ones hang on the first in a chain, or they would fill each other's
//    links and cut themselves off.
//  - Every row is reachable. A new row and one of its neighbours, its parent, keep their links to each other for good:
//    the rows are a tree along such links, whatever else is pruned.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/arena.h"
#include "base/sync.h"
#include "index/graph_beam.h"
#include "index/graph_codec.h"
#include "index/graph_nodes.h"
#include "index/graph_scratch.h"
#include "isotherm/row.h"
#include "isotherm/status.h"

namespace isotherm {

struct MemtableGraphOptions {
  uint32_t dimension = 0;  // in [1, kMaxDimension]
  Metric metric = Metric::kL2;
  uint32_t m = 32;  // links of a row on the upper levels, twice as many on level 0; in [2, 512]
  uint32_t ef_construction = 300;
  uint64_t seed = 1;
  // Empty, or of this dimension: near the rows' mean it makes the codes finer. Copied.
  std::span<const float> centre;
};

// Rows are known by slots that the caller gives, from 0 on and best without gaps: memory is taken up to the highest.
//
// Thread-safe: any number of threads insert and search at the same time. A search waits for no insert, and sees every
// row whose Insert had returned before. The same rows inserted in the same order by one thread give the same graph.
//
// Not counted in the memory are a byte a row and some 10 KB for each call that runs at the same time as others.
class MemtableGraph {
 public:
  static constexpr uint32_t kMaxSlots = SortedBeam::kMaxSlot + 1;

  // The graph's memory is reserved from `source`, which may be null, chunk by chunk.
  MemtableGraph(const MemtableGraphOptions& options, std::shared_ptr<MemorySource> source);

  // `vector` is finite and of the graph's dimension; for kCosine of any length but zero. Each slot below kMaxSlots
  // once. On error (kResourceExhausted) the row is not in the graph, which stays as it was; the slot may be tried
  // again.
  Status Insert(uint32_t slot, std::span<const float> vector);

  // The `k` rows nearest to the query that `filter` (null: all) accepts, nearest first, in `out`; fewer when there are
  // not more. `ef` is how many are looked for, for the sake of the k: at least those, and 0 stands for DefaultEf(k).
  // The fewer are accepted, the longer it takes: up to a comparison with every row. Distances are off by what the rows
  // lost when they were coded; who needs exact ones asks for some more than k and computes them from the rows. A search
  // like one before it allocates nothing.
  void Search(std::span<const float> query, size_t k, size_t ef, const SlotFilter* filter,
              std::vector<Neighbour>* out) const;

  static size_t DefaultEf(size_t k) { return std::max<size_t>(k + 100, 200); }

  size_t rows() const { return rows_.load(std::memory_order_relaxed); }
  // What is reserved.
  uint64_t memory_bytes() const { return arena_.chunk_bytes(); }

 private:
  friend class MemtableGraphInspector;  // of the tests

  static constexpr size_t kLocks = 256;

  struct Entry {
    uint32_t slot;
    uint32_t level;
  };
  // Where walks begin; none while the graph is empty.
  std::optional<Entry> entry() const;
  void SetEntry(Entry entry);

  uint32_t RandomLevel(uint32_t slot) const;
  Mutex& LockOf(uint32_t slot) { return locks_[slot % kLocks]; }
  float Distance(const GraphNode& a, const GraphNode& b) const {
    return codec_.Distance(a.factors, nodes_.code(a), b.factors, nodes_.code(b));
  }
  float Distance(const CodedQuery& query, const GraphNode& row) const {
    return codec_.Distance(query.factors, query.code.data(), row.factors, nodes_.code(row));
  }

  // In memtable_graph_search.cc. From the top down to the row of level + 1 (or the top) that greedy steps lead to.
  Neighbour Descend(const CodedQuery& query, Entry top, uint32_t level, GraphScratch& scratch) const;
  // Offers to the beam what is near on one level.
  template <class Beam>
  void Walk(const CodedQuery& query, Neighbour from, uint32_t level, Beam& beam, GraphScratch& scratch) const;
  // The row itself and, where the beam asks, those that hang on it.
  template <class Beam>
  void Offer(float distance, uint32_t slot, const GraphNode& node, Beam& beam) const;
  void CollectDuplicates(size_t limit, std::span<const Neighbour> near, std::vector<Neighbour>* found) const;

  // In memtable_graph.cc.
  void InsertNode(uint32_t slot, GraphNode& node, GraphScratch& scratch);
  // False: it hangs on an equal row, and has no links.
  bool LinkBelow(uint32_t slot, GraphNode& node, Entry top, GraphScratch& scratch);
  bool HangOnEqual(uint32_t slot, GraphNode& node, std::span<const Neighbour> near);
  // The paper's algorithm 4: of `near`, nearest first, those that no kept one is nearer to than the row in question.
  void Select(std::span<const Neighbour> near, size_t limit, std::vector<Neighbour>* kept) const;
  void AddLinks(uint32_t slot, GraphNode& node, uint32_t level, std::span<const Neighbour> selected,
                GraphScratch& scratch);
  // The new row's parent.
  uint32_t FindParent(uint32_t slot, std::span<const Neighbour> near, GraphScratch& scratch);
  void SetParent(uint32_t slot, GraphNode& node, uint32_t parent, GraphScratch& scratch);
  // Gives the row `from` a link. False: it was to be pinned, and the row has as many children as it may.
  bool AddLink(uint32_t from, Neighbour to, uint32_t level, bool pin, GraphScratch& scratch);

  const uint32_t m_;
  const uint32_t ef_construction_;
  const uint64_t seed_;
  const size_t max_pinned_;
  const GraphCodec codec_;
  Arena arena_;
  GraphNodes nodes_;
  std::atomic<uint64_t> entry_{0};  // level + 1 in the upper half, slot in the lower
  std::atomic<uint32_t> slot_limit_{0};
  std::atomic<size_t> rows_{0};
  Mutex entry_mutex_;                // held by whoever makes the graph higher; before any of locks_
  std::array<Mutex, kLocks> locks_;  // of rows' links, while they change; one at a time
  mutable GraphScratchPool scratches_;
};

}  // namespace isotherm
