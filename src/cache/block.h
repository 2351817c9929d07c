// The memory of a block: a header line among all others' headers, and the bytes.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/memory_budget.h"
#include "cache/block_cache.h"

namespace isotherm {

inline constexpr size_t kBlockAlignment = 64;

// All that a look-up touches of a block is in this one cache line. It does not lie beside the bytes: the headers of a
// gigabyte of small blocks, side by side, stay within the reach of the processor's caches and of its TLB.
struct alignas(kBlockAlignment) BlockHeader {
  std::atomic<uint32_t> references{1};  // pins, and one of the cache that holds it
  std::atomic<bool> cached{false};      // some cache holds it: frequency, queue, key, newer, older are its shard's
  uint8_t padding = 0;                  // from the start of the bytes' allocation to the bytes
  uint8_t frequency = 0;                // hits since it entered its queue, at most 3
  uint8_t queue = 0;
  uint64_t size = 0;      // never changes
  char* bytes = nullptr;  // nor does this
  BlockKey key;
  BlockHeader* newer = nullptr;
  BlockHeader* older = nullptr;
  std::atomic<MemoryReservation*> charge{nullptr};  // the block's own, set at most once; its use belongs to the shard
};
static_assert(sizeof(BlockHeader) == kBlockAlignment);

// With one reference, the caller's.
BlockHeader* AllocateBlock(size_t size);

// What a block of `size` bytes takes of memory.
inline uint64_t BlockFootprint(uint64_t size) {
  constexpr uint64_t kAllocatorOverhead = 16;
  constexpr uint64_t kMaxPadding = kBlockAlignment - alignof(std::max_align_t);
  return sizeof(BlockHeader) + size + kMaxPadding + kAllocatorOverhead;
}

inline void AddReference(BlockHeader* block) { block->references.fetch_add(1, std::memory_order_relaxed); }
// True when it was the last one, and the memory is free.
bool DropReference(BlockHeader* block);

}  // namespace isotherm
