#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/memory_budget.h"
#include "base/splitmix.h"
#include "cache/block.h"
#include "cache/block_cache.h"
#include "tests/base/manual_clock.h"

namespace isotherm {
namespace {

BlockKey Key(uint64_t i) { return BlockKey::Of("scope", "object", i); }

class BlockCacheBudgetTest : public testing::TestWithParam<EvictionPolicy> {
 protected:
  BlockCacheOptions Options(const std::shared_ptr<MemoryBudget>& budget, uint64_t capacity, uint32_t shards = 0) {
    return {.capacity_bytes = capacity, .policy = GetParam(), .shards = shards, .budget = budget};
  }
};

uint64_t UseOf(const MemoryBudget& budget, MemoryUse use) { return budget.Usage().by_use[static_cast<int>(use)]; }

// What the cache holds is what is charged for it, when nobody else holds a block.
void ExpectCharged(const BlockCache& cache, const MemoryBudget& budget) {
  BlockCacheStats stats = cache.Stats();
  uint64_t charges = stats.blocks * (PinnedBlock::MemoryOf(0) - BlockFootprint(0));
  EXPECT_EQ(UseOf(budget, MemoryUse::kBlockCache), stats.used_bytes + charges);
}

TEST_P(BlockCacheBudgetTest, WhatIsKeptIsChargedUntilItIsFree) {
  auto budget = MakeMemoryBudget(1 << 20);
  auto cache = std::make_unique<BlockCache>(Options(budget, 1 << 20, 1));
  cache->Insert(Key(1), PinnedBlock::Copy(std::string(1000, 'x')));
  cache->Insert(Key(2), PinnedBlock::Copy(std::string(2000, 'x')));
  ExpectCharged(*cache, *budget);
  EXPECT_GT(budget->Usage().used_bytes, 3000u);
  PinnedBlock pinned = cache->Lookup(Key(2));
  cache = nullptr;
  EXPECT_EQ(UseOf(*budget, MemoryUse::kBlockCache), 0u);
  EXPECT_EQ(UseOf(*budget, MemoryUse::kQuery), PinnedBlock::MemoryOf(2000)) << "whoever holds it pays for it";
  pinned = PinnedBlock();
  EXPECT_EQ(budget->Usage().used_bytes, 0u);
}

TEST_P(BlockCacheBudgetTest, ABlockThatIsPaidForChangesItsUseOnly) {
  auto budget = MakeMemoryBudget(PinnedBlock::MemoryOf(5000) + 1000);
  BlockCache cache(Options(budget, 1 << 20, 1));
  auto memory = budget->Reserve(MemoryUse::kQuery, PinnedBlock::MemoryOf(5000));
  ASSERT_TRUE(memory.ok());
  PinnedBlock block = PinnedBlock::Copy(std::string(5000, 'x'));
  EXPECT_FALSE(block.charged());
  block.Charge(std::move(*memory));
  EXPECT_TRUE(block.charged());
  auto second = budget->Reserve(MemoryUse::kQuery, 10);
  ASSERT_TRUE(second.ok());
  block.Charge(std::move(*second));
  EXPECT_EQ(budget->Usage().used_bytes, PinnedBlock::MemoryOf(5000)) << "once is enough";
  cache.Insert(Key(1), block);
  EXPECT_EQ(UseOf(*budget, MemoryUse::kQuery), 0u);
  ExpectCharged(cache, *budget);
  cache.Erase(Key(1));
  EXPECT_EQ(UseOf(*budget, MemoryUse::kQuery), PinnedBlock::MemoryOf(5000));
  block = PinnedBlock();
  EXPECT_EQ(UseOf(*budget, MemoryUse::kQuery), 0u);
}

TEST_P(BlockCacheBudgetTest, TurnsOverWithinABudgetSmallerThanItsCapacity) {
  constexpr uint64_t kLimit = 200'000;
  auto budget = MakeMemoryBudget(kLimit);
  BlockCache cache(Options(budget, 64 << 20, 4));
  for (uint64_t i = 0; i < 5000; ++i) {
    cache.Insert(Key(i), PinnedBlock::Copy(std::string(1000, 'x')));
    ASSERT_LE(budget->Usage().used_bytes, kLimit);
    ASSERT_TRUE(cache.Lookup(Key(i)).valid()) << i;
  }
  ExpectCharged(cache, *budget);
  EXPECT_GT(cache.Stats().blocks * 1000, kLimit * 7 / 10);
  EXPECT_LE(budget->Usage().peak_bytes, kLimit);
}

TEST_P(BlockCacheBudgetTest, MakesRoomForOthersAndGrowsAgain) {
  constexpr uint64_t kLimit = 1 << 20;
  auto budget = MakeMemoryBudget(kLimit);
  BlockCache cache(Options(budget, kLimit, 8));
  auto fill = [&] {
    for (uint64_t i = 0; i < 2000; ++i) cache.Insert(Key(i), PinnedBlock::Copy(std::string(1000, 'x')));
  };
  fill();
  uint64_t full = cache.Stats().blocks;
  EXPECT_GT(full, 600u);
  auto memtable = budget->Reserve(MemoryUse::kMemtable, kLimit / 2);
  ASSERT_TRUE(memtable.ok()) << memtable.status();
  EXPECT_LT(cache.Stats().blocks, full * 6 / 10);
  EXPECT_GT(cache.Stats().blocks, full * 3 / 10) << "no more than needed";
  ExpectCharged(cache, *budget);
  PinnedBlock pinned = cache.Lookup(Key(1999));
  ASSERT_TRUE(pinned.valid());
  EXPECT_FALSE(memtable->Resize(kLimit - 100).ok()) << "what somebody holds and the tables can't be given back";
  EXPECT_EQ(cache.Stats().blocks, 0u);
  EXPECT_EQ(pinned.bytes(), std::string(1000, 'x'));
  memtable->Release();
  fill();
  EXPECT_GT(cache.Stats().blocks, full * 9 / 10);
}

TEST_P(BlockCacheBudgetTest, TwoCachesShareWhatThereIs) {
  constexpr uint64_t kLimit = 1 << 20;
  auto budget = MakeMemoryBudget(kLimit);
  BlockCache left(Options(budget, 16 << 20, 2));
  BlockCache right(Options(budget, 16 << 20, 2));
  PinnedBlock shared = PinnedBlock::Copy("shared");
  left.Insert(Key(0), shared);
  right.Insert(Key(0), shared);
  EXPECT_EQ(right.Lookup(Key(0)).bytes(), "shared");
  shared = PinnedBlock();
  for (uint64_t i = 1; i < 3000; ++i) left.Insert(Key(i), PinnedBlock::Copy(std::string(1000, 'x')));
  for (uint64_t i = 1; i < 3000; ++i) right.Insert(Key(i), PinnedBlock::Copy(std::string(1000, 'x')));
  EXPECT_TRUE(right.Lookup(Key(2999)).valid());
  EXPECT_GT(right.Stats().blocks, 200u);
  EXPECT_LE(budget->Usage().peak_bytes, kLimit);
}

TEST_P(BlockCacheBudgetTest, KeepsNothingWithoutMemoryOrWhileSomebodyWaits) {
  auto budget = MakeMemoryBudget(100'000);
  BlockCache cache(Options(budget, 1 << 20, 1));
  auto all = budget->Reserve(MemoryUse::kMemtable, 100'000);
  ASSERT_TRUE(all.ok());
  cache.Insert(Key(1), PinnedBlock::Copy("bytes"));
  EXPECT_FALSE(cache.Lookup(Key(1)).valid());
  EXPECT_EQ(cache.Stats().rejected, 1u);
  ASSERT_TRUE(all->Resize(50'000).ok());
  cache.Insert(Key(1), PinnedBlock::Copy("bytes"));
  EXPECT_TRUE(cache.Lookup(Key(1)).valid());
  std::thread waiter(
      [&] { EXPECT_TRUE(budget->WaitReserve(MemoryUse::kMemtable, 90'000, {}, *Environment::Default()->clock).ok()); });
  while (budget->Usage().waiting == 0) std::this_thread::yield();
  cache.Insert(Key(2), PinnedBlock::Copy("bytes"));
  EXPECT_FALSE(cache.Lookup(Key(2)).valid());
  all->Release();
  waiter.join();
  cache.Insert(Key(2), PinnedBlock::Copy("bytes"));
  EXPECT_TRUE(cache.Lookup(Key(2)).valid());
}

TEST_P(BlockCacheBudgetTest, ABlockThatNoShardCanHoldEvictsNothing) {
  auto budget = MakeMemoryBudget(60'000);
  BlockCache none(Options(budget, 0));
  BlockCache cache(Options(budget, 1 << 20, 1));
  cache.Insert(Key(1), PinnedBlock::Copy(std::string(50'000, 'x')));
  none.Insert(Key(1), PinnedBlock::Copy(std::string(50'000, 'x')));
  EXPECT_FALSE(none.Lookup(Key(1)).valid());
  EXPECT_TRUE(cache.Lookup(Key(1)).valid());
}

// Readers that pay for their blocks, as ExtentCache does, beside others that take and give large parts of the budget.
TEST_P(BlockCacheBudgetTest, ManyThreadsStayWithinTheBudgetAndGiveAllBack) {
  constexpr uint64_t kLimit = 400'000;
  auto budget = MakeMemoryBudget(kLimit);
  {
    BlockCache cache(Options(budget, 300'000, 4));
    auto read = [&](uint64_t seed) {
      SplitMix64 random(seed);
      std::vector<PinnedBlock> pinned(4);
      for (int step = 0; step < 4000; ++step) {
        uint64_t i = random.Below(300);
        PinnedBlock block = cache.Lookup(Key(i));
        size_t size = 100 + i * 13 % 3000;
        if (block.valid()) {
          if (block.bytes() != std::string(size, static_cast<char>(i))) ADD_FAILURE() << "wrong bytes for " << i;
        } else {
          auto memory = budget->Reserve(MemoryUse::kQuery, PinnedBlock::MemoryOf(size));
          if (!memory.ok()) continue;
          block = PinnedBlock::Copy(std::string(size, static_cast<char>(i)));
          if (random.Below(4) != 0) block.Charge(std::move(*memory));
          cache.Insert(Key(i), block);
        }
        if (random.Below(64) == 0) cache.Erase(Key(random.Below(300)));
        pinned[random.Below(pinned.size())] = std::move(block);
      }
    };
    auto take = [&](uint64_t seed) {
      SplitMix64 random(seed);
      for (int step = 0; step < 300; ++step) {
        uint64_t bytes = random.Below(kLimit / 2);
        auto taken = random.Below(2) == 0
                         ? budget->Reserve(MemoryUse::kBuild, bytes)
                         : budget->WaitReserve(MemoryUse::kMemtable, bytes, {}, *Environment::Default()->clock);
        std::this_thread::yield();
      }
    };
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < 3; ++t) threads.emplace_back(read, t);
    threads.emplace_back(take, 3);
    for (std::thread& thread : threads) thread.join();
    ExpectCharged(cache, *budget);
  }
  MemoryUsage usage = budget->Usage();
  EXPECT_EQ(usage.used_bytes, 0u) << usage.ToString();
  EXPECT_LE(usage.peak_bytes, kLimit);
}

INSTANTIATE_TEST_SUITE_P(Policies, BlockCacheBudgetTest, testing::Values(EvictionPolicy::kS3Fifo, EvictionPolicy::kLru),
                         [](const auto& test) { return test.param == EvictionPolicy::kLru ? "Lru" : "S3Fifo"; });

}  // namespace
}  // namespace isotherm
