// Which committed rows have which keys.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/sync.h"
#include "engine/code_blocks.h"
#include "engine/snapshot.h"
#include "isotherm/context.h"
#include "isotherm/row.h"
#include "segment/key_pages.h"

namespace isotherm {

struct KeyPlace {
  uint32_t segment = 0;  // index into the head's
  KeyLocation location;
};

// Thread-safe.
class KeyLookup {
 public:
  // `most_bytes`: of what Remember keeps.
  explicit KeyLookup(const ReadPath& path, uint64_t most_bytes = 0) : path_(path), most_bytes_(most_bytes) {}

  // places[i]: where keys[i] lies in those of the snapshot's segments, at most once in each; rows that were deleted
  // since are found too. One wave for the key pages, and seldom a second one for pages that ran over. Where many keys
  // are asked for, a wave before it reads the segments' filters, once; few keys cost less without.
  Result<std::vector<std::vector<KeyPlace>>> Find(const Snapshot& snapshot, std::span<const Key> keys,
                                                  std::span<const uint32_t> segments, const Context& context);
  // What Find would read of new segments. Pages beyond `most_bytes` are forgotten, the oldest first.
  void Remember(std::vector<SegmentKeys> keys);
  // Also all that was remembered.
  void Forget();

 private:
  struct Probe {
    size_t key;
    uint32_t segment;
    uint32_t page;
    uint32_t pages_read = 0;
  };
  // The filter that it pays to ask: a large one is not read for a few keys.
  Status LoadFilters(const Snapshot& snapshot, size_t keys, std::span<const uint32_t> segments, const Context& context);
  std::vector<Probe> MakeProbes(const Snapshot& snapshot, std::span<const Key> keys,
                                std::span<const uint32_t> segments);

  // What is remembered of the snapshot's segments, each one's pages; invalid: nothing.
  std::vector<PinnedBlock> PagesInRam(const Snapshot& snapshot) const;
  // Under mutex_.
  void ForgetAllBut(const Head& head);

  const ReadPath& path_;
  const uint64_t most_bytes_;
  mutable Mutex mutex_;
  uint64_t newest_version_ = 0;  // of the snapshots that were asked about
  // By segment name; only of segments that the newest snapshot has.
  std::map<std::string, PinnedBlock> filters_;
  std::map<std::string, uint64_t> page_bytes_read_;  // without a filter
  std::map<std::string, PinnedBlock> pages_;
  std::deque<std::string> remembered_;  // those of pages_, the oldest first
};

// The live row of a key in a snapshot, or the softly deleted one.
struct StoredRow {
  // kExpired: there and not deleted, but counts as absent.
  enum class State : uint8_t { kAbsent, kLive, kSoftDeleted, kExpired };
  State state = State::kAbsent;
  const Row* row = nullptr;  // in the head
  KeyPlace place;            // else
  uint64_t version = 0;
  int64_t expires_at_ms = 0;
};

// `places`: of that key, as KeyLookup gave them, indexes into the segments of `snapshot`.
StoredRow RowOfKey(const Snapshot& snapshot, const Liveness& liveness, const Key& key, std::span<const KeyPlace> places,
                   int64_t now_ms);

// The same for a few keys, with what it takes to read.
Result<std::vector<StoredRow>> FindRows(const ReadPath& path, KeyLookup& lookup, const Snapshot& snapshot,
                                        std::span<const Key> keys, const Context& context);

// Fills vector, metadata and payload of the row at each place: one wave. Corruption for a wrong checksum,
// ResourceExhausted where the memory budget has no room.
struct RowParts {
  bool vector = true;
  bool document = true;
  bool fill_cache = true;
  bool charged = true;  // to the memory budget, while they are read; else whoever calls has reserved it
};
struct RowAddress {
  const SegmentInfo* segment = nullptr;
  KeyLocation location;
};
Status ReadRows(const ReadPath& path, const SegmentSchema& schema, std::span<const RowAddress> addresses,
                RowParts parts, const Context& context, std::span<Row> rows);

}  // namespace isotherm
