// What this handle committed a while ago and still has in RAM: its segment is searched there, through the memtable's
// graph, until a compaction replaces it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/sync.h"
#include "engine/code_blocks.h"
#include "engine/head.h"
#include "engine/memtable_rows.h"

namespace isotherm {

// The rows of one commit.
struct RecentRows {
  struct Place {
    uint32_t segment = kNoSlot;  // index into `segments`; kNoSlot: in none
    uint32_t ordinal = 0;
  };
  std::vector<std::string> segments;  // flat ones, by name
  std::shared_ptr<MemtableRows> rows;
  std::vector<Place> places;  // by slot
  std::shared_ptr<const CodeBlocks> blocks;

  // As long as most rows are not in the graph: a code is a quarter of a row.
  bool AreSearchedByCodes() const { return blocks->complete() && rows->unlinked() > rows->size() / 2; }
};

// Null when not all rows of the segments are among `rows`, or they are too few to be worth it. `written`: those of all
// segments, in order; `soft` are the indexes of those that no search finds.
std::shared_ptr<const RecentRows> MakeRecentRows(std::span<const SegmentInfo> segments,
                                                 std::shared_ptr<MemtableRows> rows,
                                                 std::shared_ptr<const CodeBlocks> blocks,
                                                 std::span<const std::shared_ptr<const Row>> written,
                                                 const OrdinalSet& soft);

// As a snapshot sees them.
struct RecentView {
  std::shared_ptr<const RecentRows> recent;
  std::vector<uint32_t> segments;  // indexes into the head's; kNoSlot: not there any more
};

// What RAM has of one head's segments. Made once a head and shared by its reads: it never changes.
struct RecentTable {
  std::vector<RecentView> views;
  std::vector<uint32_t> of_segment;  // index into `views`, by segment of the head; kNoSlot: RAM has nothing of it
};

// Thread-safe.
class RecentSegments {
 public:
  explicit RecentSegments(uint64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  using Forgotten = std::vector<std::shared_ptr<const RecentRows>>;
  // Those that are to go when it is added: the oldest, and it itself when it has no room either.
  Forgotten PushedOutBy(const std::shared_ptr<const RecentRows>& rows) const;
  // Returns them, since freeing them takes a while.
  [[nodiscard]] Forgotten Add(std::shared_ptr<const RecentRows> rows);
  // Forgets those of which the head has nothing, and returns them.
  [[nodiscard]] Forgotten KeepOf(const Head& head);
  // Forgets the oldest until so many bytes are free, as far as nobody uses them. Returns how many.
  uint64_t Free(uint64_t wanted);
  std::shared_ptr<const RecentTable> Of(const Head& head) const;
  // The oldest first.
  std::vector<std::shared_ptr<const RecentRows>> All() const;

 private:
  Forgotten OldestFor(const std::shared_ptr<const RecentRows>& rows) const;

  const uint64_t limit_bytes_;
  mutable Mutex mutex_;
  std::vector<std::shared_ptr<const RecentRows>> all_;
  // Of the last head that was asked about, every read asks; null: not made since all_ changed.
  mutable std::shared_ptr<const RecentTable> table_;
  mutable Nonce table_of_ = {};
};

}  // namespace isotherm
