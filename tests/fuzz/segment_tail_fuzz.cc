// Any bytes as a segment's tail. What is one tells of sections inside of the segment, and comes back from its encoding.
#include "segment/segment_tail.h"
#include "tests/fuzz/sealed.h"

namespace isotherm {
namespace {

using namespace fuzz;

constexpr size_t kFooterBytes = 32;

void Parse(std::string_view bytes) {
  SegmentSchema schema;
  auto info = ParseTail(bytes, &schema);
  if (!info.ok()) {
    Require(info.status().code() == StatusCode::kCorruption || info.status().code() == StatusCode::kUnsupported);
    return;
  }
  Require(info->tail.length == bytes.size() && info->tail.offset + info->tail.length == info->bytes);
  for (const Section* section : {&info->codes, &info->vectors, &info->documents, &info->keys, &info->filter}) {
    Require(section->offset <= info->bytes && section->length <= info->bytes - section->offset);
  }
  Require(info->key_pages() > 0);
  if (info->rows > 0) info->VectorOf(info->first_ordinal, schema.dimension);
  Require(IsSegmentHeader(EncodeSegmentHeader(schema), schema));
  // In the format version of today, which is the one that it came in or a later one.
  SegmentInfo written = *info;
  std::string tail = EncodeTail(schema, written);
  SegmentSchema read_schema;
  auto again = ParseTail(tail, &read_schema);
  Require(again.ok() && again->tail_crc32c == written.tail_crc32c);
  Require(EncodeTail(read_schema, *again) == tail);
}

}  // namespace
}  // namespace isotherm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isotherm;
  std::string_view bytes = fuzz::ViewOf(data, size);
  Parse(bytes);
  if (size < kFooterBytes) return 0;
  std::string sealed(bytes);
  size_t footer = size - kFooterBytes;
  fuzz::SetFixed<uint64_t>(sealed, footer + 8, footer);
  fuzz::SetFixed<uint32_t>(sealed, footer + 20, Crc32c(std::string_view(sealed).substr(0, footer + 20)));
  sealed.replace(footer + 24, 8, "ISOSEG01");
  Parse(sealed);
  return 0;
}
