#include "base/environment.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <thread>

#include "base/random.h"
#include "isotherm/context.h"

namespace isotherm {

TEST(EnvironmentTest, ThereIsOneDefault) { EXPECT_EQ(Environment::Default(), Environment::Default()); }

TEST(EnvironmentTest, TheDefaultHasEveryPart) {
  auto environment = Environment::Default();
  EXPECT_NE(environment->clock, nullptr);
  EXPECT_NE(environment->random, nullptr);
  EXPECT_NE(environment->file_system, nullptr);
  EXPECT_GE(environment->executor->Concurrency(), 1u);
  EXPECT_EQ(environment->executor->Concurrency(), std::max(1u, std::thread::hardware_concurrency()));
}

TEST(EnvironmentTest, TheClockIsTheOneThatDeadlinesAreOn) {
  Clock& clock = *Environment::Default()->clock;
  int64_t before_ns = clock.NowNs();
  int64_t deadline_ns = Context::WithTimeout(std::chrono::hours(1)).deadline_ns;
  int64_t after_ns = clock.NowNs();
  constexpr int64_t kHourNs = int64_t{3600} * 1'000'000'000;
  EXPECT_LE(before_ns, deadline_ns - kHourNs);
  EXPECT_GE(after_ns, deadline_ns - kHourNs);
}

TEST(EnvironmentTest, SleepEndsNotBeforeItsTime) {
  Clock& clock = *Environment::Default()->clock;
  int64_t until_ns = clock.NowNs() + 2'000'000;
  clock.SleepUntilNs(until_ns);
  EXPECT_GE(clock.NowNs(), until_ns);
  clock.SleepUntilNs(until_ns - 1'000'000'000);  // past: returns at once
}

TEST(EnvironmentTest, TheWallClockIsAfterTheYear2020) {
  EXPECT_GT(Environment::Default()->clock->WallMs(), 1'577'836'800'000);
}

TEST(EnvironmentTest, RandomNumbersDoNotRepeatAcrossThreads) {
  Random& random = *Environment::Default()->random;
  std::vector<uint64_t> drawn[4];
  std::vector<std::thread> threads;
  for (auto& mine : drawn) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) mine.push_back(random.Next());
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<uint64_t> all;
  for (const auto& mine : drawn) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), 4000u);
}

TEST(SeededRandomTest, TheSameSeedGivesTheSameNumbers) {
  SeededRandom a(7);
  SeededRandom b(7);
  SeededRandom other(8);
  for (int i = 0; i < 100; ++i) {
    uint64_t number = a.Next();
    EXPECT_EQ(number, b.Next());
    EXPECT_NE(number, other.Next());
  }
}

// The first numbers of the authors' xoshiro256starstar.c from the state 1, 2, 3, 4.
TEST(SeededRandomTest, AgreesWithTheReference) {
  SeededRandom random(SeededRandom::State{1, 2, 3, 4});
  for (uint64_t expected : {uint64_t{11520}, uint64_t{0}, uint64_t{1509978240}, uint64_t{1215971899390074240}}) {
    EXPECT_EQ(random.Next(), expected);
  }
}

TEST(SeededRandomTest, UniformDoublesFillTheUnitInterval) {
  SeededRandom random(1);
  double sum = 0;
  double least = 1;
  double most = 0;
  for (int i = 0; i < 10'000; ++i) {
    double x = UniformDouble(random);
    ASSERT_GE(x, 0);
    ASSERT_LT(x, 1);
    sum += x;
    least = std::min(least, x);
    most = std::max(most, x);
  }
  EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
  EXPECT_LT(least, 0.01);
  EXPECT_GT(most, 0.99);
}

}  // namespace isotherm
