#include "tests/simulation/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace isotherm::simulation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Bench {
  explicit Bench(uint64_t seed = 1, uint64_t yield_one_in = 2)
      : scheduler({.seed = seed, .yield_one_in = yield_one_in}, trace) {}
  Trace trace{nullptr};
  Scheduler scheduler;
  TaskGroup group{"group"};
};

// Three tasks that step five times each; the order in which they came.
std::string Interleaving(uint64_t seed) {
  Bench bench(seed);
  std::string order;
  for (char name : {'a', 'b', 'c'}) {
    bench.scheduler.Spawn(bench.group, std::string(1, name), [&, name] {
      for (int i = 0; i < 5; ++i) {
        order += name;
        bench.scheduler.Yield();
      }
    });
  }
  EXPECT_EQ(bench.scheduler.Run(), "");
  return order + " " + std::to_string(bench.trace.hash());
}

TEST(Scheduler, TheSeedDecidesWhoRuns) {
  std::set<std::string> all;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::string order = Interleaving(seed);
    EXPECT_EQ(Interleaving(seed), order);
    all.insert(order);
  }
  EXPECT_GT(all.size(), 15U);
}

TEST(Scheduler, TimeJumpsToTheNextThatHasSomethingToDo) {
  Bench bench;
  const int64_t begin_ns = bench.scheduler.now_ns();
  std::vector<std::string> log;
  auto sleeper = [&](const char* name, int64_t hours) {
    bench.scheduler.Spawn(bench.group, name, [&, name, hours] {
      bench.scheduler.SleepUntilNs(begin_ns + hours * 3'600'000'000'000);
      log.emplace_back(name);
    });
  };
  sleeper("late", 50);
  sleeper("early", 1);
  bench.scheduler.At(begin_ns + 2 * 3'600'000'000'000, [&] { log.emplace_back("event"); });
  EXPECT_EQ(bench.scheduler.Run(), "");
  EXPECT_THAT(log, ElementsAre("early", "event", "late"));
  EXPECT_GE(bench.scheduler.now_ns(), begin_ns + 50 * 3'600'000'000'000);
}

TEST(Scheduler, TellsWhoWaitsForWhatWhenNobodyCanGoOn) {
  Bench bench;
  // For ever, since those that hold them are gone at the end.
  static Mutex& left = *new Mutex;   // NOLINT: as above
  static Mutex& right = *new Mutex;  // NOLINT: as above
  auto take = [&](Mutex& first, Mutex& second) {
    std::lock_guard one(first);
    bench.scheduler.SleepUntilNs(bench.scheduler.now_ns() + 1'000'000);
    std::lock_guard two(second);
  };
  bench.scheduler.Spawn(bench.group, "lefty", [&] { take(left, right); });
  bench.scheduler.Spawn(bench.group, "righty", [&] { take(right, left); });
  std::string stuck = bench.scheduler.Run();
  EXPECT_THAT(stuck, HasSubstr("nothing will wake them"));
  EXPECT_THAT(stuck, HasSubstr("lefty of group waits for #"));
  EXPECT_THAT(stuck, HasSubstr("righty of group waits for #"));
}

TEST(Scheduler, FindsANotificationThatIsLost) {
  // The flag is looked at, and only then the lock taken: a wake-up in between is missed under some seeds.
  auto run = [](uint64_t seed) {
    Bench bench(seed);
    Mutex mutex;
    CondVar changed;
    bool ready = false;
    bench.scheduler.Spawn(bench.group, "waiter", [&] {
      if (ready) return;
      std::unique_lock lock(mutex);
      changed.Wait(lock);
    });
    bench.scheduler.Spawn(bench.group, "setter", [&] {
      std::lock_guard lock(mutex);
      ready = true;
      changed.NotifyOne();
    });
    return bench.scheduler.Run();
  };
  int stuck = 0;
  for (uint64_t seed = 1; seed <= 50; ++seed) stuck += run(seed).empty() ? 0 : 1;
  EXPECT_GT(stuck, 0);
  EXPECT_LT(stuck, 50);
}

TEST(Scheduler, LocksExcludeAndConditionsWake) {
  Bench bench;
  Mutex mutex;
  CondVar changed;
  int inside = 0;
  int count = 0;
  for (int t = 0; t < 5; ++t) {
    bench.scheduler.Spawn(bench.group, "task", [&] {
      for (int i = 0; i < 20; ++i) {
        std::unique_lock lock(mutex);
        EXPECT_EQ(inside++, 0);
        bench.scheduler.Yield();
        --inside;
        ++count;
        changed.NotifyAll();
      }
    });
  }
  bool seen = false;
  bench.scheduler.Spawn(bench.group, "waiter", [&] {
    std::unique_lock lock(mutex);
    changed.Wait(lock, [&] { return count == 100; });
    seen = true;
  });
  EXPECT_EQ(bench.scheduler.Run(), "");
  EXPECT_TRUE(seen);
}

TEST(Scheduler, AWaitEndsAtItsDeadline) {
  Bench bench;
  int64_t woken_ns = 0;
  const int64_t deadline_ns = bench.scheduler.now_ns() + 5'000'000;
  bench.scheduler.Spawn(bench.group, "waiter", [&] {
    bench.scheduler.Wait(&woken_ns, deadline_ns);
    woken_ns = bench.scheduler.now_ns();
  });
  EXPECT_EQ(bench.scheduler.Run(), "");
  EXPECT_GE(woken_ns, deadline_ns);
  EXPECT_LT(woken_ns, deadline_ns + 100'000);
}

TEST(Scheduler, AGroupThatIsPausedStandsStill) {
  Bench bench;
  TaskGroup other{"other"};
  const int64_t until_ns = bench.scheduler.now_ns() + 1'000'000'000;
  bench.group.paused_until_ns = until_ns;
  int64_t paused_ns = 0;
  int64_t other_ns = 0;
  bench.scheduler.Spawn(bench.group, "paused", [&] { paused_ns = bench.scheduler.now_ns(); });
  bench.scheduler.Spawn(other, "other", [&] { other_ns = bench.scheduler.now_ns(); });
  EXPECT_EQ(bench.scheduler.Run(), "");
  EXPECT_GE(paused_ns, until_ns);
  EXPECT_LT(other_ns, until_ns);
}

TEST(Scheduler, GivesUpOnTasksThatNeverEnd) {
  Trace trace(nullptr);
  Scheduler scheduler({.seed = 1, .yield_one_in = 1, .max_switches = 1000}, trace);
  TaskGroup group{"group"};
  bool stop = false;
  scheduler.Spawn(group, "spinner", [&] {
    while (!stop) scheduler.Yield();
  });
  EXPECT_THAT(scheduler.Run(), HasSubstr("spinner of group can run"));
}

}  // namespace
}  // namespace isotherm::simulation
