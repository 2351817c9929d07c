// Base64 with padding (RFC 4648, section 4), for bytes in JSON.
#pragma once

#include <string>
#include <string_view>

#include "isotherm/status.h"

namespace isotherm::formats {

std::string EncodeBase64(std::string_view bytes);
Result<std::string> DecodeBase64(std::string_view text);

}  // namespace isotherm::formats
