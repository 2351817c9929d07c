#include "base/sync.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "isotherm/context.h"
#include "tests/base/manual_clock.h"

namespace isotherm {
namespace {

TEST(Mutex, LetsOneThreadInAtATime) {
  Mutex mutex;
  int count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        std::lock_guard lock(mutex);
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 40'000);
}

TEST(SharedMutex, LetsReadersInTogetherAndAWriterAlone) {
  SharedMutex mutex;
  std::shared_lock first(mutex);
  std::shared_lock second(mutex, std::try_to_lock);
  EXPECT_TRUE(second.owns_lock());
  std::thread([&] { EXPECT_FALSE(mutex.try_lock()); }).join();
  first.unlock();
  second.unlock();
  std::unique_lock writer(mutex);
  std::thread([&] { EXPECT_FALSE(mutex.try_lock_shared()); }).join();
}

TEST(CondVar, WakesWhoWaitsForWhatCameTrue) {
  Mutex mutex;
  CondVar changed;
  int turn = 0;
  auto play = [&](int me) {
    for (int i = 0; i < 1000; ++i) {
      std::unique_lock lock(mutex);
      changed.Wait(lock, [&] { return turn == me; });
      turn = 1 - me;
      changed.NotifyOne();
    }
  };
  std::thread other([&] { play(1); });
  play(0);
  other.join();
  EXPECT_EQ(turn, 0);
}

TEST(CondVar, GivesUpAtTheDeadlineOfTheMachinesClock) {
  Clock& clock = *Environment::Default()->clock;
  Mutex mutex;
  CondVar changed;
  std::unique_lock lock(mutex);
  int64_t deadline_ns = clock.NowNs() + 1'000'000;
  EXPECT_FALSE(changed.WaitUntilNs(lock, clock, deadline_ns, [] { return false; }));
  EXPECT_GE(clock.NowNs(), deadline_ns);
  EXPECT_TRUE(lock.owns_lock());
}

TEST(CondVar, NoticesThatAClockWasMovedByHand) {
  ManualClock clock;
  Mutex mutex;
  CondVar changed;
  std::thread mover([&] { clock.AdvanceNs(1'000); });
  std::unique_lock lock(mutex);
  EXPECT_FALSE(changed.WaitUntilNs(lock, clock, 1'000'001'000, [] { return false; }));
  mover.join();
}

TEST(CondVar, WaitsWithoutADeadline) {
  Clock& clock = *Environment::Default()->clock;
  Mutex mutex;
  CondVar changed;
  bool done = false;
  std::thread other([&] {
    std::lock_guard lock(mutex);
    done = true;
    changed.NotifyAll();
  });
  {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.WaitUntilNs(lock, clock, Context::kNoDeadline, [&] { return done; }));
  }
  other.join();
}

// Writes down what it is asked for, and lets another thread act while the caller waits.
class ScriptedBlocking : public Blocking {
 public:
  ScriptedBlocking() { SetOfThisThread(this); }
  ~ScriptedBlocking() override { SetOfThisThread(nullptr); }

  void MayYield(const void*) override { log += "y"; }
  void Wait(const void* what, int64_t deadline) override {
    log += "w";
    waited_for = what;
    deadline_ns = deadline;
    if (while_waiting) while_waiting();
  }
  void WakeOne(const void*) override { log += "1"; }
  void WakeAll(const void*) override { log += "a"; }

  std::string log;
  const void* waited_for = nullptr;
  int64_t deadline_ns = 0;
  std::function<void()> while_waiting;
};

TEST(Blocking, IsAskedBeforeALockAndInsteadOfWaiting) {
  Mutex mutex;
  mutex.lock();
  ScriptedBlocking blocking;
  blocking.while_waiting = [&] { mutex.unlock(); };
  { std::lock_guard lock(mutex); }
  EXPECT_EQ(blocking.log, "ywaa");
  EXPECT_EQ(blocking.waited_for, &mutex);
}

TEST(Blocking, GivesTheLockBackWhileACondVarWaits) {
  ScriptedBlocking blocking;
  Mutex mutex;
  CondVar changed;
  ManualClock clock;
  std::unique_lock lock(mutex);
  bool free_meanwhile = false;
  blocking.while_waiting = [&] {
    free_meanwhile = mutex.try_lock();
    if (free_meanwhile) mutex.unlock();
  };
  changed.WaitUntilNs(lock, clock, 77);
  EXPECT_TRUE(free_meanwhile);
  EXPECT_TRUE(lock.owns_lock());
  EXPECT_EQ(blocking.waited_for, &changed);
  EXPECT_EQ(blocking.deadline_ns, 77);
  changed.NotifyOne();
  changed.NotifyAll();
  EXPECT_EQ(blocking.log, "yaway1a");
}

}  // namespace
}  // namespace isotherm
