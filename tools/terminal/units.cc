#include "tools/terminal/units.h"

#include <cmath>
#include <cstdio>
#include <span>

namespace isotherm::terminal {

namespace {

std::string Print(const char* format, int digits, double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), format, digits, value);
  return buffer;
}

// Three significant digits of a value below 1,000.
std::string ThreeDigits(double value) {
  if (value < 9.995) return Print("%.*f", 2, value);
  if (value < 99.95) return Print("%.*f", 1, value);
  return Print("%.*f", 0, value);
}

// `value` in the first of `units`, each a thousand times the one before, in which it stays below 1,000.
std::string Scaled(double value, std::span<const char* const> units) {
  size_t unit = 0;
  while (unit + 1 < units.size() && value >= 999.5) {
    value /= 1000;
    ++unit;
  }
  return ThreeDigits(value) + " " + units[unit];
}

}  // namespace

std::string FormatCount(uint64_t count) {
  std::string digits = std::to_string(count);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out.push_back(',');
    out.push_back(digits[i]);
  }
  return out;
}

std::string FormatBytes(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return std::to_string(bytes) + " B";
  return Scaled(static_cast<double>(bytes), kUnits);
}

std::string FormatDuration(int64_t ns) {
  static constexpr const char* kUnits[] = {"ns", "µs", "ms", "s"};
  constexpr int64_t kSecond = 1'000'000'000;
  if (ns < 0) return std::string("-").append(FormatDuration(-ns));
  if (ns < 1000) return std::to_string(ns) + " ns";
  if (ns < 120 * kSecond) return Scaled(static_cast<double>(ns), kUnits);
  int64_t seconds = ns / kSecond;
  if (seconds < 7200) return std::to_string(seconds / 60) + " min " + std::to_string(seconds % 60) + " s";
  return FormatCount(static_cast<uint64_t>(seconds / 3600)) + " h " + std::to_string(seconds / 60 % 60) + " min";
}

std::string FormatNumber(double value) {
  if (!std::isfinite(value)) return Print("%.*f", 0, value);
  if (value < 0) return std::string("-").append(FormatNumber(-value));
  if (value >= 999.5) return FormatCount(static_cast<uint64_t>(std::llround(value)));
  if (value == std::floor(value)) return Print("%.*f", 0, value);
  if (value >= 1) return ThreeDigits(value);
  return Print("%.*g", 3, value);
}

std::string FormatPercent(double fraction) { return FormatNumber(fraction * 100) + " %"; }

std::string FormatUsd(double dollars) {
  // No exponent: prices are compared by their zeros.
  bool small = dollars > 0 && dollars < 0.995;
  return Print("$%.*f", small ? static_cast<int>(std::ceil(-std::log10(dollars))) + 2 : 2, dollars);
}

}  // namespace isotherm::terminal
