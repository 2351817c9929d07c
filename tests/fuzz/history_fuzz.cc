// Any bytes as a lease, and any text as the name of an object. What is one comes back from its encoding.
#include "engine/history.h"
#include "tests/fuzz/sealed.h"

namespace isotherm {
namespace {

using namespace fuzz;

void Decode(std::string_view bytes) {
  auto lease = DecodeLease(bytes);
  if (lease.ok()) {
    Require(EncodeLease(*lease) == bytes);
  } else {
    Require(lease.status().code() == StatusCode::kCorruption);
  }
}

void ReadName(std::string_view name) {
  if (auto version = ParseVersionName(name)) {
    Require(VersionObjectName("", version->version, version->commit_ms) == name);
  }
  if (auto branch = BranchOfHead(name)) {
    Require(branch->empty() || CheckBranchName(*branch).ok());
    Require(BranchPrefix(*branch) + kHeadObject == name);
  }
  if (CheckBranchName(name).ok()) {
    std::string head = BranchPrefix(name) + kHeadObject;
    Require(BranchOfHead(head) == name && ValidateObjectName(head).ok());
  }
  if (EpochOfObject(name)) Require(name.size() > 32 && name.find('-') != std::string_view::npos);
}

}  // namespace
}  // namespace isotherm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isotherm;
  std::string_view bytes = fuzz::ViewOf(data, size);
  Decode(bytes);
  ReadName(bytes);
  if (size < 12) return 0;
  std::string sealed(bytes);
  sealed.replace(0, 8, "ISOLEAS1");
  fuzz::SetFixed<uint32_t>(sealed, 8, Crc32c(std::string_view(sealed).substr(12)));
  Decode(sealed);
  return 0;
}
