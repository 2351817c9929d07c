#include "base/memory_budget.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/splitmix.h"
#include "tests/base/manual_clock.h"

namespace isotherm {
namespace {

using enum MemoryUse;

constexpr uint64_t kLimit = 1000;

uint64_t UseOf(const MemoryBudget& budget, MemoryUse use) { return budget.Usage().by_use[static_cast<int>(use)]; }

void ExpectConsistent(const MemoryUsage& usage) {
  uint64_t sum = usage.set_aside_bytes;
  for (uint64_t bytes : usage.by_use) sum += bytes;
  EXPECT_EQ(usage.used_bytes, sum);
  EXPECT_LE(usage.used_bytes, usage.peak_bytes);
  if (usage.limit_bytes > 0) {
    EXPECT_LE(usage.peak_bytes, usage.limit_bytes);
  }
}

void AwaitWaiters(const MemoryBudget& budget, uint64_t waiting) {
  while (budget.Usage().waiting != waiting) std::this_thread::yield();
}

class MemoryBudgetTest : public testing::Test {
 protected:
  MemoryReservation Must(Result<MemoryReservation> result) {
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? std::move(*result) : MemoryReservation();
  }

  const std::shared_ptr<MemoryBudget> budget_ = MakeMemoryBudget(kLimit);
  ManualClock clock_;
};

TEST_F(MemoryBudgetTest, GrantsUpToTheLimitAndTakesBackOnDestruction) {
  {
    MemoryReservation a = Must(budget_->Reserve(kMemtable, 600));
    MemoryReservation b = Must(budget_->Reserve(kQuery, 400));
    EXPECT_EQ(a.bytes(), 600u);
    EXPECT_EQ(a.use(), kMemtable);
    EXPECT_EQ(UsageOf(*budget_).used_bytes, kLimit);
    EXPECT_EQ(UseOf(*budget_, kQuery), 400u);
    EXPECT_FALSE(budget_->Reserve(kBuild, 1).ok());
    EXPECT_FALSE(budget_->TryReserve(kBuild, 1).has_value());
    EXPECT_TRUE(budget_->Reserve(kBuild, 0).ok());
  }
  EXPECT_EQ(budget_->Usage().used_bytes, 0u);
  EXPECT_EQ(budget_->Usage().peak_bytes, kLimit);
  EXPECT_EQ(budget_->Usage().refused, 1u);
}

TEST_F(MemoryBudgetTest, ARefusalSaysWhoAskedForWhatAndWhoHasTheRest) {
  MemoryReservation memtable = Must(budget_->Reserve(kMemtable, 700));
  MemoryReservation cache = Must(budget_->Reserve(kBlockCache, 50));
  auto set_aside = budget_->SetAside(20);
  ASSERT_TRUE(set_aside.ok());
  Status refused = budget_->Reserve(kBuild, 231).status();
  EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted);
  for (const char* part : {"build asks for 231 bytes", "770 of 1000 bytes", "memtable 700", "block_cache 50", "query 0",
                           "set aside 20", "wait"}) {
    EXPECT_NE(refused.message().find(part), std::string::npos) << part << " in " << refused;
  }
  EXPECT_EQ(budget_->Reserve(kBuild, UINT64_MAX).status().code(), StatusCode::kResourceExhausted);
}

TEST_F(MemoryBudgetTest, NoLimitCountsAllTheSame) {
  auto unlimited = MakeMemoryBudget(0);
  MemoryReservation large = Must(unlimited->Reserve(kBuild, uint64_t{1} << 50));
  EXPECT_EQ(UsageOf(*unlimited).used_bytes, uint64_t{1} << 50);
  EXPECT_EQ(UsageOf(*unlimited).limit_bytes, 0u);
  EXPECT_FALSE(unlimited->Reserve(kBuild, UINT64_MAX).ok()) << "more than can be counted";
}

TEST_F(MemoryBudgetTest, AReservationGrowsShrinksSplitsMovesAndChangesItsUse) {
  MemoryReservation a = Must(budget_->Reserve(kQuery, 100));
  EXPECT_TRUE(a.Resize(1000).ok());
  EXPECT_FALSE(a.Resize(1001).ok());
  EXPECT_FALSE(a.TryResize(1001));
  EXPECT_EQ(a.bytes(), 1000u);
  EXPECT_TRUE(a.TryResize(300));
  MemoryReservation part = a.Split(120);
  EXPECT_EQ(a.bytes(), 180u);
  EXPECT_EQ(a.Split(500).bytes(), 180u) << "no more than there is";
  EXPECT_EQ(budget_->Usage().used_bytes, 120u);
  part.SetUse(kBlockCache);
  EXPECT_EQ(UseOf(*budget_, kQuery), 0u);
  EXPECT_EQ(UseOf(*budget_, kBlockCache), 120u);
  MemoryReservation moved = std::move(part);
  a = std::move(moved);
  EXPECT_EQ(budget_->Usage().used_bytes, 120u);
  MemoryReservation& same = a;
  a = std::move(same);
  EXPECT_EQ(a.bytes(), 120u);
  a = Must(budget_->Reserve(kBuild, 10));
  EXPECT_EQ(budget_->Usage().used_bytes, 10u);
  a.Release();
  a.Release();
  EXPECT_EQ(budget_->Usage().used_bytes, 0u);
}

TEST_F(MemoryBudgetTest, AReservationOfNoBudgetIsGrantedAnything) {
  MemoryReservation none = Must(ReserveMemory(nullptr, kBuild, uint64_t{1} << 40));
  EXPECT_EQ(none.bytes(), uint64_t{1} << 40);
  EXPECT_TRUE(none.Resize(uint64_t{1} << 41).ok());
  MemoryReservation counted = Must(ReserveMemory(budget_.get(), kBuild, 5));
  EXPECT_EQ(UseOf(*budget_, kBuild), 5u);
}

TEST_F(MemoryBudgetTest, AReservationKeepsItsBudgetAlive) {
  MemoryReservation last;
  {
    auto gone = MakeMemoryBudget(10);
    last = Must(gone->Reserve(kQuery, 10));
  }
  EXPECT_FALSE(last.Resize(11).ok());
}

// A flush gets what was set aside for it, whatever others hold, and others never get that.
TEST_F(MemoryBudgetTest, WhatIsSetAsideServesItsOwnerOnly) {
  auto made = budget_->SetAside(300);
  ASSERT_TRUE(made.ok());
  std::shared_ptr<MemorySetAside> flush = std::move(*made);
  MemoryReservation memtable = Must(budget_->Reserve(kMemtable, 700));
  EXPECT_FALSE(budget_->Reserve(kMemtable, 1).ok());
  MemoryReservation build = Must(flush->Reserve(kBuild, 200));
  EXPECT_EQ(flush->free_bytes(), 100u);
  EXPECT_TRUE(build.Resize(300).ok());
  EXPECT_FALSE(build.Resize(301).ok());
  EXPECT_EQ(budget_->Usage().set_aside_bytes, 0u);
  EXPECT_EQ(UseOf(*budget_, kBuild), 300u);
  EXPECT_TRUE(build.Resize(50).ok());
  EXPECT_FALSE(budget_->Reserve(kQuery, 1).ok()) << "it goes back to where it was from";
  memtable.Release();
  EXPECT_TRUE(build.Resize(900).ok()) << "beyond what is set aside it draws on the budget";
  MemoryReservation part = build.Split(850);
  part.Release();
  EXPECT_EQ(flush->free_bytes(), 250u);
  ASSERT_TRUE(flush->Resize(0).ok());
  EXPECT_EQ(flush->bytes(), 50u) << "what is in use stays";
  build.Release();
  ASSERT_TRUE(flush->Resize(1000).ok());
  EXPECT_FALSE(flush->Resize(1001).ok());
  EXPECT_EQ(flush->bytes(), 1000u);
  MemoryReservation late = Must(flush->Reserve(kBuild, 10));
  flush = nullptr;
  EXPECT_EQ(budget_->Usage().used_bytes, 1000u) << "until the last reservation from it ends";
  late.Release();
  EXPECT_EQ(budget_->Usage().used_bytes, 0u);
}

TEST_F(MemoryBudgetTest, ReclaimersMakeRoomBeforeARequestIsRefused) {
  MemoryReservation left = Must(budget_->Reserve(kBlockCache, 500));
  MemoryReservation right = Must(budget_->Reserve(kBlockCache, 500));
  std::vector<uint64_t> asked;
  auto give = [&](MemoryReservation& from, uint64_t wanted) {
    asked.push_back(wanted);
    uint64_t bytes = std::min(wanted, from.bytes());
    EXPECT_TRUE(from.Resize(from.bytes() - bytes).ok());
    return bytes;
  };
  auto first = budget_->AddReclaimer([&](uint64_t wanted) { return give(left, wanted); });
  auto second = budget_->AddReclaimer([&](uint64_t wanted) { return give(right, wanted); });
  EXPECT_FALSE(budget_->TryReserve(kBlockCache, 1).has_value()) << "asks no reclaimer";
  EXPECT_TRUE(asked.empty());

  MemoryReservation query = Must(budget_->Reserve(kQuery, 100));
  EXPECT_EQ(asked, std::vector<uint64_t>{100});
  MemoryReservation more = Must(budget_->Reserve(kQuery, 100));
  EXPECT_EQ(left.bytes(), 400u) << "they take turns";
  EXPECT_EQ(right.bytes(), 400u);
  auto set_aside = budget_->SetAside(500);
  EXPECT_TRUE(set_aside.ok());
  EXPECT_EQ(left.bytes() + right.bytes(), 300u);
  asked.clear();
  EXPECT_FALSE(budget_->Reserve(kQuery, 2000).ok());
  EXPECT_TRUE(asked.empty()) << "no cache is emptied for what never fits";
  MemoryReservation waited = Must(budget_->WaitReserve(kMemtable, 300, {}, clock_));
  EXPECT_EQ(left.bytes() + right.bytes(), 0u);
  waited.Release();
  first = {};
  asked.clear();
  EXPECT_FALSE(budget_->Reserve(kQuery, 800).ok());
  EXPECT_EQ(asked.size(), 1u) << "one that ended is not asked";
}

TEST_F(MemoryBudgetTest, AWaiterGoesOnWhenOthersGiveBack) {
  MemoryReservation all = Must(budget_->Reserve(kMemtable, kLimit));
  std::thread waiter([&] {
    auto got = budget_->WaitReserve(kMemtable, 400, {}, *Environment::Default()->clock);
    EXPECT_TRUE(got.ok()) << got.status();
  });
  AwaitWaiters(*budget_, 1);
  EXPECT_TRUE(budget_->contended());
  EXPECT_TRUE(all.Resize(800).ok());
  AwaitWaiters(*budget_, 1);
  EXPECT_FALSE(budget_->TryReserve(kBlockCache, 10).has_value()) << "no cache grows while somebody waits";
  EXPECT_TRUE(budget_->Reserve(kQuery, 10).ok()) << "a query that fits goes on";
  EXPECT_TRUE(all.Resize(600).ok());
  waiter.join();
  EXPECT_FALSE(budget_->contended());
  EXPECT_EQ(budget_->Usage().peak_bytes, kLimit);
}

TEST_F(MemoryBudgetTest, WaitersAreServedInTheOrderOfTheirComingAndFlushesBeforeThem) {
  auto set_aside = budget_->SetAside(100);
  ASSERT_TRUE(set_aside.ok());
  MemoryReservation rest = Must(budget_->Reserve(kMemtable, 900));
  Mutex mutex;
  std::vector<std::string> served;
  std::vector<std::thread> waiters;
  auto wait = [&](MemorySource& source, std::string name, uint64_t bytes) {
    waiters.emplace_back([&, name, bytes] {
      auto got = source.WaitReserve(kBuild, bytes, {}, *Environment::Default()->clock);
      EXPECT_TRUE(got.ok()) << got.status();
      std::lock_guard lock(mutex);
      served.push_back(name);
    });
    AwaitWaiters(*budget_, waiters.size());
  };
  auto served_so_far = [&] {
    std::lock_guard lock(mutex);
    return served;
  };
  wait(*budget_, "large", 800);
  wait(*budget_, "small", 50);
  wait(**set_aside, "flush", 300);
  EXPECT_TRUE(rest.Resize(700).ok());
  while (served_so_far().empty()) std::this_thread::yield();
  EXPECT_EQ(served_so_far(), std::vector<std::string>{"flush"});
  EXPECT_TRUE(rest.Resize(200).ok());
  EXPECT_EQ(budget_->Usage().waiting, 2u) << "the small one does not overtake the large one";
  EXPECT_TRUE(rest.Resize(100).ok());
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_EQ(budget_->Usage().waiting, 0u);
}

TEST_F(MemoryBudgetTest, AFlushDoesNotWaitForWhatIsSetAsideForIt) {
  auto set_aside = budget_->SetAside(100);
  ASSERT_TRUE(set_aside.ok());
  MemoryReservation rest = Must(budget_->Reserve(kMemtable, 900));
  CancelToken cancel;
  std::thread waiter([&] {
    auto got = budget_->WaitReserve(kMemtable, 500, {.cancel = &cancel}, *Environment::Default()->clock);
    EXPECT_EQ(got.status().code(), StatusCode::kCancelled);
    EXPECT_NE(got.status().message().find("memtable asked for 500 bytes"), std::string::npos) << got.status();
  });
  AwaitWaiters(*budget_, 1);
  EXPECT_TRUE((*set_aside)->WaitReserve(kBuild, 100, {}, clock_).ok());
  cancel.Cancel();
  waiter.join();
  EXPECT_EQ(budget_->Usage().waiting, 0u);
  ExpectConsistent(budget_->Usage());
}

TEST_F(MemoryBudgetTest, AWaitEndsWithItsDeadlineAndAtOnceWhenItCanNeverBeMet) {
  MemoryReservation all = Must(budget_->Reserve(kMemtable, kLimit));
  Status late = budget_->WaitReserve(kBuild, 1, {.deadline_ns = clock_.NowNs()}, clock_).status();
  EXPECT_EQ(late.code(), StatusCode::kDeadlineExceeded);
  EXPECT_NE(late.message().find("memtable 1000"), std::string::npos) << late;
  EXPECT_EQ(budget_->WaitReserve(kBuild, kLimit + 1, {}, clock_).status().code(), StatusCode::kResourceExhausted);
  all.Release();
  EXPECT_TRUE(budget_->WaitReserve(kBuild, 1, {.deadline_ns = clock_.NowNs()}, clock_).ok())
      << "there is no need to wait";
}

TEST_F(MemoryBudgetTest, AWaiterThatLeavesLetsTheNextOneGo) {
  MemoryReservation most = Must(budget_->Reserve(kMemtable, 900));
  CancelToken cancel;
  std::thread large([&] {
    EXPECT_FALSE(budget_->WaitReserve(kBuild, 500, {.cancel = &cancel}, *Environment::Default()->clock).ok());
  });
  AwaitWaiters(*budget_, 1);
  std::thread small([&] { EXPECT_TRUE(budget_->WaitReserve(kBuild, 100, {}, *Environment::Default()->clock).ok()); });
  AwaitWaiters(*budget_, 2);
  cancel.Cancel();
  large.join();
  small.join();
}

// Any sequence of calls against a model that only adds and subtracts.
TEST_F(MemoryBudgetTest, AnySequenceOfCallsGrantsExactlyWhatFits) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SplitMix64 random(seed);
    auto budget = MakeMemoryBudget(kLimit);
    std::vector<MemoryReservation> held(8);
    uint64_t used = 0;
    for (int step = 0; step < 2000; ++step) {
      MemoryReservation& one = held[random.Below(held.size())];
      auto use = static_cast<MemoryUse>(random.Below(kMemoryUses));
      uint64_t bytes = random.Below(400);
      uint64_t action = random.Below(5);
      if (action == 0) {
        used -= one.bytes();
        one = {};
      } else if (action == 1 && one.bytes() > 0) {
        bool fits = used - one.bytes() + bytes <= kLimit;
        uint64_t before = one.bytes();
        ASSERT_EQ(random.Below(2) == 0 ? one.Resize(bytes).ok() : one.TryResize(bytes), fits);
        if (fits) used += bytes - before;
      } else if (action == 2) {
        one.SetUse(use);
      } else {
        used -= one.bytes();
        one = {};
        bool fits = used + bytes <= kLimit;
        auto got = budget->Reserve(use, bytes);
        ASSERT_EQ(got.ok(), fits);
        if (!fits) continue;
        used += bytes;
        one = std::move(*got);
      }
      MemoryUsage usage = budget->Usage();
      ASSERT_EQ(usage.used_bytes, used);
      ExpectConsistent(usage);
      std::array<uint64_t, kMemoryUses> by_use = {};
      for (const MemoryReservation& each : held) by_use[static_cast<int>(each.use())] += each.bytes();
      ASSERT_TRUE(std::equal(by_use.begin(), by_use.end(), usage.by_use));
    }
  }
}

