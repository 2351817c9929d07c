#include "segment/segment_tail.h"

#include "base/coding.h"
#include "base/crc32c.h"

namespace isotherm {

namespace {

constexpr size_t kFooterBytes = 32;
constexpr size_t kFooterCheckedBytes = 20;

// Of body and footer up to the checksum itself, so that a later format version is told from a damaged one.
uint32_t TailCrc(std::string_view body, std::string_view footer) {
  return ExtendCrc32c(Crc32c(body), footer.substr(0, kFooterCheckedBytes));
}

}  // namespace

std::string EncodeTail(const SegmentSchema& schema, SegmentInfo& info) {
  SegmentInfo inner = info;
  inner.bytes = info.tail.offset;  // of what stands before the tail; the reader of a tail adds the tail itself
  inner.tail = {};
  inner.tail_crc32c = 0;
  std::string body = EncodeSegmentHeader(schema);
  PutSegmentInfo(body, inner);
  std::string footer;
  PutFixed<uint64_t>(footer, info.tail.offset);
  PutFixed<uint64_t>(footer, body.size());
  PutFixed<uint32_t>(footer, kSegmentFormatVersion);
  info.tail_crc32c = TailCrc(body, footer);
  PutFixed<uint32_t>(footer, info.tail_crc32c);
  footer += kSegmentMagic;
  return body + footer;
}

Result<SegmentInfo> ParseTail(std::string_view tail, SegmentSchema* schema) {
  auto malformed = [](const char* what) { return Status::Corruption(std::string("segment tail: ") + what); };
  if (tail.size() < kFooterBytes) return malformed("shorter than its footer");
  std::string_view body = tail.substr(0, tail.size() - kFooterBytes);
  std::string_view footer_bytes = tail.substr(body.size());
  Decoder footer(footer_bytes);
  auto offset = footer.Fixed<uint64_t>();
  auto length = footer.Fixed<uint64_t>();
  auto version = footer.Fixed<uint32_t>();
  auto crc = footer.Fixed<uint32_t>();
  if (footer.Raw(kSegmentMagic.size()) != kSegmentMagic) return malformed("wrong magic number");
  if (TailCrc(body, footer_bytes) != crc) return malformed("does not match its crc32c");
  if (version == 0 || version > kSegmentFormatVersion) {
    return Status::Unsupported("segment format version " + std::to_string(version) + "; this build reads 1 and 2");
  }
  if (length != body.size() || offset > UINT64_MAX - tail.size()) return malformed("wrong length");
  Decoder in(body);
  if (in.Raw(kSegmentMagic.size()) != kSegmentMagic) return malformed("its header has a wrong magic number");
  if (in.Fixed<uint32_t>() != version) return malformed("its header is of another format version");
  *schema = GetSchema(in);
  SegmentInfo info = GetSegmentInfo(in, schema->dimension);
  if (!in.done()) return malformed("its directory is malformed");
  if (info.bytes != offset) return malformed("it lies elsewhere than its directory says");
  info.tail = {offset, tail.size()};
  info.tail_crc32c = crc;
  info.bytes = offset + tail.size();
  return info;
}

}  // namespace isotherm
