// Memory that grows in large chunks and is given back all at once: for structures whose parts live equally long.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/memory_budget.h"
#include "base/sync.h"
#include "isotherm/status.h"

namespace isotherm {

// Thread-safe. Chunks come from the operating system and go back to it, so that a dropped arena leaves nothing behind
// in the process; they ask for huge pages. An arena that has allocated nothing holds nothing.
class Arena {
 public:
  static constexpr size_t kChunkBytes = 4 << 20;

  // Each chunk is reserved from `source` as `use` before it is taken; null: nothing is counted.
  Arena(std::shared_ptr<MemorySource> source, MemoryUse use) : source_(std::move(source)), use_(use) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // `bytes` zeros at an address that is a multiple of `alignment`, a power of two up to 4,096. They stay until the
  // arena goes. More than a chunk's worth gets a chunk of its own size. kResourceExhausted where the source or the
  // operating system refuses: the arena stays as it was.
  Result<std::byte*> Allocate(size_t bytes, size_t alignment);

  // What was allocated, and what the chunks hold.
  uint64_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
  uint64_t chunk_bytes() const { return chunk_bytes_.load(std::memory_order_relaxed); }

 private:
  struct Unmap {
    size_t bytes;
    void operator()(std::byte* memory) const;
  };
  struct Chunk {
    MemoryReservation reservation;  // outlives the memory
    std::unique_ptr<std::byte, Unmap> memory;
  };

  // Requires mutex_.
  Result<std::byte*> AddChunk(size_t bytes);

  // Zeros, aligned to a huge page; null where the system has none. `bytes` is a multiple of a huge page's.
  static std::unique_ptr<std::byte, Unmap> Map(size_t bytes);

  const std::shared_ptr<MemorySource> source_;
  const MemoryUse use_;
  Mutex mutex_;  // guards all below
  std::vector<Chunk> chunks_;
  std::byte* free_ = nullptr;  // the rest of one chunk
  size_t free_bytes_ = 0;
  std::atomic<uint64_t> used_bytes_{0};
  std::atomic<uint64_t> chunk_bytes_{0};
};

}  // namespace isotherm
