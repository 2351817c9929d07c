#include "cache/cache_metrics.h"

namespace isotherm {

void WriteMetrics(const BlockCacheStats& stats, MetricsWriter& writer) {
  constexpr auto kTier = static_cast<size_t>(CacheTier::kRam);
  writer.Add(MetricId::kCacheEvictions, static_cast<double>(stats.evictions), kTier);
  writer.Add(MetricId::kCacheRejected, static_cast<double>(stats.rejected), kTier);
  writer.Add(MetricId::kCacheUsedBytes, static_cast<double>(stats.used_bytes), kTier);
}

void WriteMetrics(const DiskCacheStats& stats, MetricsWriter& writer) {
  constexpr auto kTier = static_cast<size_t>(CacheTier::kDisk);
  writer.Add(MetricId::kCacheEvictions, static_cast<double>(stats.evicted_slabs), kTier);
  writer.Add(MetricId::kCacheRejected, static_cast<double>(stats.dropped), kTier);
  writer.Add(MetricId::kCacheUsedBytes, static_cast<double>(stats.used_bytes), kTier);
  writer.Add(MetricId::kCacheDamaged, static_cast<double>(stats.corrupt));
}

}  // namespace isotherm
