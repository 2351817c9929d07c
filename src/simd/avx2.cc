// AVX2 with FMA and F16C.
#include "simd/units.h"

#if ISOTHERM_SIMD_X86
#include <immintrin.h>

#include "simd/vector_kernels.h"

namespace isotherm::simd {
namespace {

struct Floats {
  using Reg = __m256;
  static constexpr size_t kLanes = 8, kUnroll = 4, kRows = 3;

  static Reg Zero() { return _mm256_setzero_ps(); }
  static Reg Add(Reg a, Reg b) { return _mm256_add_ps(a, b); }
  static Reg Sub(Reg a, Reg b) { return _mm256_sub_ps(a, b); }
  static Reg Fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }

  static Reg Load(const float* p) { return _mm256_loadu_ps(p); }
  static Reg Load(const float* p, size_t n) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lanes));
  }
  static Reg Load(const float16_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
  static Reg Load(const float16_t* p, size_t n) { return _mm256_cvtph_ps(LoadBytes128(p, 2 * n)); }
  static Reg Load(const int8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(LoadUnaligned<int64_t>(p))));
  }
  static Reg Load(const int8_t* p, size_t n) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(LoadBytes(p, n)))));
  }

  static float Sum(Reg v) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
  }
  static void Store(float* p, Reg v) { _mm256_storeu_ps(p, v); }
  static void StoreHalf(float16_t* p, Reg v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
};

struct Ints {
  using Wide = __m256i;
  using Sums = __m256i;
  static constexpr size_t kLanes = 16;

  static Sums Zero() { return _mm256_setzero_si256(); }
  static Wide Load(const int8_t* p) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static Wide Load(const int8_t* p, size_t n) { return _mm256_cvtepi8_epi16(LoadBytes128(p, n)); }
  static Wide Sub(Wide a, Wide b) { return _mm256_sub_epi16(a, b); }
  static Sums MulAdd(Wide a, Wide b, Sums sums) { return _mm256_add_epi32(sums, _mm256_madd_epi16(a, b)); }
  static Sums Add(Sums a, Sums b) { return _mm256_add_epi32(a, b); }
  static int32_t Sum(Sums v) {
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    half = _mm_add_epi32(half, _mm_unpackhi_epi64(half, half));
    return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 1)));
  }
};

}  // namespace

constinit const Kernels kAvx2Kernels = MakeKernels<Floats, Ints>("avx2");

}  // namespace isotherm::simd
#endif
