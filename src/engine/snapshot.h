// One version of a collection as a reader sees it: the head, its routing object, and how both are read in one wave.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.h"
#include "base/sync.h"
#include "cache/extent_cache.h"
#include "engine/head.h"
#include "engine/row_table.h"
#include "isotherm/blob_store.h"
#include "isotherm/context.h"
#include "segment/cell_block.h"
#include "segment/routing_object.h"

namespace isotherm {

// Which rows of the segments are absent although they are there.
struct Liveness {
  DeletionMap stored;  // as the object of deletions has it
  DeletionMap now;     // with the head's changes
  // Both kinds of deletion together; ordinals go through all segments of cells, and begin anew in each flat one.
  OrdinalSet cells;
  std::vector<OrdinalSet> flat;  // by segment

  const OrdinalSet& AbsentIn(const SegmentInfo& info, uint32_t segment) const {
    return info.kind == SegmentKind::kCells ? cells : flat[segment];
  }
};

struct Snapshot;

// What reading a collection takes. Owned by its handle.
struct ReadPath {
  std::string branch_prefix;  // see object_names.h
  std::shared_ptr<BlobStore> store;
  std::shared_ptr<Environment> env;
  std::shared_ptr<BlockCache> ram;
  std::shared_ptr<DiskCache> disk;  // may be null
  std::unique_ptr<ExtentCache> extents;
  std::shared_ptr<MemoryBudget> memory;  // null: unlimited

  // Empties the caches of what was read before an erasure. An error: files of the disk cache may be left.
  Status ForgetErased(const Nonce& erasure) const;

  // What is read in one piece of what goes by: 16 MiB, or less where the budget is small.
  uint64_t BytesAtOnce() const;

  // ExtentCache::Fetch of extents that the head or what it names vouches for: a missing object is kCorruption.
  std::vector<FetchedExtent> Fetch(const Context& context, std::span<const Extent> wanted, const FetchOptions& options,
                                   FetchCounts* counts) const;
};

// Immutable once made, but for the deletions, which are read when they are first needed; shared by all that read it.
struct Snapshot {
  Head head;  // without its inline rows: these are in `rows` and `soft_rows`
  std::string etag;
  uint64_t head_bytes = 0;
  RowTable rows;                           // expired ones among them
  RowTable soft_rows;                      // of the head, softly deleted
  std::shared_ptr<const Routing> routing;  // null: no cells

  // Rows that are not deleted; expired ones are counted until a compaction drops them.
  uint64_t row_count() const;
  // The head as it was written.
  Head WholeHead() const;

  // What must be read before Deletions can be told; nothing when it is known.
  std::optional<Extent> UnreadDeletions() const;
  // `bytes`: of that extent.
  Status SetDeletions(std::string_view bytes) const;
  // Reads what is missing: one wave.
  Result<std::shared_ptr<const Liveness>> Deletions(const ReadPath& path, const Context& context) const;
  // Null until they were read.
  std::shared_ptr<const Liveness> KnownDeletions() const;

 private:
  friend std::shared_ptr<const Snapshot> MakeSnapshot(Head head, std::string etag, uint64_t head_bytes,
                                                      std::shared_ptr<const Routing> routing, const Snapshot* previous);
  void UseStoredDeletions(DeletionMap stored) const;

  mutable Mutex mutex_;
  mutable std::shared_ptr<const Liveness> liveness_;
};

// Whether a row that expires at `expires_at_ms` is absent at `now_ms`.
inline bool IsExpired(int64_t expires_at_ms, int64_t now_ms) { return expires_at_ms != 0 && expires_at_ms <= now_ms; }

// Names of immutable objects are random or hashes of their content: no two collections share one, unless one is a copy.
inline constexpr char kCacheScope[] = "";

// Reads the head and, at the same time, the routing object: one wave, if the copy under the well-known name is the one
// that the head goes with, else two. With a disk cache that knows a routing object of this collection, only the head.
// `previous` (may be null): only the head is read, and its routing object is taken over unless the head names another.
Result<std::shared_ptr<const Snapshot>> LoadSnapshot(const ReadPath& path, const Snapshot* previous,
                                                     const Context& context);

// A snapshot of a head that is at hand. `previous` (may be null) lends what it knows of the same objects.
std::shared_ptr<const Snapshot> MakeSnapshot(Head head, std::string etag, uint64_t head_bytes,
                                             std::shared_ptr<const Routing> routing, const Snapshot* previous);

// The snapshot of an archived head. `newest` lends what it knows of the same objects.
Result<std::shared_ptr<const Snapshot>> SnapshotOf(const ReadPath& path, Head head, const Snapshot& newest,
                                                   const Context& context);

// A block to be searched: its extent, and the cell whose centroid it goes with (kNoCell: it has its own).
struct BlockAddress {
  Extent extent;
  uint32_t cell = 0;
  uint32_t rows = 0;
  uint32_t segment = 0;  // index into the head's
  uint32_t first_ordinal = 0;
  uint32_t primary_rows = 0;
};

// The view of a block's bytes; Corruption naming object and offset when they are not what the address says.
Result<CellBlock> ParseBlock(std::string_view bytes, const BlockAddress& address, const BlockSchema& schema);

BlockAddress CellAddress(const Snapshot& snapshot, uint32_t cell);
// All blocks of one segment, in order.
std::vector<BlockAddress> SegmentBlocks(const Snapshot& snapshot, uint32_t segment);
// The segment of the same kind as `segment` that holds the row: second copies may name a row of another one.
const SegmentInfo* SegmentOf(const Snapshot& snapshot, uint32_t segment, uint32_t ordinal);

}  // namespace isotherm
