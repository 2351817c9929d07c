// Blocks of any size in RAM, under one byte budget.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/memory_budget.h"

namespace isotherm {

// What a block is known by: 128 bits that its owner derives from the object's name and the offset, so that a look-up
// compares no strings.
struct BlockKey {
  uint64_t high = 0;
  uint64_t low = 0;
  friend bool operator==(const BlockKey&, const BlockKey&) = default;

  // The same for the same three values in every process and version (keys are kept on disk), and evenly distributed.
  // Not for keys that an adversary chooses.
  static BlockKey Of(std::string_view scope, std::string_view object, uint64_t offset);
};

class BlockCache;
struct BlockHeader;  // reference count, size, then the bytes

// Keeps a block's bytes in place as long as it lives, also past the block's eviction and past the cache itself. The
// bytes begin on a multiple of 64. Movable, copies share the bytes; use one PinnedBlock from one thread at a time.
class PinnedBlock {
 public:
  PinnedBlock() = default;
  PinnedBlock(PinnedBlock&& other) noexcept;
  PinnedBlock& operator=(PinnedBlock&& other) noexcept;
  PinnedBlock(const PinnedBlock& other);
  PinnedBlock& operator=(const PinnedBlock& other);
  ~PinnedBlock();

  // A block that no cache knows (yet), of its own copy of `bytes`.
  static PinnedBlock Copy(std::string_view bytes);
  // A block of `size` bytes that the caller fills through `*bytes` before it hands the block on.
  static PinnedBlock ForFilling(size_t size, std::span<char>* bytes);

  bool valid() const { return header_ != nullptr; }
  std::string_view bytes() const;  // empty when not valid

  // What a block of `size` bytes takes of a memory budget.
  static uint64_t MemoryOf(uint64_t size);
  // The block keeps the reservation until its bytes are freed, unless it has one already: then this one is released.
  // Thread-safe.
  void Charge(MemoryReservation reservation) const;
  bool charged() const;

 private:
  friend class BlockCache;
  explicit PinnedBlock(BlockHeader* header) : header_(header) {}
  BlockHeader* header_ = nullptr;
};

enum class EvictionPolicy : uint8_t {
  kS3Fifo,  // Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023
  kLru,
};

struct BlockCacheOptions {
  uint64_t capacity_bytes = 256 << 20;  // tables, headers and bytes; pinned blocks that were evicted do not count
  EvictionPolicy policy = EvictionPolicy::kS3Fifo;
  // 0: as many as suit the capacity, so that one shard always holds a block of 4 MiB or an eighth of the capacity,
  // whichever is less. Else rounded up to a power of two.
  uint32_t shards = 0;
  // Null: nothing is reserved. Else every block here is charged to it, as are the tables; over it blocks are not kept,
  // and the oldest make room for whoever else needs memory.
  std::shared_ptr<MemoryBudget> budget = nullptr;
};

struct BlockCacheStats {
  uint64_t hits = 0, misses = 0, inserts = 0, evictions = 0;
  uint64_t rejected = 0;  // larger than a shard, or there was no memory
  uint64_t used_bytes = 0;
  uint64_t blocks = 0;
};

// Thread-safe. Never holds more than its capacity, whatever the load.
class BlockCache {
 public:
  explicit BlockCache(const BlockCacheOptions& options);
  ~BlockCache();

  // Invalid when absent. Allocates nothing.
  PinnedBlock Lookup(const BlockKey& key);
  // Replaces an older block of that key. A block larger than a shard is not kept, nor is any while somebody waits for
  // memory. The bytes are shared with `block`, unless some cache holds them already under another key: then they are
  // copied. The caller must hold no lock that a reclaimer of the budget takes.
  void Insert(const BlockKey& key, const PinnedBlock& block);
  void Erase(const BlockKey& key);
  // Everything that was inserted before.
  void Clear();
  // How often it was cleared: what was read before the last time is not to be inserted any more.
  uint64_t clears() const { return clears_.load(std::memory_order_acquire); }
  BlockCacheStats Stats() const;

 private:
  class Shard;
  Shard& ShardOf(uint64_t hash) const;
  // Absent: there is no memory for it.
  std::optional<MemoryReservation> ReserveFor(uint64_t size) const;
  uint64_t GiveBack(uint64_t wanted);

  const std::shared_ptr<MemoryBudget> budget_;
  std::unique_ptr<Shard[]> shards_;
  uint32_t shard_count_ = 0;
  std::atomic<uint32_t> next_to_give_{0};
  std::atomic<uint64_t> clears_{0};
  MemoryBudget::ReclaimerRegistration reclaimer_;  // ends first
};

}  // namespace isotherm
