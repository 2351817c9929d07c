#include "engine/head.h"

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/macros.h"
#include "base/sha256.h"
#include "isotherm/blob_store.h"
#include "segment/row_codec.h"

namespace isotherm {

namespace {

constexpr std::string_view kMagic = "ISOHEAD1";
// Magic, crc32c of all that follows it, format version, length of the body. The same in every format version, so that a
// later one is told from a damaged one.
constexpr size_t kPrefixBytes = 24;
constexpr size_t kCheckedFrom = 12;
constexpr size_t kSha256HexBytes = 64;
constexpr std::string_view kErasureFeature = "erasure";

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

void PutSegments(std::string& out, const std::vector<SegmentInfo>& segments) {
  PutFixed<uint32_t>(out, static_cast<uint32_t>(segments.size()));
  for (const SegmentInfo& segment : segments) {
    PutSegmentInfo(out, segment);
    PutFixed<uint64_t>(out, segment.version);
    PutFixed<uint64_t>(out, segment.hard_deleted);
    PutFixed<uint64_t>(out, segment.soft_deleted);
    PutFixed<uint64_t>(out, segment.expiry.rows);
    PutFixed<int64_t>(out, segment.expiry.first_ms);
    PutFixed<int64_t>(out, segment.expiry.last_ms);
  }
}

// In format version 1 nothing is deleted, and its rows count as written by version 1.
std::vector<SegmentInfo> GetSegments(Decoder& in, uint32_t format, const Head& head) {
  std::vector<SegmentInfo> segments;
  auto count = in.Fixed<uint32_t>();
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    SegmentInfo segment = GetSegmentInfo(in, head.schema.dimension);
    segment.version = format == 1 ? 1 : in.Fixed<uint64_t>();
    segment.hard_deleted = format == 1 ? 0 : in.Fixed<uint64_t>();
    segment.soft_deleted = format == 1 ? 0 : in.Fixed<uint64_t>();
    if (format > 1) segment.expiry = {in.Fixed<uint64_t>(), in.Fixed<int64_t>(), in.Fixed<int64_t>()};
    if (segment.kind == SegmentKind::kCells && head.routing.generation == 0) in.Fail();
    if (segment.hard_deleted > segment.rows || segment.soft_deleted > segment.rows - segment.hard_deleted) in.Fail();
    if (segment.expiry.rows > segment.rows || segment.expiry.first_ms > segment.expiry.last_ms) in.Fail();
    segments.push_back(std::move(segment));
  }
  return segments;
}

void PutInlineRows(std::string& out, const std::vector<InlineRow>& rows) {
  PutFixed<uint32_t>(out, static_cast<uint32_t>(rows.size()));
  for (const InlineRow& row : rows) {
    PutRow(out, row.row);
    PutFixed<uint64_t>(out, row.row.version);
    PutFixed<int64_t>(out, row.row.expires_at_ms);
    PutFixed<uint8_t>(out, row.soft_deleted ? 1 : 0);
  }
}

std::vector<InlineRow> GetInlineRows(Decoder& in, uint32_t format, const SegmentSchema& schema) {
  std::vector<InlineRow> rows;
  auto count = in.Fixed<uint32_t>();
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    InlineRow row;
    row.row = GetRow(in, schema.key_type, schema.dimension);
    row.row.version = 1;
    if (format > 1) {
      row.row.version = in.Fixed<uint64_t>();
      row.row.expires_at_ms = in.Fixed<int64_t>();
      auto soft = in.Fixed<uint8_t>();
      if (soft > 1) in.Fail();
      row.soft_deleted = soft == 1;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

void PutRouting(std::string& out, const RoutingRef& routing) {
  PutFixed<uint64_t>(out, routing.generation);
  PutBytes(out, routing.sha256_hex);
  PutFixed<uint32_t>(out, routing.bytes);
  PutFixed<uint32_t>(out, routing.crc32c);
}

RoutingRef GetRouting(Decoder& in) {
  RoutingRef routing;
  routing.generation = in.Fixed<uint64_t>();
  routing.sha256_hex = in.Bytes();
  routing.bytes = in.Fixed<uint32_t>();
  routing.crc32c = in.Fixed<uint32_t>();
  if (routing.generation != 0 && routing.sha256_hex.size() != kSha256HexBytes) in.Fail();
  return routing;
}

void PutOperation(std::string& out, const OperationRecord& operation) {
  PutFixed(out, operation.operation);
  PutBytes(out, operation.cause);
  PutFixed<uint64_t>(out, operation.rows_written);
  PutFixed<uint64_t>(out, operation.rows_deleted);
  PutFixed<uint64_t>(out, operation.rows_restored);
  PutFixed<uint64_t>(out, operation.bytes_written);
}

// What an operation is called by does not change what a version holds: a reader may not know it.
OperationRecord GetOperation(Decoder& in) {
  OperationRecord operation;
  operation.operation = in.Fixed<Operation>();
  operation.cause = in.Bytes();
  operation.rows_written = in.Fixed<uint64_t>();
  operation.rows_deleted = in.Fixed<uint64_t>();
  operation.rows_restored = in.Fixed<uint64_t>();
  operation.bytes_written = in.Fixed<uint64_t>();
  return operation;
}

// What format version 2 brought, behind all else.
void PutHistory(std::string& out, const Head& head) {
  PutBytes(out, head.deletions.name);
  PutFixed<uint32_t>(out, head.deletions.bytes);
  PutFixed<uint32_t>(out, head.deletions.crc32c);
  PutDeletionDeltas(out, head.deletion_deltas);
  PutOperation(out, head.operation);
  PutFixed<uint64_t>(out, head.gc_epoch);
  PutFixed<uint64_t>(out, head.oldest_version);
  PutFixed<uint32_t>(out, static_cast<uint32_t>(head.builds.size()));
  for (const Build& build : head.builds) {
    PutNonce(out, build.id);
    PutFixed<int64_t>(out, build.started_ms);
    PutFixed<uint64_t>(out, build.gc_epoch);
  }
  PutBytes(out, head.fork_of);
  PutFixed<uint64_t>(out, head.fork_version);
}

void GetHistory(Decoder& in, Head& head) {
  head.deletions.name = in.Bytes();
  head.deletions.bytes = in.Fixed<uint32_t>();
  head.deletions.crc32c = in.Fixed<uint32_t>();
  if (!head.deletions.name.empty() && !ValidateObjectName(head.deletions.name).ok()) in.Fail();
  head.deletion_deltas = GetDeletionDeltas(in, head.segments);
  head.operation = GetOperation(in);
  head.gc_epoch = in.Fixed<uint64_t>();
  head.oldest_version = in.Fixed<uint64_t>();
  auto builds = in.Fixed<uint32_t>();
  for (uint32_t i = 0; i < builds && in.ok(); ++i) {
    Build build;
    build.id = GetNonce(in);
    build.started_ms = in.Fixed<int64_t>();
    build.gc_epoch = in.Fixed<uint64_t>();
    head.builds.push_back(build);
  }
  head.fork_of = in.Bytes();
  head.fork_version = in.Fixed<uint64_t>();
}

// A writer that did not know of it would drop it, and caches would keep what was erased: hence a feature.
void PutErasure(std::string& out, const ErasureMark& erasure) {
  if (erasure.version == 0) return;
  PutFixed<uint64_t>(out, erasure.version);
  PutFixed<uint64_t>(out, erasure.oldest_version);
  PutNonce(out, erasure.id);
}

ErasureMark GetErasure(Decoder& in) {
  ErasureMark erasure;
  erasure.version = in.Fixed<uint64_t>();
  erasure.oldest_version = in.Fixed<uint64_t>();
  erasure.id = GetNonce(in);
  if (erasure.version == 0) in.Fail();
  return erasure;
}

// Features that a reader must know.
void PutFeatures(std::string& out, const Head& head) {
  const bool erasure = head.erasure.version != 0;
  PutFixed<uint16_t>(out, erasure ? 1 : 0);
  if (erasure) PutBytes(out, kErasureFeature);
}

// Whether there was an erasure, the only feature there is.
Result<bool> GetFeatures(Decoder& in) {
  auto count = in.Fixed<uint16_t>();
  for (uint16_t i = 0; i < count && in.ok(); ++i) {
    const std::string feature(in.Bytes());
    if (in.ok() && feature != kErasureFeature) {
      return Status::Unsupported("head: needs the feature '" + feature + "', which this build does not know");
    }
  }
  return count > 0;
}

std::string EncodeBody(const Head& head) {
  std::string out;
  PutFeatures(out, head);
  PutNonce(out, head.collection);
  PutNonce(out, head.write);
  PutFixed<uint64_t>(out, head.version);
  PutFixed<int64_t>(out, head.commit_ms);
  PutSchema(out, head.schema);
  PutSlots(out, head.slots);
  PutRouting(out, head.routing);
  PutSegments(out, head.segments);
  PutInlineRows(out, head.inline_rows);
  PutHistory(out, head);
  PutErasure(out, head.erasure);
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
  if (format == 0 || format > kHeadFormatVersion) {
    return Status::Unsupported("head: format version " + std::to_string(format) + "; this build reads 1 and 2");
  }
  std::string_view body = bytes.substr(kPrefixBytes);
  if (body.size() != length) {
    return Status::Corruption("head: " + std::to_string(bytes.size()) + " bytes; it says that its body has " +
                              std::to_string(length));
  }
  Decoder in(body);
  ASSIGN_OR_RETURN(const bool erasure, GetFeatures(in));
  Head head;
  head.collection = GetNonce(in);
  head.write = GetNonce(in);
  head.version = in.Fixed<uint64_t>();
  head.commit_ms = in.Fixed<int64_t>();
  head.schema = GetSchema(in);
  head.slots = GetSlots(in);
  head.routing = GetRouting(in);
  head.segments = GetSegments(in, format, head);
  head.inline_rows = GetInlineRows(in, format, head.schema);
  if (format > 1) GetHistory(in, head);
  if (erasure) head.erasure = GetErasure(in);
  if (!in.done()) return Status::Corruption("head: malformed");
  return head;
}

}  // namespace isotherm
