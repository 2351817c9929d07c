// Half precision there and back: every level to the bit what scalar gives, and scalar what the format's definition
// says.
#include <bit>
#include <cmath>
#include <limits>

#include "simd/kernels.h"
#include "tests/simd/operands.h"

namespace isotherm::simd {
namespace {

std::vector<float16_t> AllHalves() {
  std::vector<float16_t> halves(1 << 16);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<float16_t>(i);
  return halves;
}

std::vector<float> Widened(const Kernels& kernels, const std::vector<float16_t>& halves) {
  std::vector<float> floats(halves.size());
  kernels.f16_to_f32(halves.data(), floats.data(), halves.size());
  return floats;
}

std::vector<float16_t> Narrowed(const Kernels& kernels, const std::vector<float>& floats) {
  std::vector<float16_t> halves(floats.size());
  kernels.f32_to_f16(floats.data(), halves.data(), floats.size());
  return halves;
}

bool IsNan(float16_t half) { return (half & 0x7fff) > 0x7c00; }
bool IsFinite(float16_t half) { return (half & 0x7c00) != 0x7c00; }

// Every half, the middle between it and the next, and the floats about that middle; then the limits, and random bits.
std::vector<float> InterestingFloats() {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> floats = {0.0f,     -0.0f,     65519.996f, 65520.0f, -65520.0f, 65536.0f, 1e30f,
                               infinity, -infinity, 0x1p-25f,   0x1p-26f, 0x1p-149f, 0x1p-14f, 0x1.fffffep-15f};
  for (float16_t half = 0; half < 0x7bff; ++half) {
    const float low = static_cast<float>(HalfValue(half));
    const float middle = (low + static_cast<float>(HalfValue(half + 1))) / 2;
    for (float value : {low, std::nextafter(middle, 0.0f), middle, std::nextafter(middle, infinity)}) {
      floats.push_back(value);
      floats.push_back(-value);
    }
  }
  Values values(7);
  for (int i = 0; i < 500'000; ++i) floats.push_back(std::bit_cast<float>(values.Bits()));
  return floats;
}

TEST(HalfTest, ScalarWidensEveryHalfToItsValue) {
  const std::vector<float16_t> halves = AllHalves();
  const std::vector<float> floats = Widened(Scalar(), halves);
  for (size_t i = 0; i < halves.size(); ++i) {
    ASSERT_EQ((halves[i] & 0x8000) != 0, std::signbit(floats[i])) << halves[i];
    if (IsNan(halves[i])) {
      ASSERT_TRUE(std::isnan(floats[i])) << halves[i];
    } else if (IsFinite(halves[i])) {
      ASSERT_EQ(HalfValue(halves[i]), floats[i]) << halves[i];
    } else {
      ASSERT_TRUE(std::isinf(floats[i])) << halves[i];
    }
  }
}

TEST(HalfTest, ScalarRoundsToTheNearestHalfAndTiesToEven) {
  const std::vector<float> floats = InterestingFloats();
  const std::vector<float16_t> halves = Narrowed(Scalar(), floats);
  for (size_t i = 0; i < floats.size(); ++i) {
    const double magnitude = std::abs(static_cast<double>(floats[i]));
    ASSERT_EQ(std::signbit(floats[i]), (halves[i] & 0x8000) != 0) << floats[i];
    if (std::isnan(floats[i])) {
      ASSERT_TRUE(IsNan(halves[i])) << floats[i];
    } else if (magnitude >= 65520) {
      ASSERT_EQ(0x7c00, halves[i] & 0x7fff) << floats[i];
    } else {
      const double step = magnitude < 0x1p-14 ? 0x1p-24 : std::ldexp(1.0, std::ilogb(magnitude) - 10);
      ASSERT_EQ(std::nearbyint(magnitude / step) * step, std::abs(HalfValue(halves[i]))) << floats[i];
    }
  }
}

TEST(HalfTest, EveryHalfSurvivesTheWayThereAndBack) {
  const std::vector<float16_t> halves = AllHalves();
  const std::vector<float16_t> back = Narrowed(Scalar(), Widened(Scalar(), halves));
  for (size_t i = 0; i < halves.size(); ++i) {
    // A signalling NaN becomes quiet.
    ASSERT_EQ(IsNan(halves[i]) ? halves[i] | 0x200 : halves[i], back[i]);
  }
}

using HalfLevelTest = LevelTest;

TEST_P(HalfLevelTest, WidensEveryHalfAsScalarDoes) {
  const std::vector<float16_t> halves = AllHalves();
  const std::vector<float> expected = Widened(Scalar(), halves);
  const std::vector<float> got = Widened(kernels(), halves);
  for (size_t i = 0; i < halves.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(expected[i]), std::bit_cast<uint32_t>(got[i])) << halves[i];
  }
}

TEST_P(HalfLevelTest, NarrowsAsScalarDoes) {
  const std::vector<float> floats = InterestingFloats();
  const std::vector<float16_t> expected = Narrowed(Scalar(), floats);
  const std::vector<float16_t> got = Narrowed(kernels(), floats);
  for (size_t i = 0; i < floats.size(); ++i) {
    ASSERT_EQ(expected[i], got[i]) << floats[i] << ", bits " << std::bit_cast<uint32_t>(floats[i]);
  }
}

TEST_P(HalfLevelTest, ConvertsEveryLengthAtEveryMisalignmentAndNothingMore) {
  Values values(8);
  GuardedMemory in(131 * sizeof(float) + 16), out(131 * sizeof(float));
  for (size_t n = 0; n <= 131; ++n) {
    const std::vector<float16_t> halves = values.Halves(n);
    const std::vector<float> floats = Widened(Scalar(), halves);
    for (size_t gap = 0; gap < 16; ++gap) {
      float* widened = out.RoomAtEnd<float>(n);
      kernels().f16_to_f32(in.PlaceAtEnd(halves, gap), widened, n);
      ASSERT_TRUE(std::equal(floats.begin(), floats.end(), widened)) << "n = " << n << ", gap " << gap;
      float16_t* narrowed = out.RoomAtEnd<float16_t>(n);
      kernels().f32_to_f16(in.PlaceAtEnd(floats, gap), narrowed, n);
      ASSERT_TRUE(std::equal(halves.begin(), halves.end(), narrowed)) << "n = " << n << ", gap " << gap;
      ASSERT_EQ(0xffff, narrowed[-1]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, HalfLevelTest, testing::ValuesIn(Levels()), LevelTestName);

}  // namespace
}  // namespace isotherm::simd
