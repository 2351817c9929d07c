// How a collection is opened. Plain data, checked once by Open.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "isotherm/row.h"

namespace isotherm {

struct Environment;
class CompactionPolicy;  // compaction.h
class EventLog;          // events.h
class MemoryBudget;      // memory.h
class Metrics;           // metrics.h

// What a collection is, forever. An existing one knows it by itself.
struct CreateOptions {
  uint32_t dimension = 0;  // 1 … 65,536
  Metric metric = Metric::kL2;
  KeyType key_type = KeyType::kInteger;
  // Metadata fields that are stored beside the codes too, so that they come with the ids and scores, without a wave of
  // their own. At most 64.
  std::vector<std::string> filter_columns;
};

// What Commit does when another writer was faster.
enum class ConflictPolicy : uint8_t {
  kReapply,  // applies the rows on the new base; kAlreadyExists if a key was taken meanwhile
  kFail,     // returns kConflict; the rows stay pending
};

enum class CachePolicy : uint8_t { kS3Fifo, kLru };

enum class CompactScope : uint8_t {
  kAll,     // all segments, into one partition
  kPolicy,  // what Options::compaction_policy finds due
};

// A compaction drops deleted and expired rows, and rewrites the others as balanced cells (a partition) with a new
// routing object, or merges some flat segments.
struct CompactOptions {
  CompactScope scope = CompactScope::kAll;
  // With kAll: rows go to the cells that there are, as long as these still fit their number, instead of to new ones;
  // several times as fast. With kPolicy it is always so.
  bool keep_cells = false;
  uint32_t cells = 0;  // 0: by the number of rows
  // A collection below this number of rows becomes one flat segment, which a query reads whole.
  uint64_t min_rows_for_cells = 2000;
  uint64_t max_object_bytes = 256 << 20;
  uint64_t seed = 1;  // of the clustering; the same rows and seed give the same cells
  // RAM; what goes beyond it is spilled into Options::spill_dir. At most half of Options::memory. A few numbers for
  // each row (20 bytes) come on top.
  uint64_t memory_bytes = 256 << 20;
};

struct Options {
  // Creates the collection when there is none. When there is one, it must have been created alike.
  std::optional<CreateOptions> create;
  bool error_if_exists = false;  // with create: kAlreadyExists when there is one
  bool read_only = false;        // rejects every write, creates no object

  // Which branch; empty: the main one.
  std::string branch;
  // Opens the collection as it was: at this version, or at this moment (milliseconds since 1970 UTC). Either makes the
  // handle read-only, and Refresh stays there. 0: the newest.
  uint64_t as_of_version = 0;
  int64_t as_of_ms = 0;

  // Keeps the handle's snapshot from being removed by a vacuum, by an object that is renewed as long as calls are made
  // and removed by Close. Milliseconds after which it lapses when they are not; 0: no lease. After a Refresh the new
  // snapshot is held from the next renewal on, which comes at a third of that time. Needs the permission to write, also
  // on a read-only handle.
  int64_t lease_ms = 0;

  // A snapshot that was not known to be the newest for so long is refreshed in the background by the next read.
  // Milliseconds; 0: only Refresh and a read's Consistency do so.
  int64_t refresh_interval_ms = 0;

  // Where extents are kept on a local disk across restarts; empty: nowhere. Each collection has a folder of its own in
  // it, which one handle uses at a time: others go without and say so in Stats().disk_cache_note.
  std::string cache_dir;
  uint64_t disk_cache_bytes = uint64_t{8} << 30;
  uint64_t block_cache_bytes = 256 << 20;  // RAM; 0 turns it off
  CachePolicy block_cache_policy = CachePolicy::kS3Fifo;

  ConflictPolicy conflict_policy = ConflictPolicy::kReapply;
  bool commit_on_close = true;
  // Changes that wait for a commit, in RAM: beyond this they are committed in the background.
  uint64_t memtable_bytes = 64 << 20;
  // The graph that is built, in the background, over rows in RAM (HNSW): links of a row, in [2, 512], or 0 for none, so
  // that a query is compared with all of them; and how many rows an insert looks at, at least 1.
  uint32_t graph_m = 32;
  uint32_t graph_ef_construction = 300;
  // Rows stay in RAM after their commit and are searched there until a compaction rewrites them; beyond this, or when
  // the memory budget has no room, the oldest ones are read like others'. 0: none stays.
  uint64_t recent_bytes = 256 << 20;
  // Rows that are not in a segment yet live in the head itself, up to this many bytes, as long as the collection has no
  // segment (so a small collection is one object and one wave), and up to an eighth of it afterwards.
  uint64_t inline_bytes = 1 << 20;
  // How many times each object of a commit is sent at once (1 to 3); the first answer counts. A commit waits for the
  // slowest of several requests and then for the head: 2 makes that some 40 ms less on S3, for twice the price of its
  // requests.
  uint32_t put_copies = 1;

  // Compactions in the background, by this handle after its commits: one at a time, and none while another writer is at
  // one. They hold up neither readers nor writers, and a failure only delays the next one.
  bool background_compaction = true;
  std::shared_ptr<const CompactionPolicy> compaction_policy;  // null: SizeTieredCompaction()
  CompactOptions compaction;                                  // how, without its scope and keep_cells
  // Where rows go that a compaction has no memory for; empty: `cache_dir`, or else the system's folder for temporary
  // files. Must hold about one and a half times what is compacted.
  std::string spill_dir;

  // One limit for memtables, caches and queries of all collections that are opened with it; null: none. What does not
  // fit is kResourceExhausted, after caches have made room; what waits for a commit is committed before that,
  // and calls wait up to 3 s for what others are about to give back.
  std::shared_ptr<MemoryBudget> memory;
  // Counters and histograms, and what happened, of this collection and others that share them; null: none.
  std::shared_ptr<Metrics> metrics;
  std::shared_ptr<EventLog> events;

  // Clock, random numbers, threads and files; null: the machine's own.
  std::shared_ptr<Environment> env;
};

}  // namespace isotherm
