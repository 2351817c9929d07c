// Some hundred seeds of the whole: `make simulate` runs as many as one likes.
#include <gtest/gtest.h>

#include "tests/simulation/run_seed.h"
#include "tests/simulation/seed_jobs.h"

namespace isotherm::simulation {
namespace {

constexpr uint64_t kSeedsOfATest = 50;

class Seeds : public testing::TestWithParam<uint64_t> {};

TEST_P(Seeds, HoldWhatIsPromised) {
  for (uint64_t seed = GetParam(); seed < GetParam() + kSeedsOfATest; ++seed) {
    SeedReport report = RunSeed(seed);
    ASSERT_EQ(report.failure, "") << "seed " << seed << "; again: simulate --seed " << seed << " --trace";
    EXPECT_GE(report.calls, 500U) << "seed " << seed;
    EXPECT_GE(report.fault_count(), 10U) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(From, Seeds, testing::Range<uint64_t>(1, 401, kSeedsOfATest),
                         [](const auto& each) { return std::to_string(each.param); });

TEST(Simulation, TheSameSeedIsTheSameRun) {
  std::vector<SeedReport> first;
  for (uint64_t seed = 1; seed <= 10; ++seed) first.push_back(RunSeed(seed));
  for (uint64_t seed = 10; seed >= 1; --seed) {
    SeedReport again = RunSeed(seed);
    const SeedReport& before = first[seed - 1];
    EXPECT_EQ(again.trace_hash, before.trace_hash) << "seed " << seed;
    EXPECT_EQ(again.operations, before.operations) << "seed " << seed;
    EXPECT_EQ(again.faults, before.faults) << "seed " << seed;
    EXPECT_EQ(again.simulated_ns, before.simulated_ns) << "seed " << seed;
    if (seed > 1) {
      EXPECT_NE(again.trace_hash, first[seed - 2].trace_hash);
    }
  }
}

TEST(Simulation, EveryKindOfFaultHappens) {
  Totals totals;
  for (uint64_t seed = 1; seed <= 60; ++seed) totals.Add(RunSeed(seed));
  for (size_t i = 0; i < kFaults; ++i) EXPECT_GT(totals.faults[i], 0U) << FaultName(static_cast<Fault>(i));
}

TEST(SeedJobs, ChildrenComeToTheSameAsOneProcess) {
  Totals alone;
  for (uint64_t seed = 5; seed <= 16; ++seed) alone.Add(RunSeed(seed));
  Totals together;
  std::vector<uint64_t> next;
  RunSeeds({.first = 5, .last = 16, .jobs = 2, .batch = 5}, [&](uint64_t next_seed, const Totals& batch) {
    together.Add(batch);
    next.push_back(next_seed);
  });
  EXPECT_EQ(together.Encode(), alone.Encode());
  EXPECT_EQ(next, (std::vector<uint64_t>{10, 15, 17}));
}

TEST(SeedJobs, TotalsSurviveBeingWrittenDown) {
  Totals totals;
  totals.Add(RunSeed(3));
  totals.failed.push_back({7, "something with spaces"});
  Totals read;
  ASSERT_TRUE(read.Decode(totals.Encode()));
  EXPECT_EQ(read.Encode(), totals.Encode());
  EXPECT_FALSE(read.Decode(totals.Encode().substr(0, 100)));
  EXPECT_FALSE(read.Decode(""));
}

}  // namespace
}  // namespace isotherm::simulation
