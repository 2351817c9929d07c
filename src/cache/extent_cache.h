// The read path of every immutable extent: RAM, then local disk, then the store.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.h"
#include "base/memory_budget.h"
#include "cache/block_cache.h"
#include "cache/disk_cache.h"
#include "isotherm/blob_store.h"
#include "isotherm/context.h"
#include "isotherm/metrics.h"
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
  // At most this many requests, merging across the smallest gaps first, or one for each object when there are more
  // objects; 0: no limit.
  uint32_t max_requests = 0;
  // Without max_requests, a run of extents of more than this is read by several requests at once: a connection has but
  // so much bandwidth. One extent is never cut. 0: no limit.
  uint32_t max_request_bytes = 1 << 20;
  bool fill_cache = true;                    // false for compaction and other one-time scans
  MemoryUse memory_use = MemoryUse::kQuery;  // what is read from the store counts as this until a cache takes it
  bool waits_for_memory = false;             // up to 3 s, where the budget has no room
};

struct FetchedExtent {
  Status status;
  PinnedBlock block;  // valid on ok: the bytes stay where they are as long as this lives
};

// Every extent asked for counts once: where its bytes came from or, of one that failed, how far the search went.
struct FetchCounts {
  uint64_t ram_hits = 0, disk_hits = 0;
  uint64_t misses = 0;  // asked from the store
  uint64_t joined = 0;  // waited for another call, or for an equal extent of the same one
  // ram and disk: of the hits. store: all that its answers held, with the gaps that were read through and what was
  // fetched again.
  uint64_t ram_bytes = 0, disk_bytes = 0, store_bytes = 0;
  uint64_t requests = 0;  // to the store
  void Add(const FetchCounts& other);
  void AddTo(Metrics& metrics) const;
};

// Thread-safe. Not fork-safe.
class ExtentCache {
 public:
  // `disk` may be null. `store` must outlive the cache. `scope` tells this collection's objects from others in a
  // shared disk cache. `budget` may be null; else it is charged with what is read from the store, as long as that is
  // in memory. `metrics` may be null too.
  ExtentCache(std::shared_ptr<BlobStore> store, std::shared_ptr<BlockCache> ram, std::shared_ptr<DiskCache> disk,
              std::shared_ptr<Environment> env, std::string scope, std::shared_ptr<MemoryBudget> budget = nullptr,
              std::shared_ptr<Metrics> metrics = nullptr);
  ~ExtentCache();

  // results[i] answers extents[i]. One wave of requests to the store at most, and a second one for what came damaged.
  //
  // Every extent that comes from disk or store is checked against its crc32c: a bad disk copy is dropped and refetched,
  // bad or missing bytes from the store are fetched once more and are then kCorruption naming object and offset; an
  // object that ends before the extent is kCorruption too. What does not fit into the budget is kResourceExhausted, and
  // nothing of it is asked from the store. Any other failure is the store's own. No failure is kept.
  //
  // Extents that another call is fetching at this moment are waited for, not fetched again (single flight); a waiter
  // whose deadline passes or that is cancelled leaves by itself. A failed fetch fails those that waited for it, unless
  // it failed by its own deadline, cancellation or want of memory: then one of them fetches instead. The caller must
  // hold no lock that a reclaimer of the budget takes.
  //
  // Adds to `*counts`, which may be null.
  std::vector<FetchedExtent> Fetch(const Context& context, std::span<const Extent> extents, const FetchOptions& options,
                                   FetchCounts* counts);

  // Puts an extent that was read and checked by other means into the disk cache, where Fetch finds it.
  void KeepOnDisk(const Extent& extent, const PinnedBlock& block);
  // The same for RAM.
  void KeepInRam(const Extent& extent, const PinnedBlock& block);
  void ForgetInRam(const Extent& extent);

  // Empties both caches. What calls fetch that began before does not go into them. An error is the disk's: files may be
  // left.
  Status Clear();

  // Totals since the start.
  FetchCounts Totals() const;

 private:
  struct State;
  class Call;
  std::unique_ptr<State> state_;
};

}  // namespace isotherm
