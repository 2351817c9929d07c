// AVX-512 F, BW, DQ and VL. Tails are masked loads, which touch no lane that the mask leaves out.
#include "simd/units.h"

#if ISOTHERM_SIMD_X86
#include "simd/avx512_intrinsics.h"
#include "simd/vector_kernels.h"

namespace isotherm::simd {
namespace {

struct Floats {
  using Reg = __m512;
  static constexpr size_t kLanes = 16, kUnroll = 4, kRows = 4;

  static Reg Zero() { return _mm512_setzero_ps(); }
  static Reg Add(Reg a, Reg b) { return _mm512_add_ps(a, b); }
  static Reg Sub(Reg a, Reg b) { return _mm512_sub_ps(a, b); }
  static Reg Fma(Reg a, Reg b, Reg c) { return _mm512_fmadd_ps(a, b, c); }

  static Reg Load(const float* p) { return _mm512_loadu_ps(p); }
  static Reg Load(const float* p, size_t n) { return _mm512_maskz_loadu_ps(First(n), p); }
  static Reg Load(const float16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static Reg Load(const float16_t* p, size_t n) { return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(First(n), p)); }
  static Reg Load(const int8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  static Reg Load(const int8_t* p, size_t n) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(First(n), p)));
  }

  static float Sum(Reg v) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
  }
  static void Store(float* p, Reg v) { _mm512_storeu_ps(p, v); }
  static void StoreHalf(float16_t* p, Reg v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }

 private:
  static __mmask16 First(size_t n) { return static_cast<__mmask16>((1u << n) - 1); }
};

struct Ints {
  using Wide = __m512i;
  using Sums = __m512i;
  static constexpr size_t kLanes = 32;

  static Sums Zero() { return _mm512_setzero_si512(); }
  static Wide Load(const int8_t* p) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static Wide Load(const int8_t* p, size_t n) {
    return _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8((1u << n) - 1, p));
  }
  static Wide Sub(Wide a, Wide b) { return _mm512_sub_epi16(a, b); }
  static Sums MulAdd(Wide a, Wide b, Sums sums) { return _mm512_add_epi32(sums, _mm512_madd_epi16(a, b)); }
  static Sums Add(Sums a, Sums b) { return _mm512_add_epi32(a, b); }
  static int32_t Sum(Sums v) { return _mm512_reduce_add_epi32(v); }
};

}  // namespace

constinit const Kernels kAvx512Kernels = MakeKernels<Floats, Ints>("avx512");

}  // namespace isotherm::simd
#endif
