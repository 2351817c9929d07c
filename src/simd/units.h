// The tables of the units, one unit per instruction set, for dispatch.cc alone.
//
// A unit is compiled with its instruction set's flags. An inline function or template instance with external linkage
// that it emits would hold those instructions, and the linker, which keeps one copy of each, could give it to the whole
// program: an illegal instruction on a lesser processor. So everything that a unit defines or includes has internal
// linkage (anonymous namespaces, no std templates), but for its table; tests/simd/symbols_test.sh checks the objects.
#pragma once

#include "simd/kernel_table.h"

#if defined(__x86_64__) && !defined(ISOTHERM_NOASM)
#define ISOTHERM_SIMD_X86 1
#elif defined(__aarch64__) && !defined(ISOTHERM_NOASM)
#define ISOTHERM_SIMD_NEON 1
#endif

namespace isotherm::simd {

extern const Kernels kScalarKernels;
#if ISOTHERM_SIMD_X86
extern const Kernels kSse42Kernels;   // SSE4.2
extern const Kernels kAvx2Kernels;    // AVX2, FMA, F16C
extern const Kernels kAvx512Kernels;  // AVX-512 F, BW, DQ, VL
// AVX-512 VNNI beside those: the 8-bit integer kernels, the others are kAvx512Kernels' own.
int32_t DotI8Avx512Vnni(const int8_t* a, const int8_t* b, size_t n);
int32_t L2I8Avx512Vnni(const int8_t* a, const int8_t* b, size_t n);
#endif
#if ISOTHERM_SIMD_NEON
extern const Kernels kNeonKernels;
#endif

}  // namespace isotherm::simd
