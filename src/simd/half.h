// IEEE 754 binary16 in integer arithmetic, to the bit what the processors' instructions give: NaN keeps the upper bits
// of its payload and becomes quiet. In an anonymous namespace: units.h says why.
#pragma once

#include <cstdint>

#include "simd/kernel_table.h"

namespace isotherm::simd {
namespace {

inline float HalfToFloat(float16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = (half >> 10) & 0x1f;
  const uint32_t mantissa = half & 0x3ff;
  if (exponent == 0x1f) {
    return __builtin_bit_cast(float, sign | 0x7f800000 | (mantissa != 0 ? 0x400000 | mantissa << 13 : 0));
  }
  if (exponent == 0) {  // subnormal, in units of 2^-24
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  return __builtin_bit_cast(float, sign | (exponent + (127 - 15)) << 23 | mantissa << 13);
}

inline float16_t FloatToHalf(float value) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, value);
  const uint32_t sign = (bits >> 16) & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  uint32_t half;
  if (magnitude > 0x7f800000) {  // NaN
    half = 0x7e00 | ((magnitude >> 13) & 0x3ff);
  } else if (magnitude >= 0x477ff000) {  // 65520, halfway from the largest finite half to the next step
    half = 0x7c00;
  } else if (magnitude >= 0x38800000) {  // 2^-14, the least normal half; a carry out of the mantissa is right as it is
    half = (magnitude + 0xfff + ((magnitude >> 13) & 1) - ((127u - 15) << 23)) >> 13;
  } else if (magnitude > 0x33000000) {  // above 2^-25, half of the least subnormal
    const uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;
    const uint32_t shift = 126 - (magnitude >> 23);  // to units of 2^-24; 14 to 24
    half = (mantissa + (1u << (shift - 1)) - 1 + ((mantissa >> shift) & 1)) >> shift;
  } else {
    half = 0;
  }
  return static_cast<float16_t>(sign | half);
}

}  // namespace
}  // namespace isotherm::simd
