// The indexes of a cache's shard: which blocks are here, and which were here lately.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cache/block.h"

namespace isotherm {

// Open addressing with linear probing: a look-up touches one line of the table, seldom two, and then the block's
// header. Not thread-safe, but for Prefetch.
class BlockTable {
 public:
  static constexpr size_t kMinSlots = 16;

  size_t size() const { return size_; }
  uint64_t bytes() const { return slots_.size() * sizeof(Slot); }
  static uint64_t BytesFor(size_t slots) { return slots * sizeof(Slot); }
  size_t slots() const { return slots_.size(); }
  bool full() const { return size_ * 4 >= slots_.size() * 3; }

  // Begins to load what Find will touch first. May be called while another thread changes the table: the wrong line
  // loaded does no harm.
  void Prefetch(uint64_t hash) const { __builtin_prefetch(first_.load(kRelaxed) + (hash & mask_.load(kRelaxed))); }

  BlockHeader* Find(uint64_t hash, const BlockKey& key) const {
    const Slot* slots = first_.load(kRelaxed);
    if (slots == nullptr) return nullptr;
    size_t mask = mask_.load(kRelaxed);
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
      const Slot& slot = slots[i];
      if (slot.block == nullptr) return nullptr;
      if (slot.hash == hash && slot.block->key == key) return slot.block;
    }
  }

  // The key must not be here, and the table not full.
  void Insert(uint64_t hash, BlockHeader* block) {
    size_t mask = mask_.load(kRelaxed);
    size_t i = hash & mask;
    while (slots_[i].block != nullptr) i = (i + 1) & mask;
    slots_[i] = {hash, block};
    ++size_;
  }

  // The block must be here.
  void Erase(uint64_t hash, const BlockHeader* block) {
    size_t mask = mask_.load(kRelaxed);
    size_t hole = hash & mask;
    while (slots_[hole].block != block) hole = (hole + 1) & mask;
    // Moves back what probing would no longer find beyond the hole, so that no tombstones are needed.
    for (size_t i = (hole + 1) & mask; slots_[i].block != nullptr; i = (i + 1) & mask) {
      size_t home = slots_[i].hash & mask;
      if (((i - home) & mask) < ((i - hole) & mask)) continue;
      slots_[hole] = slots_[i];
      hole = i;
    }
    slots_[hole] = {};
    --size_;
  }

  // `slots`: a power of two.
  void Resize(size_t slots) {
    std::vector<Slot> old(slots);
    old.swap(slots_);
    first_.store(slots_.data(), kRelaxed);
    mask_.store(slots - 1, kRelaxed);
    size_ = 0;
    for (const Slot& slot : old) {
      if (slot.block != nullptr) Insert(slot.hash, slot.block);
    }
  }

 private:
  static constexpr auto kRelaxed = std::memory_order_relaxed;
  struct Slot {
    uint64_t hash = 0;
    BlockHeader* block = nullptr;  // null: free
  };
  std::atomic<const Slot*> first_{nullptr};  // of slots_
  std::atomic<size_t> mask_{0};              // how many there are, less one
  size_t size_ = 0;
  std::vector<Slot> slots_;
};

// The blocks that were evicted last, by 32 bits of their hash. Approximate: it may forget one early, or take another
// for one that it knows (once in some 10^5 questions). Not thread-safe.
class GhostQueue {
 public:
  uint64_t bytes() const { return entries_.size() * sizeof(Entry); }
  static uint64_t BytesFor(size_t entries) { return entries * sizeof(Entry); }

  void Add(uint64_t hash) {
    if (entries_.empty()) return;
    Put({Fingerprint(hash), ++now_});
  }

  // Whether `hash` is among the last `length` added; forgets it.
  bool Remove(uint64_t hash, size_t length) {
    if (entries_.empty()) return false;
    Entry* bucket = BucketOf(Fingerprint(hash));
    for (size_t i = 0; i < kBucket; ++i) {
      if (bucket[i].time == 0 || bucket[i].fingerprint != Fingerprint(hash)) continue;
      bool recent = now_ - bucket[i].time < length;
      bucket[i] = {};
      return recent;
    }
    return false;
  }

  // `entries`: a power of two, at least 16.
  void Resize(size_t entries) {
    std::vector<Entry> old(entries);
    old.swap(entries_);
    std::sort(old.begin(), old.end(), [](const Entry& a, const Entry& b) { return a.time < b.time; });
    for (const Entry& entry : old) {
      if (entry.time != 0) Put(entry);
    }
  }

 private:
  static constexpr size_t kBucket = 8;  // one cache line
  struct Entry {
    uint32_t fingerprint = 0;
    uint32_t time = 0;  // 0: free
  };

  // Not the top bits, which are the same for all blocks of a shard.
  static uint32_t Fingerprint(uint64_t hash) { return static_cast<uint32_t>(hash >> 16); }
  Entry* BucketOf(uint32_t fingerprint) { return &entries_[fingerprint % (entries_.size() / kBucket) * kBucket]; }

  void Put(Entry entry) {
    Entry* bucket = BucketOf(entry.fingerprint);
    *std::min_element(bucket, bucket + kBucket, [](const Entry& a, const Entry& b) { return a.time < b.time; }) = entry;
  }

  std::vector<Entry> entries_;
  uint32_t now_ = 0;
};

}  // namespace isotherm
