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
#include "engine/deletions.h"
#include "isotherm/row.h"
#include "isotherm/status.h"
#include "segment/segment_info.h"
#include "segment/segment_writer.h"

namespace isotherm {

inline constexpr char kHeadObject[] = "head";
inline constexpr uint32_t kHeadFormatVersion = 2;  // 2 brought deletions, row versions, history and branches

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

// A row in the head.
struct InlineRow {
  Row row;
  bool soft_deleted = false;
};

// What a version was made by; `isotherm log` shows it.
enum class Operation : uint8_t {
  kCreate = 0,
  kCommit = 1,
  kCompact = 2,
  kVacuum = 3,
  kRollback = 4,
  kBranch = 5,
  kRecover = 6,
  kBuild = 7,
  kErase = 8
};

struct OperationRecord {
  Operation operation = Operation::kCreate;
  std::string cause;  // "commit", "memtable full", "4 segments of similar size", …
  uint64_t rows_written = 0;
  uint64_t rows_deleted = 0;  // also replaced ones, and softly deleted ones
  uint64_t rows_restored = 0;
  uint64_t bytes_written = 0;  // of objects beside the head
};

// A compaction that is under way: its objects are not garbage, although no version names them yet.
struct Build {
  Nonce id{};
  int64_t started_ms = 0;
  uint64_t gc_epoch = 0;  // in which it began: what it writes has names of that epoch
};

// Of the erasures of a branch; docs/decisions/0012-erasure.md.
struct ErasureMark {
  uint64_t version = 0;         // in which the last one deleted its rows; 0: there was none
  uint64_t oldest_version = 0;  // leases of older versions are not renewed
  // Of the last one that removed objects: who has cached something since before empties its caches.
  Nonce id{};
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
  std::vector<InlineRow> inline_rows;
  DeletionRef deletions;
  std::vector<DeletionDelta> deletion_deltas;
  OperationRecord operation;
  // Rises with each collection of garbage. The name of an object that is not in the head yet tells the epoch in which
  // it was begun: one of an older epoch may be removed at any time, and can't be put into a head any more.
  uint64_t gc_epoch = 0;
  uint64_t oldest_version = 1;  // what is older was removed, or may be
  std::vector<Build> builds;
  // Of a branch: the branch (empty: the main one) and the version that it began with.
  std::string fork_of;
  uint64_t fork_version = 0;  // 0: no branch
  ErasureMark erasure;
};

std::string EncodeHead(const Head& head);
// Corruption for wrong checksums and malformed bytes; Unsupported for a later format version or an unknown feature.
Result<Head> DecodeHead(std::string_view bytes);

}  // namespace isotherm
