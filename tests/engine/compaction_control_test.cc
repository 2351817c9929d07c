// When a compaction may begin in the background.
#include "engine/compaction_control.h"

#include <gtest/gtest.h>

#include <thread>

#include "engine/build_executor.h"
#include "tests/base/manual_clock.h"

namespace isotherm {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

class CompactionControlTest : public testing::Test {
 protected:
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  CompactionControl control_{EnvironmentWithClock(clock_)};
};

TEST_F(CompactionControlTest, OneAtATime) {
  auto token = control_.TryBegin();
  ASSERT_NE(token, nullptr);
  EXPECT_EQ(control_.TryBegin(), nullptr);
  control_.End(Status::Ok());
  EXPECT_NE(control_.TryBegin(), nullptr);
  control_.End(Status::Ok());
}

TEST_F(CompactionControlTest, AFailureDelaysTheNextOneAndEachFurtherOneTwiceAsLong) {
  for (int64_t delay_s : {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600}) {
    ASSERT_NE(control_.TryBegin(), nullptr) << delay_s;
    control_.End(Status::Unavailable("no network"));
    clock_->AdvanceNs(delay_s * kSecondNs - 1);
    EXPECT_EQ(control_.TryBegin(), nullptr) << delay_s;
    clock_->AdvanceNs(1);
  }
  ASSERT_NE(control_.TryBegin(), nullptr);
  control_.End(Status::Ok());
  ASSERT_NE(control_.TryBegin(), nullptr) << "no delay after a success";
  control_.End(Status::IoError("disk"));
  clock_->AdvanceNs(kSecondNs);
  EXPECT_NE(control_.TryBegin(), nullptr) << "and then the first delay again";
  control_.End(Status::Ok());
}

TEST_F(CompactionControlTest, LosingAndBeingCancelledAreNoFailures) {
  for (const Status& status : {Status::Conflict("lost"), Status::Cancelled("closed")}) {
    ASSERT_NE(control_.TryBegin(), nullptr);
    control_.End(status);
  }
  EXPECT_NE(control_.TryBegin(), nullptr);
  control_.End(Status::Ok());
}

TEST_F(CompactionControlTest, APauseCancelsAndWaitsForTheOneThatRuns) {
  auto token = control_.TryBegin();
  std::thread running([&] {
    while (!token->cancelled()) std::this_thread::yield();
    control_.End(Status::Cancelled("asked to"));
  });
  {
    CompactionControl::Pause pause(control_);
    EXPECT_TRUE(token->cancelled());
    EXPECT_EQ(control_.TryBegin(), nullptr);
    CompactionControl::Pause another(control_);
  }
  running.join();
  EXPECT_NE(control_.TryBegin(), nullptr);
  control_.End(Status::Ok());
}

class BuildExecutorTest : public testing::TestWithParam<bool> {};

TEST_P(BuildExecutorTest, RunsEachBodyOnceWithNoMoreAtATimeThanItsWidth) {
  const bool yields = GetParam();
  for (size_t width : {size_t{1}, size_t{2}, SIZE_MAX}) {
    BuildExecutor executor(*Environment::Default(), yields, width, nullptr);
    std::atomic<size_t> running{0};
    std::atomic<size_t> most{0};
    std::vector<std::atomic<int>> times(100);
    executor.ParallelFor(times.size(), [&](size_t i) {
      size_t now = ++running;
      for (size_t seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
      }
      ++times[i];
      --running;
    });
    for (const auto& count : times) EXPECT_EQ(count, 1);
    EXPECT_LE(most, width);
    EXPECT_LE(executor.Concurrency(), Environment::Default()->executor->Concurrency());
  }
}

TEST_P(BuildExecutorTest, DoesNothingMoreOnceItIsCancelled) {
  CancelToken cancel;
  BuildExecutor executor(*Environment::Default(), GetParam(), 1, &cancel);
  size_t bodies = 0;
  executor.ParallelFor(100, [&](size_t) {
    if (++bodies == 7) cancel.Cancel();
  });
  EXPECT_EQ(bodies, 7U);
  executor.ParallelFor(100, [&](size_t) { ++bodies; });
  EXPECT_EQ(bodies, 7U);
}

INSTANTIATE_TEST_SUITE_P(, BuildExecutorTest, testing::Bool(),
                         [](const auto& of) { return of.param ? "Yields" : "GoesBeforeNobody"; });

// Searches wait for none of the bodies of a build in the background.
TEST(BuildExecutor, StandsStillBetweenBodiesWhileSomebodyWaitsForAnother) {
  auto clock = std::make_shared<ManualClock>();
  Environment env = *Environment::Default();
  env.clock = clock;
  env.precedence = std::make_shared<Precedence>(1);
  const Precedence::First search(env.precedence.get());
  for (bool yields : {false, true}) {
    const int64_t begin_ns = clock->NowNs();
    BuildExecutor(env, yields, 1, nullptr).ParallelFor(1, [](size_t) {});
    EXPECT_EQ(clock->NowNs() > begin_ns, yields);
  }
}

}  // namespace
}  // namespace isotherm
