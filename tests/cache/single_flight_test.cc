// Many calls that want the same extents at the same time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "tests/cache/extent_cache_fixture.h"

namespace isotherm {
namespace {

using test::ScriptedStore;

class SingleFlightTest : public test::ExtentCacheTest {
 protected:
  FetchedExtent FetchOne(const Extent& extent, const Context& context = {}) {
    std::vector<Extent> one = {extent};
    return cache_->Fetch(context, one, {}, nullptr)[0];
  }

  // Waits for `held_` and then for what another call fetches: `marker_` goes to the store first, and by then this call
  // has joined the flight of `held_`.
  FetchedExtent FetchHeldAndMarker(const Context& context = {}, FetchCounts* counts = nullptr) {
    std::vector<Extent> both = {held_, marker_};
    std::vector<FetchedExtent> fetched = cache_->Fetch(context, both, {}, counts);
    EXPECT_TRUE(fetched[1].status.ok());
    return fetched[0];
  }

  // The store holds requests for object0 until released, and tells of those for object1.
  void HoldStore() {
    store_->before = [this](const ReadRequest& request) {
      if (request.name == "object0" && holding_.exchange(false)) {
        held_arrived_.count_down();
        release_.wait();
      }
      if (request.name == "object1") marker_arrived_.count_down();
    };
  }

