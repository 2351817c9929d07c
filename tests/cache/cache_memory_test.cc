#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/memory_budget.h"
#include "base/splitmix.h"
#include "cache/cache_metrics.h"
#include "tests/cache/extent_cache_fixture.h"

namespace isotherm::test {
namespace {

constexpr uint64_t kMiB = 1 << 20;

// The read path with one budget for all its parts.
class CacheMemoryTest : public ExtentCacheTest {
 protected:
  void RestartWith(uint64_t limit, uint64_t ram_bytes = 16 * kMiB) {
    cache_ = nullptr;
    disk_ = nullptr;
    ram_ = nullptr;
    budget_ = MakeMemoryBudget(limit);
    auto opened = DiskCache::Open({.directory = "cache", .capacity_bytes = 64 * kMiB, .budget = budget_}, env_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    disk_ = std::move(*opened);
    ram_ = std::make_shared<BlockCache>(BlockCacheOptions{.capacity_bytes = ram_bytes, .budget = budget_});
    cache_ = std::make_unique<ExtentCache>(store_, ram_, disk_, env_, "scope", budget_, metrics_);
  }

  uint64_t UseOf(MemoryUse use) const { return budget_->Usage().by_use[static_cast<int>(use)]; }

  std::shared_ptr<MemoryBudget> budget_;
  std::shared_ptr<Metrics> metrics_ = std::make_shared<Metrics>();
};

TEST_F(CacheMemoryTest, AReadIsChargedWhileItRunsAndItsBlocksWhileTheyLive) {
  RestartWith(kMiB);
  uint64_t during = 0;
  store_->before = [&](const ReadRequest&) { during = UseOf(MemoryUse::kQuery); };
  auto fetched = Fetch({Make("object0", 0, 30'000)}, {.fill_cache = false});
  EXPECT_EQ(during, 30'000 + PinnedBlock::MemoryOf(30'000)) << "the answer and the block that is made of it";
  EXPECT_EQ(UseOf(MemoryUse::kQuery), PinnedBlock::MemoryOf(30'000));
  fetched.clear();
  EXPECT_EQ(UseOf(MemoryUse::kQuery), 0u);
  fetched = Fetch({Make("object0", 0, 30'000)}, {.fill_cache = false, .memory_use = MemoryUse::kBuild});
  EXPECT_EQ(UseOf(MemoryUse::kBuild), PinnedBlock::MemoryOf(30'000));
  fetched = Fetch({Make("object0", 0, 30'000)});
  EXPECT_EQ(UseOf(MemoryUse::kQuery), 0u) << "the cache has taken it over";
  EXPECT_GE(UseOf(MemoryUse::kBlockCache), PinnedBlock::MemoryOf(30'000));
}

TEST_F(CacheMemoryTest, WhatDoesNotFitFailsAloneAndAsksNothingOfTheStore) {
  RestartWith(100'000);
  std::vector<Extent> large = {Make("object0", 0, 60'000), Make("object1", 0, 30'000)};
  for (const FetchedExtent& fetched : Fetch(large, {.fill_cache = false})) {
    EXPECT_EQ(fetched.status.code(), StatusCode::kResourceExhausted) << fetched.status;
    EXPECT_NE(fetched.status.message().find("query asks for"), std::string::npos) << fetched.status;
  }
  EXPECT_EQ(store_->requests(), 0u);
  EXPECT_EQ(UseOf(MemoryUse::kQuery), 0u);
  FetchOk({Make("object1", 0, 30'000)}, {.fill_cache = false});
}

// The third extent waits for the first one's fetch, which fails by the size of its wave.
TEST_F(CacheMemoryTest, OneThatWaitedForAReadThatDidNotFitReadsByItself) {
  RestartWith(100'000);
  auto fetched = Fetch({Make("object0", 0, 30'000), Make("object1", 0, 40'000), Make("object0", 0, 30'000)},
                       {.fill_cache = false});
  EXPECT_EQ(fetched[0].status.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(fetched[1].status.code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(fetched[2].status.ok()) << fetched[2].status;
}

TEST_F(CacheMemoryTest, CachesMakeRoomForAReadAndTheReadStaysWithinTheLimit) {
  constexpr uint64_t kLimit = 300'000;
  RestartWith(kLimit);
  SplitMix64 random(1);
  for (int step = 0; step < 300; ++step) {
    std::vector<Extent> extents;
    for (int i = 0; i < 3; ++i) {
      extents.push_back(Make("object" + std::to_string(random.Below(3)), random.Below(80'000),
                             static_cast<uint32_t>(1 + random.Below(18'000))));
    }
    for (const FetchedExtent& fetched : Fetch(extents)) ASSERT_TRUE(fetched.status.ok()) << fetched.status;
    if (step % 8 == 0) disk_->Flush();
    ASSERT_LE(budget_->Usage().peak_bytes, kLimit);
  }
  EXPECT_GT(ram_->Stats().blocks, 0u);
  EXPECT_GT(counts_.ram_bytes + counts_.disk_bytes + counts_.store_bytes, 0u);
  cache_ = nullptr;
  disk_ = nullptr;
  ram_ = nullptr;
  EXPECT_EQ(budget_->Usage().used_bytes, 0u);
}

TEST_F(CacheMemoryTest, WhatComesFromDiskIsCharged) {
  RestartWith(kMiB);
  FetchOk({Make("object0", 0, 20'000)});
  disk_->Flush();
  RestartWith(kMiB, 0);
  auto fetched = Fetch({Make("object0", 0, 20'000)});
  EXPECT_EQ(counts_.disk_hits, 1u);
  EXPECT_EQ(UseOf(MemoryUse::kQuery), PinnedBlock::MemoryOf(20'000));
  EXPECT_GT(UseOf(MemoryUse::kOther), 0u) << "the index";
  fetched.clear();
  auto rest = budget_->Reserve(MemoryUse::kMemtable, kMiB - budget_->Usage().used_bytes);
  ASSERT_TRUE(rest.ok());
  EXPECT_EQ(Fetch({Make("object0", 0, 20'000)})[0].status.code(), StatusCode::kResourceExhausted);
}

TEST_F(CacheMemoryTest, WhatWaitsToBeWrittenIsChargedToSomebody) {
  RestartWith(kMiB);
  auto executor = std::make_shared<ManualExecutor>();
  cache_ = nullptr;
  disk_ = nullptr;
  auto opened = DiskCache::Open({.directory = "cache", .budget = budget_}, fake_.With(executor));
  ASSERT_TRUE(opened.ok());
  disk_ = std::move(*opened);
  disk_->Insert(BlockKey::Of("scope", "object", 0), PinnedBlock::Copy(std::string(50'000, 'x')), 1);
  uint64_t waiting = UseOf(MemoryUse::kOther);
  executor->RunAll();
  EXPECT_EQ(waiting - UseOf(MemoryUse::kOther), PinnedBlock::MemoryOf(50'000));
  auto rest = budget_->Reserve(MemoryUse::kMemtable, kMiB - budget_->Usage().used_bytes);
  ASSERT_TRUE(rest.ok());
  disk_->Insert(BlockKey::Of("scope", "object", 1), PinnedBlock::Copy(std::string(50'000, 'x')), 1);
  EXPECT_EQ(disk_->Stats().dropped, 1u);
}

TEST_F(CacheMemoryTest, WhatWaitsToBeWrittenMakesRoom) {
  RestartWith(kMiB);
  auto executor = std::make_shared<ManualExecutor>();
  cache_ = nullptr;
  disk_ = nullptr;
  auto opened = DiskCache::Open({.directory = "cache", .budget = budget_}, fake_.With(executor));
  ASSERT_TRUE(opened.ok());
  disk_ = std::move(*opened);
  auto insert = [&](uint64_t i) {
    disk_->Insert(BlockKey::Of("scope", "object", i), PinnedBlock::Copy(std::string(100'000, 'x')), 1);
  };
  for (uint64_t i = 0; i < 9; ++i) insert(i);
  EXPECT_EQ(disk_->Stats().dropped, 0u);
  {
    auto query = budget_->Reserve(MemoryUse::kQuery, kMiB / 2);
    EXPECT_TRUE(query.ok()) << query.status();
    EXPECT_LT(disk_->Stats().dropped, 7u) << "no more than needed";
  }
  for (uint64_t i = 0; i < 9; ++i) insert(i);
  executor->RunAll();
  RestartWith(kMiB, 0);
  EXPECT_EQ(disk_->Stats().used_bytes / 100'000, 9u) << "each once";
}

TEST_F(CacheMemoryTest, AnIndexThatDoesNotFitHoldsTheNewestExtents) {
  RestartWith(64 * kMiB);
  constexpr uint32_t kExtents = 1000;
  auto extent = [&](uint32_t i) { return Make("object0", i * 10, 10); };
  for (uint32_t i = 0; i < kExtents; ++i) FetchOk({extent(i)});
  disk_->Flush();
  RestartWith(100'000, 0);
  EXPECT_LE(budget_->Usage().used_bytes, 100'000u);
  FetchOk({extent(kExtents - 1)}, {.max_gap_bytes = 0, .fill_cache = false});
  EXPECT_EQ(counts_.disk_hits, 1u);
  FetchOk({extent(0)}, {.max_gap_bytes = 0, .fill_cache = false});
  EXPECT_EQ(counts_.misses, 1u);
}

TEST_F(CacheMemoryTest, ManyReadersWithLittleMemoryGetRightBytesOrSaySo) {
  constexpr uint64_t kLimit = 150'000;
  RestartWith(kLimit);
  std::atomic<int> ok{0};
  std::vector<std::thread> readers;
  for (uint64_t t = 0; t < 4; ++t) {
    readers.emplace_back([&, t] {
      SplitMix64 random(t);
      for (int step = 0; step < 300; ++step) {
        std::vector<Extent> extents;
        for (uint64_t i = 0; i <= random.Below(3); ++i) {
          extents.push_back(Make("object" + std::to_string(random.Below(3)), random.Below(8) * 10'000,
                                 static_cast<uint32_t>(1000 + random.Below(2) * 9000)));
        }
        FetchOptions options{.fill_cache = random.Below(3) != 0};
        auto fetched = cache_->Fetch({}, extents, options, nullptr);
        for (size_t i = 0; i < extents.size(); ++i) {
          if (fetched[i].status.ok()) {
            ExpectRight(extents[i], fetched[i]);
            ++ok;
          } else {
            EXPECT_EQ(fetched[i].status.code(), StatusCode::kResourceExhausted) << fetched[i].status;
          }
        }
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_GT(ok, 1000);
  EXPECT_LE(budget_->Usage().peak_bytes, kLimit);
  cache_ = nullptr;
  disk_ = nullptr;
  ram_ = nullptr;
  EXPECT_EQ(budget_->Usage().used_bytes, 0u) << budget_->Usage().ToString();
}

TEST_F(CacheMemoryTest, MetricsSayWhereExtentsCameFrom) {
  RestartWith(kMiB);
  FetchOk({Make("object0", 0, 1000), Make("object1", 0, 1000)});
  FetchOk({Make("object0", 0, 1000)});
  disk_->Flush();
  RestartWith(kMiB);
  FetchOk({Make("object0", 0, 1000)});
  auto collector = metrics_->AddCollector([&](MetricsWriter& writer) {
    WriteMetrics(ram_->Stats(), writer);
    WriteMetrics(disk_->Stats(), writer);
    WriteMetrics(budget_->Usage(), writer);
  });
  MetricsSnapshot snapshot = metrics_->Snapshot();
  EXPECT_EQ(snapshot.Value(MetricId::kCacheHits, static_cast<size_t>(CacheTier::kRam)), 1);
  EXPECT_EQ(snapshot.Value(MetricId::kCacheHits, static_cast<size_t>(CacheTier::kDisk)), 1);
  EXPECT_EQ(snapshot.Value(MetricId::kCacheMisses), 2);
  EXPECT_EQ(snapshot.Value(MetricId::kCacheBytes, static_cast<size_t>(CacheTier::kStore)), 2000);
  EXPECT_EQ(snapshot.Value(MetricId::kCacheUsedBytes, static_cast<size_t>(CacheTier::kRam)),
            static_cast<double>(ram_->Stats().used_bytes));
  EXPECT_GT(snapshot.Value(MetricId::kCacheUsedBytes, static_cast<size_t>(CacheTier::kDisk)), 2000);
  EXPECT_EQ(snapshot.Value(MetricId::kMemoryLimitBytes), kMiB);
  EXPECT_GT(snapshot.Value(MetricId::kMemoryUsedBytes, static_cast<size_t>(MemoryUse::kBlockCache)), 1000);
}

}  // namespace
}  // namespace isotherm::test
