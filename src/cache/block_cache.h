// Blocks of any size in RAM, under one byte budget.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

namespace isotherm {

// What a block is known by: 128 bits that its owner derives from the object's name and the offset, so that a look-up
// compares no strings.
struct BlockKey {
  uint64_t high = 0;
  uint64_t low = 0;
  friend bool operator==(const BlockKey&, const BlockKey&) = default;

  static BlockKey Of(std::string_view scope, std::string_view object, uint64_t offset);
};

class BlockCache;
struct BlockHeader;  // reference count, size, then the bytes

// Keeps a block's bytes in place as long as it lives, also past the block's eviction and past the cache itself.
// Movable; use from one thread at a time.
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

  bool valid() const { return header_ != nullptr; }
  std::string_view bytes() const;

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
  uint64_t capacity_bytes = 256 << 20;  // keys, headers and bytes; pinned blocks that were evicted do not count
  EvictionPolicy policy = EvictionPolicy::kS3Fifo;
  // 0: as many as suit the capacity, so that one shard always holds a block of 4 MiB or an eighth of the capacity,
  // whichever is less.
  uint32_t shards = 0;
};

struct BlockCacheStats {
  uint64_t hits = 0, misses = 0, inserts = 0, evictions = 0, rejected = 0;  // rejected: larger than a shard
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
  // Replaces an older block of that key. A block larger than a shard is not kept.
  void Insert(const BlockKey& key, const PinnedBlock& block);
  void Erase(const BlockKey& key);
  BlockCacheStats Stats() const;

 private:
  struct Shard;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace isotherm
