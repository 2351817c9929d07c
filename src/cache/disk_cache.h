// Extents on a local disk: append-only slabs of 4 MiB that hold extents of any size, written behind the query's back,
// kept across restarts, believed only after their checksum was verified.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/environment.h"
#include "cache/block_cache.h"
#include "isotherm/status.h"

namespace isotherm {

struct DiskCacheOptions {
  std::string directory;
  uint64_t capacity_bytes = uint64_t{8} << 30;
  uint64_t max_pending_bytes = 64 << 20;  // extents waiting to be written; more are not cached
};

struct DiskCacheStats {
  uint64_t hits = 0, misses = 0, inserts = 0, dropped = 0, corrupt = 0, evicted_slabs = 0;
  uint64_t used_bytes = 0;  // size of all slab files
  bool writing = true;      // false after the disk refused a write: the cache then only reads
};

// Thread-safe. One process has a directory open for writing at a time (others get kConflict and go without).
// Not fork-safe.
class DiskCache {
 public:
  // Reads the slabs' directories that an earlier process left; anything malformed is dropped, never an error.
  static Result<std::unique_ptr<DiskCache>> Open(const DiskCacheOptions& options, std::shared_ptr<Environment> env);
  // Waits for pending writes.
  ~DiskCache();

  // The extent, if it is here and its bytes match `length` and `crc32c`; else an invalid block. A copy that does not
  // match is forgotten.
  PinnedBlock Lookup(const BlockKey& key, uint32_t length, uint32_t crc32c);
  // Returns at once; the write happens on the executor. A failed write turns writing off until reopened.
  void Insert(const BlockKey& key, const PinnedBlock& block, uint32_t crc32c);

  // A small value under a name that may be replaced, kept across restarts (a hint: which routing object was used last).
  void PutHint(std::string_view name, std::string_view value);
  std::string GetHint(std::string_view name);  // empty when there is none

  // Returns when all that was inserted before is written (or was refused).
  void Flush();
  DiskCacheStats Stats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace isotherm
