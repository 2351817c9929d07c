#include "cache/disk_cache.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/crc32c.h"
#include "base/splitmix.h"
#include "cache/slab_file.h"
#include "tests/base/temp_directory.h"
#include "tests/cache/fake_environment.h"

namespace isotherm {
namespace {

using test::FakeEnvironment;
using test::ReadDirectory;
using test::TotalBytes;
using test::WriteDirectory;

constexpr uint64_t kMiB = 1 << 20;

BlockKey Key(uint64_t i) { return BlockKey::Of("scope", "object", i); }

// The only bytes that an extent of this number and size may ever have.
std::string BytesOf(uint64_t i, size_t size) {
  SplitMix64 random(i);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.Next());
  return bytes;
}

void Insert(DiskCache& cache, uint64_t i, size_t size) {
  std::string bytes = BytesOf(i, size);
  cache.Insert(Key(i), PinnedBlock::Copy(bytes), Crc32c(bytes));
}

// Whether it is there; if so, its bytes must be right.
bool Has(DiskCache& cache, uint64_t i, size_t size) {
  std::string bytes = BytesOf(i, size);
  PinnedBlock block = cache.Lookup(Key(i), static_cast<uint32_t>(size), Crc32c(bytes));
  if (!block.valid()) return false;
  EXPECT_EQ(block.bytes(), bytes) << "wrong bytes for extent " << i;
  return true;
}

class DiskCacheTest : public testing::Test {
 protected:
  std::unique_ptr<DiskCache> Open(uint64_t capacity = 64 * kMiB, uint64_t max_pending = 64 * kMiB) {
    auto cache = DiskCache::Open({"cache", capacity, max_pending}, fake_.Get());
    EXPECT_TRUE(cache.ok()) << cache.status();
    return cache.ok() ? std::move(*cache) : nullptr;
  }

  test::Contents Files() const { return ReadDirectory(*fake_.files, "cache"); }
  void SetFiles(const test::Contents& contents) { WriteDirectory(*fake_.files, "cache", contents); }

