// Names of a collection's history: every version but the newest lies under a name of its own, as the head that it was.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/head.h"

namespace isotherm {

// "version-<version, 16 hexadecimal digits>-<time, 16 hexadecimal digits>": sorted by version, and with it by time.
inline constexpr char kVersionPrefix[] = "version-";
std::string VersionObjectName(uint64_t version, int64_t commit_ms);

struct VersionName {
  uint64_t version = 0;
  int64_t commit_ms = 0;
};
// Nothing for any other name.
std::optional<VersionName> ParseVersionName(std::string_view name);

}  // namespace isotherm
