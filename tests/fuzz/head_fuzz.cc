// Any bytes as a head, of today or as an archived version; and what is a head comes back from its encoding unchanged.
#include "engine/head.h"

#include "tests/fuzz/sealed.h"

namespace isotherm {
namespace {

using namespace fuzz;

constexpr size_t kPrefixBytes = 24;

void Decode(std::string_view bytes) {
  auto head = DecodeHead(bytes);
  if (!head.ok()) {
    Require(head.status().code() == StatusCode::kCorruption || head.status().code() == StatusCode::kUnsupported);
    return;
  }
  // What is not checked again where it is used.
  for (const SegmentInfo& segment : head->segments) {
    Require(segment.hard_deleted + segment.soft_deleted <= segment.rows && segment.live_rows() <= segment.rows);
    Require(segment.expiry.rows <= segment.rows && segment.expiry.first_ms <= segment.expiry.last_ms);
  }
  for (const InlineRow& row : head->inline_rows) {
    Require(row.row.key.type() == head->schema.key_type && row.row.vector.size() == head->schema.dimension);
  }
  Require(FitSegments(ApplyDeltas({}, head->deletion_deltas, head->segments), head->segments));
  std::string encoded = EncodeHead(*head);
  auto again = DecodeHead(encoded);
  Require(again.ok());
  Require(EncodeHead(*again) == encoded);
}

}  // namespace
}  // namespace isotherm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isotherm;
  std::string_view bytes = fuzz::ViewOf(data, size);
  Decode(bytes);
  if (size < kPrefixBytes) return 0;
  std::string sealed(bytes);
  sealed.replace(0, 8, "ISOHEAD1");
  fuzz::SetFixed<uint64_t>(sealed, 16, size - kPrefixBytes);
  fuzz::SetFixed<uint32_t>(sealed, 8, Crc32c(std::string_view(sealed).substr(12)));
  Decode(sealed);
  return 0;
}
