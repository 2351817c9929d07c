// The slabs of one directory: appending extents to the newest, evicting the oldest, reading.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.h"
#include "base/sync.h"
#include "cache/slab_file.h"

namespace isotherm {

// One file. `id` never changes; the rest belongs to the SlabSet.
struct Slab {
  explicit Slab(uint64_t number) : id(number) {}

  const uint64_t id;
  std::vector<SlabEntry> entries;
  uint64_t entries_end = kSlabFileHeaderBytes;
  uint64_t bytes = kEmptySlabBytes;  // the file's size once it is sealed, at least its size now
  std::shared_ptr<File> file;        // null: not open
};

struct SlabLocation {
  std::shared_ptr<Slab> slab;
  uint64_t offset = 0;  // of the extent's bytes
  uint32_t length = 0;
  uint32_t crc32c = 0;
};

// Read, used_bytes and evicted_slabs may be called by any thread at any time, the rest by one at a time.
class SlabSet {
 public:
  // Slabs of 4 MiB, or a quarter of the capacity when that is less. `env` is used by the calls, not by the destructor.
  SlabSet(std::string directory, uint64_t capacity_bytes, Environment* env);

  // Takes over the slabs of the directory, and removes those that are malformed.
  Status Load();
  // Evicts what a smaller capacity no longer admits.
  Status Trim();
  struct PlacedEntry {
    BlockKey key;
    SlabLocation location;
  };
  // Everything, the oldest first.
  std::vector<PlacedEntry> Entries() const;
  // Evicts everything.
  Status Clear();

  bool Fits(uint64_t length) const { return CostOf(length) + kEmptySlabBytes <= capacity_; }
  // `entry` must fit. Evicts the oldest slabs to make room, also when it then fails, and adds them to `evicted`.
  Result<SlabLocation> Append(const SlabEntry& entry, std::string_view bytes,
                              std::vector<std::shared_ptr<Slab>>* evicted);

  // All of the location's bytes into `out`. kNotFound when the slab was evicted, kCorruption when they are not what was
  // written: what `out` holds then is not to be used.
  Status Read(const SlabLocation& location, std::span<char> out);

  uint64_t used_bytes() const { return used_.load(std::memory_order_relaxed); }
  uint64_t evicted_slabs() const { return evicted_.load(std::memory_order_relaxed); }

 private:
  static uint64_t CostOf(uint64_t length) { return length + kSlabEntryOverhead; }
  std::string PathOf(uint64_t id) const;
  bool HasRoom(const Slab& slab, uint64_t length) const;
  Status MakeRoom(uint64_t bytes, std::vector<std::shared_ptr<Slab>>* evicted);
  Status EvictOldest(std::vector<std::shared_ptr<Slab>>* evicted);
  Status CreateOpenSlab();
  Status WriteEntry(const SlabEntry& entry, std::string_view bytes);
  Status SealOpenSlab();
  Result<std::shared_ptr<File>> FileOf(const std::shared_ptr<Slab>& slab);
  void KeepOpen(const std::shared_ptr<Slab>& slab, std::shared_ptr<File> file);

  const std::string directory_;
  const uint64_t capacity_;
  const uint64_t slab_bytes_;
  Environment* const env_;

  std::deque<std::shared_ptr<Slab>> slabs_;  // oldest first
  std::shared_ptr<Slab> open_slab_;          // takes the next extent; may be null
  std::shared_ptr<File> open_file_;          // of the open slab, for writing
  uint64_t next_id_ = 1;
  std::atomic<uint64_t> used_{0};  // the sum of the slabs' bytes
  std::atomic<uint64_t> evicted_{0};

  Mutex files_mutex_;                                // guards Slab::file of all slabs, and:
  std::deque<std::weak_ptr<Slab>> slabs_with_file_;  // in the order in which they got it
};

}  // namespace isotherm
