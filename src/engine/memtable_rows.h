// The rows of a write buffer as searches see them: in the order in which they came, with a graph over them that is
// built behind. They outlive the buffer as long as the segment that they were committed in serves from here.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/memory_budget.h"
#include "base/sync.h"
#include "engine/candidates.h"
#include "index/memtable_graph.h"
#include "isotherm/row.h"

namespace isotherm {

struct MemtableOptions {
  uint32_t dimension = 0;
  Metric metric = Metric::kL2;
  uint32_t m = 32;
  uint32_t ef_construction = 300;
  // Fewer rows have no graph: comparing the query with all of them takes no longer.
  uint32_t graph_rows = 2000;
  std::shared_ptr<MemorySource> memory;  // of the graph; null: not counted
};

// Adding and hiding are one thread's at a time; everything else is thread-safe, and neither searches nor who adds wait
// for the graph.
class MemtableRows {
 public:
  explicit MemtableRows(const MemtableOptions& options) : options_(options) {}
  MemtableRows(const MemtableRows&) = delete;
  MemtableRows& operator=(const MemtableRows&) = delete;

  // A row that is seen from `sequence` on; returns its slot. Slots are given from 0 on.
  uint32_t Add(std::shared_ptr<const Row> row, uint64_t sequence);
  // It is not seen from `sequence` on.
  void Hide(uint32_t slot, uint64_t sequence);
  // What the rows take of a memory budget; given back with their last user.
  void Hold(std::shared_ptr<const MemoryReservation> memory);
  // Also all that the other ones hold.
  void HoldAllOf(const MemtableRows& other);

  uint32_t size() const { return size_.load(std::memory_order_acquire); }
  // Below size(), as all slots that are asked for.
  const std::shared_ptr<const Row>& row(uint32_t slot) const { return At(slot).row; }
  bool IsSeen(uint32_t slot, uint64_t sequence) const {
    const Slot& at = At(slot);
    return at.from <= sequence && sequence < at.until.load(std::memory_order_relaxed);
  }
  // Whether all rows that were ever added are seen, and none of them expires.
  bool plain() const { return plain_.load(std::memory_order_relaxed); }
  // Of the rows as they are encoded, and of the graph.
  uint64_t bytes() const;

  // Rows that the graph should have and does not have yet.
  uint32_t unlinked() const;
  // Puts one of them into the graph. False: there is none, no memory for more, or no use.
  bool LinkOne();
  // The rows are about to go: who is at work on the graph leaves them.
  void StopLinking() { stopped_.store(true, std::memory_order_relaxed); }

  // Offers rows that `filter` accepts to `out`, as of `source` and with their exact distances: the `wanted` nearest
  // that the graph finds and some more, and all that are not in it. `exact`: all rows. Returns how many were compared
  // so.
  uint64_t Search(std::span<const float> query, size_t wanted, bool exact, const SlotFilter& filter, uint32_t source,
                  Candidates& out) const;

 private:
  struct Slot {
    std::shared_ptr<const Row> row;
    uint64_t from = 0;
    std::atomic<uint64_t> until{UINT64_MAX};
    std::atomic<bool> linked{false};
  };
  static constexpr uint32_t kFirstChunk = 256;  // each is twice the one before
  static constexpr uint32_t kChunks = 22;

  static uint32_t ChunkOf(uint32_t slot) { return static_cast<uint32_t>(std::bit_width(slot / kFirstChunk + 1)) - 1; }
  static uint32_t ChunkBegin(uint32_t chunk) { return kFirstChunk * ((uint32_t{1} << chunk) - 1); }
  Slot& At(uint32_t slot) const {
    const uint32_t chunk = ChunkOf(slot);
    return chunks_[chunk].load(std::memory_order_acquire)[slot - ChunkBegin(chunk)];
  }
  bool Claim(uint32_t* slot);
  MemtableGraph* GraphFor(uint32_t rows);
  std::vector<float> Centre(uint32_t rows) const;
  bool SearchGraph(std::span<const float> query, size_t wanted, uint32_t rows, const SlotFilter& filter,
                   std::vector<Neighbour>* near) const;

  const MemtableOptions options_;
  std::array<std::unique_ptr<Slot[]>, kChunks> memory_of_chunks_;
  std::array<std::atomic<Slot*>, kChunks> chunks_{};
  std::atomic<uint32_t> size_{0};
  std::atomic<bool> plain_{true};
  std::atomic<uint64_t> bytes_{0};

  std::atomic<uint32_t> claimed_{0};       // rows below it are in the graph, or on their way there
  std::atomic<uint32_t> linked_below_{0};  // all rows below it are in the graph
  std::atomic<bool> stopped_{false};
  Mutex graph_mutex_;  // held while the graph is made
  std::unique_ptr<MemtableGraph> graph_;
  std::atomic<MemtableGraph*> graph_now_{nullptr};

  mutable Mutex memory_mutex_;
  std::vector<std::shared_ptr<const MemoryReservation>> memory_;
};

}  // namespace isotherm
