// Every bug that can be planted is found by the same model that finds none without it.
#include <gtest/gtest.h>

#include "tests/simulation/planted/planted.h"
#include "tests/simulation/run_seed.h"

namespace isotherm::simulation {
namespace {

constexpr uint64_t kSeeds = 1000;

class Planted : public testing::TestWithParam<PlantedBug> {
 protected:
  ~Planted() override { Plant(Bug::kNone); }
};

TEST_P(Planted, IsFoundWithinAThousandSeeds) {
  Plant(GetParam().bug);
  SeedReport report;
  for (uint64_t seed = 1; seed <= kSeeds && report.failure.empty(); ++seed) report = RunSeed(seed);
  ASSERT_NE(report.failure, "") << GetParam().name << " was not found";
  RecordProperty("seed", std::to_string(report.seed));
  std::printf("%s: seed %llu, %s\n", GetParam().name, static_cast<unsigned long long>(report.seed),
              report.failure.c_str());
  Plant(Bug::kNone);
  EXPECT_EQ(RunSeed(report.seed).failure, "") << "the same seed without it";
}

INSTANTIATE_TEST_SUITE_P(Bug, Planted, testing::ValuesIn(PlantedBugs()),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace isotherm::simulation
