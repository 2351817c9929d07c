#include "cache/block_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/splitmix.h"

namespace isotherm {
namespace {

BlockKey Key(uint64_t i) { return BlockKey::Of("scope", "object", i); }

// Bytes that tell their key.
std::string BytesOf(uint64_t i, size_t size) {
  std::string bytes(size, static_cast<char>('a' + i % 26));
  std::string number = std::to_string(i) + ".";
  bytes.replace(0, std::min(size, number.size()), number.substr(0, size));
  return bytes;
}

class BlockCacheTest : public testing::TestWithParam<EvictionPolicy> {
 protected:
  BlockCacheOptions Options(uint64_t capacity, uint32_t shards = 0) const {
    return {.capacity_bytes = capacity, .policy = GetParam(), .shards = shards};
  }
};

INSTANTIATE_TEST_SUITE_P(Policies, BlockCacheTest, testing::Values(EvictionPolicy::kS3Fifo, EvictionPolicy::kLru),
                         [](const auto& policy) { return policy.param == EvictionPolicy::kLru ? "Lru" : "S3Fifo"; });

TEST_P(BlockCacheTest, FindsWhatWasInsertedUntilItIsErasedOrReplaced) {
  BlockCache cache(Options(1 << 20));
  EXPECT_FALSE(cache.Lookup(Key(1)).valid());
  cache.Insert(Key(1), PinnedBlock::Copy("one"));
  cache.Insert(Key(2), PinnedBlock::Copy(""));
  EXPECT_EQ(cache.Lookup(Key(1)).bytes(), "one");
  EXPECT_TRUE(cache.Lookup(Key(2)).valid());
  EXPECT_EQ(cache.Lookup(Key(2)).bytes(), "");
  cache.Insert(Key(1), PinnedBlock::Copy("uno"));
  EXPECT_EQ(cache.Lookup(Key(1)).bytes(), "uno");
  cache.Erase(Key(1));
  cache.Erase(Key(3));
  EXPECT_FALSE(cache.Lookup(Key(1)).valid());

  BlockCacheStats stats = cache.Stats();
  EXPECT_EQ(stats.hits, 4u);
  EXPECT_EQ(stats.misses, 2u);
  EXPECT_EQ(stats.inserts, 3u);
  EXPECT_EQ(stats.evictions, 0u);
  EXPECT_EQ(stats.blocks, 1u);
}

TEST_P(BlockCacheTest, BytesBeginOnACacheLine) {
  for (size_t size : {0, 1, 100, 4096, 200'000}) {
    PinnedBlock block = PinnedBlock::Copy(std::string(size, 'x'));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block.bytes().data()) % 64, 0u);
  }
}

TEST_P(BlockCacheTest, PinnedBytesOutliveEvictionEraseAndTheCache) {
  auto cache = std::make_unique<BlockCache>(Options(64 << 10, 1));
  cache->Insert(Key(1), PinnedBlock::Copy(BytesOf(1, 1000)));
  PinnedBlock pinned = cache->Lookup(Key(1));
  const char* where = pinned.bytes().data();
  for (uint64_t i = 2; i < 1000; ++i) cache->Insert(Key(i), PinnedBlock::Copy(BytesOf(i, 1000)));
  EXPECT_FALSE(cache->Lookup(Key(1)).valid());
  PinnedBlock last = cache->Lookup(Key(999));
  ASSERT_TRUE(last.valid());
  cache.reset();
  EXPECT_EQ(pinned.bytes(), BytesOf(1, 1000));
  EXPECT_EQ(pinned.bytes().data(), where);
  EXPECT_EQ(last.bytes(), BytesOf(999, 1000));
}

TEST_P(BlockCacheTest, CopiesOfAPinShareItsBytes) {
  PinnedBlock first = PinnedBlock::Copy("bytes");
  PinnedBlock second = first;
  PinnedBlock third;
  EXPECT_FALSE(third.valid());
  third = second;
  PinnedBlock& same = second;
  second = same;
  first = std::move(third);
  EXPECT_FALSE(third.valid());
  EXPECT_EQ(first.bytes().data(), second.bytes().data());
  first = PinnedBlock();
  EXPECT_EQ(second.bytes(), "bytes");
}

TEST_P(BlockCacheTest, OneBlockUnderTwoKeysAndInTwoCaches) {
  BlockCache left(Options(1 << 20));
  BlockCache right(Options(1 << 20));
  PinnedBlock block = PinnedBlock::Copy("shared");
  left.Insert(Key(1), block);
  left.Insert(Key(1), block);
  left.Insert(Key(2), block);
  right.Insert(Key(1), block);
  EXPECT_EQ(left.Stats().blocks, 2u);
  EXPECT_EQ(left.Lookup(Key(1)).bytes().data(), block.bytes().data());
  EXPECT_EQ(left.Lookup(Key(2)).bytes(), "shared");
  left.Erase(Key(1));
  EXPECT_EQ(right.Lookup(Key(1)).bytes(), "shared");
  left.Insert(Key(3), block);  // free again, so it goes in as it is
  EXPECT_EQ(left.Lookup(Key(3)).bytes().data(), block.bytes().data());
}

TEST_P(BlockCacheTest, ABlockLargerThanAShardIsRejectedAndLeavesTheRestAlone) {
  BlockCache cache(Options(1 << 20, 1));
  cache.Insert(Key(1), PinnedBlock::Copy("small"));
  cache.Insert(Key(2), PinnedBlock::Copy(std::string(1 << 20, 'x')));
  EXPECT_FALSE(cache.Lookup(Key(2)).valid());
  EXPECT_TRUE(cache.Lookup(Key(1)).valid());
  EXPECT_EQ(cache.Stats().rejected, 1u);
  cache.Insert(Key(3), PinnedBlock());
  EXPECT_EQ(cache.Stats().blocks, 1u);
}

TEST_P(BlockCacheTest, AnyCapacityHoldsABlockOfAnEighthOrFourMebibytes) {
  for (uint64_t capacity = 64 << 10; capacity <= 512 << 20; capacity = capacity * 3 / 2) {
    BlockCache cache(Options(capacity));
    uint64_t size = std::min<uint64_t>(capacity / 8, 4 << 20);
    for (uint64_t i = 0; i < 100; ++i) cache.Insert(Key(1000 + i), PinnedBlock::Copy(std::string(500, 'x')));
    cache.Insert(Key(1), PinnedBlock::Copy(std::string(size, 'x')));
    EXPECT_TRUE(cache.Lookup(Key(1)).valid()) << capacity;
    EXPECT_LE(cache.Stats().used_bytes, capacity);
  }
}

TEST_P(BlockCacheTest, TinyCapacitiesHoldNothingRatherThanTooMuch) {
  for (uint64_t capacity : {0, 1, 100, 1000, 2000, 5000}) {
    BlockCache cache(Options(capacity));
    for (uint64_t i = 0; i < 100; ++i) {
      cache.Insert(Key(i), PinnedBlock::Copy(std::string(100, 'x')));
      ASSERT_LE(cache.Stats().used_bytes, capacity);
    }
  }
}

// Against a map that never forgets: what is found is right, what was just inserted is there, and the counters add up.
TEST_P(BlockCacheTest, AnyMixOfCallsKeepsContentsRightAndBudget) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    SplitMix64 random(seed);
    uint64_t capacity = uint64_t{4096} << random.Below(9);
    BlockCache cache(Options(capacity, static_cast<uint32_t>(1 << random.Below(4))));
    uint64_t keys = 10 + random.Below(2000);
    uint64_t largest = 1 + random.Below(capacity / 4);
    std::unordered_map<uint64_t, std::string> model;
    uint64_t looked_up = 0;
    for (int step = 0; step < 4000; ++step) {
      uint64_t i = random.Below(keys);
      uint64_t action = random.Below(10);
      if (action == 0) {
        cache.Erase(Key(i));
        model.erase(i);
      } else if (action < 5) {
        std::string bytes =
            BytesOf(i * 10'000 + step, random.Below(4) == 0 ? random.Below(largest) : random.Below(200));
        uint64_t rejected = cache.Stats().rejected;
        cache.Insert(Key(i), PinnedBlock::Copy(bytes));
        model[i] = bytes;
        bool there = cache.Stats().rejected == rejected;
        PinnedBlock found = cache.Lookup(Key(i));
        ++looked_up;
        ASSERT_EQ(found.valid(), there);
      } else {
        PinnedBlock found = cache.Lookup(Key(i));
        ++looked_up;
        if (found.valid()) {
          ASSERT_TRUE(model.contains(i));
          ASSERT_EQ(found.bytes(), model[i]);
        }
      }
      BlockCacheStats stats = cache.Stats();
      ASSERT_LE(stats.used_bytes, capacity);
      ASSERT_EQ(stats.hits + stats.misses, looked_up);
    }
  }
}

