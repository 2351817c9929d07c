// One instruction set's kernels. Apart from kernels.h so that the units compiled for an instruction set include nothing
// whose inline functions the linker could share with the rest of the program (units.h says why).
//
// All kernels take operands at any byte address and any n ≥ 0, read exactly n elements of each, and never fail; only
// what they write to stands on its type's alignment. They are pure: any thread, any time. Results of different levels
// differ only by the order and fusing of float operations; the integer kernels and the conversions agree to the bit.
// Within one level a row's result does not depend on where in its block the row stands.
#pragma once

#include <cstddef>
#include <cstdint>

namespace isotherm::simd {

using float16_t = uint16_t;  // IEEE 754 binary16, as bits

struct DotAndNorms {
  float dot;     // sum a_i b_i
  float norm_a;  // sum a_i²
  float norm_b;  // sum b_i²
};

struct Kernels {
  const char* name;  // "scalar", "sse4.2", "avx2", "avx512", "avx512-vnni", "neon"

  float (*dot_f32)(const float* a, const float* b, size_t n);
  float (*l2_f32)(const float* a, const float* b, size_t n);  // sum (a_i - b_i)²
  DotAndNorms (*cosine_f32)(const float* a, const float* b, size_t n);

  // b in half precision; a, the query, in single.
  float (*dot_f32_f16)(const float* a, const float16_t* b, size_t n);
  float (*l2_f32_f16)(const float* a, const float16_t* b, size_t n);
  DotAndNorms (*cosine_f32_f16)(const float* a, const float16_t* b, size_t n);

  // Sums in 32 bits: exact for n ≤ 2^16 (l2: 2^15).
  int32_t (*dot_i8)(const int8_t* a, const int8_t* b, size_t n);
  int32_t (*l2_i8)(const int8_t* a, const int8_t* b, size_t n);

  // sum a_i code_i: the query in single precision against an 8-bit residual code (quant/residual8.h).
  float (*dot_f32_i8)(const float* a, const int8_t* code, size_t n);
  // out[r] = dot_f32_i8(a, codes + r * n, n) for r in [0, rows): the codes of a cell lie one behind the other.
  void (*dot_f32_i8_rows)(const float* a, const int8_t* codes, size_t rows, size_t n, float* out);
  // out[r] = l2_f32(a, matrix + r * n, n) and dot_f32 likewise, for r in [0, rows).
  void (*l2_f32_rows)(const float* a, const float* matrix, size_t rows, size_t n, float* out);
  void (*dot_f32_rows)(const float* a, const float* matrix, size_t rows, size_t n, float* out);

  void (*f16_to_f32)(const float16_t* in, float* out, size_t n);
  // Rounds to nearest even; overflow gives infinity.
  void (*f32_to_f16)(const float* in, float16_t* out, size_t n);
};

}  // namespace isotherm::simd
