// The head: the one mutable object that says what a collection is at this moment. A commit is one compare-and-swap of
// it. docs/format.md has its byte table.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.h"
#include "isotherm/row.h"
#include "isotherm/status.h"
#include "segment/segment_info.h"
#include "segment/segment_writer.h"

namespace isotherm {

inline constexpr char kHeadObject[] = "head";
inline constexpr uint32_t kHeadFormatVersion = 1;

using Nonce = std::array<uint64_t, 2>;
Nonce MakeNonce(Random& random);
std::string NonceHex(const Nonce& nonce);

// Where a writer's last commit is on record, so that a commit whose answer was lost can be told from one that failed.
struct WriterSlot {
  Nonce writer{};              // of one handle
  uint64_t epoch = 0;          // how often the slot was claimed
  uint64_t last_sequence = 0;  // of that writer's commits; the first is 1
  int64_t last_commit_ms = 0;  // the head's commit_ms of that commit
};

struct RoutingRef {
  uint64_t generation = 0;  // 0: there is none
  std::string sha256_hex;
  uint32_t bytes = 0;
  uint32_t crc32c = 0;
};

struct Head {
  Nonce collection{};  // the collection's identity
  Nonce write{};       // of this very write: no two heads have the same bytes
  uint64_t version = 0;
  int64_t commit_ms = 0;  // wall clock, but never less than the parent's
  SegmentSchema schema;
  std::vector<WriterSlot> slots;
  RoutingRef routing;
  std::vector<SegmentInfo> segments;
  std::vector<Row> inline_rows;
};

std::string EncodeHead(const Head& head);
// Corruption for wrong checksums and malformed bytes; Unsupported for a later format version or an unknown feature.
Result<Head> DecodeHead(std::string_view bytes);

}  // namespace isotherm
