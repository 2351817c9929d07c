#include "base/thread_pool.h"

#include <gtest/gtest.h>

#if defined(__linux__)
#include <sys/resource.h>
#endif

#include <algorithm>
#include <atomic>
#include <barrier>
#include <latch>
#include <memory>
#include <set>

namespace isotherm {

TEST(ThreadPoolTest, ParallelForRunsEachBodyOnce) {
  ThreadPool pool(4);
  for (size_t n : {size_t{0}, size_t{1}, size_t{3}, size_t{10'000}}) {
    std::vector<std::atomic<int>> runs(n);
    pool.ParallelFor(n, [&](size_t i) { ++runs[i]; });
    for (size_t i = 0; i < n; ++i) ASSERT_EQ(runs[i], 1) << i << " of " << n;
  }
}

TEST(ThreadPoolTest, ParallelForUsesAsManyThreadsAsItSays) {
  ThreadPool pool(4);
  EXPECT_EQ(pool.Concurrency(), 4u);
  std::barrier all_here(4);
  pool.ParallelFor(4, [&](size_t) { all_here.arrive_and_wait(); });
}

TEST(ThreadPoolTest, ParallelForNestsToAnyDepth) {
  for (size_t width : {size_t{1}, size_t{2}, size_t{3}}) {
    ThreadPool pool(width);
    std::atomic<int> leaves{0};
    std::function<void(int)> descend = [&](int depth) {
      if (depth == 0) {
        ++leaves;
        return;
      }
      pool.ParallelFor(4, [&](size_t) { descend(depth - 1); });
    };
    descend(5);
    EXPECT_EQ(leaves, 4 * 4 * 4 * 4 * 4);
  }
}

TEST(ThreadPoolTest, ParallelForEndsWhileEveryThreadIsBusy) {
  ThreadPool pool(2);
  std::latch started(2);
  std::latch release(1);
  for (int i = 0; i < 2; ++i) {
    pool.Schedule([&] {
      started.count_down();
      release.wait();
    });
  }
  started.wait();
  std::atomic<int> runs{0};
  pool.ParallelFor(100, [&](size_t) { ++runs; });
  EXPECT_EQ(runs, 100);
  release.count_down();
}

TEST(ThreadPoolTest, ScheduledTasksRunOnOtherThreads) {
  ThreadPool pool(2);
  std::atomic<bool> same_thread{true};
  std::latch ran(1);
  std::thread::id caller = std::this_thread::get_id();
  pool.Schedule([&] {
    same_thread = std::this_thread::get_id() == caller;
    ran.count_down();
  });
  ran.wait();
  EXPECT_FALSE(same_thread);
}

TEST(ThreadPoolTest, ThreadsOfTheBackgroundStandBack) {
#if defined(__linux__)
  std::atomic<int> nice{0};
  {
    ThreadPool pool(1, ThreadPriority::kBackground);
    pool.Schedule([&] { nice = getpriority(PRIO_PROCESS, 0); });
  }
  EXPECT_GE(nice, std::min(19, getpriority(PRIO_PROCESS, 0) + 1));
#else
  GTEST_SKIP() << "threads have no priority here";
#endif
}

TEST(ThreadPoolTest, TasksMayScheduleTasksAndLoop) {
  ThreadPool pool(2);
  std::atomic<int> runs{0};
  std::latch all(10);
  for (int i = 0; i < 10; ++i) {
    pool.Schedule([&] {
      pool.Schedule([&] {
        pool.ParallelFor(5, [&](size_t) { ++runs; });
        all.count_down();
      });
    });
  }
  all.wait();
  EXPECT_EQ(runs, 50);
}

TEST(ThreadPoolTest, DestructionRunsWhatWasScheduled) {
  std::atomic<int> runs{0};
  {
    ThreadPool pool(2);
    for (int i = 0; i < 1000; ++i) pool.Schedule([&] { ++runs; });
  }
  EXPECT_EQ(runs, 1000);
}

TEST(ThreadPoolTest, ManyCallersShareThePool) {
  ThreadPool pool(3);
  std::atomic<int> runs{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 6; ++i) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) pool.ParallelFor(20, [&](size_t) { ++runs; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(runs, 6 * 50 * 20);
}

}  // namespace isotherm
