#include "cache/block_cache.h"

#include <algorithm>
#include <bit>
#include <mutex>
#include <utility>

#include "cache/block.h"
#include "cache/block_hash.h"
#include "cache/block_queue.h"
#include "cache/block_table.h"

namespace isotherm {

namespace {

// References that are dropped when the shard's lock is no longer held: freeing a large block takes long.
class Removed {
 public:
  Removed() = default;
  Removed(const Removed&) = delete;
  Removed& operator=(const Removed&) = delete;
  ~Removed() {
    while (first_ != nullptr) {
      BlockHeader* block = std::exchange(first_, first_->older);
      block->older = nullptr;
      block->cached.store(false, std::memory_order_release);
      DropReference(block);
    }
  }

  void Add(BlockHeader* block) {
    block->older = first_;
    first_ = block;
  }

 private:
  BlockHeader* first_ = nullptr;
};

constexpr uint8_t kMaxFrequency = 3;

}  // namespace

// One lock, one table, one share of the capacity. LRU has the main queue only.
class alignas(kBlockAlignment) BlockCache::Shard {
 public:
  void Configure(uint64_t limit_bytes, EvictionPolicy policy) {
    limit_ = limit_bytes;
    small_share_ = limit_bytes / 10;
    policy_ = policy;
  }

  ~Shard() {
    Removed removed;
    for (BlockQueue* queue : {&small_, &main_}) {
      while (queue->oldest() != nullptr) Remove(queue->oldest(), removed);
    }
  }

  // With a reference for the caller, or null.
  BlockHeader* Lookup(uint64_t hash, const BlockKey& key) {
    table_.Prefetch(hash);
    std::lock_guard lock(mutex_);
    BlockHeader* block = table_.Find(hash, key);
    if (block == nullptr) {
      ++stats_.misses;
      return nullptr;
    }
    AddReference(block);
    ++stats_.hits;
    if (policy_ == EvictionPolicy::kLru) {
      main_.Remove(block);
      main_.PushNewest(block);
    } else if (block->frequency < kMaxFrequency) {
      ++block->frequency;
    }
    return block;
  }

  // Takes over the caller's reference to a block whose `cached` the caller has set.
  void Insert(uint64_t hash, const BlockKey& key, BlockHeader* block) {
    Removed removed;
    std::lock_guard lock(mutex_);
    if (BlockHeader* old = table_.Find(hash, key); old != nullptr) Remove(old, removed);
    if (!MakeRoom(BlockFootprint(block->size), removed)) {
      ++stats_.rejected;
      removed.Add(block);
      return;
    }
    block->key = key;
    block->frequency = 0;
    bool seen_lately = policy_ == EvictionPolicy::kLru || ghosts_.Remove(hash, table_.size());
    block->queue = seen_lately ? kMain : kSmall;
    QueueOf(block).PushNewest(block);
    table_.Insert(hash, block);
    ++stats_.inserts;
  }

  void Erase(uint64_t hash, const BlockKey& key) {
    Removed removed;
    std::lock_guard lock(mutex_);
    if (BlockHeader* block = table_.Find(hash, key); block != nullptr) Remove(block, removed);
  }

  // Whether that very block is what the key gives.
  bool Holds(uint64_t hash, const BlockKey& key, const BlockHeader* block) {
    std::lock_guard lock(mutex_);
    return table_.Find(hash, key) == block;
  }

  void AddTo(BlockCacheStats& total) const {
    std::lock_guard lock(mutex_);
    total.hits += stats_.hits;
    total.misses += stats_.misses;
    total.inserts += stats_.inserts;
    total.evictions += stats_.evictions;
    total.rejected += stats_.rejected;
    total.used_bytes += UsedBytes();
    total.blocks += table_.size();
  }

 private:
  enum Queue : uint8_t { kSmall, kMain };

  BlockQueue& QueueOf(const BlockHeader* block) { return block->queue == kSmall ? small_ : main_; }
  uint64_t UsedBytes() const { return small_.bytes() + main_.bytes() + table_.bytes() + ghosts_.bytes(); }

  // As many ghosts as slots: three quarters of them, the most blocks there can be, then fit without crowding a bucket.
  size_t SlotsAfterGrowth() const { return std::max(table_.slots() * 2, BlockTable::kMinSlots); }
  uint64_t GrowthBytes() const {
    if (!table_.full()) return 0;
    return BlockTable::BytesFor(SlotsAfterGrowth()) +
           (policy_ == EvictionPolicy::kLru ? 0 : GhostQueue::BytesFor(SlotsAfterGrowth()));
  }

