// What a collection's objects are called.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/environment.h"
#include "engine/head.h"

namespace isotherm {

// Where a branch's own objects lie: "" for the main one (its name is empty), else "branches/<name>/".
inline constexpr char kBranchesPrefix[] = "branches/";
std::string BranchPrefix(std::string_view branch);
// 1 to 128 letters, digits, '.', '-' and '_', not beginning with '.'; InvalidArgument otherwise.
Status CheckBranchName(std::string_view name);
// The branch whose head has this name, "" for the main one; nothing for any other object.
std::optional<std::string> BranchOfHead(std::string_view object);

// "<branch prefix>version-<version, 16 hexadecimal digits>-<time, 16 hexadecimal digits>": sorted by version, and with
// it by time. What the head was before it moved on.
inline constexpr char kVersionPrefix[] = "version-";
std::string VersionObjectName(std::string_view branch_prefix, uint64_t version, int64_t commit_ms);
struct VersionName {
  uint64_t version = 0;
  int64_t commit_ms = 0;
};
// Of a name without its branch's prefix; nothing for any other name.
std::optional<VersionName> ParseVersionName(std::string_view name);

// "<kind>-<epoch, 16 hexadecimal digits>-<random, 32>": an immutable object that was begun in that epoch of garbage
// collection.
std::string NewObjectName(std::string_view kind, uint64_t gc_epoch, Random& random);
// The epoch in such a name. Names of format version 1 are of epoch 0. Nothing for what is not named so.
std::optional<uint64_t> EpochOfObject(std::string_view name);

// "build-<epoch>-<id>": the record of a build; see build_record.h.
std::string BuildRecordName(uint64_t gc_epoch, const Nonce& build);
// "<kind>-<epoch>-<of build and place>": the object that a build writes in that place. Whoever knows the build knows
// the name, and nobody else writes it.
std::string BuildObjectName(std::string_view kind, uint64_t gc_epoch, const Nonce& build, uint32_t place);

inline constexpr char kLeasePrefix[] = "lease-";

}  // namespace isotherm
