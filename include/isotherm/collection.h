// A collection of rows in a blob store: open it, write, commit, search.
//
// Threads: every method may be called from any thread at any time. Not fork-safe: a child process must open its own.
// Visibility: a handle searches the snapshot that it opened, refreshed to or committed, and its own uncommitted rows.
// Durability: what Commit acknowledged is safe where the collection lives; docs/durability.md says what that means.
// Errors: docs/errors.md lists them case by case.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isotherm/blob_store.h"
#include "isotherm/context.h"
#include "isotherm/erasure.h"
#include "isotherm/history.h"
#include "isotherm/options.h"
#include "isotherm/query.h"
#include "isotherm/row.h"
#include "isotherm/status.h"
#include "isotherm/write_batch.h"

namespace isotherm {

struct SegmentStats {
  std::string name;
  std::string kind;      // "flat" or "cells"
  uint64_t rows = 0;     // deleted ones among them
  uint64_t deleted = 0;  // softly or for good
  uint64_t entries = 0;  // rows and their second copies
  uint64_t cells = 0;
  uint64_t bytes = 0;
};

struct CollectionStats {
  uint64_t version = 0;
  int64_t age_ms = 0;  // since the version was known to be the newest
  uint32_t dimension = 0;
  Metric metric = Metric::kL2;
  KeyType key_type = KeyType::kInteger;
  std::vector<std::string> filter_columns;
  uint64_t rows = 0;  // committed and not deleted; expired ones are counted until a compaction drops them
  uint64_t soft_deleted_rows = 0;
  uint64_t pending_rows = 0;   // keys that this handle changed and did not commit
  uint64_t recent_rows = 0;    // of segments that are searched in RAM, because this handle has committed them
  uint64_t unlinked_rows = 0;  // pending and recent ones that the graph in RAM does not have yet
  uint64_t conflicts = 0;      // of this handle: how often another writer committed first
  uint64_t inline_rows = 0;    // in the head itself
  uint64_t cells = 0;
  uint64_t routing_generation = 0;  // 0: none
  uint32_t default_probes = 0;      // cells a search looks into unless it says how many
  uint64_t head_bytes = 0;
  uint64_t routing_bytes = 0;
  uint64_t stored_bytes = 0;  // head, routing and segments
  std::vector<SegmentStats> segments;
  // Compactions of this handle, since it was opened, asked for or in the background.
  uint64_t compactions = 0;
  uint64_t compactions_lost = 0;     // another writer's was faster: nothing was changed
  uint64_t compactions_failed = 0;   // also cancelled ones
  uint64_t compactions_resumed = 0;  // that went on where another one had died
  uint64_t compaction_bytes_read = 0;
  uint64_t compaction_bytes_written = 0;  // also by those that came to nothing
  uint64_t compaction_bytes_resumed = 0;  // found written by those that had died, and not written again
  uint64_t commit_bytes_written = 0;      // by this handle's commits
  uint64_t row_bytes_written = 0;         // of the rows that they inserted or replaced
  // Bytes written to the store for each byte of rows; 0 without rows.
  double write_amplification() const {
    auto written = static_cast<double>(commit_bytes_written + compaction_bytes_written);
    return row_bytes_written == 0 ? 0 : written / static_cast<double>(row_bytes_written);
  }
  // Caches of this handle, since it was opened.
  uint64_t ram_hits = 0, disk_hits = 0, misses = 0;
  uint64_t ram_cache_bytes = 0, disk_cache_bytes = 0;
  std::string disk_cache_note;  // why there is no disk cache although one was asked for; else empty
};

struct ScanOptions {
  // Ascending keys; holds all rows, as far as they are included, in RAM. Without: as they are stored, a few MiB at a
  // time.
  bool in_key_order = true;
  bool include_vector = true;
  bool include_metadata = true;
  bool include_payload = true;
  bool soft_deleted = false;  // those instead of the live ones
  // Not null: rows of parts that can't be read are left out, and the parts added here. Null: the first of them ends the
  // scan. As SearchOptions::partial.
  std::vector<MissingPart>* missing = nullptr;
  Consistency consistency{};
};

struct VerifyReport {
  uint64_t objects = 0, extents = 0, rows = 0, bytes = 0;
  std::vector<std::string> problems;  // each names object and offset; empty: clean
  std::vector<std::string> orphans;   // objects that the head does not name: left by crashes, harmless
};

// (done, total) in units of its work, now and then, on a thread of the call's.
using Progress = std::function<void(std::string_view stage, uint64_t done, uint64_t total)>;

class Collection {
 public:
  // Closes; a failed commit is lost silently here, so call Close where that matters.
  virtual ~Collection() = default;

