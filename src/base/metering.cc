#include "isotherm/metering.h"

#include <algorithm>
#include <limits>

namespace isotherm {

namespace {

// Greedy interval scheduling by end time: the most requests of which no two overlap.
uint64_t CountWaves(std::vector<RequestRecord> records) {
  std::sort(records.begin(), records.end(),
            [](const RequestRecord& a, const RequestRecord& b) { return a.end_ns < b.end_ns; });
  uint64_t waves = 0;
  int64_t last_end_ns = std::numeric_limits<int64_t>::min();
  for (const RequestRecord& record : records) {
    if (record.start_ns < last_end_ns) continue;
    ++waves;
    last_end_ns = record.end_ns;
  }
  return waves;
}

}  // namespace

void Meter::Add(const RequestRecord& record) {
  std::lock_guard lock(mutex_);
  records_.push_back(record);
}

void Meter::Reset() {
  std::lock_guard lock(mutex_);
  records_.clear();
}

std::vector<RequestRecord> Meter::Records() const {
  std::lock_guard lock(mutex_);
  return records_;
}

MeterSummary Meter::Summary() const {
  std::vector<RequestRecord> records = Records();
  MeterSummary summary;
  if (records.empty()) return summary;
  int64_t first_ns = std::numeric_limits<int64_t>::max();
  int64_t last_ns = std::numeric_limits<int64_t>::min();
  for (const RequestRecord& record : records) {
    ++summary.requests[static_cast<int>(record.kind)];
    (record.kind == RequestKind::kPut ? summary.bytes_written : summary.bytes_read) += record.bytes;
    first_ns = std::min(first_ns, record.start_ns);
    last_ns = std::max(last_ns, record.end_ns);
  }
  summary.span_ns = last_ns - first_ns;
  summary.waves = CountWaves(std::move(records));
  return summary;
}

double PriceUsd(const MeterSummary& summary, const RequestPrices& prices) {
  double writes = static_cast<double>(summary.puts() + summary.lists());
  return writes / 1000 * prices.per_thousand_writes +
         static_cast<double>(summary.gets()) / 1000 * prices.per_thousand_reads;
}

}  // namespace isotherm
