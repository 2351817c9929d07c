// Every figure that Isotherm counts: its name, unit and meaning. docs/metrics.md has the same as a table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>

namespace isotherm {

enum class MetricKind : uint8_t {
  kCounter,    // only grows
  kGauge,      // what is so now
  kHistogram,  // how many took how long; recorded in nanoseconds, shown in seconds
};

enum class MetricId : uint8_t {
  kCommits,
  kCommitSeconds,
  kConflicts,
  kRowsInserted,
  kRowsDeleted,
  kSearchSeconds,
  kGetSeconds,
  kErrors,
  kFlushes,
  kFlushSeconds,
  kCompactions,
  kCompactionSeconds,
  kCompactionBytesRead,
  kCompactionBytesWritten,
  kCompactionsResumed,
  kCompactionBytesResumed,
  kCommitBytesWritten,
  kRowBytesWritten,
  kVacuumObjectsDeleted,
  kVacuumBytesDeleted,
  kErasures,
  kErasuresIncomplete,
  kCacheHits,
  kCacheMisses,
  kCacheJoined,
  kCacheBytes,
  kCacheEvictions,
  kCacheRejected,
  kCacheDamaged,
  kCacheUsedBytes,
  kStoreRequests,
  kStoreBytes,
  kStoreSeconds,
  kStoreErrors,
  kMemoryUsedBytes,
  kMemoryLimitBytes,
  kMemoryPeakBytes,
  kMemoryRefused,
  kMemoryWaitSeconds,
  kMemtableBytes,
  kMemtableRows,
  kVersion,
  kSnapshotAgeSeconds,
};

enum class CacheTier : uint8_t { kRam, kDisk, kStore };

// A metric with a label has one figure for each of the label's values.
struct MetricLabel {
  const char* name = nullptr;  // null: no label
  std::span<const char* const> values;
  constexpr size_t figures() const { return name == nullptr ? 1 : values.size(); }
};

struct MetricInfo {
  MetricId id;
  MetricKind kind;
  const char* name;
  const char* unit;
  MetricLabel label;
  const char* meaning;
};

namespace metric_table {

inline constexpr const char* kTierValues[] = {"ram", "disk", "store"};
inline constexpr const char* kRequestValues[] = {"get", "put", "delete", "list"};
inline constexpr const char* kUseValues[] = {"memtable", "block_cache", "build", "query", "other", "set_aside"};
inline constexpr const char* kCodeValues[] = {
    "InvalidArgument", "NotFound",   "AlreadyExists", "ReadOnly",    "Unsupported",       "AccessDenied",
    "Closed",          "Conflict",   "Fenced",        "Unavailable", "ResourceExhausted", "DeadlineExceeded",
    "Cancelled",       "Corruption", "IoError",       "Unknown",     "Internal"};

inline constexpr MetricLabel kNone;
inline constexpr MetricLabel kTier{"tier", kTierValues};                         // by CacheTier
inline constexpr MetricLabel kCache{"tier", std::span(kTierValues).first<2>()};  // by CacheTier
inline constexpr MetricLabel kRequest{"kind", kRequestValues};                   // by RequestKind
inline constexpr MetricLabel kUse{"use", kUseValues};                            // by MemoryUse, set aside last
inline constexpr MetricLabel kCode{"code", kCodeValues};                         // by StatusCode, without kOk

using enum MetricKind;
using enum MetricId;

inline constexpr MetricInfo kMetrics[] = {
    {kCommits, kCounter, "isotherm_commits_total", "", kNone, "commits that made a version"},
    {kCommitSeconds, kHistogram, "isotherm_commit_seconds", "seconds", kNone,
     "calls of Commit, those that had nothing to do left out"},
    {kConflicts, kCounter, "isotherm_conflicts_total", "", kNone, "swaps of the head that another writer won"},
    {kRowsInserted, kCounter, "isotherm_rows_inserted_total", "rows", kNone,
     "rows that were inserted or replaced, by commits"},
    {kRowsDeleted, kCounter, "isotherm_rows_deleted_total", "rows", kNone, "rows that were deleted, by commits"},
    {kSearchSeconds, kHistogram, "isotherm_search_seconds", "seconds", kNone, "searches that were answered"},
    {kGetSeconds, kHistogram, "isotherm_get_seconds", "seconds", kNone, "reads by key that were answered"},
    {kErrors, kCounter, "isotherm_errors_total", "", kCode, "calls of the collection that failed"},
    {kFlushes, kCounter, "isotherm_flushes_total", "", kNone, "memtables that became segments"},
    {kFlushSeconds, kHistogram, "isotherm_flush_seconds", "seconds", kNone, "flushes"},
    {kCompactions, kCounter, "isotherm_compactions_total", "", kNone, "compactions that were committed"},
    {kCompactionSeconds, kHistogram, "isotherm_compaction_seconds", "seconds", kNone,
     "compactions, those that lost against another writer too"},
    {kCompactionBytesRead, kCounter, "isotherm_compaction_bytes_read_total", "bytes", kNone,
     "read from the store by compactions"},
    {kCompactionBytesWritten, kCounter, "isotherm_compaction_bytes_written_total", "bytes", kNone,
     "written to the store by compactions, heads and what came to nothing included"},
    {kCompactionsResumed, kCounter, "isotherm_compactions_resumed_total", "", kNone,
     "compactions that went on where another one had died"},
    {kCompactionBytesResumed, kCounter, "isotherm_compaction_bytes_resumed_total", "bytes", kNone,
     "found written by compactions that had died, and not written again"},
    {kCommitBytesWritten, kCounter, "isotherm_commit_bytes_written_total", "bytes", kNone,
     "written to the store by commits, heads included"},
    {kRowBytesWritten, kCounter, "isotherm_row_bytes_written_total", "bytes", kNone,
     "of the rows that commits inserted or replaced: what both of the above are to be divided by"},
    {kVacuumObjectsDeleted, kCounter, "isotherm_vacuum_objects_deleted_total", "objects", kNone,
     "objects of the store that no version needs any more"},
    {kVacuumBytesDeleted, kCounter, "isotherm_vacuum_bytes_deleted_total", "bytes", kNone, "their size"},
    {kErasures, kCounter, "isotherm_erasures_total", "", kNone, "calls of Erase that ended with a report"},
    {kErasuresIncomplete, kCounter, "isotherm_erasures_incomplete_total", "", kNone,
     "of those such as left something: Erase is to be called again"},
    {kCacheHits, kCounter, "isotherm_cache_hits_total", "extents", kCache, "extents that were found in this cache"},
    {kCacheMisses, kCounter, "isotherm_cache_misses_total", "extents", kNone, "extents that no cache had"},
    {kCacheJoined, kCounter, "isotherm_cache_joined_total", "extents", kNone,
     "extents that another call was fetching already"},
    {kCacheBytes, kCounter, "isotherm_cache_bytes_total", "bytes", kTier,
     "bytes of extents by where they came from; the store's with the gaps between them"},
    {kCacheEvictions, kCounter, "isotherm_cache_evictions_total", "", kCache,
     "blocks in RAM and slabs on disk that made room"},
    {kCacheRejected, kCounter, "isotherm_cache_rejected_total", "extents", kCache,
     "extents that were not kept: too large, no memory, or the disk refused"},
    {kCacheDamaged, kCounter, "isotherm_cache_damaged_total", "extents", kNone,
     "copies on disk that did not match their checksum"},
    {kCacheUsedBytes, kGauge, "isotherm_cache_used_bytes", "bytes", kCache, "what the cache takes"},
    {kStoreRequests, kCounter, "isotherm_store_requests_total", "requests", kRequest,
     "requests to the store, failed ones too"},
    {kStoreBytes, kCounter, "isotherm_store_bytes_total", "bytes", kRequest,
     "bodies received (get, list) and sent (put)"},
    {kStoreSeconds, kHistogram, "isotherm_store_request_seconds", "seconds", kRequest,
     "requests to the store, failed ones too"},
    {kStoreErrors, kCounter, "isotherm_store_errors_total", "requests", kCode,
     "requests to the store that failed, after retries"},
    {kMemoryUsedBytes, kGauge, "isotherm_memory_used_bytes", "bytes", kUse,
     "memory of the budget by what it is used for"},
    {kMemoryLimitBytes, kGauge, "isotherm_memory_limit_bytes", "bytes", kNone, "the budget's limit; 0: unlimited"},
    {kMemoryPeakBytes, kGauge, "isotherm_memory_peak_bytes", "bytes", kNone,
     "the most of the budget that was used at once"},
    {kMemoryRefused, kCounter, "isotherm_memory_refused_total", "requests", kNone,
     "requests for memory that did not fit"},
    {kMemoryWaitSeconds, kHistogram, "isotherm_memory_wait_seconds", "seconds", kNone, "writes that waited for memory"},
    {kMemtableBytes, kGauge, "isotherm_memtable_bytes", "bytes", kNone, "rows that are not in a segment yet"},
    {kMemtableRows, kGauge, "isotherm_memtable_rows", "rows", kNone, "rows that are not in a segment yet"},
    {kVersion, kGauge, "isotherm_version", "", kNone, "the version that the handle reads"},
    {kSnapshotAgeSeconds, kGauge, "isotherm_snapshot_age_seconds", "seconds", kNone,
     "since the handle last saw that its version is the newest"},
};

constexpr bool IsInOrder() {
  for (size_t i = 0; i < std::size(kMetrics); ++i) {
    if (kMetrics[i].id != static_cast<MetricId>(i)) return false;
  }
  return true;
}
static_assert(IsInOrder(), "the table has the order of MetricId");

}  // namespace metric_table

// In the order of MetricId.
constexpr std::span<const MetricInfo> AllMetrics() { return metric_table::kMetrics; }
constexpr const MetricInfo& InfoOf(MetricId id) { return metric_table::kMetrics[static_cast<size_t>(id)]; }

}  // namespace isotherm