  // Applies all changes of the batch or, on any error, none. They are visible to this handle at once, and to others
  // after Commit, in one version. What a change expects of the row below is checked here against what this handle sees,
  // and once more by Commit against what is there then. kInvalidArgument for a bad vector, key or metadata, for an
  // empty batch and for what is over a limit (limits.h), kAlreadyExists, kNotFound and kConflict as WriteBatch says,
  // kReadOnly, kClosed. A row's `version` is ignored. When more than Options::memtable_bytes wait for a commit, they
  // are committed in the background; at twice as much the call waits for that, and returns its error without having
  // applied anything.
  virtual Status Write(WriteBatch batch, const Context& context = {}) = 0;
  // Single changes, and batches of one kind.
  Status Insert(Row row, const Context& context = {}) { return Write(WriteBatch().Insert(std::move(row)), context); }
  Status InsertBatch(std::vector<Row> rows, const Context& context = {});
  Status Upsert(Row row, const Context& context = {}) { return Write(WriteBatch().Upsert(std::move(row)), context); }
  Status UpsertBatch(std::vector<Row> rows, const Context& context = {});
  Status Patch(Key key, MetadataPatch patch, const Context& context = {}) {
    return Write(WriteBatch().Patch(std::move(key), std::move(patch)), context);
  }
  Status Delete(Key key, const Context& context = {}) { return Write(WriteBatch().Delete(std::move(key)), context); }
  Status SoftDelete(Key key, const Context& context = {}) {
    return Write(WriteBatch().SoftDelete(std::move(key)), context);
  }
  Status Restore(Key key, const Context& context = {}) { return Write(WriteBatch().Restore(std::move(key)), context); }

  // Makes all changes written before it durable and visible to others as one version; threads that commit at the same
  // time share one. ok with nothing pending (no request is made). On kUnknown the outcome is not known yet: call again
  // to settle it. When that is done only more than an hour later, it may be kFenced: it can't be told any more. On any
  // other error nothing was committed. Whatever the error, the changes stay pending.
  virtual Status Commit(const Context& context = {}) = 0;
  // Forgets the changes that were not committed. kUnknown while a commit's outcome is open.
  virtual Status DiscardPending(const Context& context = {}) = 0;

  // `query` has the collection's dimension and finite numbers (not all zero for cosine), else kInvalidArgument.
  virtual Result<SearchResult> Search(std::span<const float> query, const SearchOptions& options = {},
                                      const Context& context = {}) = 0;
  // `queries`: count x dimension, row by row. results[i] answers row i. Extents that several queries want are read
  // once.
  virtual Result<std::vector<SearchResult>> BatchSearch(std::span<const float> queries,
                                                        const SearchOptions& options = {},
                                                        const Context& context = {}) = 0;

  // The row of a key, or kNotFound.
  virtual Result<Row> Get(const Key& key, const Consistency& consistency, const Context& context) = 0;
  Result<Row> Get(const Key& key, const Context& context = {}) { return Get(key, Consistency(), context); }
  // Which of `keys` there is a row of, without reading rows: contained[i] answers keys[i].
  virtual Result<std::vector<bool>> Contains(std::span<const Key> keys, const Context& context = {}) = 0;
  // Calls `visit` with each row of the snapshot once; a bad Status from it stops the scan and is returned.
  virtual Status Scan(const std::function<Status(Row)>& visit, const ScanOptions& options = {},
                      const Context& context = {}) = 0;

  // Moves to the newest version: one request, also when there is nothing new. What is cached stays.
  virtual Status Refresh(const Context& context = {}) = 0;
  // Rewrites all committed rows as one partition, or does what the policy finds due: see CompactOptions. Pending rows
  // are committed first. Readers and other writers go on; when another commit comes in between, its rows stay beside
  // the new partition. One at a time on a handle. kConflict when another writer's compaction was faster; nothing was
  // changed then.
  // One that died, or is still at work elsewhere, on the same segments (with kPolicy: on some of what is due) with the
  // same options is gone on with: its cells are taken, and what it has written is not written again. If it lives, it
  // ends with kConflict.
  virtual Status Compact(const CompactOptions& options = {}, const Progress& progress = {},
                         const Context& context = {}) = 0;

