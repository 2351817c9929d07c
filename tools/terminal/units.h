// Figures as people read them: three significant digits, a unit that fits.
#pragma once

#include <cstdint>
#include <string>

namespace isotherm::terminal {

std::string FormatCount(uint64_t count);     // "117,784"
std::string FormatBytes(uint64_t bytes);     // "1.62 MB"; powers of 1,000
std::string FormatDuration(int64_t ns);      // "63.1 ms"; "2 min 5 s" from two minutes on
std::string FormatNumber(double value);      // "0.0123", "12.3", "1,234"
std::string FormatPercent(double fraction);  // 0.0237 -> "2.37 %"
std::string FormatUsd(double dollars);       // "$0.0000124"

}  // namespace isotherm::terminal
