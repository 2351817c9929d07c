#include "engine/head.h"

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/macros.h"
#include "base/sha256.h"
#include "segment/row_codec.h"

namespace isotherm {

namespace {

constexpr std::string_view kMagic = "ISOHEAD1";
// Magic, crc32c of all that follows it, format version, length of the body. The same in every format version, so that a
// later one is told from a damaged one.
constexpr size_t kPrefixBytes = 24;
constexpr size_t kCheckedFrom = 12;
constexpr size_t kSha256HexBytes = 64;

void PutNonce(std::string& out, const Nonce& nonce) {
  PutFixed<uint64_t>(out, nonce[0]);
  PutFixed<uint64_t>(out, nonce[1]);
}

Nonce GetNonce(Decoder& in) {
  Nonce nonce;
  nonce[0] = in.Fixed<uint64_t>();
  nonce[1] = in.Fixed<uint64_t>();
  return nonce;
}

void PutSlots(std::string& out, const std::vector<WriterSlot>& slots) {
  PutFixed<uint32_t>(out, static_cast<uint32_t>(slots.size()));
  for (const WriterSlot& slot : slots) {
    PutNonce(out, slot.writer);
    PutFixed<uint64_t>(out, slot.epoch);
    PutFixed<uint64_t>(out, slot.last_sequence);
    PutFixed<int64_t>(out, slot.last_commit_ms);
  }
}

std::vector<WriterSlot> GetSlots(Decoder& in) {
  std::vector<WriterSlot> slots;
  auto count = in.Fixed<uint32_t>();
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    WriterSlot slot;
    slot.writer = GetNonce(in);
    slot.epoch = in.Fixed<uint64_t>();
    slot.last_sequence = in.Fixed<uint64_t>();
    slot.last_commit_ms = in.Fixed<int64_t>();
    slots.push_back(slot);
  }
  return slots;
}

std::string EncodeBody(const Head& head) {
  std::string out;
  PutFixed<uint16_t>(out, 0);  // features that a reader must know: none in version 1
  PutNonce(out, head.collection);
  PutNonce(out, head.write);
  PutFixed<uint64_t>(out, head.version);
  PutFixed<int64_t>(out, head.commit_ms);
  PutSchema(out, head.schema);
  PutSlots(out, head.slots);
  PutFixed<uint64_t>(out, head.routing.generation);
  PutBytes(out, head.routing.sha256_hex);
  PutFixed<uint32_t>(out, head.routing.bytes);
  PutFixed<uint32_t>(out, head.routing.crc32c);
  PutFixed<uint32_t>(out, static_cast<uint32_t>(head.segments.size()));
  for (const SegmentInfo& segment : head.segments) PutSegmentInfo(out, segment);
  PutFixed<uint32_t>(out, static_cast<uint32_t>(head.inline_rows.size()));
  for (const Row& row : head.inline_rows) PutRow(out, row);
  return out;
}

}  // namespace

Nonce MakeNonce(Random& random) { return {random.Next(), random.Next()}; }

std::string NonceHex(const Nonce& nonce) { return ToHex({reinterpret_cast<const char*>(nonce.data()), sizeof(nonce)}); }

std::string EncodeHead(const Head& head) {
  std::string body = EncodeBody(head);
  std::string checked;
  PutFixed<uint32_t>(checked, kHeadFormatVersion);
  PutFixed<uint64_t>(checked, body.size());
  checked += body;
  std::string out(kMagic);
  PutFixed<uint32_t>(out, Crc32c(checked));
  return out + checked;
}

Result<Head> DecodeHead(std::string_view bytes) {
  Decoder prefix(bytes);
  if (prefix.Raw(kMagic.size()) != kMagic) {
    return Status::Corruption("head: wrong magic number; this is no Isotherm collection, or it was overwritten");
  }
  auto crc = prefix.Fixed<uint32_t>();
  auto format = prefix.Fixed<uint32_t>();
  auto length = prefix.Fixed<uint64_t>();
  if (!prefix.ok()) return Status::Corruption("head: truncated at " + std::to_string(bytes.size()) + " bytes");
  if (Crc32c(bytes.substr(kCheckedFrom)) != crc) {
    return Status::Corruption("head: its " + std::to_string(bytes.size()) + " bytes do not match its crc32c; it is " +
                              "damaged or cut off");
  }
  if (format != kHeadFormatVersion) {
    return Status::Unsupported("head: format version " + std::to_string(format) + "; this build reads version 1");
  }
  std::string_view body = bytes.substr(kPrefixBytes);
  if (body.size() != length) {
    return Status::Corruption("head: " + std::to_string(bytes.size()) + " bytes; it says that its body has " +
                              std::to_string(length));
  }
  Decoder in(body);
  auto features = in.Fixed<uint16_t>();
  if (features > 0) {
    return Status::Unsupported("head: needs the feature '" + std::string(in.Bytes()) +
                               "', which this build does not know");
  }
  Head head;
  head.collection = GetNonce(in);
  head.write = GetNonce(in);
  head.version = in.Fixed<uint64_t>();
  head.commit_ms = in.Fixed<int64_t>();
  head.schema = GetSchema(in);
  head.slots = GetSlots(in);
  head.routing.generation = in.Fixed<uint64_t>();
  head.routing.sha256_hex = in.Bytes();
  head.routing.bytes = in.Fixed<uint32_t>();
  head.routing.crc32c = in.Fixed<uint32_t>();
  if (head.routing.generation != 0 && head.routing.sha256_hex.size() != kSha256HexBytes) in.Fail();
  auto segments = in.Fixed<uint32_t>();
  for (uint32_t i = 0; i < segments && in.ok(); ++i) {
    head.segments.push_back(GetSegmentInfo(in, head.schema.dimension));
    if (head.segments.back().kind == SegmentKind::kCells && head.routing.generation == 0) in.Fail();
  }
  auto rows = in.Fixed<uint32_t>();
  for (uint32_t i = 0; i < rows && in.ok(); ++i) {
    head.inline_rows.push_back(GetRow(in, head.schema.key_type, head.schema.dimension));
  }
  if (!in.done()) return Status::Corruption("head: malformed");
  return head;
}

}  // namespace isotherm
