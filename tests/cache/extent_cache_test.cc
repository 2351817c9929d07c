#include "cache/extent_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/cache/extent_cache_fixture.h"

namespace isotherm {
namespace {

using test::ExtentCacheTest;
using testing::HasSubstr;

TEST_F(ExtentCacheTest, ARepeatedReadMakesNoRequest) {
  std::vector<Extent> extents = {Make("object0", 0, 1000), Make("object0", 5000, 1000), Make("object1", 0, 4096)};
  FetchOk(extents);
  EXPECT_EQ(store_->requests(), 3u);
  EXPECT_EQ(store_->waves(), 1u);
  EXPECT_EQ(counts_.misses, 3u);
  EXPECT_EQ(counts_.requests, 3u);
  EXPECT_EQ(counts_.store_bytes, 6096u);
  EXPECT_EQ(counts_.ram_hits + counts_.disk_hits + counts_.joined, 0u);
  FetchOk(extents);
  EXPECT_EQ(store_->requests(), 3u);
  EXPECT_EQ(counts_.ram_hits, 3u);
  EXPECT_EQ(counts_.ram_bytes, 6096u);
  EXPECT_EQ(counts_.misses + counts_.store_bytes + counts_.requests, 0u);
  EXPECT_EQ(cache_->Totals().ram_hits, 3u);
  EXPECT_EQ(cache_->Totals().misses, 3u);
  EXPECT_TRUE(cache_->Fetch({}, {}, {}, nullptr).empty());
}

TEST_F(ExtentCacheTest, ASpanningReadFetchesOnlyWhatIsMissing) {
  FetchOk({Make("object0", 1000, 1000), Make("object0", 3000, 1000)});
  std::vector<Extent> spanning;
  for (uint64_t i = 0; i < 5; ++i) spanning.push_back(Make("object0", i * 1000, 1000));
  FetchOk(spanning);
  EXPECT_EQ(counts_.ram_hits, 2u);
  EXPECT_EQ(counts_.misses, 3u);
  EXPECT_EQ(counts_.store_bytes, 3000u);
  EXPECT_EQ(counts_.requests, 3u);
  FetchOk(spanning);
  EXPECT_EQ(counts_.ram_hits, 5u);
}

TEST_F(ExtentCacheTest, NeighboursAreReadByOneRequestAndGapsAreCounted) {
  std::vector<Extent> extents = {Make("object0", 9000, 500), Make("object0", 0, 1000), Make("object0", 1000, 1000),
                                 Make("object0", 2100, 400)};
  FetchOk(extents, {.max_gap_bytes = 100});
  EXPECT_EQ(counts_.requests, 2u);
  EXPECT_EQ(counts_.store_bytes, 500u + 2500u);
  EXPECT_EQ(store_->waves(), 1u);
  CloseAndSetFiles({});
  Restart();
  FetchOk(extents, {.max_gap_bytes = 0, .max_requests = 1});
  EXPECT_EQ(counts_.requests, 1u);
  EXPECT_EQ(counts_.store_bytes, 9500u);
}

TEST_F(ExtentCacheTest, ARestartedProcessReusesTheDisk) {
  std::vector<Extent> extents;
  for (uint64_t i = 0; i < 20; ++i) extents.push_back(Make("object1", i * 3000, static_cast<uint32_t>(1 + i * 100)));
  FetchOk(extents);
  uint64_t requests = store_->requests();
  Restart();
  FetchOk(extents);
  EXPECT_EQ(store_->requests(), requests);
  EXPECT_EQ(counts_.disk_hits, 20u);
  EXPECT_EQ(counts_.disk_bytes, 20u + 100 * 190);
  FetchOk(extents);
  EXPECT_EQ(counts_.ram_hits, 20u);
}

TEST_F(ExtentCacheTest, AnyDamagedByteOfTheDiskIsRefetchedAndNeverBelieved) {
  std::vector<Extent> extents;
  for (uint64_t i = 0; i < 8; ++i) extents.push_back(Make("object1", i * 3000, 150));
  FetchOk(extents);
  Restart();
  test::Contents good = Files();
  const std::string slab = "0000000000000001.slab";
  ASSERT_GT(good[slab].size(), 8 * 150u);
  for (size_t i = 0; i < good[slab].size(); ++i) {
    auto bad = good;
    bad[slab][i] = static_cast<char>(bad[slab][i] ^ 0x10);
    CloseAndSetFiles(bad);
    Restart();
    FetchOk(extents);
    ASSERT_EQ(counts_.disk_hits + counts_.misses, 8u);
    ASSERT_GE(counts_.misses, 1u) << "a damaged byte at " << i << " hit nobody";
    Restart();
    FetchOk(extents);
    ASSERT_EQ(counts_.disk_hits, 8u) << i;
  }
}

TEST_F(ExtentCacheTest, WithoutADiskOrWithOneThatFailsItStillAnswers) {
  ExtentCache without(store_, std::make_shared<BlockCache>(BlockCacheOptions{}), nullptr, env_, "scope");
  std::vector<Extent> extents = {Make("object0", 0, 1000)};
  EXPECT_TRUE(without.Fetch({}, extents, {}, nullptr)[0].status.ok());
  fake_.files->CutPowerAt(fake_.files->operations());
  for (uint64_t i = 0; i < 20; ++i) {
    FetchOk({Make("object0", i * 100, 100)});
    EXPECT_EQ(counts_.misses, 1u);
  }
  disk_->Flush();
  EXPECT_FALSE(disk_->Stats().writing);
}

TEST_F(ExtentCacheTest, AReadThatFillsNoCacheLeavesNothingBehind) {
  std::vector<Extent> extents = {Make("object0", 0, 1000), Make("object0", 5000, 1000)};
  FetchOk({extents[0]});
  uint64_t inserted = disk_->Stats().inserts;
  FetchOk(extents, {.fill_cache = false});
  EXPECT_EQ(counts_.ram_hits, 1u);
  EXPECT_EQ(counts_.misses, 1u);
  EXPECT_EQ(disk_->Stats().inserts, inserted);
  EXPECT_EQ(ram_->Stats().blocks, 1u);
  Restart();
  FetchOk(extents, {.fill_cache = false});
  EXPECT_EQ(counts_.disk_hits, 1u);
  EXPECT_EQ(ram_->Stats().blocks, 0u);
}

TEST_F(ExtentCacheTest, EqualExtentsOfOneCallAreFetchedOnce) {
  Extent extent = Make("object0", 100, 100);
  FetchOk({extent, extent, extent});
  EXPECT_EQ(counts_.misses, 1u);
  EXPECT_EQ(counts_.joined, 2u);
  EXPECT_EQ(counts_.store_bytes, 100u);
}

TEST_F(ExtentCacheTest, ExtentsOfDifferentLengthAtOneOffsetLiveSideBySide) {
  FetchOk({Make("object0", 0, 100), Make("object0", 0, 200)});
  FetchOk({Make("object0", 0, 200), Make("object0", 0, 100)});
  EXPECT_EQ(counts_.ram_hits, 2u);
}

TEST_F(ExtentCacheTest, AnObjectMadeAnewUnderItsNameIsNotAnsweredFromTheCaches) {
  FetchOk({Make("object0", 0, 1000)});
  store_->objects["object0"] = test::RandomBytes(99, kObjectBytes);
  FetchOk({Make("object0", 0, 1000)});
  EXPECT_EQ(counts_.misses, 1u);
  Restart();
  FetchOk({Make("object0", 0, 1000)});
  EXPECT_EQ(counts_.disk_hits, 1u);
}

TEST_F(ExtentCacheTest, EmptyAndImpossibleExtents) {
  std::vector<FetchedExtent> fetched = Fetch({{"object0", 50, 0, 0},
                                              {"object0", 50, 0, 7},
                                              {"", 0, 10, 0},
                                              {"a/../b", 0, 10, 0},
                                              {"object0", ~uint64_t{0} - 5, 10, 0}});
  EXPECT_TRUE(fetched[0].status.ok());
  EXPECT_EQ(fetched[0].block.bytes(), "");
  EXPECT_EQ(fetched[1].status.code(), StatusCode::kCorruption);
  for (size_t i : {2, 3, 4}) EXPECT_EQ(fetched[i].status.code(), StatusCode::kInvalidArgument) << i;
  EXPECT_EQ(store_->requests(), 0u);
}

TEST_F(ExtentCacheTest, ADamagedAnswerIsFetchedOnceMore) {
  int damage = 1;
  store_->after = [&](const ReadRequest&, ReadResult& result) {
    if (damage-- > 0) result.data[500] = static_cast<char>(result.data[500] ^ 1);
  };
  FetchOk({Make("object0", 0, 300), Make("object0", 300, 300), Make("object0", 600, 300)});
  EXPECT_EQ(counts_.requests, 2u);
  EXPECT_EQ(counts_.store_bytes, 900u + 300u);
  EXPECT_EQ(counts_.misses, 3u);

  damage = 1;
  store_->after = [&](const ReadRequest&, ReadResult& result) {
    if (damage-- > 0) result.data.resize(result.data.size() / 2);
  };
  FetchOk({Make("object1", 0, 300)});
  EXPECT_EQ(counts_.requests, 2u);
  EXPECT_EQ(counts_.store_bytes, 150u + 300u);
}

TEST_F(ExtentCacheTest, BytesThatStayDamagedAreCorruptionThatNamesThePlace) {
  store_->after = [&](const ReadRequest& request, ReadResult& result) {
    uint64_t at = 350;
    if (request.range->offset <= at && at < request.range->offset + result.data.size()) {
      result.data[at - request.range->offset] ^= 1;
    }
  };
  std::vector<Extent> extents = {Make("object0", 0, 300), Make("object0", 300, 300), Make("object0", 600, 300)};
  std::vector<FetchedExtent> fetched = Fetch(extents);
  EXPECT_TRUE(fetched[0].status.ok());
  EXPECT_EQ(fetched[1].status.code(), StatusCode::kCorruption);
  EXPECT_THAT(fetched[1].status.message(), HasSubstr("object0"));
  EXPECT_THAT(fetched[1].status.message(), HasSubstr("offset 300"));
  EXPECT_FALSE(fetched[1].block.valid());
  EXPECT_TRUE(fetched[2].status.ok());
  EXPECT_EQ(store_->waves(), 2u);
  store_->after = nullptr;
  FetchOk(extents);
  EXPECT_EQ(counts_.ram_hits, 2u);
  EXPECT_EQ(counts_.misses, 1u);
}

TEST_F(ExtentCacheTest, AnObjectThatEndsTooEarlyIsCorruptionThatNamesIt) {
  std::vector<Extent> extents = {Make("object0", 0, 300), Make("object0", 300, 300), Make("object0", 50'000, 300)};
  store_->objects["object0"].resize(400);
  std::vector<FetchedExtent> fetched = Fetch(extents);
  EXPECT_TRUE(fetched[0].status.ok());
  for (size_t i : {1, 2}) {
    EXPECT_EQ(fetched[i].status.code(), StatusCode::kCorruption) << fetched[i].status;
    EXPECT_THAT(fetched[i].status.message(), HasSubstr("object0"));
    EXPECT_THAT(fetched[i].status.message(), HasSubstr(std::to_string(extents[i].offset)));
  }
}

TEST_F(ExtentCacheTest, AFailureOfTheStoreIsPassedOnForItsExtentsOnlyAndNotKept) {
  Extent missing = {"nowhere", 0, 100, 1};
  store_->after = [](const ReadRequest& request, ReadResult& result) {
    if (request.name == "object1") result = {.status = Status::Unavailable("come later"), .data = {}, .etag = {}};
  };
  std::vector<Extent> extents = {Make("object0", 0, 100), Make("object1", 0, 100), missing, Make("object1", 100, 100)};
  std::vector<FetchedExtent> fetched = Fetch(extents);
  EXPECT_TRUE(fetched[0].status.ok());
  EXPECT_EQ(fetched[1].status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(fetched[2].status.code(), StatusCode::kNotFound);
  EXPECT_EQ(fetched[3].status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(store_->waves(), 1u);
  EXPECT_EQ(counts_.misses, 4u);
  store_->after = nullptr;
  extents[2] = Make("object2", 0, 100);
  FetchOk(extents);
  EXPECT_EQ(counts_.ram_hits, 1u);
  EXPECT_EQ(counts_.misses, 3u);
}

TEST_F(ExtentCacheTest, AStoreThatAnswersTooLittleIsInternal) {
  store_->too_few_answers = true;
  EXPECT_EQ(Fetch({Make("object0", 0, 100)})[0].status.code(), StatusCode::kInternal);
}

TEST_F(ExtentCacheTest, PastTheDeadlineOnlyRamAnswers) {
  Extent here = Make("object0", 0, 100);
  Extent elsewhere = Make("object0", 100, 100);
  FetchOk({here});
  Context late;
  late.deadline_ns = fake_.clock->NowNs();
  std::vector<FetchedExtent> fetched = Fetch({here, elsewhere}, {}, late);
  EXPECT_TRUE(fetched[0].status.ok());
  EXPECT_EQ(fetched[1].status.code(), StatusCode::kDeadlineExceeded);
  CancelToken token;
  token.Cancel();
  Context cancelled;
  cancelled.cancel = &token;
  EXPECT_EQ(Fetch({elsewhere}, {}, cancelled)[0].status.code(), StatusCode::kCancelled);
  EXPECT_EQ(store_->requests(), 1u);
  FetchOk({elsewhere});
}

// Any sequence of reads over caches that are too small, with damage on the way, restarts between and every option.
TEST_F(ExtentCacheTest, AnySequenceGivesTheStoresBytesAndExactCounts) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    SplitMix64 random(seed);
    CloseAndSetFiles({});
    Restart(uint64_t{1} << (14 + random.Below(5)), uint64_t{1} << (16 + random.Below(4)));
    bool damage = seed % 2 == 1;
    store_->after = [&](const ReadRequest&, ReadResult& result) {
      if (!damage || random.Below(10) != 0 || !result.status.ok()) return;
      result.data[random.Below(result.data.size())] ^= 1;
    };
    uint64_t extents_asked = 0;
    uint64_t bytes_before = store_->bytes();
    uint64_t requests_before = store_->requests();
    FetchCounts total;
    for (int step = 0; step < 300; ++step) {
      std::vector<Extent> extents;
      for (uint64_t n = 1 + random.Below(10); n > 0; --n) {
        extents.push_back(Make("object" + std::to_string(random.Below(3)), random.Below(30) * 1000,
                               static_cast<uint32_t>(1 + random.Below(3) * 700)));
      }
      FetchOptions options{.max_gap_bytes = static_cast<uint32_t>(random.Below(2000)),
                           .max_requests = static_cast<uint32_t>(random.Below(4)),
                           .fill_cache = random.Below(4) != 0};
      for (const FetchedExtent& fetched : Fetch(extents, options)) {
        ASSERT_TRUE(fetched.status.ok() || (damage && fetched.status.code() == StatusCode::kCorruption));
      }
      extents_asked += extents.size();
      total.Add(counts_);
      if (random.Below(40) == 0) Restart(1 << 16, 1 << 18);
    }
    EXPECT_EQ(total.ram_hits + total.disk_hits + total.misses + total.joined, extents_asked);
    EXPECT_EQ(total.store_bytes, store_->bytes() - bytes_before);
    EXPECT_EQ(total.requests, store_->requests() - requests_before);
    EXPECT_GT(total.ram_hits, 0u);
    EXPECT_GT(total.disk_hits, 0u);
    store_->after = nullptr;
  }
}

TEST_F(ExtentCacheTest, WhatACallFetchesThatBeganBeforeAClearGoesIntoNoCache) {
  const std::vector<Extent> extents = {Make("object0", 0, 1000), Make("object1", 0, 1000)};
  FetchOk({extents[0]});
  bool cleared = false;
  store_->before = [&](const ReadRequest&) {
    if (std::exchange(cleared, true)) return;
    EXPECT_TRUE(cache_->Clear().ok());
  };
  FetchOk(extents);
  EXPECT_EQ(counts_.ram_hits, 1u);
  const uint64_t requests = store_->requests();
  FetchOk(extents);
  EXPECT_EQ(store_->requests(), requests + 2);
  FetchOk(extents);
  EXPECT_EQ(store_->requests(), requests + 2);
  Restart();
  FetchOk(extents);
  EXPECT_EQ(store_->requests(), requests + 2);
}

}  // namespace
}  // namespace isotherm
