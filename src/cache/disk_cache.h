// Extents on a local disk: append-only slabs of 4 MiB that hold extents of any size, written behind the query's back,
// kept across restarts, believed only after their checksum was verified.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/environment.h"
#include "base/memory_budget.h"
#include "cache/block_cache.h"
#include "isotherm/status.h"

namespace isotherm {

struct DiskCacheOptions {
  std::string directory;
  uint64_t capacity_bytes = uint64_t{8} << 30;
  uint64_t max_pending_bytes = 64 << 20;  // extents waiting to be written; more are not cached
  // Null: nothing is reserved. Else what is looked up, what waits to be written and the index are charged to it: what
  // does not fit is not found, or not kept. What waits makes room for whoever else needs memory.
  std::shared_ptr<MemoryBudget> budget = nullptr;
};

struct DiskCacheStats {
  uint64_t hits = 0, misses = 0;
  uint64_t inserts = 0;  // taken over to be written
  uint64_t dropped = 0;  // refused, or lost because a write failed
  uint64_t corrupt = 0;  // looked up, and the bytes could not be read or did not match
  uint64_t evicted_slabs = 0;
  uint64_t used_bytes = 0;  // size of all files
  bool writing = true;      // false after the disk refused a write, or Close: the cache then only reads
};

// Thread-safe. One DiskCache has a directory open at a time, in whatever process. Not fork-safe.
class DiskCache {
 public:
  // Reads the slabs' directories that an earlier process left; anything malformed is dropped, never an error.
  // kConflict when another DiskCache has the directory: the caller goes without.
  static Result<std::unique_ptr<DiskCache>> Open(const DiskCacheOptions& options, std::shared_ptr<Environment> env);
  // Closes it.
  ~DiskCache();

  // The extent, if it is here and its bytes match `length` and `crc32c`; else an invalid block. A copy that does not
  // match is forgotten. The caller must hold no lock that a reclaimer of the budget takes.
  PinnedBlock Lookup(const BlockKey& key, uint32_t length, uint32_t crc32c);
  // The write happens on the executor. An extent that is here is not written again. A failed write turns writing off
  // until reopened. The same holds of locks as for Lookup.
  void Insert(const BlockKey& key, const PinnedBlock& block, uint32_t crc32c);

  // A small value under a name that may be replaced, kept across restarts (a hint: which routing object was used last).
  // All hints together take at most 256 KiB, or 1/64 of the capacity when that is less; the oldest make room.
  void PutHint(std::string_view name, std::string_view value);
  std::string GetHint(std::string_view name);  // empty when there is none

  // Returns when all that was inserted before is written (or was refused).
  void Flush();
  // Returns when the files of all that was inserted before are removed; hints stay. On an error some may be left, and
  // writing is turned off.
  Status Clear();
  // Flushes, and lets others have the directory: from then on this one only reads. Clear is kClosed.
  void Close();
  DiskCacheStats Stats() const;

 private:
  struct State;
  DiskCache(std::shared_ptr<State> state, std::shared_ptr<Environment> env);

  const std::shared_ptr<Environment> env_;
  const std::shared_ptr<State> state_;  // shared with the writing task, which may start after all is done
  MemoryBudget::ReclaimerRegistration reclaimer_;
};

}  // namespace isotherm