  FakeEnvironment fake_;
};

TEST_F(DiskCacheTest, FindsWhatIsPendingWhatIsWrittenAndWhatAnEarlierProcessWrote) {
  auto cache = Open();
  EXPECT_FALSE(Has(*cache, 1, 1000));
  for (uint64_t i = 0; i < 300; ++i) Insert(*cache, i, i * 131);
  EXPECT_EQ(cache->Stats().used_bytes, 0u);
  for (uint64_t i = 0; i < 300; ++i) EXPECT_TRUE(Has(*cache, i, i * 131)) << i;
  fake_.executor->RunAll();
  EXPECT_GT(cache->Stats().used_bytes, 131u * 300 * 299 / 2);
  for (uint64_t i = 0; i < 300; ++i) EXPECT_TRUE(Has(*cache, i, i * 131)) << i;
  DiskCacheStats stats = cache->Stats();
  EXPECT_EQ(stats.hits, 600u);
  EXPECT_EQ(stats.misses, 1u);
  EXPECT_EQ(stats.inserts, 300u);
  EXPECT_EQ(stats.corrupt + stats.dropped, 0u);
  cache.reset();
  cache = Open();
  for (uint64_t i = 0; i < 300; ++i) EXPECT_TRUE(Has(*cache, i, i * 131)) << i;
  EXPECT_FALSE(Has(*cache, 300, 300 * 131));
}

TEST_F(DiskCacheTest, ClosingWritesWhatIsPending) {
  auto cache = Open();
  Insert(*cache, 1, 100);
  cache->PutHint("name", "value");
  cache.reset();
  cache = Open();
  EXPECT_TRUE(Has(*cache, 1, 100));
  EXPECT_EQ(cache->GetHint("name"), "value");
  cache.reset();
  fake_.executor->RunAll();  // a task that comes after the end finds nothing to do
}

TEST_F(DiskCacheTest, AnExtentIsWrittenOnceHoweverOftenItIsInserted) {
  auto cache = Open();
  Insert(*cache, 1, 10'000);
  Insert(*cache, 1, 10'000);
  cache->Flush();
  Insert(*cache, 1, 10'000);
  cache->Flush();
  EXPECT_EQ(cache->Stats().inserts, 1u);
  EXPECT_LT(cache->Stats().used_bytes, 11'000u);
}

TEST_F(DiskCacheTest, OtherContentUnderTheKeyIsForgottenAndMayBeReplaced) {
  auto cache = Open();
  cache->Insert(Key(1), PinnedBlock::Copy("old"), Crc32c("old"));
  cache->Flush();
  EXPECT_FALSE(cache->Lookup(Key(1), 3, Crc32c("new")).valid());
  EXPECT_FALSE(cache->Lookup(Key(1), 3, Crc32c("old")).valid());
  cache->Insert(Key(1), PinnedBlock::Copy("new"), Crc32c("new"));
  cache->Flush();
  cache.reset();
  cache = Open();
  EXPECT_EQ(cache->Lookup(Key(1), 3, Crc32c("new")).bytes(), "new");
  EXPECT_EQ(cache->Stats().corrupt, 0u);
}

TEST_F(DiskCacheTest, BytesThatDoNotMatchTheirChecksumAreNotKept) {
  auto cache = Open();
  cache->Insert(Key(1), PinnedBlock::Copy("bytes"), 12345);
  cache->Flush();
  EXPECT_FALSE(cache->Lookup(Key(1), 5, 12345).valid());
  EXPECT_EQ(cache->Stats().corrupt, 1u);
  EXPECT_FALSE(cache->Lookup(Key(1), 5, 12345).valid());
  EXPECT_EQ(cache->Stats().corrupt, 1u);
}

TEST_F(DiskCacheTest, PendingBytesAreBounded) {
  auto cache = Open(64 * kMiB, 10'000);
  for (uint64_t i = 0; i < 20; ++i) Insert(*cache, i, 1000);
  EXPECT_EQ(cache->Stats().inserts, 10u);
  EXPECT_EQ(cache->Stats().dropped, 10u);
  fake_.executor->RunAll();
  Insert(*cache, 19, 1000);
  EXPECT_TRUE(Has(*cache, 19, 1000));
  EXPECT_FALSE(Has(*cache, 18, 1000));
}

TEST_F(DiskCacheTest, NeverHoldsMoreThanItsCapacityAndEvictsTheOldest) {
  for (uint64_t capacity : {uint64_t{20'000}, uint64_t{300'000}, kMiB, 16 * kMiB}) {
    SCOPED_TRACE(capacity);
    SetFiles({});
    auto cache = Open(capacity);
    SplitMix64 random(capacity);
    std::vector<size_t> sizes;
    uint64_t written = 0;
    for (uint64_t i = 0; written < 4 * capacity; ++i) {
      sizes.push_back(random.Below(capacity / (random.Below(10) == 0 ? 2 : 40)));
      written += sizes.back();
      Insert(*cache, i, sizes.back());
      cache->PutHint("hint" + std::to_string(i), std::string(random.Below(100), 'x'));
      cache->Flush();
      ASSERT_TRUE(Has(*cache, i, sizes.back()));
      ASSERT_LE(cache->Stats().used_bytes, capacity);
      ASSERT_LE(TotalBytes(Files()), cache->Stats().used_bytes);
    }
    EXPECT_GT(cache->Stats().evicted_slabs, 2u);
    EXPECT_FALSE(Has(*cache, 0, sizes[0]));
    uint64_t kept = 0;
    for (uint64_t i = 0; i < sizes.size(); ++i) kept += Has(*cache, i, sizes[i]) ? sizes[i] : 0;
    EXPECT_GT(kept, capacity / 4);
    EXPECT_EQ(cache->Stats().corrupt, 0u);
  }
}

TEST_F(DiskCacheTest, ExtentsLargerThanASlabGetOneOfTheirOwn) {
  auto cache = Open(32 * kMiB);
  Insert(*cache, 1, 100);
  Insert(*cache, 2, 9 * kMiB);
  Insert(*cache, 3, 100);
  Insert(*cache, 4, 40 * kMiB);
  cache->Flush();
  EXPECT_EQ(cache->Stats().dropped, 1u);
  cache.reset();
  cache = Open(32 * kMiB);
  EXPECT_TRUE(Has(*cache, 1, 100));
  EXPECT_TRUE(Has(*cache, 2, 9 * kMiB));
  EXPECT_TRUE(Has(*cache, 3, 100));
}

TEST_F(DiskCacheTest, EvenTheSlabThatIsBeingFilledMakesRoom) {
  auto cache = Open(kMiB);
  Insert(*cache, 1, 200'000);
  cache = nullptr;
  cache = Open(kMiB);
  Insert(*cache, 2, 900'000);
  cache->Flush();
  EXPECT_TRUE(cache->Stats().writing);
  EXPECT_FALSE(Has(*cache, 1, 200'000));
  EXPECT_TRUE(Has(*cache, 2, 900'000));
  EXPECT_LE(TotalBytes(Files()), cache->Stats().used_bytes);
  Insert(*cache, 3, 1000);
  cache = nullptr;
  cache = Open(kMiB);
  EXPECT_TRUE(Has(*cache, 3, 1000));
}

TEST_F(DiskCacheTest, EvictingAnOldCopyLeavesTheNewerOne) {
  auto cache = Open(4 * kMiB);
  cache->Insert(Key(1), PinnedBlock::Copy("old"), Crc32c("old"));
  for (uint64_t i = 2; i < 20; ++i) Insert(*cache, i, 100'000);
  cache->Flush();
  cache->Insert(Key(1), PinnedBlock::Copy("new"), Crc32c("new"));
  cache->Flush();
  for (uint64_t i = 20; cache->Stats().evicted_slabs == 0; ++i) {
    Insert(*cache, i, 100'000);
    cache->Flush();
  }
  EXPECT_FALSE(Has(*cache, 2, 100'000));
  EXPECT_EQ(cache->Lookup(Key(1), 3, Crc32c("new")).bytes(), "new");
}

TEST_F(DiskCacheTest, ASmallerCapacityTrimsWhatIsThere) {
  auto cache = Open(64 * kMiB);
  for (uint64_t i = 0; i < 40; ++i) Insert(*cache, i, kMiB);
  cache.reset();
  cache = Open(16 * kMiB);
  EXPECT_LE(cache->Stats().used_bytes, 16 * kMiB);
  EXPECT_LE(TotalBytes(Files()), 16 * kMiB);
  EXPECT_FALSE(Has(*cache, 0, kMiB));
  EXPECT_TRUE(Has(*cache, 39, kMiB));
}

TEST_F(DiskCacheTest, ManyShortLivedProcessesFillOneSlabTogether) {
  for (uint64_t i = 0; i < 100; ++i) {
    auto cache = Open();
    Insert(*cache, i, 5000);
  }
  EXPECT_EQ(Files().size(), 2u);  // the slab and the lock
  auto cache = Open();
  for (uint64_t i = 0; i < 100; ++i) EXPECT_TRUE(Has(*cache, i, 5000));
}

TEST_F(DiskCacheTest, OneCacheHasADirectoryAtATime) {
  auto cache = Open();
  auto second = DiskCache::Open({"cache"}, fake_.Get());
  EXPECT_EQ(second.status().code(), StatusCode::kConflict);
  auto elsewhere = DiskCache::Open({"other"}, fake_.Get());
  EXPECT_TRUE(elsewhere.ok());
  cache.reset();
  EXPECT_TRUE(DiskCache::Open({"cache"}, fake_.Get()).ok());
}

TEST_F(DiskCacheTest, AClosedOneIsOnlyReadAndLeavesTheDirectoryToOthers) {
  auto closed = Open();
  Insert(*closed, 1, 5000);
  closed->Close();
  auto next = Open();
  ASSERT_NE(next, nullptr);
  EXPECT_TRUE(Has(*next, 1, 5000));
  Insert(*closed, 2, 5000);
  closed->PutHint("name", "value");
  EXPECT_EQ(closed->Clear().code(), StatusCode::kClosed);
  closed->Close();
  EXPECT_FALSE(Has(*closed, 2, 5000));
  EXPECT_TRUE(Has(*closed, 1, 5000));
  closed.reset();
  EXPECT_EQ(DiskCache::Open({"cache"}, fake_.Get()).status().code(), StatusCode::kConflict);
  next.reset();
  next = Open();
  EXPECT_TRUE(Has(*next, 1, 5000));
  EXPECT_EQ(next->GetHint("name"), "");
}

TEST_F(DiskCacheTest, FilesThatAreNotItsOwnAreLeftAlone) {
  test::Contents foreign = {{"notes.txt", "mine"},
                            {"0000000000000001.slab.bak", "mine"},
                            {"000000000000000G.slab", "mine"},
                            {"1.slab", "mine"}};
  SetFiles(foreign);
  Insert(*Open(), 1, 100);
  auto contents = Files();
  for (const auto& [name, bytes] : foreign) EXPECT_EQ(contents[name], bytes) << name;
  EXPECT_TRUE(Has(*Open(), 1, 100));
}

TEST_F(DiskCacheTest, HintsAreKeptAndReplacedAndABadFileIsEmpty) {
  auto cache = Open();
  EXPECT_EQ(cache->GetHint("a"), "");
  cache->PutHint("a", "1");
  cache->PutHint("b", std::string(1000, 'b'));
  cache->PutHint("a", "2");
  cache->PutHint("huge", std::string(kMiB, 'x'));
  EXPECT_EQ(cache->GetHint("a"), "2");
  EXPECT_EQ(cache->GetHint("huge"), "");
  cache.reset();
  cache = Open();
  EXPECT_EQ(cache->GetHint("a"), "2");
  cache->PutHint("a", "3");
  cache.reset();
  EXPECT_EQ(Open()->GetHint("a"), "3");
  EXPECT_EQ(Open()->GetHint("b"), std::string(1000, 'b'));

  test::Contents good = Files();
  for (size_t i = 0; i < good["hints"].size(); i += 7) {
    auto bad = good;
    bad["hints"][i] = static_cast<char>(bad["hints"][i] ^ 4);
    SetFiles(bad);
    ASSERT_EQ(Open()->GetHint("a"), "");
    bad["hints"] = good["hints"].substr(0, i);
    SetFiles(bad);
    ASSERT_EQ(Open()->GetHint("a"), "");
  }
  auto interrupted = good;
  interrupted["hints.new"] = "half of";
  SetFiles(interrupted);
  cache = Open();
  EXPECT_EQ(cache->GetHint("a"), "3");
  cache->PutHint("a", "4");
  cache.reset();
  EXPECT_EQ(Open()->GetHint("a"), "4");
}

TEST_F(DiskCacheTest, ManyThreadsInsertAndLookUpWhileSlabsAreEvicted) {
  auto opened = DiskCache::Open({"cache", 2 * kMiB, 64 * kMiB}, fake_.WithThreads(2));
  ASSERT_TRUE(opened.ok());
  DiskCache& cache = **opened;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      SplitMix64 random(t);
      for (int step = 0; step < 1500; ++step) {
        uint64_t i = random.Below(400);
        size_t size = 1 + i * 29;
        if (!Has(cache, i, size)) Insert(cache, i, size);
        if (random.Below(100) == 0) cache.Flush();
        if (random.Below(50) == 0) cache.PutHint("hint", std::to_string(step));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  cache.Flush();
  DiskCacheStats stats = cache.Stats();
  EXPECT_EQ(stats.corrupt, 0u);
  EXPECT_TRUE(stats.writing);
  EXPECT_GT(stats.evicted_slabs, 0u);
  EXPECT_LE(stats.used_bytes, 2 * kMiB);
  EXPECT_EQ(stats.hits + stats.misses, 4u * 1500);
}

// The same on the machine's own files.
TEST(DiskCacheOnDiskTest, ARestartFindsWhatWasWritten) {
  TempDirectory directory;
  DiskCacheOptions options{.directory = directory.path() + "/a/b", .capacity_bytes = 32 * kMiB};
  for (uint64_t run = 0; run < 3; ++run) {
    auto cache = DiskCache::Open(options, Environment::Default());
    ASSERT_TRUE(cache.ok()) << cache.status();
    EXPECT_EQ(DiskCache::Open(options, Environment::Default()).status().code(), StatusCode::kConflict);
    for (uint64_t i = 0; i < 200; ++i) EXPECT_EQ(Has(**cache, i, 50'000), i < 100 * run) << i;
    for (uint64_t i = 0; i < 100 * (run + 1); ++i) Insert(**cache, i, 50'000);
    (*cache)->PutHint("run", std::to_string(run));
    EXPECT_EQ((*cache)->GetHint("run"), std::to_string(run));
  }
}

TEST(DiskCacheOnDiskTest, FewFilesAreOpenAtOnce) {
  constexpr uint64_t kSlabs = 600;
  TempDirectory directory;
  test::Contents slabs;
  for (uint64_t i = 0; i < kSlabs; ++i) {
    std::string bytes = BytesOf(i, 100);
    SlabEntry entry{Key(i), 100, Crc32c(bytes)};
    char name[40];
    std::snprintf(name, sizeof name, "%016x.slab", static_cast<unsigned>(i + 1));
    slabs[name] = EncodeSlabFileHeader() + EncodeSlabEntryHeader(entry) + bytes + EncodeSlabFooter({entry});
  }
  WriteDirectory(*FileSystem::Posix(), directory.path(), slabs);
  auto cache = DiskCache::Open({.directory = directory.path()}, Environment::Default());
  ASSERT_TRUE(cache.ok()) << cache.status();
  for (int round = 0; round < 2; ++round) {
    for (uint64_t i = 0; i < kSlabs; ++i) EXPECT_TRUE(Has(**cache, i, 100));
    std::filesystem::directory_iterator descriptors("/proc/self/fd");
    EXPECT_LT(std::distance(begin(descriptors), end(descriptors)), 300);
  }
  Insert(**cache, kSlabs, 100);
  (*cache)->Flush();
  EXPECT_TRUE(Has(**cache, kSlabs, 100));
}

TEST_F(DiskCacheTest, AfterAClearNoFileHoldsWhatWasThereAndHintsStay) {
  auto cache = Open();
  for (uint64_t i = 0; i < 200; ++i) Insert(*cache, i, 50'000);
  cache->PutHint("name", "value");
  cache->Flush();
  // On disk, and still to be written.
  for (uint64_t i = 200; i < 220; ++i) Insert(*cache, i, 50'000);
  ASSERT_TRUE(cache->Clear().ok());
  for (uint64_t i = 0; i < 220; ++i) EXPECT_FALSE(Has(*cache, i, 50'000)) << i;
  EXPECT_LT(TotalBytes(Files()), 1000u);
  Insert(*cache, 7, 1000);
  cache->Flush();
  cache = nullptr;
  cache = Open();
  EXPECT_TRUE(Has(*cache, 7, 1000));
  EXPECT_FALSE(Has(*cache, 8, 50'000));
  EXPECT_EQ(cache->GetHint("name"), "value");
}

}  // namespace
}  // namespace isotherm
