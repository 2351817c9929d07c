#include "simd/dispatch.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>

namespace isotherm::simd {
namespace {

Kernels Named(const char* name) {
  Kernels kernels{};
  kernels.name = name;
  return kernels;
}

const Kernels kWide = Named("avx512");
const Kernels kNarrow = Named("avx2");
const Kernels kSse = Named("sse4.2");
const Kernels kPlain = Named("scalar");

// A processor without VNNI.
std::vector<Level> SomeLevels() {
  return {{"avx512-vnni", nullptr}, {"avx512", &kWide}, {"avx2", &kNarrow}, {"sse4.2", &kSse}, {"scalar", &kPlain}};
}

uint64_t WideIsFaster(const Kernels& kernels) { return kernels.name == std::string_view("avx512") ? 100 : 150; }
uint64_t NarrowIsALittleFaster(const Kernels& kernels) { return kernels.name == std::string_view("avx2") ? 85 : 100; }
uint64_t NarrowIsMuchFaster(const Kernels& kernels) { return kernels.name == std::string_view("avx2") ? 60 : 100; }
uint64_t NothingToMeasure(const Kernels& kernels) {
  ADD_FAILURE() << kernels.name << " is measured without need";
  return 0;
}

std::string Selected(const Wishes& wishes, Measure measure) { return SelectLevel(SomeLevels(), wishes, measure).name; }

TEST(SelectLevelTest, TakesTheFirstLevelThatIsThere) { EXPECT_EQ("avx512", Selected({}, WideIsFaster)); }

TEST(SelectLevelTest, TakesAvx2OverAvx512OnlyWhereItIsMuchFaster) {
  EXPECT_EQ("avx512", Selected({}, NarrowIsALittleFaster));
  EXPECT_EQ("avx2", Selected({}, NarrowIsMuchFaster));
}

TEST(SelectLevelTest, MeasuresOnlyWhereTwoWouldDo) {
  EXPECT_EQ(&kSse, &SelectLevel({{"avx2", nullptr}, {"sse4.2", &kSse}, {"scalar", &kPlain}}, {}, NothingToMeasure));
  EXPECT_EQ(&kNarrow,
            &SelectLevel({{"avx512", nullptr}, {"avx2", &kNarrow}, {"scalar", &kPlain}}, {}, NothingToMeasure));
  EXPECT_EQ(&kWide, &SelectLevel({{"avx512", &kWide}, {"scalar", &kPlain}}, {}, NothingToMeasure));
}

TEST(SelectLevelTest, NoAsmForcesScalar) {
  for (const char* value : {"1", "yes", "00"}) EXPECT_EQ("scalar", Selected({value, nullptr}, NothingToMeasure));
  EXPECT_EQ("scalar", Selected({"1", "avx2"}, NothingToMeasure));
}

TEST(SelectLevelTest, NoAsmOfZeroOrNothingForcesNothing) {
  EXPECT_EQ("avx512", Selected({"0", nullptr}, WideIsFaster));
  EXPECT_EQ("avx512", Selected({"", nullptr}, WideIsFaster));
  EXPECT_EQ("avx2", Selected({"0", "avx2"}, NothingToMeasure));
}

TEST(SelectLevelTest, ANamedLevelIsForcedWhereItIsThere) {
  for (const char* name : {"avx512", "avx2", "sse4.2", "scalar"}) {
    EXPECT_EQ(name, Selected({nullptr, name}, NothingToMeasure));
  }
  EXPECT_EQ("avx512", Selected({nullptr, "avx512-vnni"}, WideIsFaster));
  EXPECT_EQ("avx512", Selected({nullptr, "neon"}, WideIsFaster));
  EXPECT_EQ("avx512", Selected({nullptr, ""}, WideIsFaster));
}

TEST(LevelsTest, EndWithScalarAndNameTheirTables) {
  std::set<std::string_view> names;
  for (const Level& level : Levels()) {
    EXPECT_TRUE(names.insert(level.name).second) << level.name;
    if (level.kernels == nullptr) continue;
    EXPECT_EQ(level.name, level.kernels->name);
  }
  EXPECT_EQ((std::set<std::string_view>{"avx512-vnni", "avx512", "avx2", "sse4.2", "neon", "scalar"}), names);
  EXPECT_EQ("scalar", Levels().back().name);
  EXPECT_NE(nullptr, Levels().back().kernels);
}

// Active() chooses once a process, so each case asks a new one.
class EnvironmentTest : public testing::Test {
 protected:
  void SetUp() override {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    unsetenv("ISOTHERM_NOASM");
    unsetenv("ISOTHERM_SIMD");
  }
  void TearDown() override {
    unsetenv("ISOTHERM_NOASM");
    unsetenv("ISOTHERM_SIMD");
  }
  [[noreturn]] static void SayActive() {
    std::fprintf(stderr, "active: %s.", Active().name);
    std::exit(0);
  }
};

TEST_F(EnvironmentTest, NoAsmGivesScalar) {
  setenv("ISOTHERM_NOASM", "1", 1);
  EXPECT_EXIT(SayActive(), testing::ExitedWithCode(0), "active: scalar\\.");
}

TEST_F(EnvironmentTest, SimdGivesTheLevelItNames) {
  for (const Level& level : Levels()) {
    if (level.kernels == nullptr) continue;
    const std::string name(level.name);
    setenv("ISOTHERM_SIMD", name.c_str(), 1);
    EXPECT_EXIT(SayActive(), testing::ExitedWithCode(0), "active: " + name + "\\.");
  }
}

TEST_F(EnvironmentTest, WithoutWishesTheLevelIsOneThatTheProcessorHas) {
  EXPECT_EXIT(
      {
        for (const Level& level : Levels()) {
          if (level.kernels == &Active()) SayActive();
        }
      },
      testing::ExitedWithCode(0), "active: ");
}

}  // namespace
}  // namespace isotherm::simd
