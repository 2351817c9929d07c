#include "base/precedence.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "tests/base/manual_clock.h"

namespace isotherm {
namespace {

constexpr int64_t kMs = 1'000'000;

// Tells how long it is slept, and what happens meanwhile.
class SleepingClock : public ManualClock {
 public:
  void SleepUntilNs(int64_t monotonic_ns) override {
    ManualClock::SleepUntilNs(monotonic_ns);
    if (on_sleep) on_sleep();
  }
  std::function<void()> on_sleep;
};

class PrecedenceTest : public testing::Test {
 protected:
  // How long it stands still.
  int64_t GiveWay(Precedence::Later& later) {
    const int64_t begin_ns = clock_.NowNs();
    later.GiveWay();
    return clock_.NowNs() - begin_ns;
  }

  SleepingClock clock_;
  Precedence two_{2};
};

TEST_F(PrecedenceTest, WorkThatNobodyWaitsForGoesOnWhileThereIsNoOther) {
  Precedence::Later one(&two_, clock_), another(&two_, clock_), third(&two_, clock_);
  EXPECT_EQ(GiveWay(one), 0);
}

TEST_F(PrecedenceTest, ItStandsStillUntilTheOtherIsDone) {
  Precedence::Later later(&two_, clock_);
  auto first = std::make_unique<Precedence::First>(&two_);
  clock_.on_sleep = [&, sleeps = 0]() mutable {
    if (++sleeps == 3) first.reset();
  };
  const int64_t stood_ns = GiveWay(later);
  EXPECT_EQ(first, nullptr);
  EXPECT_GT(stood_ns, 0);
  EXPECT_LT(stood_ns, 10 * kMs);
}

TEST_F(PrecedenceTest, ItHasItsShareHoweverManyGoBeforeIt) {
  Precedence::Later later(&two_, clock_);
  const Precedence::First first(&two_), second(&two_), third(&two_);
  EXPECT_EQ(GiveWay(later), 10 * kMs);
  for (int ms = 0; ms < 10; ++ms) {
    EXPECT_EQ(GiveWay(later), 0) << ms;
    clock_.AdvanceNs(kMs);
  }
  EXPECT_EQ(GiveWay(later), 10 * kMs);
}

TEST_F(PrecedenceTest, ItGoesOnWhereTheMachineHasThreadsForAll) {
  Precedence four(4);
  Precedence::Later later(&four, clock_);
  const Precedence::First first(&four), second(&four);
  EXPECT_EQ(GiveWay(later), 0);
  const Precedence::First third(&four);
  EXPECT_EQ(GiveWay(later), 10 * kMs);
}

TEST_F(PrecedenceTest, WhoIsGoneIsNotCounted) {
  Precedence three(3);
  { Precedence::Later gone(&three, clock_), gone_too(&three, clock_); }
  { const Precedence::First gone(&three), gone_too(&three); }
  Precedence::Later later(&three, clock_);
  const Precedence::First first(&three);
  EXPECT_EQ(GiveWay(later), 0);
}

TEST_F(PrecedenceTest, WithoutOneNobodyGoesBeforeAnybody) {
  const Precedence::First first(nullptr);
  Precedence::Later later(nullptr, clock_);
  EXPECT_EQ(GiveWay(later), 0);
}

}  // namespace
}  // namespace isotherm
