// How many values fell where, in a fixed number of buckets that are narrow against their values.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "isotherm/metrics.h"

namespace isotherm {

// Sixteen buckets for every power of two, so that a bucket's middle is within 1/32 of all its values (HdrHistogram's
// layout). Values below 16 have one each; those from 2^44 on (five hours in nanoseconds) share the last one.
struct LogBuckets {
  static constexpr int kSubBits = 4;
  static constexpr int kMaxBits = 44;
  static constexpr size_t kCount = (kMaxBits - kSubBits + 1) << kSubBits;

  static constexpr size_t IndexOf(uint64_t value) {
    if (value < (uint64_t{1} << kSubBits)) return value;
    if (value >> kMaxBits != 0) return kCount - 1;
    int shift = std::bit_width(value) - 1 - kSubBits;
    return (static_cast<size_t>(shift) << kSubBits) + (value >> shift);
  }
  static constexpr uint64_t LowerBound(size_t index) {
    if (index < (size_t{2} << kSubBits)) return index;
    size_t shift = (index >> kSubBits) - 1;
    return (index - (shift << kSubBits)) << shift;
  }
  // The first value of the next bucket.
  static constexpr uint64_t UpperBound(size_t index) { return LowerBound(index + 1); }
};

// Thread-safe and lock-free; 5 KiB. What is recorded while a snapshot is taken is in it or not.
class Histogram {
 public:
  void Observe(uint64_t nanoseconds) {
    buckets_[LogBuckets::IndexOf(nanoseconds)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(nanoseconds, std::memory_order_relaxed);
    uint64_t max = max_.load(std::memory_order_relaxed);
    while (max < nanoseconds && !max_.compare_exchange_weak(max, nanoseconds, std::memory_order_relaxed)) {
    }
  }
  HistogramSnapshot Snapshot() const;

 private:
  std::array<std::atomic<uint64_t>, LogBuckets::kCount> buckets_ = {};
  std::atomic<uint64_t> sum_{0};
  std::atomic<uint64_t> max_{0};
};

}  // namespace isotherm
