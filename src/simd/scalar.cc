// The kernels in plain C++: what every processor has, and what the other levels are tested against.
#include "simd/half.h"
#include "simd/partial.h"
#include "simd/units.h"

namespace isotherm::simd {
namespace {

// Element i of an operand, as a float.
inline float At(const float* values, size_t i) { return LoadUnaligned<float>(values + i); }
inline float At(const float16_t* values, size_t i) { return HalfToFloat(LoadUnaligned<float16_t>(values + i)); }
inline float At(const int8_t* values, size_t i) { return static_cast<float>(values[i]); }

template <typename B>
float Dot(const float* a, const B* b, size_t n) {
  float sum = 0;
  for (size_t i = 0; i < n; ++i) sum += At(a, i) * At(b, i);
  return sum;
}

template <typename B>
float L2(const float* a, const B* b, size_t n) {
  float sum = 0;
  for (size_t i = 0; i < n; ++i) {
    const float difference = At(a, i) - At(b, i);
    sum += difference * difference;
  }
  return sum;
}

template <typename B>
DotAndNorms Cosine(const float* a, const B* b, size_t n) {
  DotAndNorms sums{0, 0, 0};
  for (size_t i = 0; i < n; ++i) {
    const float x = At(a, i);
    const float y = At(b, i);
    sums.dot += x * y;
    sums.norm_a += x * x;
    sums.norm_b += y * y;
  }
  return sums;
}

template <typename B>
void DotRows(const float* a, const B* rows, size_t count, size_t n, float* out) {
  for (size_t r = 0; r < count; ++r) out[r] = Dot(a, rows + r * n, n);
}

void L2Rows(const float* a, const float* rows, size_t count, size_t n, float* out) {
  for (size_t r = 0; r < count; ++r) out[r] = L2(a, rows + r * n, n);
}

// Sums are unsigned, as those of the vector units: beyond the exact range they wrap.
int32_t DotI8(const int8_t* a, const int8_t* b, size_t n) {
  uint32_t sum = 0;
  for (size_t i = 0; i < n; ++i) sum += static_cast<uint32_t>(a[i] * b[i]);
  return static_cast<int32_t>(sum);
}

int32_t L2I8(const int8_t* a, const int8_t* b, size_t n) {
  uint32_t sum = 0;
  for (size_t i = 0; i < n; ++i) sum += static_cast<uint32_t>((a[i] - b[i]) * (a[i] - b[i]));
  return static_cast<int32_t>(sum);
}

void HalvesToFloats(const float16_t* in, float* out, size_t n) {
  for (size_t i = 0; i < n; ++i) out[i] = At(in, i);
}

void FloatsToHalves(const float* in, float16_t* out, size_t n) {
  for (size_t i = 0; i < n; ++i) out[i] = FloatToHalf(At(in, i));
}

}  // namespace

constinit const Kernels kScalarKernels = {
    .name = "scalar",
    .dot_f32 = Dot<float>,
    .l2_f32 = L2<float>,
    .cosine_f32 = Cosine<float>,
    .dot_f32_f16 = Dot<float16_t>,
    .l2_f32_f16 = L2<float16_t>,
    .cosine_f32_f16 = Cosine<float16_t>,
    .dot_i8 = DotI8,
    .l2_i8 = L2I8,
    .dot_f32_i8 = Dot<int8_t>,
    .dot_f32_i8_rows = DotRows<int8_t>,
    .l2_f32_rows = L2Rows,
    .dot_f32_rows = DotRows<float>,
    .f16_to_f32 = HalvesToFloats,
    .f32_to_f16 = FloatsToHalves,
};

}  // namespace isotherm::simd