// The memory itself is counted beside the accountant: it must never be more than the limit.
TEST_F(MemoryBudgetTest, ManyThreadsNeverHoldMoreThanTheLimit) {
  std::atomic<uint64_t> held{0};
  Mutex cache_mutex;
  MemoryReservation cached;
  auto reclaimer = budget_->AddReclaimer([&](uint64_t wanted) {
    std::lock_guard lock(cache_mutex);
    uint64_t bytes = std::min(wanted, cached.bytes());
    held -= bytes;
    EXPECT_TRUE(cached.Resize(cached.bytes() - bytes).ok());
    return bytes;
  });
  cached = std::move(*budget_->TryReserve(kBlockCache, 1));
  held += 1;
  auto use = [&](const MemoryReservation& reservation) {
    if (held.fetch_add(reservation.bytes()) + reservation.bytes() > kLimit) ADD_FAILURE() << "over the limit";
    std::this_thread::yield();
    held -= reservation.bytes();
  };
  std::atomic<int> refused{0};
  auto work = [&](uint64_t seed) {
    SplitMix64 random(seed);
    auto flush = budget_->SetAside(50);
    EXPECT_TRUE(flush.ok()) << flush.status();
    for (int step = 0; step < 3000; ++step) {
      uint64_t action = random.Below(8);
      if (action == 0) {
        std::lock_guard lock(cache_mutex);
        uint64_t more = random.Below(100);
        if (cached.TryResize(cached.bytes() + more) && held.fetch_add(more) + more > kLimit) ADD_FAILURE() << "cache";
      } else if (action < 3) {
        auto got = budget_->Reserve(kQuery, random.Below(300));
        refused += got.ok() ? 0 : 1;
        if (got.ok()) use(*got);
      } else if (action == 3) {
        auto got = (*flush)->Reserve(kBuild, 50);
        EXPECT_TRUE(got.ok()) << "what is set aside is there: " << got.status();
        if (got.ok()) use(*got);
      } else {
        auto got = budget_->WaitReserve(kMemtable, random.Below(600), {}, *Environment::Default()->clock);
        EXPECT_TRUE(got.ok()) << got.status();
        if (got.ok()) use(*got);
      }
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) threads.emplace_back(work, t);
  for (std::thread& thread : threads) thread.join();
  MemoryUsage usage = budget_->Usage();
  ExpectConsistent(usage);
  EXPECT_EQ(usage.used_bytes, cached.bytes());
  EXPECT_EQ(usage.waiting, 0u);
  EXPECT_EQ(usage.refused, static_cast<uint64_t>(refused));
}

TEST_F(MemoryBudgetTest, AReclaimerIsNeverCalledAfterItsRegistrationEnded) {
  std::atomic<bool> stop{false};
  MemoryReservation all = Must(budget_->Reserve(kOther, kLimit));
  std::thread asking([&] {
    while (!stop) EXPECT_FALSE(budget_->Reserve(kQuery, 1).ok());
  });
  for (int round = 0; round < 2000; ++round) {
    auto alive = std::make_unique<std::atomic<int>>(0);
    auto registration = budget_->AddReclaimer([counter = alive.get()](uint64_t) {
      ++*counter;
      return uint64_t{0};
    });
    if (round % 16 == 0) {
      while (*alive == 0) std::this_thread::yield();
    }
    registration = {};
  }
  stop = true;
  asking.join();
}

TEST(ReserveMemoryPatiently, TellsWhoeverGaveUpOrHasNoTimeLeftThat) {
  ManualClock clock;
  auto budget = MakeMemoryBudget(100);
  auto all = budget->Reserve(MemoryUse::kQuery, 100);
  ASSERT_TRUE(all.ok());
  auto code = [&](uint64_t bytes, const Context& context) {
    return ReserveMemoryPatiently(budget.get(), MemoryUse::kQuery, bytes, context, clock).status().code();
  };
  CancelToken cancel;
  cancel.Cancel();
  Context given_up;
  given_up.cancel = &cancel;
  EXPECT_EQ(code(1, given_up), StatusCode::kCancelled);
  Context late;
  late.deadline_ns = clock.NowNs() - 1;
  EXPECT_EQ(code(1, late), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(code(101, {}), StatusCode::kResourceExhausted) << "no waiting helps";
}

}  // namespace
}  // namespace isotherm
