// Rows of one version, as the model knows them, and what changes make of them. No code of the library is used for that.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "isotherm/isotherm.h"

namespace isotherm::simulation {

using RowPtr = std::shared_ptr<const Row>;

// A row's `version` is 0 until a version has it. One that has expired is here until a compaction drops it.
struct Entry {
  RowPtr row;
  bool soft = false;  // softly deleted
};
using State = std::map<Key, Entry>;

// What a wall clock may have shown at the moment that counts.
struct WallRange {
  int64_t earliest_ms = 0;
  int64_t latest_ms = 0;
};

inline bool ExpiredAt(const Row& row, int64_t now_ms) { return row.expires_at_ms != 0 && row.expires_at_ms <= now_ms; }
inline bool LiveAt(const Entry& entry, int64_t now_ms) { return !entry.soft && !ExpiredAt(*entry.row, now_ms); }
// What tells a row's content from every other one's, wherever its payload or its filter columns are written: no two
// that are made have the same. A patch keeps it.
inline constexpr char kMarkerBegin[] = "row@";
inline constexpr size_t kMarkerBytes = 12;
std::string NewMarker(uint64_t number);
inline std::string MarkerOf(const Row& row) { return row.payload.substr(0, kMarkerBytes); }

size_t LiveRows(const State& state);  // expired ones among them

// "" when `found` is `expected`. Rows of `expected` that have no version yet have `new_version` in `found`. Those that
// have expired by `latest_ms` may be gone, or softly deleted or not.
std::string DifferenceOf(const State& expected, const State& found, uint64_t new_version, int64_t latest_ms);
// The same of two rows of a key, null: there is none.
bool IsSame(const Entry* expected, const Entry* found, uint64_t new_version, int64_t latest_ms);

// Makes the change on the version that it is committed on. False when it must not be committed there. `latest_ms`: of
// the clock of who commits.
bool Commit(const Mutation& mutation, State& state, int64_t latest_ms);

// Keys that a handle has changes of that are not committed: the version that the row must have which they delete
// softly; 0: any.
using Pending = std::map<Key, uint64_t>;
// What a handle shows.
struct Shown {
  State state;
  Pending pending;
};
// What Write says of a change over `shown`, which has it afterwards.
StatusCode Write(const Mutation& mutation, Shown& shown, int64_t now_ms);

RowPtr PatchedRow(const Row& row, const MetadataPatch& patch);
// The row as one that is not committed.
RowPtr Uncommitted(const Row& row);

}  // namespace isotherm::simulation
