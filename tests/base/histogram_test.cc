#include "base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <thread>
#include <vector>

#include "base/splitmix.h"

namespace isotherm {
namespace {

constexpr double kMaxError = 1.0 / 32;

// Spread over many powers of two, as latencies are.
std::vector<uint64_t> RandomValues(uint64_t seed, size_t n) {
  SplitMix64 random(seed);
  std::vector<uint64_t> values(n);
  uint64_t bits = 1 + random.Below(43);
  for (uint64_t& value : values) value = random.Next() >> (63 - random.Below(bits));
  return values;
}

double ExactQuantile(const std::vector<uint64_t>& sorted, double q) {
  auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return static_cast<double>(sorted[std::max<size_t>(rank, 1) - 1]) * 1e-9;
}

TEST(LogBuckets, CoverAllNumbersInOrderAndNarrowly) {
  EXPECT_EQ(LogBuckets::LowerBound(0), 0u);
  for (size_t i = 0; i < LogBuckets::kCount; ++i) {
    uint64_t first = LogBuckets::LowerBound(i);
    uint64_t last = LogBuckets::UpperBound(i) - 1;
    ASSERT_LE(first, last);
    ASSERT_EQ(LogBuckets::IndexOf(first), i);
    ASSERT_EQ(LogBuckets::IndexOf(last), i);
    ASSERT_LE(static_cast<double>(last - first), static_cast<double>(first) * 2 * kMaxError);
  }
  EXPECT_EQ(LogBuckets::IndexOf(UINT64_MAX), LogBuckets::kCount - 1);
}

TEST(HistogramTest, QuantilesAreWithinTheirErrorOfTheSortedValues) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    std::vector<uint64_t> values = RandomValues(seed, 1 + seed * 40);
    Histogram histogram;
    double sum = 0;
    for (uint64_t value : values) {
      histogram.Observe(value);
      sum += static_cast<double>(value) * 1e-9;
    }
    std::sort(values.begin(), values.end());
    HistogramSnapshot snapshot = histogram.Snapshot();
    EXPECT_EQ(snapshot.count(), values.size());
    EXPECT_NEAR(snapshot.sum(), sum, sum * 1e-12);
    EXPECT_DOUBLE_EQ(snapshot.max(), static_cast<double>(values.back()) * 1e-9);
    for (double q : {0.0, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0}) {
      double exact = ExactQuantile(values, q);
      EXPECT_NEAR(snapshot.Quantile(q), exact, exact * kMaxError * 1.001) << "q " << q << ", seed " << seed;
    }
    for (int bits = 4; bits < 44; ++bits) {
      uint64_t bound = (uint64_t{1} << bits) - 1;
      auto at_most = std::upper_bound(values.begin(), values.end(), bound) - values.begin();
      ASSERT_EQ(snapshot.CountUpTo(static_cast<double>(bound) * 1e-9), static_cast<uint64_t>(at_most)) << bits;
    }
  }
}

TEST(HistogramTest, EmptyAndBeyondItsRange) {
  Histogram histogram;
  EXPECT_EQ(histogram.Snapshot().Quantile(0.5), 0);
  EXPECT_EQ(HistogramSnapshot().Quantile(0.5), 0);
  EXPECT_EQ(histogram.Snapshot().max(), 0);
  histogram.Observe(uint64_t{1} << 60);
  EXPECT_DOUBLE_EQ(histogram.Snapshot().Quantile(0.5), std::ldexp(1.0, 60) * 1e-9);
}

TEST(HistogramTest, ADifferenceIsWhatWasRecordedInBetween) {
  std::vector<uint64_t> before = RandomValues(1, 1000);
  std::vector<uint64_t> after = RandomValues(2, 1000);
  Histogram both;
  for (uint64_t value : before) both.Observe(value);
  HistogramSnapshot earlier = both.Snapshot();
  EXPECT_EQ(earlier.Since(earlier).count(), 0u);
  EXPECT_EQ(earlier.Since(earlier).max(), 0);
  EXPECT_EQ(earlier.Since(HistogramSnapshot()).count(), earlier.count());
  for (uint64_t value : after) both.Observe(value);
  HistogramSnapshot since = both.Snapshot().Since(earlier);
  std::sort(after.begin(), after.end());
  EXPECT_EQ(since.count(), after.size());
  for (double q : {0.5, 0.99}) EXPECT_NEAR(since.Quantile(q), ExactQuantile(after, q), ExactQuantile(after, q) * 0.04);
  double max = static_cast<double>(after.back()) * 1e-9;
  EXPECT_GE(since.max(), max);
  EXPECT_LE(since.max(), max * 1.0626);
}

TEST(HistogramTest, ManyThreadsLoseNothing) {
  Histogram histogram;
  constexpr uint64_t kThreads = 4;
  constexpr uint64_t kEach = 20'000;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 1; i <= kEach; ++i) {
        histogram.Observe(i * (t + 1));
        if (i % 4096 == 0) {
          HistogramSnapshot snapshot = histogram.Snapshot();
          EXPECT_GE(snapshot.count(), i);
          EXPECT_LE(snapshot.count(), kThreads * kEach);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  HistogramSnapshot snapshot = histogram.Snapshot();
  EXPECT_EQ(snapshot.count(), kThreads * kEach);
  EXPECT_DOUBLE_EQ(snapshot.max(), kEach * kThreads * 1e-9);
  EXPECT_NEAR(snapshot.sum(), (1 + 2 + 3 + 4) * (kEach * (kEach + 1) / 2.0) * 1e-9, 1e-9);
}

}  // namespace
}  // namespace isotherm
