// Moments and spans of time as text. A moment is in milliseconds since 1970 UTC, a span in milliseconds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "isotherm/status.h"

namespace isotherm::formats {

// RFC 3339 in UTC: "2026-03-01T12:30:00.250Z".
std::string FormatTime(int64_t ms);

// RFC 3339: "2026-03-01T12:30:00Z", "2026-03-01T13:30:00.25+01:00". What is finer than a millisecond is cut off.
Result<int64_t> ParseTime(std::string_view text);

// A number and its unit: "90s", "30m", "12h", "7d", "2w".
Result<int64_t> ParseSpan(std::string_view text);

}  // namespace isotherm::formats
