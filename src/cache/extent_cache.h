// The read path of every immutable extent: RAM, then local disk, then the store.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.h"
#include "cache/block_cache.h"
#include "cache/disk_cache.h"
#include "isotherm/blob_store.h"
#include "isotherm/context.h"
#include "isotherm/status.h"

namespace isotherm {

// A run of bytes of an immutable object, with the checksum that the object's directory records for it.
struct Extent {
  std::string object;
  uint64_t offset = 0;
  uint32_t length = 0;
  uint32_t crc32c = 0;
};

struct FetchOptions {
  // Missing extents of one object with at most this many bytes between them are read by one request.
  uint32_t max_gap_bytes = 160 << 10;
  // At most this many requests, merging across the smallest gaps first; 0: no limit.
  uint32_t max_requests = 0;
  bool fill_cache = true;  // false for compaction and other one-time scans
};

struct FetchedExtent {
  Status status;
  PinnedBlock block;  // valid on ok: the bytes stay where they are as long as this lives
};

struct FetchCounts {
  uint64_t ram_hits = 0, disk_hits = 0, misses = 0;
  uint64_t ram_bytes = 0, disk_bytes = 0, store_bytes = 0;  // store_bytes includes gaps that were read through
  void Add(const FetchCounts& other);
};

// Thread-safe. Not fork-safe.
class ExtentCache {
 public:
  // `disk` may be null. `store` must outlive the cache. `scope` tells this collection's objects from others in a
  // shared disk cache.
  ExtentCache(std::shared_ptr<BlobStore> store, std::shared_ptr<BlockCache> ram, std::shared_ptr<DiskCache> disk,
              std::shared_ptr<Environment> env, std::string scope);
  ~ExtentCache();

  // results[i] answers extents[i]. One wave of requests to the store at most. Every extent that comes from disk or
  // store is checked against its crc32c: a bad disk copy is dropped and refetched, bad bytes from the store are
  // fetched once more (a damaged answer) and are then kCorruption naming object and offset. Extents that another call is
  // fetching at this moment are waited for, not fetched again (single flight); a waiter whose deadline passes or that is
  // cancelled leaves by itself, and a failed fetch fails only those that waited for it.
  std::vector<FetchedExtent> Fetch(const Context& context, std::span<const Extent> extents, const FetchOptions& options,
                                   FetchCounts* counts);

  // Totals since the start.
  FetchCounts Totals() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace isotherm
