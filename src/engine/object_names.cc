#include "engine/object_names.h"

#include <algorithm>
#include <charconv>

#include "base/coding.h"
#include "base/sha256.h"

namespace isotherm {

namespace {

constexpr size_t kDigits = 16;
constexpr size_t kNonceDigits = 32;

std::string Hex(uint64_t number) {
  std::string out(kDigits, '0');
  for (size_t i = 0; i < kDigits; ++i) out[kDigits - 1 - i] = "0123456789abcdef"[(number >> (4 * i)) & 15];
  return out;
}

// Of exactly 16 lower-case digits.
std::optional<uint64_t> ParseHex(std::string_view digits) {
  uint64_t number = 0;
  auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  if (parsed.ptr != digits.data() + digits.size() || Hex(number) != digits) return std::nullopt;
  return number;
}

bool IsNonce(std::string_view digits) {
  return digits.size() == kNonceDigits && digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::string BranchPrefix(std::string_view branch) {
  return branch.empty() ? std::string() : std::string(kBranchesPrefix).append(branch).append("/");
}

Status CheckBranchName(std::string_view name) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  };
  bool good = !name.empty() && name.size() <= kMaxBranchNameBytes && name.front() != '.' &&
              std::all_of(name.begin(), name.end(), allowed);
  if (good) return Status::Ok();
  return Status::InvalidArgument("branch '" + std::string(name) +
                                 "': 1 to 128 letters, digits, '.', '-' and '_' are allowed, not beginning "
                                 "with '.'");
}

std::optional<std::string> BranchOfHead(std::string_view object) {
  if (object == kHeadObject) return std::string();
  std::string_view prefix = kBranchesPrefix;
  std::string suffix = std::string("/") + kHeadObject;
  if (!object.starts_with(prefix) || !object.ends_with(suffix) || object.size() <= prefix.size() + suffix.size()) {
    return std::nullopt;
  }
  std::string_view name = object.substr(prefix.size(), object.size() - prefix.size() - suffix.size());
  if (!CheckBranchName(name).ok()) return std::nullopt;
  return std::string(name);
}

std::string VersionObjectName(std::string_view branch_prefix, uint64_t version, int64_t commit_ms) {
  return std::string(branch_prefix)
      .append(kVersionPrefix)
      .append(Hex(version))
      .append("-")
      .append(Hex(static_cast<uint64_t>(commit_ms)));
}

std::optional<VersionName> ParseVersionName(std::string_view name) {
  std::string_view prefix = kVersionPrefix;
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  if (name.size() != 2 * kDigits + 1 || name[kDigits] != '-') return std::nullopt;
  auto version = ParseHex(name.substr(0, kDigits));
  auto time = ParseHex(name.substr(kDigits + 1));
  if (!version || !time) return std::nullopt;
  return VersionName{*version, static_cast<int64_t>(*time)};
}

std::string NewObjectName(std::string_view kind, uint64_t gc_epoch, Random& random) {
  return std::string(kind).append("-").append(Hex(gc_epoch)).append("-").append(NonceHex(MakeNonce(random)));
}

std::string BuildRecordName(uint64_t gc_epoch, const Nonce& build) {
  return std::string("build-").append(Hex(gc_epoch)).append("-").append(NonceHex(build));
}

std::string BuildObjectName(std::string_view kind, uint64_t gc_epoch, const Nonce& build, uint32_t place) {
  std::string from;
  for (uint64_t half : build) PutFixed<uint64_t>(from, half);
  PutFixed<uint32_t>(from, place);
  const Sha256Digest digest = Sha256(from);
  const std::string digits = ToHex({reinterpret_cast<const char*>(digest.data()), kNonceDigits / 2});
  return std::string(kind).append("-").append(Hex(gc_epoch)).append("-").append(digits);
}

std::optional<uint64_t> EpochOfObject(std::string_view name) {
  size_t dash = name.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  std::string_view rest = name.substr(dash + 1);
  if (name.substr(0, dash) == "segment" && IsNonce(rest)) return 0;
  if (rest.size() != kDigits + 1 + kNonceDigits || rest[kDigits] != '-' || !IsNonce(rest.substr(kDigits + 1))) {
    return std::nullopt;
  }
  return ParseHex(rest.substr(0, kDigits));
}

}  // namespace isotherm