TEST_P(BlockCacheTest, KeepsWhatFits) {
  BlockCache cache(Options(16 << 20));
  constexpr uint64_t kBlocks = 3000;  // of 4 KiB: 12 MiB
  for (uint64_t i = 0; i < kBlocks; ++i) cache.Insert(Key(i), PinnedBlock::Copy(BytesOf(i, 4096)));
  for (uint64_t i = 0; i < kBlocks; ++i) {
    PinnedBlock block = cache.Lookup(Key(i));
    ASSERT_TRUE(block.valid()) << i;
    ASSERT_EQ(block.bytes(), BytesOf(i, 4096));
  }
}

TEST_P(BlockCacheTest, MostOfTheBudgetHoldsBytes) {
  BlockCache cache(Options(64 << 20));
  for (uint64_t i = 0; i < 40'000; ++i) cache.Insert(Key(i), PinnedBlock::Copy(std::string(4096, 'x')));
  BlockCacheStats stats = cache.Stats();
  EXPECT_GT(stats.blocks * 4096, (uint64_t{64} << 20) * 9 / 10);
  EXPECT_EQ(stats.inserts - stats.evictions, stats.blocks);
}

TEST_P(BlockCacheTest, ManyThreadsSeeWholeBlocksWithinTheBudget) {
  BlockCache cache(Options(1 << 20));
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      SplitMix64 random(t);
      std::vector<PinnedBlock> pinned(8);
      for (int step = 0; step < 20'000; ++step) {
        uint64_t i = random.Below(600);
        PinnedBlock block = cache.Lookup(Key(i));
        if (block.valid()) {
          std::string_view bytes = block.bytes();
          if (bytes != BytesOf(i, bytes.size())) ADD_FAILURE() << "wrong bytes for " << i;
        } else {
          block = PinnedBlock::Copy(BytesOf(i, 1 + random.Below(8000)));
          cache.Insert(Key(i), block);
        }
        if (random.Below(50) == 0) cache.Erase(Key(random.Below(600)));
        if (random.Below(50) == 0) cache.Insert(Key(i + 600), block);
        cache.Insert(Key(i), block);
        if (cache.Stats().used_bytes > 1 << 20) ADD_FAILURE() << "over the budget";
        pinned[random.Below(pinned.size())] = std::move(block);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

constexpr size_t kTraceBlockBytes = 1000;

// Zipf-distributed keys, of which the cache holds a tenth; every so often somebody reads 125 blocks, each `touches`
// times in a row, that nobody will want again.
std::vector<uint64_t> ScanPollutedTrace(double skew, int touches, uint64_t seed) {
  constexpr uint64_t kHot = 5'000;
  std::vector<double> cumulative(kHot);
  double sum = 0;
  for (uint64_t i = 0; i < kHot; ++i) cumulative[i] = sum += 1 / std::pow(static_cast<double>(i + 1), skew);
  SplitMix64 random(seed);
  std::vector<uint64_t> trace;
  uint64_t scanned = kHot;
  for (int step = 0; step < 50'000; ++step) {
    double at = static_cast<double>(random.Next() >> 11) * 0x1p-53 * sum;
    trace.push_back(std::lower_bound(cumulative.begin(), cumulative.end(), at) - cumulative.begin());
    if (step % 250 == 0) {
      for (int n = 0; n < 125; ++n, ++scanned) trace.insert(trace.end(), touches, scanned);
    }
  }
  return trace;
}

struct TraceOutcome {
  double hit_ratio = 0;
  uint64_t blocks = 0;  // in the cache at the end
};

TraceOutcome Replay(EvictionPolicy policy, const std::vector<uint64_t>& trace) {
  BlockCache cache({.capacity_bytes = 500 * (kTraceBlockBytes + 160), .policy = policy, .shards = 1});
  for (uint64_t i : trace) {
    if (!cache.Lookup(Key(i)).valid()) cache.Insert(Key(i), PinnedBlock::Copy(std::string(kTraceBlockBytes, 'x')));
  }
  BlockCacheStats stats = cache.Stats();
  return {static_cast<double>(stats.hits) / static_cast<double>(trace.size()), stats.blocks};
}

// S3-FIFO as the paper's algorithm 1 has it, for blocks of one size, in lists that remember everything exactly.
double ReferenceS3FifoHitRatio(size_t capacity, const std::vector<uint64_t>& trace) {
  struct Entry {
    int frequency = 0;
  };
  std::deque<uint64_t> small;  // the oldest first
  std::deque<uint64_t> main;
  std::deque<uint64_t> ghost;
  std::unordered_map<uint64_t, Entry> entries;
  std::unordered_map<uint64_t, int> ghosts;  // how often each is in `ghost`
  auto pop = [](std::deque<uint64_t>& queue) {
    uint64_t key = queue.front();
    queue.pop_front();
    return key;
  };
  auto evict_one = [&] {
    for (;;) {
      if (!small.empty() && (small.size() * 10 >= capacity || main.empty())) {
        uint64_t key = pop(small);
        if (entries[key].frequency > 1) {
          entries[key].frequency = 0;
          main.push_back(key);
          continue;
        }
        ghost.push_back(key);
        ++ghosts[key];
        if (ghost.size() > capacity) --ghosts[pop(ghost)];
        entries.erase(key);
        return;
      }
      uint64_t key = pop(main);
      if (entries[key].frequency-- > 0) {
        main.push_back(key);
        continue;
      }
      entries.erase(key);
      return;
    }
  };
  uint64_t hits = 0;
  for (uint64_t key : trace) {
    if (auto entry = entries.find(key); entry != entries.end()) {
      entry->second.frequency = std::min(entry->second.frequency + 1, 3);
      ++hits;
      continue;
    }
    if (entries.size() == capacity) evict_one();
    entries[key] = {};
    (ghosts[key] > 0 ? main : small).push_back(key);
  }
  return static_cast<double>(hits) / static_cast<double>(trace.size());
}

TEST(BlockCachePolicyTest, S3FifoHitsAsOftenAsThePapersAlgorithm) {
  for (double skew : {0.6, 0.8, 1.0, 1.2}) {
    for (int touches : {1, 2, 3, 4}) {
      std::vector<uint64_t> trace = ScanPollutedTrace(skew, touches, 5);
      TraceOutcome outcome = Replay(EvictionPolicy::kS3Fifo, trace);
      double reference = ReferenceS3FifoHitRatio(outcome.blocks, trace);
      EXPECT_NEAR(outcome.hit_ratio, reference, 0.005) << "skew " << skew << ", touches " << touches;
    }
  }
}

TEST(BlockCachePolicyTest, S3FifoKeepsTheHotSetThroughScansBetterThanLru) {
  std::vector<uint64_t> trace = ScanPollutedTrace(0.9, 1, 17);
  double lru = Replay(EvictionPolicy::kLru, trace).hit_ratio;
  double s3_fifo = Replay(EvictionPolicy::kS3Fifo, trace).hit_ratio;
  EXPECT_GT(s3_fifo, lru + 0.05) << "LRU has " << lru;
}

TEST(BlockCachePolicyTest, LruEvictsWhatWasUsedLongestAgo) {
  BlockCache cache({.capacity_bytes = 5 * 1128, .policy = EvictionPolicy::kLru, .shards = 1});
  for (uint64_t i = 0; i < 4; ++i) cache.Insert(Key(i), PinnedBlock::Copy(std::string(1000, 'x')));
  ASSERT_EQ(cache.Stats().evictions, 0u);
  EXPECT_TRUE(cache.Lookup(Key(0)).valid());
  cache.Insert(Key(4), PinnedBlock::Copy(std::string(1000, 'x')));
  EXPECT_EQ(cache.Stats().evictions, 1u);
  EXPECT_TRUE(cache.Lookup(Key(0)).valid());
  EXPECT_FALSE(cache.Lookup(Key(1)).valid());
}

TEST(BlockCachePolicyTest, S3FifoKeepsWhatComesBackSoonAfterItsEviction) {
  // Ten blocks fit. 100 blocks pass through once, the last few of them a second time: those go to the main queue, where
  // 100 further blocks that pass once do not reach them.
  BlockCache cache({.capacity_bytes = 10 * 1200, .policy = EvictionPolicy::kS3Fifo, .shards = 1});
  auto insert = [&](uint64_t i) { cache.Insert(Key(i), PinnedBlock::Copy(std::string(1000, 'x'))); };
  for (uint64_t i = 0; i < 100; ++i) insert(i);
  uint64_t evicted = 99;
  while (cache.Lookup(Key(evicted)).valid()) --evicted;
  insert(evicted);
  for (uint64_t i = 100; i < 200; ++i) insert(i);
  EXPECT_TRUE(cache.Lookup(Key(evicted)).valid());
}

}  // namespace
}  // namespace isotherm
