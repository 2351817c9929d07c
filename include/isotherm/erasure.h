// The right to be forgotten: rows leave a collection so that none of their bytes is left in what it owns.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace isotherm {

struct ErasureOptions {
  // The date by which nothing may be left: milliseconds since 1970 UTC; 0: now. It changes nothing of what is done, at
  // once and as far as that is possible; it decides ErasureReport::late.
  int64_t by_ms = 0;
  // Leases on versions that hold the rows are removed, so that nothing keeps them: readers that have them open fail
  // with kCorruption, naming an object that is gone, and have to be opened again. Else such versions stay until their
  // leases end, and Erase has to be called again.
  bool break_leases = false;
  bool dry_run = false;  // changes nothing, and tells what would be done
};

// A version that can't be removed yet, because it is leased.
struct ErasureHold {
  std::string lease;   // its object
  std::string branch;  // empty: the main one
  uint64_t version = 0;
  int64_t until_ms = 0;  // when it lapses, with five minutes for clocks that differ. It is not renewed any more
};

struct ErasureBranch {
  std::string name;            // empty: the main one
  uint64_t keys_found = 0;     // with a row that was there, also softly deleted or expired
  uint64_t versions_held = 0;  // that hold such a row, and can't be opened any more
  uint64_t segments_rewritten = 0;
  uint64_t bytes_rewritten = 0;  // of the segments that were read for that
};

struct ErasureReport {
  uint64_t keys = 0;  // asked for, each once
  std::vector<ErasureBranch> branches;
  uint64_t versions_removed = 0;             // of all branches; of a dry run with those that a lease still holds
  std::vector<std::string> objects_removed;  // a dry run does not tell
  uint64_t bytes_removed = 0;
  // RAM and disk, of this handle. Not: files of the disk cache could not be removed. When that is mended the collection
  // is opened again, which empties it, and Erase called again.
  bool caches_emptied = false;
  std::vector<ErasureHold> holds;  // what is left, and why
  bool complete = false;           // nothing is left: there are no holds, and the caches were emptied
  int64_t blocked_until_ms = 0;    // 0: by nothing. Else Erase has to be called again then
  bool late = false;               // it is complete only after ErasureOptions::by_ms
};

}  // namespace isotherm
