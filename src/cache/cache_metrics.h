// What the caches tell a collector of metrics, beside what ExtentCache counts by itself.
#pragma once

#include "cache/block_cache.h"
#include "cache/disk_cache.h"
#include "isotherm/metrics.h"

namespace isotherm {

void WriteMetrics(const BlockCacheStats& stats, MetricsWriter& writer);
void WriteMetrics(const DiskCacheStats& stats, MetricsWriter& writer);

}  // namespace isotherm
