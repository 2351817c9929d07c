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
  ~Removed() { Drop(); }

  // Returns how much it gave back to the budget.
  uint64_t Drop() {
    uint64_t freed = 0;
    while (first_ != nullptr) {
      BlockHeader* block = std::exchange(first_, first_->older);
      block->older = nullptr;
      MemoryReservation* charge = block->charge.load(std::memory_order_acquire);
      uint64_t charged = charge != nullptr ? charge->bytes() : 0;
      // Whoever still holds it pays for it.
      if (charge != nullptr && block->references.load(std::memory_order_relaxed) > 1) charge->SetUse(MemoryUse::kQuery);
      block->cached.store(false, std::memory_order_release);
      if (DropReference(block)) freed += charged;
    }
    return freed;
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

  ~Shard() { Clear(); }

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

  // What a larger table takes, when the next block needs one.
  uint64_t GrowthNeeded() {
    std::lock_guard lock(mutex_);
    return GrowthBytes();
  }

  bool MayHold(uint64_t size) const { return BlockFootprint(size) <= limit_; }

  void Reject(uint64_t hash, const BlockKey& key) {
    Erase(hash, key);
    std::lock_guard lock(mutex_);
    ++stats_.rejected;
  }

  // Takes over the caller's reference to a block whose `cached` the caller has set. `growth`: what is reserved for a
  // larger table, and afterwards what may be released; null: nothing needs to be. Never reserves or releases while the
  // lock is held.
  void Insert(uint64_t hash, const BlockKey& key, BlockHeader* block, MemoryReservation* growth) {
    Removed removed;
    std::lock_guard lock(mutex_);
    if (BlockHeader* old = table_.Find(hash, key); old != nullptr) Remove(old, removed);
    if (!MakeRoom(BlockFootprint(block->size), growth, removed)) {
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

  // Evicts until it has given `wanted` bytes back to the budget, and returns how many it gave.
  uint64_t Evict(uint64_t wanted) {
    uint64_t freed = 0;
    for (bool more = true; more && freed < wanted;) {
      Removed removed;
      {
        std::lock_guard lock(mutex_);
        uint64_t expected = freed;
        while (expected < wanted) {
          BlockHeader* victim = NextVictim();
          more = victim != nullptr;
          if (!more) break;
          expected += PinnedBlock::MemoryOf(victim->size);
          ++stats_.evictions;
          Remove(victim, removed);
        }
      }
      freed += removed.Drop();
    }
    return freed;
  }

  void Clear() {
    Removed removed;
    std::lock_guard lock(mutex_);
    for (BlockQueue* queue : {&small_, &main_}) {
      while (queue->oldest() != nullptr) Remove(queue->oldest(), removed);
    }
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
  bool MakeRoom(uint64_t bytes, MemoryReservation* growth, Removed& removed) {
    if (bytes + table_.bytes() + ghosts_.bytes() > limit_) return false;
    while (UsedBytes() + bytes + GrowthBytes() > limit_ || (growth != nullptr && GrowthBytes() > growth->bytes())) {
      BlockHeader* victim = NextVictim();
      if (victim == nullptr) return false;
      ++stats_.evictions;
      Remove(victim, removed);
    }
    if (table_.full()) {
      size_t slots = SlotsAfterGrowth();
      table_.Resize(slots);
      if (policy_ == EvictionPolicy::kS3Fifo) ghosts_.Resize(slots);
      if (growth != nullptr) std::swap(tables_, *growth);
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
  MemoryReservation tables_;  // of table and ghosts
};

BlockCache::BlockCache(const BlockCacheOptions& options) : budget_(options.budget) {
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
  if (budget_ != nullptr) reclaimer_ = budget_->AddReclaimer([this](uint64_t wanted) { return GiveBack(wanted); });
}

BlockCache::~BlockCache() = default;

// The hash's upper bits choose the shard, the lower ones the place in its table.
BlockCache::Shard& BlockCache::ShardOf(uint64_t hash) const { return shards_[(hash >> 32) & (shard_count_ - 1)]; }

PinnedBlock BlockCache::Lookup(const BlockKey& key) {
  uint64_t hash = HashOf(key);
  return PinnedBlock(ShardOf(hash).Lookup(hash, key));
}

std::optional<MemoryReservation> BlockCache::ReserveFor(uint64_t size) const {
  if (budget_ == nullptr) return MemoryReservation();
  auto reserved = budget_->Reserve(MemoryUse::kBlockCache, PinnedBlock::MemoryOf(size));
  if (!reserved.ok()) return std::nullopt;
  return std::move(*reserved);
}

void BlockCache::Insert(const BlockKey& key, const PinnedBlock& block) {
  if (!block.valid()) return;
  uint64_t hash = HashOf(key);
  Shard& shard = ShardOf(hash);
  uint64_t size = block.bytes().size();
  if (block.header_->cached.load(std::memory_order_acquire) && shard.Holds(hash, key, block.header_)) return;
  if (!shard.MayHold(size) || (budget_ != nullptr && budget_->contended())) return shard.Reject(hash, key);
  PinnedBlock mine = block;
  if (mine.header_->cached.exchange(true, std::memory_order_acquire)) {
    std::optional<MemoryReservation> memory = ReserveFor(size);
    if (!memory.has_value()) return shard.Reject(hash, key);
    mine = PinnedBlock::Copy(block.bytes());
    mine.Charge(std::move(*memory));
    mine.header_->cached.store(true, std::memory_order_relaxed);
  } else if (mine.charged()) {
    mine.header_->charge.load(std::memory_order_relaxed)->SetUse(MemoryUse::kBlockCache);
  } else {
    std::optional<MemoryReservation> memory = ReserveFor(size);
    if (!memory.has_value()) {
      mine.header_->cached.store(false, std::memory_order_release);
      return shard.Reject(hash, key);
    }
    mine.Charge(std::move(*memory));
  }
  MemoryReservation growth;
  if (uint64_t needed = budget_ != nullptr ? shard.GrowthNeeded() : 0; needed > 0) {
    auto reserved = budget_->Reserve(MemoryUse::kBlockCache, needed);
    if (reserved.ok()) growth = std::move(*reserved);
  }
  shard.Insert(hash, key, std::exchange(mine.header_, nullptr), budget_ != nullptr ? &growth : nullptr);
}

// From all shards alike.
uint64_t BlockCache::GiveBack(uint64_t wanted) {
  uint64_t share = wanted / shard_count_ + 1;
  uint64_t freed = 0;
  for (bool more = true; more && freed < wanted;) {
    more = false;
    for (uint32_t i = 0; i < shard_count_ && freed < wanted; ++i) {
      Shard& shard = shards_[next_to_give_.fetch_add(1, std::memory_order_relaxed) & (shard_count_ - 1)];
      uint64_t given = shard.Evict(std::min(share, wanted - freed));
      freed += given;
      more = more || given > 0;
    }
  }
  return freed;
}

void BlockCache::Erase(const BlockKey& key) {
  uint64_t hash = HashOf(key);
  ShardOf(hash).Erase(hash, key);
}

void BlockCache::Clear() {
  clears_.fetch_add(1, std::memory_order_acq_rel);
  for (uint32_t i = 0; i < shard_count_; ++i) shards_[i].Clear();
}

BlockCacheStats BlockCache::Stats() const {
  BlockCacheStats total;
  for (uint32_t i = 0; i < shard_count_; ++i) shards_[i].AddTo(total);
  return total;
}

}  // namespace isotherm
