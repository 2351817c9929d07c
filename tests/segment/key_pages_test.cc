#include "segment/key_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/segment/random_rows.h"

namespace isotherm {
namespace {

class KeyPages : public testing::TestWithParam<KeyType> {};

std::string_view PageAt(std::string_view pages, uint32_t page) {
  return pages.substr(size_t{page} * kKeyPageBytes, kKeyPageBytes);
}

struct Found {
  std::optional<KeyLocation> location;
  uint32_t pages_read = 0;
};

// As a reader goes about it.
Found Find(std::string_view pages, const Key& key) {
  auto count = static_cast<uint32_t>(pages.size() / kKeyPageBytes);
  Found found;
  for (uint32_t page = KeyPageOf(HashKey(key), count);; page = (page + 1) % count) {
    auto lookup = FindInKeyPage(PageAt(pages, page), key);
    EXPECT_TRUE(lookup.ok()) << lookup.status();
    ++found.pages_read;
    if (!lookup.ok() || !lookup->look_further || found.pages_read > count) {
      if (lookup.ok()) found.location = lookup->found;
      return found;
    }
  }
}

std::string PagesOf(const std::vector<Key>& keys) {
  KeyTotals totals;
  for (const Key& key : keys) totals.Add(key, {});
  KeyPageBuilder builder(totals);
  for (uint32_t i = 0; i < keys.size(); ++i) {
    Status added = builder.Add(keys[i], {i, {uint64_t{i} << 33, i * 3}, {}});
    EXPECT_TRUE(added.ok()) << added;
  }
  return builder.Finish();
}

// Every key is found at its place, absent ones are not, and each is listed once. Returns the pages read a key.
double ExpectModel(const std::vector<Key>& keys, const std::vector<Key>& absent) {
  std::string pages = PagesOf(keys);
  EXPECT_EQ(pages.size() % kKeyPageBytes, 0U);
  EXPECT_GE(pages.size(), kKeyPageBytes);
  uint64_t reads = 0;
  for (uint32_t i = 0; i < keys.size(); ++i) {
    Found found = Find(pages, keys[i]);
    reads += found.pages_read;
    if (!found.location) {
      ADD_FAILURE() << "key " << i << " is lost";
      continue;
    }
    EXPECT_EQ(found.location->ordinal, i);
    EXPECT_EQ(found.location->document.offset, uint64_t{i} << 33);
    EXPECT_EQ(found.location->document.length, i * 3);
  }
  for (const Key& key : absent) EXPECT_FALSE(Find(pages, key).location);
  std::multiset<uint32_t> listed;
  for (uint32_t page = 0; page < pages.size() / kKeyPageBytes; ++page) {
    Status status = VisitKeyPage(PageAt(pages, page), [&](uint64_t hash, std::string_view text, const KeyLocation& at) {
      listed.insert(at.ordinal);
      EXPECT_EQ(hash, HashKey(keys[at.ordinal]));
      EXPECT_EQ(text, keys[at.ordinal].type() == KeyType::kString ? keys[at.ordinal].text() : "");
    });
    EXPECT_TRUE(status.ok()) << status;
  }
  EXPECT_EQ(listed.size(), keys.size());
  EXPECT_EQ(std::set<uint32_t>(listed.begin(), listed.end()).size(), keys.size());
  return keys.empty() ? 0 : static_cast<double>(reads) / static_cast<double>(keys.size());
}

std::vector<Key> NextKeys(RandomRows& random, size_t count, size_t longest) {
  std::vector<Key> keys;
  for (size_t i = 0; i < count; ++i) keys.push_back(random.NextKey(longest));
  return keys;
}

TEST_P(KeyPages, EveryKeyIsFoundAndNoOther) {
  RandomRows random(1, 1, GetParam());
  for (size_t count : {0, 1, 2, 100, 5000}) {
    for (size_t longest : {8, 40, 1024}) {
      std::vector<Key> keys = NextKeys(random, count, longest);
      double reads = ExpectModel(keys, NextKeys(random, 200, longest));
      EXPECT_LT(reads, 1.3) << count << " keys of up to " << longest << " bytes";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, KeyPages, testing::Values(KeyType::kInteger, KeyType::kString));

TEST(KeyPages, TextsOfTheGreatestLengthAreFound) {
  SplitMix64 random(2);
  std::vector<Key> keys;
  for (int i = 0; i < 300; ++i) {
    std::string text(kMaxKeyBytes, 'k');
    text.replace(random.Below(kMaxKeyBytes - 20), 6, std::to_string(100000 + i));
    keys.emplace_back(text);
  }
  ExpectModel(keys, {std::string(kMaxKeyBytes, 'k'), "k"});
}

// The inverse of the mix in HashKey.
uint64_t KeyOfHash(uint64_t hash) {
  auto unshift = [](uint64_t h) { return h ^ (h >> 33); };
  auto inverse = [](uint64_t odd) {
    uint64_t x = odd;
    for (int i = 0; i < 6; ++i) x *= 2 - odd * x;
    return x;
  };
  uint64_t h = unshift(hash) * inverse(0xc4ceb9fe1a85ec53);
  return unshift(unshift(h) * inverse(0xff51afd7ed558ccd));
}

TEST(KeyPages, KeysThatAllBelongToOnePageOverflowIntoTheNextOnes) {
  std::vector<Key> keys;
  for (uint64_t i = 0; i < 1000; ++i) keys.emplace_back(KeyOfHash((uint64_t{0xffffffff} << 32) | i));
  ASSERT_EQ(HashKey(keys[7]), (uint64_t{0xffffffff} << 32) | 7);
  // The last page: what runs over goes on at the first.
  ExpectModel(keys, {KeyOfHash(uint64_t{0xffffffff} << 32 | 5000), KeyOfHash(17)});
}

TEST(KeyPages, MoreKeysThanWereToldOfAreRefused) {
  KeyTotals totals;
  totals.Add(uint64_t{1}, {});
  KeyPageBuilder builder(totals);
  Status status;
  for (uint32_t i = 0; i < 1000 && status.ok(); ++i) status = builder.Add(uint64_t{i}, {i, {}, {}});
  EXPECT_EQ(status.code(), StatusCode::kInternal);
}

TEST(KeyPages, AnyFlippedBitOfAPageIsCorruption) {
  RandomRows random(3, 1, KeyType::kString);
  std::vector<Key> keys = NextKeys(random, 40, 40);
  std::string page = PagesOf(keys).substr(0, kKeyPageBytes);
  for (size_t byte = 0; byte < page.size(); ++byte) {
    std::string damaged = page;
    damaged[byte] = static_cast<char>(damaged[byte] ^ (1 << (byte % 8)));
    ASSERT_EQ(FindInKeyPage(damaged, keys[0]).status().code(), StatusCode::kCorruption) << byte;
    ASSERT_EQ(VisitKeyPage(damaged, [](auto&&...) {}).code(), StatusCode::kCorruption) << byte;
  }
  EXPECT_EQ(FindInKeyPage(page.substr(1), keys[0]).status().code(), StatusCode::kCorruption);
  EXPECT_EQ(FindInKeyPage("", keys[0]).status().code(), StatusCode::kCorruption);
}

// The hashes are part of the format: they say in which page a stored key lies.
TEST(KeyPages, HashesAreThoseOfFormatVersion1) {
  EXPECT_EQ(HashKey(uint64_t{0}), 0U);
  EXPECT_EQ(HashKey(uint64_t{1}), 0xb456bcfc34c2cb2cU);
  EXPECT_EQ(HashKey(uint64_t{0x0123456789abcdef}), 0x87cbfbfe89022ceaU);
  EXPECT_EQ(HashKey("a"), 0xe6c632b61e964e1fU);
  EXPECT_EQ(HashKey("isotherm"), HashKey(std::string("isotherm")));
  EXPECT_EQ(KeyPageOf(UINT64_MAX, 10), 9U);
  EXPECT_EQ(KeyPageOf(0, 10), 0U);
}

class KeyFilterTest : public testing::TestWithParam<size_t> {};

TEST_P(KeyFilterTest, DeniesNoKeyThatIsThereAndFewThatAreNot) {
  SplitMix64 random(4);
  std::vector<uint64_t> hashes(GetParam());
  for (uint64_t& hash : hashes) hash = random.Next();
  std::string filter = KeyFilter::Make(hashes.size());
  for (uint64_t hash : hashes) KeyFilter::Add(filter, hash);
  EXPECT_EQ(filter.size() % 64, 0U);
  EXPECT_LE(filter.size(), hashes.size() * 12 / 8 + 64);
  for (uint64_t hash : hashes) EXPECT_TRUE(KeyFilter::MayContain(filter, hash));
  size_t wrong = 0;
  for (int i = 0; i < 20000; ++i) wrong += KeyFilter::MayContain(filter, random.Next()) ? 1 : 0;
  EXPECT_LT(wrong, 200U);  // 1 %
}

INSTANTIATE_TEST_SUITE_P(Sizes, KeyFilterTest, testing::Values(0, 1, 10, 1000, 100000));

TEST(KeyFilterTest, SaysMaybeWhereThereIsNoFilter) {
  EXPECT_TRUE(KeyFilter::MayContain("", 1));
  EXPECT_TRUE(KeyFilter::MayContain(std::string(63, '\0'), 1));
  EXPECT_TRUE(KeyFilter::MayContain(std::string(65, '\0'), 1));
}

}  // namespace
}  // namespace isotherm
