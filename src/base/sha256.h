// SHA-256 by OpenSSL: names content that the head vouches for, and signs S3 requests.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace isotherm {

using Sha256Digest = std::array<uint8_t, 32>;

Sha256Digest Sha256(std::string_view bytes);
// Lower-case hexadecimal.
std::string ToHex(std::string_view bytes);

}  // namespace isotherm
