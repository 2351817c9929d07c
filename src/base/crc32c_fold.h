// CRC-32C by carry-less multiplication: twice as fast as the processor's crc instruction on long runs of bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace isotherm {

inline constexpr size_t kFoldStride = 256;      // whole strides only
inline constexpr size_t kMinFoldedBytes = 512;  // fewer are not worth it

bool CanFoldCrc32c();
// The state (not inverted) after `n` more bytes; n > 0 is a multiple of kFoldStride. Requires CanFoldCrc32c().
uint32_t FoldCrc32c(uint32_t state, const char* bytes, size_t n);

}  // namespace isotherm