  const Extent held_ = Make("object0", 0, 1000);
  const Extent marker_ = Make("object1", 0, 1000);
  std::atomic<bool> holding_{true};
  std::latch held_arrived_{1};
  std::latch marker_arrived_{1};
  std::latch release_{1};
};

TEST_F(SingleFlightTest, SixtyFourThreadsAndOneRequest) {
  constexpr int kThreads = 64;
  std::latch all_started(kThreads);
  store_->before = [&](const ReadRequest&) { all_started.wait(); };
  std::vector<std::thread> threads;
  std::atomic<uint64_t> misses{0};
  std::atomic<uint64_t> others{0};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      all_started.count_down();
      std::vector<Extent> one = {held_};
      FetchCounts counts;
      std::vector<FetchedExtent> fetched = cache_->Fetch({}, one, {}, &counts);
      EXPECT_TRUE(fetched[0].status.ok());
      ExpectRight(held_, fetched[0]);
      misses += counts.misses;
      others += counts.joined + counts.ram_hits;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store_->requests(), 1u);
  EXPECT_EQ(misses, 1u);
  EXPECT_EQ(others, kThreads - 1u);
}

TEST_F(SingleFlightTest, AWaiterLeavesAtItsOwnDeadlineAndTheFetchGoesOn) {
  HoldStore();
  FetchedExtent first;
  std::thread owner([&] { first = FetchOne(held_); });
  held_arrived_.wait();
  FetchedExtent second;
  std::thread waiter([&] {
    Context context;
    context.deadline_ns = fake_.clock->NowNs() + 1'000'000'000;
    second = FetchHeldAndMarker(context);
  });
  marker_arrived_.wait();
  fake_.clock->AdvanceNs(1'000'000'000);
  waiter.join();
  EXPECT_EQ(second.status.code(), StatusCode::kDeadlineExceeded);
  release_.count_down();
  owner.join();
  EXPECT_TRUE(first.status.ok());
  EXPECT_TRUE(FetchOne(held_).status.ok());
  EXPECT_EQ(store_->requests(), 2u);
}

TEST_F(SingleFlightTest, AWaiterLeavesWhenItIsCancelled) {
  HoldStore();
  std::thread owner([&] { EXPECT_TRUE(FetchOne(held_).status.ok()); });
  held_arrived_.wait();
  CancelToken token;
  FetchedExtent second;
  std::thread waiter([&] {
    Context context;
    context.cancel = &token;
    second = FetchHeldAndMarker(context);
  });
  marker_arrived_.wait();
  token.Cancel();
  waiter.join();
  EXPECT_EQ(second.status.code(), StatusCode::kCancelled);
  release_.count_down();
  owner.join();
}

TEST_F(SingleFlightTest, AFailedFetchFailsThoseThatWaitedAndNobodyAfter) {
  HoldStore();
  int failures = 1;
  store_->after = [&](const ReadRequest& request, ReadResult& result) {
    if (request.name == "object0" && failures-- > 0)
      result = {.status = Status::Unavailable("gone"), .data = {}, .etag = {}};
  };
  FetchedExtent first;
  FetchedExtent second;
  FetchCounts counts;
  std::thread owner([&] { first = FetchOne(held_); });
  held_arrived_.wait();
  std::thread waiter([&] { second = FetchHeldAndMarker({}, &counts); });
  marker_arrived_.wait();
  release_.count_down();
  owner.join();
  waiter.join();
  EXPECT_EQ(first.status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(second.status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(counts.joined, 1u);
  EXPECT_EQ(counts.misses, 1u);
  EXPECT_TRUE(FetchOne(held_).status.ok());
  EXPECT_EQ(store_->requests(), 3u);
}

TEST_F(SingleFlightTest, AFetchThatEndedByItsOwnDeadlineIsTakenOverByAWaiter) {
  HoldStore();
  int failures = 1;
  store_->after = [&](const ReadRequest& request, ReadResult& result) {
    if (request.name == "object0" && failures-- > 0) {
      result = {.status = Status::DeadlineExceeded("too slow"), .data = {}, .etag = {}};
    }
  };
  FetchedExtent first;
  FetchedExtent second;
  FetchCounts counts;
  std::thread owner([&] { first = FetchOne(held_); });
  held_arrived_.wait();
  std::thread waiter([&] { second = FetchHeldAndMarker({}, &counts); });
  marker_arrived_.wait();
  release_.count_down();
  owner.join();
  waiter.join();
  EXPECT_EQ(first.status.code(), StatusCode::kDeadlineExceeded);
  ASSERT_TRUE(second.status.ok()) << second.status;
  ExpectRight(held_, second);
  EXPECT_EQ(counts.misses, 2u);
  EXPECT_EQ(counts.joined, 0u);
}

TEST_F(SingleFlightTest, WhatAWaiterTakesOverAndFindsInACacheIsNoFailure) {
  HoldStore();
  store_->after = [&](const ReadRequest& request, ReadResult& result) {
    if (request.name == "object0") result = {.status = Status::Cancelled("given up"), .data = {}, .etag = {}};
  };
  FetchedExtent second;
  std::thread owner([&] { EXPECT_EQ(FetchOne(held_).status.code(), StatusCode::kCancelled); });
  held_arrived_.wait();
  std::thread waiter([&] { second = FetchHeldAndMarker(); });
  marker_arrived_.wait();
  cache_->KeepOnDisk(held_, PinnedBlock::Copy(store_->objects.at("object0").substr(0, held_.length)));
  release_.count_down();
  owner.join();
  waiter.join();
  ASSERT_TRUE(second.status.ok()) << second.status;
  ExpectRight(held_, second);
}

TEST_F(SingleFlightTest, AWaiterThatFillsTheCachesDoesSoForAnOwnerThatDoesNot) {
  HoldStore();
  std::thread owner([&] {
    std::vector<Extent> one = {held_};
    EXPECT_TRUE(cache_->Fetch({}, one, {.fill_cache = false}, nullptr)[0].status.ok());
  });
  held_arrived_.wait();
  std::thread waiter([&] { EXPECT_TRUE(FetchHeldAndMarker().status.ok()); });
  marker_arrived_.wait();
  release_.count_down();
  owner.join();
  waiter.join();
  EXPECT_EQ(ram_->Stats().blocks, 2u);
  EXPECT_EQ(disk_->Stats().inserts, 2u);
}

// One thread fetches one by one what another looks for all at once: whatever lands between the other's look into RAM
// and its fetch must not be fetched again.
TEST_F(SingleFlightTest, WhatLandsBetweenALookAndAFetchIsNotFetchedAgain) {
  cache_ = std::make_unique<ExtentCache>(store_, ram_, nullptr, env_, "scope");
  constexpr uint64_t kRounds = 40;
  constexpr uint64_t kExtents = 400;
  for (uint64_t round = 0; round < kRounds; ++round) {
    std::vector<Extent> extents;
    for (uint64_t i = 0; i < kExtents; ++i) {
      extents.push_back(Make("object0", i * 200 + round, 10));
    }
    std::atomic<int> ready{0};
    auto start_together = [&ready] {
      ++ready;
      while (ready < 2) std::this_thread::yield();
    };
    std::thread one_by_one([&] {
      start_together();
      for (const Extent& extent : extents) EXPECT_TRUE(FetchOne(extent).status.ok());
    });
    start_together();
    for (const FetchedExtent& fetched : cache_->Fetch({}, extents, {.max_gap_bytes = 0}, nullptr)) {
      EXPECT_TRUE(fetched.status.ok());
    }
    one_by_one.join();
  }
  EXPECT_EQ(store_->requests(), kRounds * kExtents);
}

// Each call owns what the other waits for.
TEST_F(SingleFlightTest, CallsThatWaitForEachOtherBothFinish) {
  for (uint64_t round = 0; round < 200; ++round) {
    Extent a = Make("object0", round * 100, 100);
    Extent b = Make("object1", round * 100, 100);
    auto fetch = [&](std::vector<Extent> extents) {
      for (const FetchedExtent& fetched : cache_->Fetch({}, extents, {}, nullptr)) EXPECT_TRUE(fetched.status.ok());
    };
    std::thread left([&] { fetch({a, b}); });
    std::thread right([&] { fetch({b, a}); });
    left.join();
    right.join();
  }
  EXPECT_EQ(store_->requests(), 400u);
}

TEST_F(SingleFlightTest, ManyThreadsOverSmallCachesWithAFailingStore) {
  Restart(1 << 16, 1 << 18);
  std::atomic<uint64_t> asked{0};
  store_->after = [&](const ReadRequest&, ReadResult& result) {
    uint64_t n = asked++;
    if (n % 17 == 3) result = {.status = Status::Unavailable("injected"), .data = {}, .etag = {}};
    if (n % 19 == 5 && !result.data.empty()) result.data[n % result.data.size()] ^= 1;
  };
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      SplitMix64 random(t);
      for (int step = 0; step < 300; ++step) {
        std::vector<Extent> extents;
        for (uint64_t n = 1 + random.Below(6); n > 0; --n) {
          extents.push_back(Make("object" + std::to_string(random.Below(3)), random.Below(40) * 1000, 1000));
        }
        std::vector<FetchedExtent> fetched =
            cache_->Fetch({}, extents, {.max_gap_bytes = 0, .fill_cache = random.Below(5) != 0}, nullptr);
        for (size_t i = 0; i < extents.size(); ++i) {
          if (fetched[i].status.ok()) {
            ExpectRight(extents[i], fetched[i]);
          } else {
            StatusCode code = fetched[i].status.code();
            EXPECT_TRUE(code == StatusCode::kUnavailable || code == StatusCode::kCorruption) << fetched[i].status;
          }
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  FetchCounts totals = cache_->Totals();
  EXPECT_EQ(totals.store_bytes, store_->bytes());
  EXPECT_EQ(totals.requests, store_->requests());
}

}  // namespace
}  // namespace isotherm
