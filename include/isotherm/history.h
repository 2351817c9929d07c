// A collection's versions, branches and what is kept of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace isotherm {

// One version: the state after one commit, compaction or other change of the head.
struct VersionInfo {
  uint64_t version = 0;
  int64_t commit_ms = 0;  // milliseconds since 1970 UTC, never less than the version before
  // The following are set by Log.
  std::string operation;  // "create", "commit", "compact", "vacuum", "rollback", "branch", "recover", "build",
                          // "erase"
  std::string cause;
  uint64_t rows = 0;  // there, expired ones among them
  uint64_t rows_written = 0;
  uint64_t rows_deleted = 0;
  uint64_t bytes_written = 0;  // of objects beside the head
  uint64_t segments = 0;
};

struct VacuumOptions {
  // A version stays when it is among the newest `keep_versions` or not older than `keep_age_ms`. Both 0: all stay, and
  // only what no version names is removed.
  uint64_t keep_versions = 0;
  int64_t keep_age_ms = 0;
  bool keep_soft_deleted = false;  // else they can't be restored any more
  bool dry_run = false;            // changes nothing, and tells what would be removed
};

struct VacuumReport {
  uint64_t versions_kept = 0;
  uint64_t versions_removed = 0;
  uint64_t oldest_version = 0;  // that can be opened, of this handle's branch
  uint64_t soft_deleted_rows_removed = 0;
  std::vector<std::string> objects_removed;
  uint64_t bytes_removed = 0;
  uint64_t objects_in_use = 0;  // kept, although the newest version does not name them
  uint64_t bytes_in_use = 0;
};

struct BranchInfo {
  std::string name;  // empty: the main one
  uint64_t version = 0;
  int64_t commit_ms = 0;
  std::string fork_of;        // the branch that it began as a copy of
  uint64_t fork_version = 0;  // at this version; 0: the main one
  uint64_t gc_epoch = 0;      // how often garbage was collected
};

}  // namespace isotherm