  // Reads every object and checks every checksum and reference. Lists the store to find orphans.
  virtual Result<VerifyReport> Verify(const Progress& progress = {}, const Context& context = {}) = 0;

  // The versions that can be opened (Options::as_of_version), ascending; the last one is this handle's. Lists the
  // store.
  virtual Result<std::vector<VersionInfo>> Versions(const Context& context = {}) = 0;
  // The last `newest` of them with what made them: one request each.
  virtual Result<std::vector<VersionInfo>> Log(size_t newest = 100, const Context& context = {}) = 0;
  // Makes the collection what it was at `version`, as a new version. kNotFound when that is not kept.
  virtual Status Rollback(uint64_t version, const Context& context = {}) = 0;
  // Removes old versions by the policy and, of all branches, what nothing names any more. Safe at any time: writers,
  // readers of the newest version and compactions go on. A reader of an older version needs a lease
  // (Options::lease_ms), else its reads may give kCorruption naming an object that is gone: then refresh.
  virtual Result<VacuumReport> Vacuum(const VacuumOptions& options = {}, const Context& context = {}) = 0;

  // Erases the rows that these keys have on any branch, committed or pending here: deletes them for good, rewrites the
  // segments that hold their bytes, removes all versions that name such a segment or hold such a row, and older ones,
  // and empties the caches: this handle's at once, others' when they see a newer version or are opened. Pending changes
  // are committed first. A row of such a key that is written after the call began stays. Compactions that are under way
  // come to nothing. Costs reading and writing each of those segments; all segments of cells are rewritten when one of
  // them holds such a row, with new cells.
  // May be called again at any time, also after it failed or its process died: it goes on with what is left, and erases
  // rows that were written since as well. While the report is not complete it must be, after blocked_until_ms.
  // What it does not reach: docs/durability.md, "Erasure". kInvalidArgument without keys, for more than kMaxBatchRows
  // (limits.h) and for keys of the wrong type, kReadOnly, kConflict when others were faster time and again.
  virtual Result<ErasureReport> Erase(std::span<const Key> keys, const ErasureOptions& options = {},
                                      const Progress& progress = {}, const Context& context = {}) = 0;

  // A branch has a version's rows (0: the newest) and goes its own way from there, by Options::branch. A few requests.
  // kAlreadyExists for a name that is taken, kNotFound when the version is not kept, kConflict when it goes meanwhile,
  // and while there are versions of a deleted branch of that name: Vacuum removes them.
  virtual Status CreateBranch(std::string_view name, uint64_t version = 0, const Context& context = {}) = 0;
  virtual Result<std::vector<BranchInfo>> Branches(const Context& context = {}) = 0;
  // With its versions; what only they need goes with the next vacuum.
  virtual Status DeleteBranch(std::string_view name, const Context& context = {}) = 0;
  // Makes this branch what `name`, which began with this one's newest version, is by now: kConflict when this one moved
  // on since.
  virtual Status FastForward(std::string_view name, const Context& context = {}) = 0;

  virtual CollectionStats Stats() const = 0;
  // Commits what is pending unless Options::commit_on_close is false, and releases everything. Later calls: kClosed.
  // When the commit fails, the handle stays open and the Status is returned.
  virtual Status Close(const Context& context = {}) = 0;
};

// `uri`: "file:///absolute/dir" or a plain path, "s3://bucket/prefix?endpoint=…&region=…", "memory:"; see stores.h.
// kNotFound when there is no collection and Options::create is not set.
Result<std::unique_ptr<Collection>> Open(std::string_view uri, const Options& options = {},
                                         const Context& context = {});
// Over any store; the collection's objects lie at its root.
Result<std::unique_ptr<Collection>> Open(std::shared_ptr<BlobStore> store, const Options& options = {},
                                         const Context& context = {});

// Copies the newest version of the collection in `from` into the empty `to`, object by object, the head last.
// kAlreadyExists when there is a collection.
Status CopyCollection(BlobStore& from, BlobStore& to, const Progress& progress = {}, const Context& context = {});

}  // namespace isotherm
