// What a disk can do to the cache: refuse, lie, and lose power. Wrong bytes must never come of it.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/crc32c.h"
#include "base/splitmix.h"
#include "cache/disk_cache.h"
#include "cache/slab_file.h"
#include "tests/base/temp_directory.h"
#include "tests/cache/fake_environment.h"

namespace isotherm {
namespace {

using test::Contents;
using test::FakeEnvironment;
using test::ReadDirectory;
using test::TotalBytes;
using test::WriteDirectory;
using test::WriteFile;

BlockKey Key(uint64_t i) { return BlockKey::Of("scope", "object", i); }

size_t SizeOf(uint64_t i) { return 37 + i * 211 % 600; }

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

// Slabs of 8 KiB: one is sealed, one is not.
constexpr uint64_t kCapacity = 32 << 10;
constexpr uint64_t kExtents = 30;

std::unique_ptr<DiskCache> Open(const FakeEnvironment& fake) {
  auto cache = DiskCache::Open({"cache", kCapacity}, fake.Get());
  EXPECT_TRUE(cache.ok()) << cache.status();
  return cache.ok() ? std::move(*cache) : nullptr;
}

Contents WrittenDirectory() {
  FakeEnvironment fake;
  auto cache = Open(fake);
  for (uint64_t i = 0; i < kExtents; ++i) Insert(*cache, i);
  cache.reset();
  return ReadDirectory(*fake.files, "cache");
}

// Opens the damaged cache, checks what is found, puts back what is missing, and does so once more after a restart.
void ExpectRecoveryIn(const FakeEnvironment& fake) {
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

void ExpectRecovery(const Contents& contents) {
  FakeEnvironment fake;
  WriteDirectory(*fake.files, "cache", contents);
  ExpectRecoveryIn(fake);
}

TEST(DiskCacheFaultTest, AnyByteFlippedIsNeverBelieved) {
  Contents good = WrittenDirectory();
  SplitMix64 random(5);
  size_t slabs = 0;
  for (const auto& [name, bytes] : good) {
    if (!name.ends_with(".slab")) continue;
    ++slabs;
    // One bit of each byte, and all of those that a footer ends with.
    size_t trailer = (bytes.size() - kSlabTrailerBytes) * 8;
    for (size_t at = 0; at < bytes.size() * 8; at = at < trailer ? at / 8 * 8 + 8 + random.Below(8) : at + 1) {
      FakeEnvironment fake;
      WriteDirectory(*fake.files, "cache", good);
      std::string bad = bytes;
      bad[at / 8] = static_cast<char>(bad[at / 8] ^ (1 << at % 8));
      WriteFile(*fake.files, "cache/" + name, bad);
      auto cache = Open(fake);
      uint64_t found = CountAndCheck(*cache, kExtents);
      // A sealed slab knows its entries from two places; of an unsealed one all after a bad header is lost.
      bool sealed = name == "0000000000000001.slab";
      ASSERT_GE(found, at / 8 < kSlabFileHeaderBytes ? 0 : sealed ? kExtents - 1 : kExtents / 4);
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
  Contents good = WrittenDirectory();
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

// Each 4 KiB of a slab of the usual size, which is sealed.
TEST(DiskCacheFaultTest, AFullSlabCutOffAtEachPage) {
  constexpr uint32_t kSize = 17'000;
  constexpr uint64_t kCount = ((4 << 20) - kEmptySlabBytes) / (kSize + kSlabEntryOverhead);
  TempDirectory directory;
  DiskCacheOptions options{.directory = directory.path()};
  std::vector<std::string> extents;
  std::vector<uint32_t> crcs;
  {
    auto cache = DiskCache::Open(options, Environment::Default());
    ASSERT_TRUE(cache.ok());
    for (uint64_t i = 0; i < kCount; ++i) {
      extents.emplace_back(kSize, static_cast<char>(i));
      crcs.push_back(Crc32c(extents.back()));
      (*cache)->Insert(Key(i), PinnedBlock::Copy(extents.back()), crcs.back());
    }
  }
  const std::filesystem::path slab = directory.path() + "/0000000000000001.slab";
  const uint64_t whole = std::filesystem::file_size(slab);
  ASSERT_GT(whole, 4'150'000u);
  ASSERT_LE(whole, 4u << 20);
  for (uint64_t length = whole / 4096 * 4096; length > 0; length -= 4096) {
    std::filesystem::resize_file(slab, length);
    auto cache = DiskCache::Open(options, Environment::Default());
    ASSERT_TRUE(cache.ok());
    uint64_t found = 0;
    for (uint64_t i = 0; i < kCount; ++i) {
      PinnedBlock block = (*cache)->Lookup(Key(i), kSize, crcs[i]);
      if (!block.valid()) continue;
      ASSERT_EQ(block.bytes(), extents[i]);
      ++found;
    }
    ASSERT_EQ((*cache)->Stats().corrupt, 0u);
    ASSERT_EQ(found, (length - kSlabFileHeaderBytes) / (kSlabEntryHeaderBytes + kSize));
  }
}

// Nothing is ever synced, so any part may be missing.
TEST(DiskCacheFaultTest, ALossOfPowerAtAnyTime) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    FakeEnvironment fake;
    for (int run = 0; run < 3; ++run) {
      {
        auto cache = Open(fake);
        fake.files->CutPowerAt(fake.files->operations() + (seed * 7 + 11 * run) % 120);
        for (uint64_t i = 0; i < kExtents; ++i) {
          Insert(*cache, i);
          if (i % 7 == 0) cache->PutHint("hint", std::to_string(i));
          cache->Flush();
          CountAndCheck(*cache, i);
        }
      }
      fake.files->PowerLoss(seed * 3 + run);
      fake.files->ClearFailures();
    }
    ExpectRecoveryIn(fake);
  }
}

// New entries that were written over a torn tail could end where an old, damaged one begins, which would then count as
// the newer.
TEST(DiskCacheFaultTest, WhatIsLeftOfATornTailDoesNotReplaceWhatWasWrittenAfter) {
  constexpr uint32_t kSize = 100;
  FakeEnvironment fake;
  auto insert = [](DiskCache& cache, uint64_t i) {
    std::string bytes(kSize, static_cast<char>('a' + i));
    cache.Insert(Key(i), PinnedBlock::Copy(bytes), Crc32c(bytes));
  };
  auto has = [](DiskCache& cache, uint64_t i) {
    return cache.Lookup(Key(i), kSize, Crc32c(std::string(kSize, static_cast<char>('a' + i)))).valid();
  };
  {
    auto cache = Open(fake);
    for (uint64_t i = 0; i < 4; ++i) insert(*cache, i);
  }
  const std::string name = "0000000000000001.slab";
  std::string slab = ReadDirectory(*fake.files, "cache")[name];
  auto entry_at = [](size_t i) { return kSlabFileHeaderBytes + i * (kSlabEntryHeaderBytes + kSize); };
  slab[entry_at(1)] = 'x';
  slab[entry_at(3) + kSlabEntryHeaderBytes] = 'x';
  WriteFile(*fake.files, "cache/" + name, slab);
  {
    auto cache = Open(fake);
    EXPECT_TRUE(has(*cache, 0));
    for (uint64_t i : {1, 2, 3}) EXPECT_FALSE(has(*cache, i));
    insert(*cache, 3);
    insert(*cache, 2);
  }
  auto cache = Open(fake);
  for (uint64_t i : {0, 2, 3}) EXPECT_TRUE(has(*cache, i)) << i;
}

TEST(DiskCacheFaultTest, RandomBytesAreNoSlab) {
  SplitMix64 random(3);
  for (int trial = 0; trial < 200; ++trial) {
    Contents contents;
    std::string bytes(random.Below(3000), '\0');
    for (char& c : bytes) c = static_cast<char>(random.Next());
    if (trial % 2 == 0) bytes = EncodeSlabFileHeader() + bytes;
    contents["0000000000000007.slab"] = bytes;
    contents["hints"] = bytes;
    ExpectRecovery(contents);
  }
}

// Runs the same work with the n-th operation failing, for every n: the cache may lose what it has, never its senses.
void FailEachOperation(const Status& error, bool forever) {
  constexpr uint64_t kWork = 2 * kExtents;
  const Contents start = WrittenDirectory();
  bool failed = true;
  for (uint64_t n = 0; failed && n < 1000; ++n) {
    SCOPED_TRACE("operation " + std::to_string(n));
    FakeEnvironment fake;
    WriteDirectory(*fake.files, "cache", start);
    uint64_t first = fake.files->operations() + n;
    for (uint64_t at = first; at < first + (forever ? 1000 : 1); ++at) fake.files->FailAt(at, error);
    auto cache = DiskCache::Open({"cache", kCapacity}, fake.Get());
    if (cache.ok()) {
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
      EXPECT_EQ((*cache)->Stats().writing, (*cache)->Stats().dropped == 0);
      cache->reset();
    } else {
      EXPECT_EQ(cache.status().code(), error.code());
    }
    failed = fake.files->operations() > first;
    fake.files->ClearFailures();
    auto again = Open(fake);
    EXPECT_TRUE(again->Stats().writing);
    CountAndCheck(*again, kWork);
    Insert(*again, 1000);
    again->Flush();
    std::string bytes = BytesOf(1000);
    EXPECT_TRUE(again->Lookup(Key(1000), static_cast<uint32_t>(bytes.size()), Crc32c(bytes)).valid());
    EXPECT_LE(TotalBytes(ReadDirectory(*fake.files, "cache")), kCapacity);
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
  fake.files->SetCapacity(TotalBytes(ReadDirectory(*fake.files, "cache")) + 100);
  for (uint64_t i = 10; i < 20; ++i) Insert(*cache, i);
  cache->Flush();
  EXPECT_EQ(CountAndCheck(*cache, 20), 10u);
  EXPECT_FALSE(cache->Stats().writing);
  EXPECT_EQ(cache->Stats().dropped, 10u);
  Insert(*cache, 20);
  EXPECT_EQ(cache->Stats().dropped, 11u);
}

TEST(DiskCacheFaultTest, ASlabOfAnotherVersionIsDropped) {
  Contents contents = WrittenDirectory();
  std::string& slab = contents["0000000000000001.slab"];
  slab[4] = 2;
  uint32_t crc = Crc32c(std::string_view(slab).substr(0, 8));
  slab.replace(8, 4, reinterpret_cast<const char*>(&crc), 4);
  FakeEnvironment fake;
  WriteDirectory(*fake.files, "cache", contents);
  auto cache = Open(fake);
  EXPECT_FALSE(ReadDirectory(*fake.files, "cache").contains("0000000000000001.slab"));
  EXPECT_LT(CountAndCheck(*cache, kExtents), kExtents);
}

}  // namespace
}  // namespace isotherm
