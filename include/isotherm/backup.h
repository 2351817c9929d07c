// Copies of a collection in other stores, and getting one back whose head was lost.
#pragma once

#include <cstdint>
#include <string>

#include "isotherm/blob_store.h"
#include "isotherm/collection.h"
#include "isotherm/context.h"
#include "isotherm/status.h"

namespace isotherm {

struct BackupOptions {
  std::string branch;    // empty: the main one; in the copy it is the main one
  uint64_t version = 0;  // 0: the newest
};

struct BackupReport {
  uint64_t version = 0;
  uint64_t objects_copied = 0, bytes_copied = 0;
  uint64_t objects_there = 0, bytes_there = 0;  // needed, and in the copy already
};

// Copies one version of the collection in `from` to `to`: those of its objects that `to` does not have, the head last.
// `to` may hold an older copy of the same collection, which then stays as an older version; kAlreadyExists when it
// holds anything else, kConflict when it holds a newer version. A copy is a collection like any other: open it, restore
// it by copying it back into an empty store. While it copies, the version is leased, if `from` can be written to.
Result<BackupReport> Backup(BlobStore& from, BlobStore& to, const BackupOptions& options = {},
                            const Progress& progress = {}, const Context& context = {});

struct RecoverReport {
  uint64_t version = 0;        // of the head that was written
  uint64_t from_version = 0;   // whose content it has
  std::string what_was_wrong;  // with the head
};

// Writes a branch's head again from its newest archived version, after the head was deleted or overwritten with
// something else. What was committed after that version is lost: at most the last commit. kAlreadyExists when the head
// can be read, kNotFound when there is no archived version.
Result<RecoverReport> Recover(BlobStore& store, std::string_view branch = {}, const Context& context = {});

}  // namespace isotherm
