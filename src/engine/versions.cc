#include "engine/versions.h"

#include <charconv>

namespace isotherm {

namespace {

constexpr size_t kDigits = 16;

std::string Hex(uint64_t number) {
  std::string out(kDigits, '0');
  for (size_t i = 0; i < kDigits; ++i) out[kDigits - 1 - i] = "0123456789abcdef"[(number >> (4 * i)) & 15];
  return out;
}

}  // namespace

std::string VersionObjectName(uint64_t version, int64_t commit_ms) {
  return std::string(kVersionPrefix).append(Hex(version)).append("-").append(Hex(static_cast<uint64_t>(commit_ms)));
}

std::optional<VersionName> ParseVersionName(std::string_view name) {
  std::string_view prefix = kVersionPrefix;
  if (!name.starts_with(prefix) || name.size() != prefix.size() + 2 * kDigits + 1) return std::nullopt;
  uint64_t version = 0;
  uint64_t time = 0;
  const char* first = name.data() + prefix.size();
  const char* second = first + kDigits + 1;
  bool good = std::from_chars(first, first + kDigits, version, 16).ptr == first + kDigits &&
              std::from_chars(second, second + kDigits, time, 16).ptr == second + kDigits;
  if (!good || VersionObjectName(version, static_cast<int64_t>(time)) != name) return std::nullopt;
  return VersionName{version, static_cast<int64_t>(time)};
}

}  // namespace isotherm
