// Sums against models in double precision and 64-bit integers. Any two levels, scalar among them, agree within the sum
// of their bounds.
#include "simd/kernels.h"

#include <cfloat>
#include <limits>

#include "tests/simd/operands.h"

namespace isotherm::simd {
namespace {

constexpr size_t kMisalignments = 16;
constexpr size_t kMaxLength = 4096;

double Value(float value) { return value; }
double Value(float16_t half) { return HalfValue(half); }
double Value(int8_t code) { return code; }

// What a sum of n products in single precision, added in any order, fused or not, must be (Higham, Accuracy and
// Stability of Numerical Algorithms, 3.1), with 2 roundings more for a difference squared and one for what overlaps.
struct Expected {
  double sum = 0;
  double magnitude = 0;  // sum of the products' magnitudes
  size_t n = 0;

  void Add(double product) {
    sum += product;
    magnitude += std::abs(product);
    ++n;
  }
  bool Admits(float got) const {
    const double terms = static_cast<double>(n);
    const double bound = (terms + 3) * (FLT_EPSILON / 2) * magnitude + terms * FLT_TRUE_MIN;
    return std::abs(got - sum) <= bound;
  }
};

std::ostream& operator<<(std::ostream& out, const Expected& expected) {
  return out << expected.sum << " (magnitudes " << expected.magnitude << ")";
}

template <typename A, typename B>
struct Sums {
  Sums(const std::vector<A>& a, const std::vector<B>& b) {
    for (size_t i = 0; i < a.size(); ++i) {
      const double x = Value(a[i]);
      const double y = Value(b[i]);
      dot.Add(x * y);
      l2.Add((x - y) * (x - y));
      norm_a.Add(x * x);
      norm_b.Add(y * y);
    }
  }
  Expected dot, l2, norm_a, norm_b;
};

#define EXPECT_ADMITS(expected, got)                                                                                   \
  do {                                                                                                                 \
    const float got_value = (got);                                                                                     \
    EXPECT_TRUE((expected).Admits(got_value))                                                                          \
        << #got << " = " << got_value << ", expected " << (expected) << ", n = " << (expected).n << ", misaligned by " \
        << reinterpret_cast<uintptr_t>(a) % 64 << " and " /* of a line */                                              \
        << reinterpret_cast<uintptr_t>(b) % 64;                                                                        \
  } while (false)

using FloatPairs = Sums<float, float>;
using HalfPairs = Sums<float, float16_t>;
using CodePairs = Sums<float, int8_t>;
using BytePairs = Sums<int8_t, int8_t>;

void Check(const Kernels& k, const FloatPairs& expected, const float* a, const float* b) {
  const size_t n = expected.dot.n;
  EXPECT_ADMITS(expected.dot, k.dot_f32(a, b, n));
  EXPECT_ADMITS(expected.l2, k.l2_f32(a, b, n));
  const DotAndNorms cosine = k.cosine_f32(a, b, n);
  EXPECT_ADMITS(expected.dot, cosine.dot);
  EXPECT_ADMITS(expected.norm_a, cosine.norm_a);
  EXPECT_ADMITS(expected.norm_b, cosine.norm_b);
}

void Check(const Kernels& k, const HalfPairs& expected, const float* a, const float16_t* b) {
  const size_t n = expected.dot.n;
  EXPECT_ADMITS(expected.dot, k.dot_f32_f16(a, b, n));
  EXPECT_ADMITS(expected.l2, k.l2_f32_f16(a, b, n));
  const DotAndNorms cosine = k.cosine_f32_f16(a, b, n);
  EXPECT_ADMITS(expected.dot, cosine.dot);
  EXPECT_ADMITS(expected.norm_a, cosine.norm_a);
  EXPECT_ADMITS(expected.norm_b, cosine.norm_b);
}

void Check(const Kernels& k, const CodePairs& expected, const float* a, const int8_t* b) {
  EXPECT_ADMITS(expected.dot, k.dot_f32_i8(a, b, expected.dot.n));
}

void Check(const Kernels& k, const BytePairs& expected, const int8_t* a, const int8_t* b) {
  const size_t n = expected.dot.n;
  EXPECT_EQ(static_cast<int64_t>(expected.dot.sum), k.dot_i8(a, b, n)) << "n = " << n;
  EXPECT_EQ(static_cast<int64_t>(expected.l2.sum), k.l2_i8(a, b, n)) << "n = " << n;
}

// Both operands at each distance of 0 to 15 bytes from the end of their memory, then from its begin.
template <typename A, typename B>
void CheckEverywhere(const Kernels& kernels, const std::vector<A>& a, const std::vector<B>& b) {
  static GuardedMemory a_memory(kMaxLength * sizeof(float) + kMisalignments);
  static GuardedMemory b_memory(kMaxLength * sizeof(float) + kMisalignments);
  const Sums<A, B> expected(a, b);
  for (size_t i = 0; i < kMisalignments; ++i) {
    const A* at = a_memory.PlaceAtEnd(a, i);
    for (size_t j = 0; j < kMisalignments; ++j) Check(kernels, expected, at, b_memory.PlaceAtEnd(b, j));
    at = a_memory.PlaceAtBegin(a, i);
    Check(kernels, expected, at, b_memory.PlaceAtBegin(b, i));
    if (testing::Test::HasFailure()) return;
  }
}

using KernelsTest = LevelTest;

TEST_P(KernelsTest, SumFloatsAtEveryLengthAndMisalignment) {
  Values values(1);
  for (size_t n : TestLengths()) CheckEverywhere(kernels(), values.Floats(n), values.Floats(n));
}

TEST_P(KernelsTest, SumHalvesAtEveryLengthAndMisalignment) {
  Values values(2);
  for (size_t n : TestLengths()) CheckEverywhere(kernels(), values.Floats(n), values.Halves(n));
}

TEST_P(KernelsTest, SumCodesAtEveryLengthAndMisalignment) {
  Values values(3);
  for (size_t n : TestLengths()) CheckEverywhere(kernels(), values.Floats(n), values.Bytes(n));
}

TEST_P(KernelsTest, SumBytesAtEveryLengthAndMisalignment) {
  Values values(4);
  for (size_t n : TestLengths()) CheckEverywhere(kernels(), values.Bytes(n), values.Bytes(n));
}

TEST_P(KernelsTest, BytesAreExactAtTheirExtremes) {
  for (size_t n : {1, 63, 64, 100, 4096, 1 << 15, 1 << 16}) {
    for (int8_t x : {-128, -127, 127}) {
      for (int8_t y : {-128, -127, 127}) {
        const std::vector<int8_t> a(n, x), b(n, y);
        EXPECT_EQ(static_cast<int64_t>(n) * x * y, kernels().dot_i8(a.data(), b.data(), n));
        if (n <= 1 << 15) {
          EXPECT_EQ(static_cast<int64_t>(n) * (x - y) * (x - y), kernels().l2_i8(a.data(), b.data(), n));
        }
      }
    }
  }
}

TEST_P(KernelsTest, EveryPairOfBytesIsMultipliedExactly) {
  std::vector<int8_t> a, b;
  for (int x = -128; x < 128; ++x) {
    for (int y = -128; y < 128; ++y) {
      // Four of a kind in a row, so that a pairwise sum that saturates shows.
      a.assign(4, static_cast<int8_t>(x));
      b.assign(4, static_cast<int8_t>(y));
      ASSERT_EQ(4 * x * y, kernels().dot_i8(a.data(), b.data(), a.size())) << x << " · " << y;
      ASSERT_EQ(4 * (x - y) * (x - y), kernels().l2_i8(a.data(), b.data(), a.size())) << x << " - " << y;
    }
  }
}

TEST_P(KernelsTest, LargeAndSmallFloatsKeepTheBound) {
  Values values(5);
  for (size_t n : {1, 7, 16, 100, 384}) {
    for (float scale : {1e17f, 1e-19f, 1e-39f, 3 * FLT_TRUE_MIN}) {
      const std::vector<float> a = values.Floats(n, scale);
      for (float other : {scale, 1.0f}) {
        const std::vector<float> b = values.Floats(n, other);
        Check(kernels(), FloatPairs(a, b), a.data(), b.data());
      }
      const std::vector<float16_t> halves = values.Halves(n);
      Check(kernels(), HalfPairs(a, halves), a.data(), halves.data());
      const std::vector<int8_t> codes = values.Bytes(n);
      Check(kernels(), CodePairs(a, codes), a.data(), codes.data());
    }
  }
}

TEST_P(KernelsTest, NanAndInfinityReachTheResultFromEveryPlace) {
  const Kernels& k = kernels();
  constexpr size_t kLength = 143;  // whole steps of every level, single vectors after them, and a tail
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> ones(kLength, 1);
  const std::vector<int8_t> codes(kLength, 1);
  const std::vector<float16_t> halves(kLength, 0x3c00);
  for (size_t i = 0; i < kLength; ++i) {
    std::vector<float> a = ones;
    a[i] = infinity;
    EXPECT_EQ(infinity, k.dot_f32(a.data(), ones.data(), kLength));
    EXPECT_EQ(infinity, k.l2_f32(ones.data(), a.data(), kLength));
    EXPECT_EQ(infinity, k.dot_f32_i8(a.data(), codes.data(), kLength));
    a[i] = NAN;
    EXPECT_TRUE(std::isnan(k.dot_f32(a.data(), ones.data(), kLength)));
    EXPECT_TRUE(std::isnan(k.l2_f32(ones.data(), a.data(), kLength)));
    EXPECT_TRUE(std::isnan(k.dot_f32_i8(a.data(), codes.data(), kLength)));
    EXPECT_TRUE(std::isnan(k.cosine_f32(a.data(), ones.data(), kLength).norm_a));
    EXPECT_FALSE(std::isnan(k.cosine_f32(a.data(), ones.data(), kLength).norm_b));
    std::vector<float16_t> half_nan = halves;
    half_nan[i] = 0x7e00;
    EXPECT_TRUE(std::isnan(k.dot_f32_f16(ones.data(), half_nan.data(), kLength)));
    EXPECT_TRUE(std::isnan(k.l2_f32_f16(ones.data(), half_nan.data(), kLength)));
    EXPECT_TRUE(std::isnan(k.cosine_f32_f16(ones.data(), half_nan.data(), kLength).norm_b));
  }
}

// Rows of B against one query, wherever they stand: what the kernel for one row gives, to the bit.
template <typename B>
void CheckRows(void (*many)(const float*, const B*, size_t, size_t, float*),
               float (*one)(const float*, const B*, size_t), const std::vector<float>& query,
               const std::vector<B>& matrix, size_t rows) {
  static GuardedMemory query_memory(kMaxLength * sizeof(float) + kMisalignments);
  static GuardedMemory matrix_memory(9 * kMaxLength * sizeof(float) + kMisalignments);
  static GuardedMemory out_memory(9 * sizeof(float));
  const size_t n = query.size();
  for (size_t gap : {0, 1, 4, 15}) {
    const float* a = query_memory.PlaceAtEnd(query, gap);
    const B* b = matrix_memory.PlaceAtEnd(matrix, gap);
    float* out = out_memory.RoomAtEnd<float>(rows);
    many(a, b, rows, n, out);
    for (size_t r = 0; r < rows; ++r) {
      EXPECT_EQ(one(a, b + r * n, n), out[r]) << "row " << r << " of " << rows << ", n = " << n << ", gap " << gap;
    }
    if (testing::Test::HasFailure()) return;
  }
}

TEST_P(KernelsTest, ARowDoesNotDependOnItsPlace) {
  const Kernels& k = kernels();
  Values values(6);
  for (size_t n : TestLengths()) {
    for (size_t rows = 0; rows <= 9; ++rows) {
      const std::vector<float> query = values.Floats(n);
      const std::vector<float> matrix = values.Floats(rows * n);
      CheckRows(k.dot_f32_i8_rows, k.dot_f32_i8, query, values.Bytes(rows * n), rows);
      CheckRows(k.l2_f32_rows, k.l2_f32, query, matrix, rows);
      CheckRows(k.dot_f32_rows, k.dot_f32, query, matrix, rows);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, KernelsTest, testing::ValuesIn(Levels()), LevelTestName);

}  // namespace
}  // namespace isotherm::simd
