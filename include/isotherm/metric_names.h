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
  kVacuumObjectsDeleted,
  kVacuumBytesDeleted,
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
  const char* name;
  MetricKind kind;
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
    {kCommits, "isotherm_commits_total", kCounter, "", kNone, "commits that made a version"},
    {kCommitSeconds, "isotherm_commit_seconds", kHistogram, "seconds", kNone,
     "calls of Commit, those that had nothing to do left out"},
    {kConflicts, "isotherm_conflicts_total", kCounter, "", kNone, "swaps of the head that another writer won"},
    {kRowsInserted, "isotherm_rows_inserted_total", kCounter, "rows", kNone,
     "rows that were inserted or replaced, by commits"},
    {kRowsDeleted, "isotherm_rows_deleted_total", kCounter, "rows", kNone, "rows that were deleted, by commits"},
    {kSearchSeconds, "isotherm_search_seconds", kHistogram, "seconds", kNone, "searches that were answered"},
    {kGetSeconds, "isotherm_get_seconds", kHistogram, "seconds", kNone, "reads by key that were answered"},
    {kErrors, "isotherm_errors_total", kCounter, "", kCode, "calls of the collection that failed"},
    {kFlushes, "isotherm_flushes_total", kCounter, "", kNone, "memtables that became segments"},
    {kFlushSeconds, "isotherm_flush_seconds", kHistogram, "seconds", kNone, "flushes"},
    {kCompactions, "isotherm_compactions_total", kCounter, "", kNone, "compactions that were committed"},
    {kCompactionSeconds, "isotherm_compaction_seconds", kHistogram, "seconds", kNone,
     "compactions, those that lost against another writer too"},
    {kCompactionBytesRead, "isotherm_compaction_bytes_read_total", kCounter, "bytes", kNone,
     "read from the store by compactions"},
    {kCompactionBytesWritten, "isotherm_compaction_bytes_written_total", kCounter, "bytes", kNone,
     "written to the store by compactions"},
    {kVacuumObjectsDeleted, "isotherm_vacuum_objects_deleted_total", kCounter, "objects", kNone,
     "objects of the store that no version needs any more"},
    {kVacuumBytesDeleted, "isotherm_vacuum_bytes_deleted_total", kCounter, "bytes", kNone, "their size"},
    {kCacheHits, "isotherm_cache_hits_total", kCounter, "extents", kCache, "extents that were found in this cache"},
    {kCacheMisses, "isotherm_cache_misses_total", kCounter, "extents", kNone, "extents that no cache had"},
    {kCacheJoined, "isotherm_cache_joined_total", kCounter, "extents", kNone,
     "extents that another call was fetching already"},
    {kCacheBytes, "isotherm_cache_bytes_total", kCounter, "bytes", kTier,
     "bytes of extents by where they came from; the store's with the gaps between them"},
    {kCacheEvictions, "isotherm_cache_evictions_total", kCounter, "", kCache,
     "blocks in RAM and slabs on disk that made room"},
    {kCacheRejected, "isotherm_cache_rejected_total", kCounter, "extents", kCache,
     "extents that were not kept: too large, no memory, or the disk refused"},
    {kCacheDamaged, "isotherm_cache_damaged_total", kCounter, "extents", kNone,
     "copies on disk that did not match their checksum"},
    {kCacheUsedBytes, "isotherm_cache_used_bytes", kGauge, "bytes", kCache, "what the cache takes"},
    {kStoreRequests, "isotherm_store_requests_total", kCounter, "requests", kRequest,
     "requests to the store, failed ones too"},
    {kStoreBytes, "isotherm_store_bytes_total", kCounter, "bytes", kRequest,
     "bodies received (get, list) and sent (put)"},
    {kStoreSeconds, "isotherm_store_request_seconds", kHistogram, "seconds", kRequest,
     "requests to the store, failed ones too"},
    {kStoreErrors, "isotherm_store_errors_total", kCounter, "requests", kCode,
     "requests to the store that failed, after retries"},
    {kMemoryUsedBytes, "isotherm_memory_used_bytes", kGauge, "bytes", kUse,
     "memory of the budget by what it is used for"},
    {kMemoryLimitBytes, "isotherm_memory_limit_bytes", kGauge, "bytes", kNone, "the budget's limit; 0: unlimited"},
    {kMemoryPeakBytes, "isotherm_memory_peak_bytes", kGauge, "bytes", kNone,
     "the most of the budget that was used at once"},
    {kMemoryRefused, "isotherm_memory_refused_total", kCounter, "requests", kNone,
     "requests for memory that did not fit"},
    {kMemoryWaitSeconds, "isotherm_memory_wait_seconds", kHistogram, "seconds", kNone, "writes that waited for memory"},
    {kMemtableBytes, "isotherm_memtable_bytes", kGauge, "bytes", kNone, "rows that are not in a segment yet"},
    {kMemtableRows, "isotherm_memtable_rows", kGauge, "rows", kNone, "rows that are not in a segment yet"},
    {kVersion, "isotherm_version", kGauge, "", kNone, "the version that the handle reads"},
    {kSnapshotAgeSeconds, "isotherm_snapshot_age_seconds", kGauge, "seconds", kNone,
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
