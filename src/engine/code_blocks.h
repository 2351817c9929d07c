// Of segments that this handle has just written: the blocks that searches look into, and where their keys are.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/memory_budget.h"
#include "cache/block_cache.h"
#include "cache/extent_cache.h"
#include "segment/segment_info.h"

namespace isotherm {

// Which rows of a segment have which keys: its key pages and its filter.
struct SegmentKeys {
  std::string segment;
  PinnedBlock pages;  // invalid: there was no room for them
  PinnedBlock filter;
};

// They wait here until searches may ask for them. Put into the cache at once they would be gone before that. Not
// thread-safe, but for the const ones.
class CodeBlocks {
 public:
  // `clears`: of the cache, before anything was written. `budget` may be null: `use` is what the blocks are charged as,
  // the keys are a cache. Of more blocks than `limit_bytes` none is kept at all; the keys may take a quarter of that
  // beside them.
  CodeBlocks(uint64_t clears, MemoryBudget* budget, MemoryUse use, uint64_t limit_bytes = UINT64_MAX)
      : clears_(clears), budget_(budget), use_(use), limit_bytes_(limit_bytes) {}

  // A segment whose blocks come one after the other; one that was begun and not ended is forgotten. What finds no room
  // in the budget is left out.
  void BeginSegment();
  void AddBlock(std::string_view bytes);
  void AddKeys(std::string_view pages, std::string_view filter);  // a filter of up to 64 KiB is kept in any case
  void EndSegment(const SegmentInfo& segment);
  // All of this at once. `bytes` are the whole of the segment.
  void Add(const SegmentInfo& segment, std::string_view bytes);

  void MoveInto(ExtentCache& cache, uint64_t clears) const;  // `clears`: by now
  // Invalid when it was left out.
  PinnedBlock Find(const Extent& extent) const;
  // Of the segments so far; there are none afterwards.
  std::vector<SegmentKeys> TakeKeys() { return std::exchange(keys_, {}); }
  // Whether all blocks are there.
  bool complete() const { return complete_; }
  uint64_t bytes() const { return bytes_; }  // of the blocks

 private:
  // Invalid without room in the budget.
  PinnedBlock Keep(std::string_view bytes, MemoryUse use) const;

  const uint64_t clears_;
  MemoryBudget* const budget_;
  const MemoryUse use_;
  const uint64_t limit_bytes_;
  std::vector<PinnedBlock> unplaced_;  // of the segment that is being written; invalid: left out
  uint64_t unplaced_bytes_ = 0;
  SegmentKeys unplaced_keys_;
  std::vector<std::pair<Extent, PinnedBlock>> blocks_;
  std::vector<SegmentKeys> keys_;
  uint64_t bytes_ = 0;
  uint64_t keys_bytes_ = 0;
  bool full_ = false;
  bool complete_ = true;
};

}  // namespace isotherm