  void Remove(BlockHeader* block, Removed& removed) {
    QueueOf(block).Remove(block);
    table_.Erase(HashOf(block->key), block);
    removed.Add(block);
  }

  // Room for `bytes` more and a table that takes one more. While a table grows, the old and the new one both count.
  bool MakeRoom(uint64_t bytes, Removed& removed) {
    if (bytes + table_.bytes() + ghosts_.bytes() > limit_) return false;
    while (UsedBytes() + bytes + GrowthBytes() > limit_) {
      BlockHeader* victim = NextVictim();
      if (victim == nullptr) return false;
      ++stats_.evictions;
      Remove(victim, removed);
    }
    if (table_.full()) {
      size_t slots = SlotsAfterGrowth();
      table_.Resize(slots);
      if (policy_ == EvictionPolicy::kS3Fifo) ghosts_.Resize(slots);
    }
    return true;
  }

  BlockHeader* NextVictim() {
    if (policy_ == EvictionPolicy::kLru) return main_.oldest();
    while (table_.size() > 0) {
      if (small_.size() > 0 && (small_.bytes() >= small_share_ || main_.size() == 0)) {
        BlockHeader* block = small_.oldest();
        if (block->frequency <= 1) {
          ghosts_.Add(HashOf(block->key));
          return block;
        }
        MoveToMain(block, 0);
      } else {
        BlockHeader* block = main_.oldest();
        if (block->frequency == 0) return block;
        MoveToMain(block, block->frequency - 1);
      }
    }
    return nullptr;
  }

  void MoveToMain(BlockHeader* block, int frequency) {
    QueueOf(block).Remove(block);
    block->queue = kMain;
    block->frequency = static_cast<uint8_t>(frequency);
    main_.PushNewest(block);
  }

  // In this order a look-up touches the first two cache lines only.
  BlockTable table_;
  mutable std::mutex mutex_;
  EvictionPolicy policy_ = EvictionPolicy::kS3Fifo;
  BlockCacheStats stats_;
  BlockQueue small_;
  BlockQueue main_;
  GhostQueue ghosts_;
  uint64_t limit_ = 0;
  uint64_t small_share_ = 0;
};

BlockCache::BlockCache(const BlockCacheOptions& options) {
  constexpr uint64_t kLargeBlock = 4 << 20;
  constexpr uint64_t kMaxShards = 64;
  constexpr uint64_t kMaxAskedShards = 1 << 16;
  uint64_t count = options.shards;
  if (count == 0) {
    // Twice the block that must fit: the rest is for the tables and for what is there beside it.
    uint64_t must_fit = std::min(kLargeBlock, options.capacity_bytes / 8);
    count = std::clamp<uint64_t>(std::bit_floor(options.capacity_bytes / std::max<uint64_t>(2 * must_fit, 1)), 1,
                                 kMaxShards);
  }
  shard_count_ = static_cast<uint32_t>(std::bit_ceil(std::min(count, kMaxAskedShards)));
  shards_ = std::make_unique<Shard[]>(shard_count_);
  for (uint32_t i = 0; i < shard_count_; ++i) {
    shards_[i].Configure(options.capacity_bytes / shard_count_, options.policy);
  }
}

BlockCache::~BlockCache() = default;

// The hash's upper bits choose the shard, the lower ones the place in its table.
BlockCache::Shard& BlockCache::ShardOf(uint64_t hash) const { return shards_[(hash >> 32) & (shard_count_ - 1)]; }

PinnedBlock BlockCache::Lookup(const BlockKey& key) {
  uint64_t hash = HashOf(key);
  return PinnedBlock(ShardOf(hash).Lookup(hash, key));
}

void BlockCache::Insert(const BlockKey& key, const PinnedBlock& block) {
  if (!block.valid()) return;
  uint64_t hash = HashOf(key);
  Shard& shard = ShardOf(hash);
  PinnedBlock mine = block;
  if (mine.header_->cached.exchange(true, std::memory_order_acquire)) {
    if (shard.Holds(hash, key, mine.header_)) return;
    mine = PinnedBlock::Copy(block.bytes());
    mine.header_->cached.store(true, std::memory_order_relaxed);
  }
  shard.Insert(hash, key, std::exchange(mine.header_, nullptr));
}

void BlockCache::Erase(const BlockKey& key) {
  uint64_t hash = HashOf(key);
  ShardOf(hash).Erase(hash, key);
}

BlockCacheStats BlockCache::Stats() const {
  BlockCacheStats total;
  for (uint32_t i = 0; i < shard_count_; ++i) shards_[i].AddTo(total);
  return total;
}

}  // namespace isotherm
