// What a walk through a graph needs beside the graph, kept from one walk to the next: a warm walk allocates nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/sync.h"
#include "index/graph_beam.h"
#include "index/graph_codec.h"

namespace isotherm {

// The rows that one walk has met. A row's stamp tells in which walk that was.
class VisitedSet {
 public:
  // Begins a walk through slots below `limit`.
  void Reset(uint32_t limit) {
    limit_ = limit;
    if (stamps_.size() <= limit) stamps_.resize(size_t{limit} + limit / 2 + 1024);
    if (++stamp_ == 0) {
      std::memset(stamps_.data(), 0, stamps_.size());
      stamp_ = 1;
    }
    stamps_[limit] = stamp_;
  }
  // Keeps those of `slots` that are met for the first time, and returns how many they are. What came into the graph
  // after the walk began, at or beyond the limit, is not kept. Without a branch: none could be foreseen.
  size_t Visit(uint32_t* slots, size_t n) {
    uint8_t* stamps = stamps_.data();
    const uint8_t stamp = stamp_;
    const uint32_t limit = limit_;
    size_t kept = 0;
    for (size_t i = 0; i < n; ++i) {
      const uint32_t slot = slots[i];
      uint8_t& at = stamps[std::min(slot, limit)];
      slots[kept] = slot;
      kept += at != stamp ? 1 : 0;
      at = stamp;
    }
    return kept;
  }

 private:
  std::vector<uint8_t> stamps_;
  uint8_t stamp_ = 0;
  uint32_t limit_ = 0;  // its stamp is always that of the walk
};

struct GraphNode;

struct GraphScratch {
  CodedQuery query;
  VisitedSet visited;
  SortedBeam beam;
  FilteredBeam filtered_beam;
  std::vector<uint32_t> links;          // of the row that is looked at
  std::vector<const GraphNode*> nodes;  // of those links that the walk had not met
  std::vector<Neighbour> near;          // what a walk found
  std::vector<Neighbour> found;         // what a search will choose from
  std::vector<Neighbour> kept, others;  // of a row's links, when it gets another
  std::vector<uint32_t> slots;
  std::vector<std::vector<Neighbour>> selected_of;  // by level, of the row that is inserted
};

// Thread-safe. Holds as many as were ever in use at once.
class GraphScratchPool {
 public:
  struct GiveBack {
    GraphScratchPool* pool;
    void operator()(GraphScratch* scratch) const { pool->Put(scratch); }
  };
  using Lease = std::unique_ptr<GraphScratch, GiveBack>;

  Lease Take();

 private:
  void Put(GraphScratch* scratch);

  Mutex mutex_;
  std::vector<std::unique_ptr<GraphScratch>> free_;
};

}  // namespace isotherm
