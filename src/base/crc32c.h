// CRC-32C (Castagnoli, RFC 3720 appendix B.4): the checksum of every extent.
#pragma once

#include <cstdint>
#include <string_view>

namespace isotherm {

// Uses the processor's instruction where it has one. Extend(Crc32c(a), b) == Crc32c(a + b).
uint32_t Crc32c(std::string_view bytes);
uint32_t ExtendCrc32c(uint32_t crc, std::string_view bytes);
// The same on any processor.
uint32_t ExtendCrc32cPortable(uint32_t crc, std::string_view bytes);

}  // namespace isotherm
