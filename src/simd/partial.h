// Reads of less than a vector without reading past the operand. In an anonymous namespace: units.h says why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace isotherm::simd {
namespace {

// T from any byte address.
template <typename T>
inline T LoadUnaligned(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

// The first n ≤ 8 bytes, zeros above them.
inline uint64_t LoadBytes(const void* from, size_t n) {
  const auto* bytes = static_cast<const uint8_t*>(from);
  if (n >= 4) {  // two words that overlap where n < 8, and agree there
    return LoadUnaligned<uint32_t>(bytes) | static_cast<uint64_t>(LoadUnaligned<uint32_t>(bytes + n - 4))
                                                << (8 * (n - 4));
  }
  if (n == 0) return 0;
  return bytes[0] | static_cast<uint64_t>(bytes[n / 2]) << (8 * (n / 2)) |
         static_cast<uint64_t>(bytes[n - 1]) << (8 * (n - 1));
}

#if defined(__x86_64__)
// The first n ≤ 16 bytes, zeros above them.
inline __m128i LoadBytes128(const void* from, size_t n) {
  if (n < 8) return _mm_cvtsi64_si128(static_cast<int64_t>(LoadBytes(from, n)));
  const auto* bytes = static_cast<const uint8_t*>(from);
  return _mm_set_epi64x(static_cast<int64_t>(LoadBytes(bytes + 8, n - 8)), LoadUnaligned<int64_t>(bytes));
}
#endif

}  // namespace
}  // namespace isotherm::simd
