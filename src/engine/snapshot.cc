#include "engine/snapshot.h"

#include <algorithm>

#include "base/crc32c.h"
#include "base/macros.h"
#include "base/planted.h"
#include "base/sha256.h"
#include "index/partition.h"

namespace isotherm {

namespace {

std::string HintName(const ReadPath& path) { return "routing of " + path.branch_prefix + path.store->Describe(); }

std::string Sha256Hex(std::string_view bytes) {
  Sha256Digest digest = Sha256(bytes);
  return ToHex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

Extent RoutingExtent(const RoutingRef& ref) { return {RoutingName(ref.sha256_hex), 0, ref.bytes, ref.crc32c}; }

// The copy that came along with the head, when it is the right one; kept in the caches under its immutable name.
PinnedBlock UseCopy(const ReadPath& path, const RoutingRef& ref, const ReadResult& copy) {
  if (!copy.status.ok()) return {};
  bool right = copy.data.size() == ref.bytes && Sha256Hex(copy.data) == ref.sha256_hex;
  if (!right && !Planted(Bug::kTrustedRoutingCopy)) return {};
  PinnedBlock block = PinnedBlock::Copy(copy.data);
  path.extents->KeepOnDisk(RoutingExtent(ref), block);
  return block;
}

Result<std::shared_ptr<const Routing>> LoadRouting(const ReadPath& path, const Head& head, const ReadResult* copy,
                                                   const Context& context) {
  const RoutingRef& ref = head.routing;
  PinnedBlock block;
  if (copy != nullptr) block = UseCopy(path, ref, *copy);
  if (!block.valid()) {
    Extent extent = RoutingExtent(ref);
    std::vector<FetchedExtent> fetched = path.Fetch(context, {&extent, 1}, {}, nullptr);
    RETURN_IF_ERROR(fetched[0].status);
    block = fetched[0].block;
    if (Sha256Hex(block.bytes()) != ref.sha256_hex)
      return Status::Corruption(extent.object + ": does not match its SHA-256");
  }
  if (path.disk != nullptr) path.disk->PutHint(HintName(path), ref.sha256_hex);
  ASSIGN_OR_RETURN(Routing routing, DecodeRouting(block.bytes(), head.segments));
  if (routing.dimension != head.schema.dimension)
    return Status::Corruption("routing object: dimension differs from the head's");
  return std::make_shared<const Routing>(std::move(routing));
}

constexpr char kErasureHint[] = "erasure";

// `etag`: of the head that was read; what it names is read after it.
Result<std::shared_ptr<const Snapshot>> LoadOnce(const ReadPath& path, const Snapshot* previous, std::string& etag,
                                                 const Context& context) {
  bool routing_at_hand = previous != nullptr || (path.disk != nullptr && !path.disk->GetHint(HintName(path)).empty());
  std::vector<ReadRequest> requests{{path.branch_prefix + kHeadObject, {}, {}}};
  if (!routing_at_hand) requests.push_back({path.branch_prefix + kRoutingObject, {}, {}});
  std::vector<ReadResult> read = path.store->Read(context, requests);
  if (read[0].status.code() == StatusCode::kNotFound) {
    return Status::NotFound("no collection at " + path.store->Describe() + " (" + read[0].status.message() + ")");
  }
  RETURN_IF_ERROR(read[0].status.WithContext(path.store->Describe()));
  auto decoded = DecodeHead(read[0].data);
  RETURN_IF_ERROR(decoded.status().WithContext(path.store->Describe()));
  Head head = std::move(decoded).value();
  etag = read[0].etag;
  if (previous != nullptr && head.collection != previous->head.collection) {
    return Status::Corruption(path.store->Describe() + ": the head belongs to another collection than the one opened");
  }
  if (previous != nullptr && head.version < previous->head.version) {
    return Status::Corruption(path.store->Describe() + ": the head is of version " + std::to_string(head.version) +
                              ", which is older than version " + std::to_string(previous->head.version) +
                              ", which was there before: somebody put another one in its place; open the collection "
                              "again");
  }

  // What others left in the disk cache before an erasure.
  const Nonce& erasure = head.erasure.id;
  if (previous == nullptr && path.disk != nullptr && erasure != Nonce{} &&
      path.disk->GetHint(kErasureHint) != NonceHex(erasure)) {
    Status emptied = path.ForgetErased(erasure);
    (void)emptied;  // whoever opens it next tries again
  }

  std::shared_ptr<const Routing> routing;
  if (head.routing.generation != 0) {
    if (previous != nullptr && previous->head.routing.sha256_hex == head.routing.sha256_hex) {
      routing = previous->routing;
    } else {
      ASSIGN_OR_RETURN(routing, LoadRouting(path, head, read.size() > 1 ? &read[1] : nullptr, context));
    }
  }
  return MakeSnapshot(std::move(head), read[0].etag, read[0].data.size(), std::move(routing), previous);
}

bool IsReplaced(const ReadPath& path, const std::string& etag, const Context& context) {
  ReadRequest request{path.branch_prefix + kHeadObject, {}, {}};
  ReadResult head = std::move(path.store->Read(context, {&request, 1})[0]);
  return head.status.ok() && head.etag != etag;
}

}  // namespace

Status ReadPath::ForgetErased(const Nonce& erasure) const {
  if (erasure == Nonce{} || Planted(Bug::kErasureLeavesCaches)) return Status::Ok();
  RETURN_IF_ERROR(extents->Clear());
  if (disk != nullptr) disk->PutHint(kErasureHint, NonceHex(erasure));
  return Status::Ok();
}

uint64_t ReadPath::BytesAtOnce() const {
  constexpr uint64_t kMost = 16 << 20;
  constexpr uint64_t kLeast = 64 << 10;
  constexpr uint64_t kShare = 16;  // of the budget, since others use it too
  const uint64_t limit = memory == nullptr ? 0 : memory->Usage().limit_bytes;
  return limit == 0 ? kMost : std::clamp(limit / kShare, kLeast, kMost);
}

std::vector<FetchedExtent> ReadPath::Fetch(const Context& context, std::span<const Extent> wanted,
                                           const FetchOptions& options, FetchCounts* counts) const {
  FetchOptions patient = options;
  patient.waits_for_memory = true;
  std::vector<FetchedExtent> fetched = extents->Fetch(context, wanted, patient, counts);
  for (FetchedExtent& extent : fetched) {
    if (extent.status.code() == StatusCode::kNotFound) extent.status = Status::Corruption(extent.status.message());
  }
  return fetched;
}

uint64_t Snapshot::row_count() const {
  uint64_t count = rows.size();
  for (const SegmentInfo& segment : head.segments) count += segment.live_rows();
  return count;
}

Head Snapshot::WholeHead() const {
  Head whole = head;
  for (const Row& row : rows.rows()) whole.inline_rows.push_back({row, false});
  for (const Row& row : soft_rows.rows()) whole.inline_rows.push_back({row, true});
  return whole;
}

std::shared_ptr<const Liveness> Snapshot::KnownDeletions() const {
  std::lock_guard lock(mutex_);
  return liveness_;
}

std::optional<Extent> Snapshot::UnreadDeletions() const {
  if (KnownDeletions() != nullptr) return std::nullopt;
  return Extent{head.deletions.name, 0, head.deletions.bytes, head.deletions.crc32c};
}

void Snapshot::UseStoredDeletions(DeletionMap stored) const {
  auto liveness = std::make_shared<Liveness>();
  liveness->now = ApplyDeltas(stored, head.deletion_deltas, head.segments);
  liveness->stored = std::move(stored);
  liveness->flat.resize(head.segments.size());
  for (uint32_t s = 0; s < head.segments.size(); ++s) {
    auto found = liveness->now.find(head.segments[s].name);
    if (found == liveness->now.end()) continue;
    OrdinalSet& absent = head.segments[s].kind == SegmentKind::kCells ? liveness->cells : liveness->flat[s];
    absent |= found->second.hard;
    absent |= found->second.soft;
  }
  std::lock_guard lock(mutex_);
  if (liveness_ == nullptr) liveness_ = std::move(liveness);
}

Status Snapshot::SetDeletions(std::string_view bytes) const {
  auto stored = DecodeDeletions(bytes);
  RETURN_IF_ERROR(stored.status().WithContext(head.deletions.name));
  if (!FitSegments(*stored, head.segments)) {
    return Status::Corruption(head.deletions.name + ": names a row that its segment does not have");
  }
  UseStoredDeletions(std::move(stored).value());
  return Status::Ok();
}

Result<std::shared_ptr<const Liveness>> Snapshot::Deletions(const ReadPath& path, const Context& context) const {
  if (auto extent = UnreadDeletions()) {
    std::vector<FetchedExtent> fetched = path.Fetch(context, {&*extent, 1}, {}, nullptr);
    RETURN_IF_ERROR(fetched[0].status);
    RETURN_IF_ERROR(SetDeletions(fetched[0].block.bytes()));
  }
  return KnownDeletions();
}

std::shared_ptr<const Snapshot> MakeSnapshot(Head head, std::string etag, uint64_t head_bytes,
                                             std::shared_ptr<const Routing> routing, const Snapshot* previous) {
  auto snapshot = std::make_shared<Snapshot>();
  for (InlineRow& row : head.inline_rows) {
    (row.soft_deleted ? snapshot->soft_rows : snapshot->rows).Add(std::move(row.row));
  }
  head.inline_rows.clear();
  snapshot->head = std::move(head);
  snapshot->etag = std::move(etag);
  snapshot->head_bytes = head_bytes;
  snapshot->routing = std::move(routing);
  std::shared_ptr<const Liveness> known = previous != nullptr ? previous->KnownDeletions() : nullptr;
  if (snapshot->head.deletions.name.empty()) {
    snapshot->UseStoredDeletions({});
  } else if (known != nullptr && previous->head.deletions.name == snapshot->head.deletions.name) {
    snapshot->UseStoredDeletions(known->stored);
  }
  return snapshot;
}

// What a head names may be gone when it is read: others replaced it, and a vacuum came. Then there is a newer head.
Result<std::shared_ptr<const Snapshot>> LoadSnapshot(const ReadPath& path, const Snapshot* previous,
                                                     const Context& context) {
  constexpr int kAttempts = 20;
  for (int attempt = 1; true; ++attempt) {
    std::string etag;
    auto loaded = LoadOnce(path, previous, etag, context);
    const bool may_be_gone = loaded.status().code() == StatusCode::kCorruption && !etag.empty();
    if (!may_be_gone || attempt == kAttempts || !IsReplaced(path, etag, context)) return loaded;
  }
}

Result<std::shared_ptr<const Snapshot>> SnapshotOf(const ReadPath& path, Head head, const Snapshot& newest,
                                                   const Context& context) {
  std::shared_ptr<const Routing> routing;
  if (head.routing.generation != 0) {
    if (newest.head.routing.sha256_hex == head.routing.sha256_hex) {
      routing = newest.routing;
    } else {
      ASSIGN_OR_RETURN(routing, LoadRouting(path, head, nullptr, context));
    }
  }
  uint64_t bytes = EncodeHead(head).size();
  return MakeSnapshot(std::move(head), {}, bytes, std::move(routing), &newest);
}

Result<CellBlock> ParseBlock(std::string_view bytes, const BlockAddress& address, const BlockSchema& schema) {
  auto view = CellBlock::Parse(bytes, schema);
  Status status = view.status();
  if (view.ok() && (view->rows() != address.rows || view->primary_rows() != address.primary_rows)) {
    status = Status::Corruption("cell block: number of rows differs from the directory's");
  }
  if (view.ok() && view->centroid().empty() != (address.cell != kNoCell)) {
    status = Status::Corruption("cell block: a centroid is missing, or there is one too many");
  }
  if (status.ok()) return view;
  return status.WithContext(address.extent.object + ": at " + std::to_string(address.extent.offset));
}

BlockAddress CellAddress(const Snapshot& snapshot, uint32_t cell) {
  const std::vector<SegmentInfo>& segments = snapshot.head.segments;
  BlockAddress address;
  for (uint32_t s = 0; s < segments.size(); ++s) {
    if (segments[s].kind != SegmentKind::kCells || cell < segments[s].first_cell) continue;
    if (cell < segments[s].first_cell + segments[s].cell_count) address.segment = s;
  }
  const BlockInfo& block = snapshot.routing->blocks[cell];
  address.extent = {segments[address.segment].name, snapshot.routing->offsets[cell], block.length, block.crc32c};
  address.cell = cell;
  address.rows = block.rows;
  address.first_ordinal = snapshot.routing->first_ordinals[cell];
  address.primary_rows = block.primary_rows;
  return address;
}

std::vector<BlockAddress> SegmentBlocks(const Snapshot& snapshot, uint32_t segment) {
  const SegmentInfo& info = snapshot.head.segments[segment];
  std::vector<BlockAddress> blocks;
  if (info.kind == SegmentKind::kCells) {
    for (uint32_t cell = info.first_cell; cell < info.first_cell + info.cell_count; ++cell) {
      blocks.push_back(CellAddress(snapshot, cell));
    }
    return blocks;
  }
  uint64_t offset = info.codes.offset;
  uint32_t ordinal = info.first_ordinal;
  for (const BlockInfo& block : info.blocks) {
    blocks.push_back(
        {{info.name, offset, block.length, block.crc32c}, kNoCell, block.rows, segment, ordinal, block.primary_rows});
    offset += block.length;
    ordinal += block.primary_rows;
  }
  return blocks;
}

const SegmentInfo* SegmentOf(const Snapshot& snapshot, uint32_t segment, uint32_t ordinal) {
  const SegmentInfo& own = snapshot.head.segments[segment];
  auto holds = [ordinal](const SegmentInfo& s) {
    return ordinal >= s.first_ordinal && ordinal - s.first_ordinal < s.rows;
  };
  if (own.kind == SegmentKind::kFlat) return holds(own) ? &own : nullptr;
  for (const SegmentInfo& other : snapshot.head.segments) {
    if (other.kind == SegmentKind::kCells && holds(other)) return &other;
  }
  return nullptr;
}

}  // namespace isotherm
