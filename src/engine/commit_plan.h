// What a commit makes of a base: which rows are new, which ones no longer count, and where the new ones go.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/key_lookup.h"
#include "engine/snapshot.h"
#include "engine/write_buffer.h"

namespace isotherm {

using KeyedChange = std::pair<Key, PendingChange>;

struct CommitPlan {
  // The base's with the rows that are in the head afterwards; without the new segment and without deletions.
  Head next;
  DeletionMap deletions;
  // Not empty: these become a segment of their own. `with_inline_rows`: rows that were in the head are among them, so
  // they fit no other base.
  std::vector<std::shared_ptr<const Row>> segment_rows;
  OrdinalSet segment_soft;  // ordinals in that segment that are softly deleted
  bool with_inline_rows = false;
  uint64_t rows_written = 0;
  uint64_t rows_deleted = 0;
};

struct PlanOptions {
  uint64_t inline_bytes = 0;   // see Options
  bool force_segment = false;  // no row stays in the head
};

// Those of `changes` that are patches of another row than the one that is stored by now: indexes.
std::vector<size_t> StalePatches(std::span<const KeyedChange> changes, std::span<const StoredRow> stored);

// `stored[i]`: the base's row of changes[i].first. kAlreadyExists, kNotFound or kConflict, naming the key, when a
// change's expectation is not met.
Result<CommitPlan> PlanCommit(const Snapshot& base, const Liveness& liveness, std::span<const KeyedChange> changes,
                              std::span<const StoredRow> stored, const PlanOptions& options);

// Where the keys of one commit lie in the segments, kept from one base to the next: only segments that are new are
// asked.
class PlaceCache {
 public:
  Result<std::vector<StoredRow>> Rows(const ReadPath& path, KeyLookup& lookup, const Snapshot& base,
                                      std::span<const KeyedChange> changes, const Context& context);
  void Clear() { *this = PlaceCache(); }

 private:
  std::map<std::string, std::map<Key, KeyLocation>> places_;  // by segment name; an empty map: asked, and found nothing
};

}  // namespace isotherm
