#include "base/crc32c_fold.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace isotherm {

#if defined(__x86_64__)

namespace {

// x^n modulo the polynomial, as carry-less multiplication wants it: in a reflected word of 64 bits, bit i is the
// coefficient of x^(63 - i).
constexpr uint64_t PowerOfX(unsigned n) {
  constexpr uint32_t kPolynomial = 0x82f63b78;
  uint32_t power = 0x80000000;
  for (; n > 0; --n) power = (power >> 1) ^ ((power & 1) != 0 ? kPolynomial : 0);
  return uint64_t{power} << 32;
}

#define ISOTHERM_FOLDING __attribute__((target("avx512f,avx512vl,vpclmulqdq,pclmul,sse4.2")))

// Moves `block` over a stride's bits and adds the bytes that stand there. Of each 16 bytes the first eight are the
// higher powers; a reflected product comes out multiplied by x, for which the constants have one power less.
ISOTHERM_FOLDING inline __m512i Fold(__m512i block, const char* next) {
  constexpr unsigned kBits = kFoldStride * 8;
  constexpr auto kFirst = static_cast<int64_t>(PowerOfX(kBits + 64 - 1));
  constexpr auto kSecond = static_cast<int64_t>(PowerOfX(kBits - 1));
  const __m512i powers = _mm512_set_epi64(kSecond, kFirst, kSecond, kFirst, kSecond, kFirst, kSecond, kFirst);
  constexpr int kXorOfThree = 0x96;
  return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(block, powers, 0x00),
                                   _mm512_clmulepi64_epi128(block, powers, 0x11), _mm512_loadu_si512(next),
                                   kXorOfThree);
}

}  // namespace

bool CanFoldCrc32c() {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
         __builtin_cpu_supports("vpclmulqdq") != 0 && __builtin_cpu_supports("pclmul") != 0 &&
         __builtin_cpu_supports("sse4.2") != 0;
}

// Gopal et al., "Fast CRC computation for generic polynomials using PCLMULQDQ instruction", Intel 2009: the state adds
// to the first bytes, and a stride folded into the next one leaves the remainder as it was. The last stride's remainder
// comes from the crc instruction.
ISOTHERM_FOLDING uint32_t FoldCrc32c(uint32_t state, const char* bytes, size_t n) {
  __m512i start = _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(state)));
  static_assert(kFoldStride == 4 * 64);
  __m512i blocks[4] = {_mm512_xor_si512(_mm512_loadu_si512(bytes), start), _mm512_loadu_si512(bytes + 64),
                       _mm512_loadu_si512(bytes + 128), _mm512_loadu_si512(bytes + 192)};
  for (size_t at = kFoldStride; at + kFoldStride <= n; at += kFoldStride) {
    blocks[0] = Fold(blocks[0], bytes + at);
    blocks[1] = Fold(blocks[1], bytes + at + 64);
    blocks[2] = Fold(blocks[2], bytes + at + 128);
    blocks[3] = Fold(blocks[3], bytes + at + 192);
  }
  alignas(64) uint64_t words[kFoldStride / 8];
  for (size_t i = 0; i < 4; ++i) _mm512_store_si512(words + i * 8, blocks[i]);
  uint64_t remainder = 0;
  for (uint64_t word : words) remainder = _mm_crc32_u64(remainder, word);
  return static_cast<uint32_t>(remainder);
}

#else

bool CanFoldCrc32c() { return false; }
uint32_t FoldCrc32c(uint32_t state, const char*, size_t) { return state; }

#endif

}  // namespace isotherm
