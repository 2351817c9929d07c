// SSE4.2. Half precision is converted in integer arithmetic: the instructions came with AVX.
#include "simd/units.h"

#if ISOTHERM_SIMD_X86
#include <immintrin.h>

#include "simd/vector_kernels.h"

namespace isotherm::simd {
namespace {

struct Floats {
  using Reg = __m128;
  static constexpr size_t kLanes = 4, kUnroll = 4, kRows = 2;

  static Reg Zero() { return _mm_setzero_ps(); }
  static Reg Add(Reg a, Reg b) { return _mm_add_ps(a, b); }
  static Reg Sub(Reg a, Reg b) { return _mm_sub_ps(a, b); }
  static Reg Fma(Reg a, Reg b, Reg c) { return _mm_add_ps(_mm_mul_ps(a, b), c); }

  static Reg Load(const float* p) { return _mm_loadu_ps(p); }
  static Reg Load(const float* p, size_t n) { return _mm_castsi128_ps(LoadBytes128(p, 4 * n)); }
  static Reg Load(const float16_t* p) { return Widen(LoadUnaligned<uint64_t>(p)); }
  static Reg Load(const float16_t* p, size_t n) { return Widen(LoadBytes(p, 2 * n)); }
  static Reg Load(const int8_t* p) {
    return _mm_cvtepi32_ps(_mm_cvtepi8_epi32(_mm_cvtsi32_si128(LoadUnaligned<int32_t>(p))));
  }
  static Reg Load(const int8_t* p, size_t n) {
    return _mm_cvtepi32_ps(_mm_cvtepi8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(LoadBytes(p, n)))));
  }

  static float Sum(Reg v) {
    v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)));
  }
  static void Store(float* p, Reg v) { _mm_storeu_ps(p, v); }
  static void StoreHalf(float16_t* p, Reg v) {
    alignas(16) float values[kLanes];
    _mm_store_ps(values, v);
    for (size_t i = 0; i < kLanes; ++i) p[i] = FloatToHalf(values[i]);
  }

 private:
  static Reg Widen(uint64_t halves) {
    const auto half = [halves](int i) { return HalfToFloat(static_cast<float16_t>(halves >> (16 * i))); };
    return _mm_setr_ps(half(0), half(1), half(2), half(3));
  }
};

struct Ints {
  using Wide = __m128i;
  using Sums = __m128i;
  static constexpr size_t kLanes = 8;

  static Sums Zero() { return _mm_setzero_si128(); }
  static Wide Load(const int8_t* p) { return _mm_cvtepi8_epi16(_mm_cvtsi64_si128(LoadUnaligned<int64_t>(p))); }
  static Wide Load(const int8_t* p, size_t n) {
    return _mm_cvtepi8_epi16(_mm_cvtsi64_si128(static_cast<int64_t>(LoadBytes(p, n))));
  }
  static Wide Sub(Wide a, Wide b) { return _mm_sub_epi16(a, b); }
  static Sums MulAdd(Wide a, Wide b, Sums sums) { return _mm_add_epi32(sums, _mm_madd_epi16(a, b)); }
  static Sums Add(Sums a, Sums b) { return _mm_add_epi32(a, b); }
  static int32_t Sum(Sums v) {
    v = _mm_add_epi32(v, _mm_unpackhi_epi64(v, v));
    return _mm_cvtsi128_si32(_mm_add_epi32(v, _mm_shuffle_epi32(v, 1)));
  }
};

}  // namespace

constinit const Kernels kSse42Kernels = MakeKernels<Floats, Ints>("sse4.2");

}  // namespace isotherm::simd
#endif
