#include <gtest/gtest.h>

#include <bit>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/splitmix.h"
#include "cache/block_cache.h"
#include "cache/block_hash.h"

namespace isotherm {
namespace {

TEST(BlockKeyTest, TheSameValuesGiveTheSameKeyAndBordersBetweenThemMatter) {
  EXPECT_EQ(BlockKey::Of("scope", "object", 7), BlockKey::Of("scope", "object", 7));
  EXPECT_FALSE(BlockKey::Of("ab", "c", 0) == BlockKey::Of("a", "bc", 0));
  EXPECT_FALSE(BlockKey::Of("", "abc", 0) == BlockKey::Of("abc", "", 0));
  EXPECT_FALSE(BlockKey::Of("a", std::string(1, '\0'), 0) == BlockKey::Of("a", "", 0));
  EXPECT_FALSE(BlockKey::Of("a", "b", 0) == BlockKey::Of("a", "b", uint64_t{1} << 63));
}

// Disk caches of earlier processes are found by these.
TEST(BlockKeyTest, KeysStayTheSameFromVersionToVersion) {
  BlockKey key = BlockKey::Of("s3://bucket/collection", "segments/0000000000000017", 1 << 20);
  EXPECT_EQ(key.high, 7028101768364602558u);
  EXPECT_EQ(key.low, 14105119434124135148u);
}

TEST(BlockKeyTest, NeitherHalfCollidesAmongManySimilarKeys) {
  std::unordered_set<uint64_t> high;
  std::unordered_set<uint64_t> low;
  size_t keys = 0;
  for (int segment = 0; segment < 200; ++segment) {
    std::string name = "segments/" + std::to_string(segment);
    for (uint64_t offset = 0; offset < 2000; ++offset, ++keys) {
      BlockKey key = BlockKey::Of("scope", name, offset * (segment % 2 == 0 ? 1 : 4096));
      high.insert(key.high);
      low.insert(key.low);
    }
  }
  EXPECT_EQ(high.size(), keys);
  EXPECT_EQ(low.size(), keys);
}

TEST(BlockKeyTest, EveryBitOfTheInputChangesHalfOfTheKey) {
  SplitMix64 random(3);
  for (int bit = 0; bit < 40 * 8 + 64; ++bit) {
    int flipped = 0;
    constexpr int kTrials = 200;
    for (int trial = 0; trial < kTrials; ++trial) {
      std::string object(40, '\0');
      for (char& c : object) c = static_cast<char>(random.Next());
      uint64_t offset = random.Next();
      std::string other = object;
      uint64_t other_offset = offset;
      if (bit < 40 * 8) {
        other[bit / 8] = static_cast<char>(other[bit / 8] ^ 1 << bit % 8);
      } else {
        other_offset ^= uint64_t{1} << (bit - 40 * 8);
      }
      BlockKey a = BlockKey::Of("scope", object, offset);
      BlockKey b = BlockKey::Of("scope", other, other_offset);
      flipped += std::popcount(a.high ^ b.high) + std::popcount(a.low ^ b.low);
    }
    // 25,600 fair coins: 80 is one standard deviation.
    EXPECT_NEAR(flipped, kTrials * 64, 6 * 80) << "bit " << bit;
  }
}

TEST(BlockKeyTest, HashSpreadsKeysThatNobodyMixed) {
  for (int shift : {0, 12, 32, 48}) {
    std::vector<int> by_low(64);
    std::vector<int> by_high(64);
    for (uint64_t i = 0; i < 64 * 256; ++i) {
      uint64_t hash = HashOf({0, i << shift});
      ++by_low[hash & 63];
      ++by_high[hash >> 32 & 63];
    }
    for (int bucket = 0; bucket < 64; ++bucket) {
      EXPECT_LT(by_low[bucket], 2 * 256) << shift;
      EXPECT_LT(by_high[bucket], 2 * 256) << shift;
    }
  }
}

}  // namespace
}  // namespace isotherm
