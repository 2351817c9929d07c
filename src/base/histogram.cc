#include "base/histogram.h"

#include <algorithm>
#include <cmath>

namespace isotherm {

namespace {

constexpr double kNanosecond = 1e-9;

}  // namespace

HistogramSnapshot Histogram::Snapshot() const {
  HistogramSnapshot snapshot;
  snapshot.sum_ = static_cast<double>(sum_.load(std::memory_order_relaxed)) * kNanosecond;
  snapshot.buckets_.reserve(LogBuckets::kCount);
  for (const auto& bucket : buckets_) {
    snapshot.buckets_.push_back(bucket.load(std::memory_order_relaxed));
    snapshot.count_ += snapshot.buckets_.back();
  }
  snapshot.max_ = static_cast<double>(max_.load(std::memory_order_relaxed)) * kNanosecond;
  return snapshot;
}

double HistogramSnapshot::Quantile(double q) const {
  if (count_ == 0) return 0;
  auto rank = static_cast<uint64_t>(std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_)));
  uint64_t before = 0;
  for (size_t i = 0; i + 1 < buckets_.size(); ++i) {
    before += buckets_[i];
    if (before < std::max<uint64_t>(rank, 1)) continue;
    uint64_t lowest = LogBuckets::LowerBound(i);
    uint64_t highest = LogBuckets::UpperBound(i) - 1;
    return std::min(max_, (static_cast<double>(lowest) + static_cast<double>(highest)) / 2 * kNanosecond);
  }
  return max_;
}

uint64_t HistogramSnapshot::CountUpTo(double seconds) const {
  uint64_t count = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    auto highest = static_cast<double>(LogBuckets::UpperBound(i) - 1);
    // Half a nanosecond for what the conversion to seconds and back may lose.
    if (highest * kNanosecond > seconds + kNanosecond / 2) break;
    count += buckets_[i];
  }
  return count;
}

HistogramSnapshot HistogramSnapshot::Since(const HistogramSnapshot& earlier) const {
  HistogramSnapshot since;
  since.buckets_.resize(buckets_.size());
  for (size_t i = 0; i < buckets_.size(); ++i) {
    uint64_t old = i < earlier.buckets_.size() ? earlier.buckets_[i] : 0;
    since.buckets_[i] = buckets_[i] - std::min(old, buckets_[i]);
    since.count_ += since.buckets_[i];
    if (since.buckets_[i] == 0) continue;
    double highest = static_cast<double>(LogBuckets::UpperBound(i) - 1) * kNanosecond;
    since.max_ = i + 1 == buckets_.size() ? max_ : std::min(max_, highest);
  }
  if (since.count_ > 0) since.sum_ = std::max(0.0, sum_ - earlier.sum_);
  return since;
}

}  // namespace isotherm
