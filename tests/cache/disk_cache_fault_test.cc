// What a disk can do to the cache: refuse, lie, and lose power. Wrong bytes must never come of it.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "base/crc32c.h"
#include "base/splitmix.h"
#include "cache/disk_cache.h"
#include "cache/slab_file.h"
#include "tests/cache/fake_environment.h"

namespace isotherm {
namespace {

using test::FakeEnvironment;

BlockKey Key(uint64_t i) { return BlockKey::Of("scope", "object", i); }

size_t SizeOf(uint64_t i) { return 37 + i * 211 % 1500; }

std::string BytesOf(uint64_t i) {
  SplitMix64 random(i);
  std::string bytes(SizeOf(i), '\0');
  for (char& c : bytes) c = static_cast<char>(random.Next());
  return bytes;
}

void Insert(DiskCache& cache, uint64_t i) {
  std::string bytes = BytesOf(i);
  cache.Insert(Key(i), PinnedBlock::Copy(bytes), Crc32c(bytes));
}

// How many of the first n extents are there; each must be right.
uint64_t CountAndCheck(DiskCache& cache, uint64_t n) {
  uint64_t found = 0;
  for (uint64_t i = 0; i < n; ++i) {
    std::string bytes = BytesOf(i);
    PinnedBlock block = cache.Lookup(Key(i), static_cast<uint32_t>(bytes.size()), Crc32c(bytes));
    if (!block.valid()) continue;
    EXPECT_EQ(block.bytes(), bytes) << "wrong bytes for extent " << i;
    ++found;
  }
  return found;
}

// Slabs of 16 KiB: some are sealed, one is not.
constexpr uint64_t kCapacity = 64 << 10;
constexpr uint64_t kExtents = 30;

std::unique_ptr<DiskCache> Open(const FakeEnvironment& fake) {
  auto cache = DiskCache::Open({"cache", kCapacity}, fake.Get());
  EXPECT_TRUE(cache.ok()) << cache.status();
  return cache.ok() ? std::move(*cache) : nullptr;
}

std::map<std::string, std::string> WrittenDirectory() {
  FakeEnvironment fake;
  auto cache = Open(fake);
  for (uint64_t i = 0; i < kExtents; ++i) Insert(*cache, i);
  cache.reset();
  return fake.files->Contents();
}

// Opens the damaged directory, checks what is found, puts back what is missing, and does so once more after a restart.
void ExpectRecovery(const std::map<std::string, std::string>& contents) {
  FakeEnvironment fake;
  fake.files->SetContents(contents);
  for (int run = 0; run < 3; ++run) {
    auto cache = Open(fake);
    uint64_t found = CountAndCheck(*cache, kExtents);
    if (run > 0) {
      EXPECT_EQ(found, kExtents);
    }
    for (uint64_t i = 0; i < kExtents; ++i) Insert(*cache, i);
    cache->Flush();
    EXPECT_EQ(CountAndCheck(*cache, kExtents), kExtents);
    EXPECT_TRUE(cache->Stats().writing);
    EXPECT_LE(cache->Stats().used_bytes, kCapacity);
  }
}

TEST(DiskCacheFaultTest, AnyByteFlippedIsNeverBelieved) {
  std::map<std::string, std::string> good = WrittenDirectory();
  SplitMix64 random(5);
  size_t slabs = 0;
  for (const auto& [name, bytes] : good) {
    if (!name.ends_with(".slab")) continue;
    ++slabs;
    for (size_t i = 0; i < bytes.size(); ++i) {
      auto bad = good;
      bad[name][i] = static_cast<char>(bad[name][i] ^ (1 << random.Below(8)));
      FakeEnvironment fake;
      fake.files->SetContents(bad);
      auto cache = Open(fake);
      uint64_t found = CountAndCheck(*cache, kExtents);
      ASSERT_LE(found, kExtents);
      ASSERT_GE(found, i < kSlabFileHeaderBytes ? 0 : kExtents / 4);
    }
    for (size_t i = 0; i < bytes.size(); i += 97) {
      auto bad = good;
      bad[name][i] = static_cast<char>(~bad[name][i]);
      ExpectRecovery(bad);
    }
  }
  EXPECT_GE(slabs, 2u);
}

TEST(DiskCacheFaultTest, ASlabCutOffAnywhereGivesItsRemainder) {
  std::map<std::string, std::string> good = WrittenDirectory();
  for (const auto& [name, bytes] : good) {
    if (!name.ends_with(".slab")) continue;
    for (size_t length = 0; length <= bytes.size(); length += 61) {
      auto bad = good;
      bad[name].resize(length);
      ExpectRecovery(bad);
      bad[name].resize(bytes.size());  // and the lost part reads as zeros
      ExpectRecovery(bad);
    }
  }
}

// Each 4 KiB of a slab of the usual size.
TEST(DiskCacheFaultTest, AFullSlabCutOffAtEachPage) {
  FakeEnvironment fake;
  constexpr uint64_t kLarge = 300;
  {
    auto cache = DiskCache::Open({"cache", 64 << 20}, fake.Get());
    ASSERT_TRUE(cache.ok());
    for (uint64_t i = 0; i < kLarge; ++i) {
      std::string bytes(17'000, static_cast<char>(i));
      (*cache)->Insert(Key(i), PinnedBlock::Copy(bytes), Crc32c(bytes));
    }
  }
  std::map<std::string, std::string> good = fake.files->Contents();
  const std::string name = "cache/0000000000000001.slab";
  const std::string whole = good[name];
  ASSERT_GT(whole.size(), size_t{4'100'000});
  ASSERT_LE(whole.size(), size_t{4} << 20);
  uint64_t last = 0;
  for (size_t length = 0; length < whole.size(); length += 4096) {
    good[name] = whole.substr(0, length);
    fake.files->SetContents(good);
    auto cache = DiskCache::Open({"cache", 64 << 20}, fake.Get());
    ASSERT_TRUE(cache.ok());
    uint64_t found = 0;
    for (uint64_t i = 0; i < kLarge; ++i) {
      std::string bytes(17'000, static_cast<char>(i));
      PinnedBlock block = (*cache)->Lookup(Key(i), 17'000, Crc32c(bytes));
      if (!block.valid()) continue;
      ASSERT_EQ(block.bytes(), bytes);
      ++found;
    }
    ASSERT_GE(found, last);
    ASSERT_GE(found, length / 17'032);
    last = found;
  }
}

// A loss of power may keep any of the pages that were written, in any order.
TEST(DiskCacheFaultTest, AnySubsetOfPagesAfterALossOfPower) {
  FakeEnvironment fake;
  auto cache = Open(fake);
  std::map<std::string, std::string> before;
  SplitMix64 random(11);
  for (uint64_t i = 0; i < kExtents; ++i) {
    if (i == kExtents / 2) before = fake.files->Contents();
    Insert(*cache, i);
    cache->Flush();
  }
  std::map<std::string, std::string> after = fake.files->Contents();
  constexpr size_t kPage = 512;
  for (int trial = 0; trial < 300; ++trial) {
    std::map<std::string, std::string> mixed = before;
    for (const auto& [name, bytes] : after) {
      std::string& file = mixed[name];
      if (random.Below(2) == 0) file.resize(bytes.size());
      for (size_t at = 0; at < bytes.size(); at += kPage) {
        if (random.Below(3) == 0) continue;
        size_t n = std::min(kPage, bytes.size() - at);
        if (file.size() < at + n) file.resize(at + n);
        file.replace(at, n, bytes, at, n);
      }
    }
    ExpectRecovery(mixed);
  }
}

TEST(DiskCacheFaultTest, RandomBytesAreNoSlab) {
  SplitMix64 random(3);
  for (int trial = 0; trial < 200; ++trial) {
    std::map<std::string, std::string> contents;
    std::string bytes(random.Below(3000), '\0');
    for (char& c : bytes) c = static_cast<char>(random.Next());
    if (trial % 2 == 0) bytes = EncodeSlabFileHeader() + bytes;
    contents["cache/0000000000000007.slab"] = bytes;
    contents["cache/hints"] = bytes;
    ExpectRecovery(contents);
  }
}

// Runs the same work with the n-th operation failing, for every n: the cache may lose what it has, never its senses.
void FailEachOperation(const Status& error, bool forever) {
  std::map<std::string, std::string> start = WrittenDirectory();
  constexpr uint64_t kWork = 2 * kExtents;
  bool failed = true;
  for (int n = 0; failed && n < 1000; ++n) {
    SCOPED_TRACE("operation " + std::to_string(n));
    FakeEnvironment fake;
    fake.files->SetContents(start);
    int left = n;
    failed = false;
    bool failed_to_change = false;
    fake.files->fault = [&](const std::string& operation, const std::string& path) {
      bool now = forever ? left <= 0 : left == 0;
      --left;
      if (!now) return Status::Ok();
      failed = true;
      bool changes = operation == "write" || operation == "rename" || operation == "remove";
      if (changes) failed_to_change = true;
      return error.WithContext(operation + " " + path);
    };
    auto cache = DiskCache::Open({"cache", kCapacity}, fake.Get());
    if (!cache.ok()) {
      ASSERT_EQ(cache.status().code(), error.code());
      continue;
    }
    for (uint64_t i = 0; i < kWork; ++i) {
      Insert(**cache, i);
      if (i % 20 == 0) (*cache)->PutHint("hint", std::to_string(i));
      if (i % 10 == 0) (*cache)->Flush();
      if (i == kWork / 2) CountAndCheck(**cache, i);
    }
    (*cache)->Flush();
    CountAndCheck(**cache, kWork);
    EXPECT_LE((*cache)->Stats().used_bytes, kCapacity);
    EXPECT_EQ((*cache)->GetHint("hint"), std::to_string((kWork - 1) / 20 * 20));
    if (failed_to_change) {
      EXPECT_FALSE((*cache)->Stats().writing);
    }
    cache->reset();
    fake.files->fault = nullptr;
    auto again = Open(fake);
    EXPECT_TRUE(again->Stats().writing);
    CountAndCheck(*again, kWork);
    Insert(*again, 1000);
    again->Flush();
    std::string bytes = BytesOf(1000);
    EXPECT_TRUE(again->Lookup(Key(1000), static_cast<uint32_t>(bytes.size()), Crc32c(bytes)).valid());
    EXPECT_LE(fake.files->TotalBytes(), kCapacity);
  }
  EXPECT_FALSE(failed) << "the work has more than 1,000 operations";
}

TEST(DiskCacheFaultTest, OneIoErrorAtEachOperation) { FailEachOperation(Status::IoError("injected"), false); }

TEST(DiskCacheFaultTest, IoErrorsFromEachOperationOn) { FailEachOperation(Status::IoError("injected"), true); }

TEST(DiskCacheFaultTest, ADiskFullAtEachOperation) { FailEachOperation(Status::ResourceExhausted("injected"), false); }

TEST(DiskCacheFaultTest, ADiskFullFromEachOperationOn) {
  FailEachOperation(Status::ResourceExhausted("injected"), true);
}

TEST(DiskCacheFaultTest, LookupsGoOnWhenTheDiskIsFull) {
  FakeEnvironment fake;
  auto cache = Open(fake);
  for (uint64_t i = 0; i < 10; ++i) Insert(*cache, i);
  cache->Flush();
  fake.files->fault = [](const std::string& operation, const std::string&) {
    return operation == "write" ? Status::ResourceExhausted("no space left on device") : Status::Ok();
  };
  for (uint64_t i = 10; i < 20; ++i) Insert(*cache, i);
  cache->Flush();
  EXPECT_EQ(CountAndCheck(*cache, 20), 10u);
  EXPECT_FALSE(cache->Stats().writing);
  EXPECT_EQ(cache->Stats().dropped, 10u);
  Insert(*cache, 20);
  EXPECT_EQ(cache->Stats().dropped, 11u);
}

TEST(DiskCacheFaultTest, ASlabOfAnotherVersionIsDropped) {
  std::map<std::string, std::string> contents = WrittenDirectory();
  std::string& slab = contents["cache/0000000000000001.slab"];
  slab[4] = 2;
  uint32_t crc = Crc32c(std::string_view(slab).substr(0, 8));
  slab.replace(8, 4, reinterpret_cast<const char*>(&crc), 4);
  FakeEnvironment fake;
  fake.files->SetContents(contents);
  auto cache = Open(fake);
  EXPECT_FALSE(fake.files->Contents().contains("cache/0000000000000001.slab"));
  EXPECT_LT(CountAndCheck(*cache, kExtents), kExtents);
}

}  // namespace
}  // namespace isotherm
