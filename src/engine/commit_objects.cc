// The objects that a new head names: the rows' segments, the deletions, and the version that it moves on from.
#include <algorithm>
#include <utility>

#include "base/crc32c.h"
#include "base/macros.h"
#include "base/planted.h"
#include "engine/collection_impl.h"
#include "engine/object_names.h"
#include "engine/object_writer.h"
#include "segment/row_codec.h"
#include "segment/segment_writer.h"

namespace isotherm {

namespace {

// More than this of deletions makes every open slower by more than an object of their own does.
constexpr size_t kMaxInlineDeletionBytes = 16 << 10;
// The rows of a large commit become a few segments, which are put side by side: a connection takes 10 ms for a
// megabyte, and who waits for the commit waits for the slowest.
constexpr uint64_t kLeastPieceBytes = 2 << 20;
constexpr uint64_t kMostPieceBytes = 16 << 20;
constexpr size_t kPiecesAtOnce = 4;  // held in RAM

// About what a segment takes for it: also checksums, and its places in a block and in a key page.
uint64_t StoredBytes(const Row& row) {
  constexpr uint64_t kPlaces = 96;
  return EncodedRowBytes(row) + row.vector.size() + kPlaces;
}

uint64_t StoredBytes(std::span<const std::shared_ptr<const Row>> rows) {
  uint64_t bytes = 0;
  for (const auto& row : rows) bytes += StoredBytes(*row);
  return bytes;
}

// A string that has no room left would take twice as much.
void AppendTo(std::string& out, std::string_view bytes) {
  if (out.size() + bytes.size() > out.capacity()) out.reserve(out.size() + out.size() / 8 + bytes.size());
  out += bytes;
}

// Ends of runs of rows, one a segment.
std::vector<size_t> CutIntoPieces(std::span<const std::shared_ptr<const Row>> rows) {
  const uint64_t bytes = StoredBytes(rows);
  const uint64_t piece_bytes = std::clamp(bytes / kPiecesAtOnce + 1, kLeastPieceBytes, kMostPieceBytes);
  std::vector<size_t> ends;
  uint64_t of_piece = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    of_piece += StoredBytes(*rows[i]);
    if (of_piece < piece_bytes && i + 1 < rows.size()) continue;
    ends.push_back(i + 1);
    of_piece = 0;
  }
  return ends;
}

}  // namespace

Status CollectionImpl::PutObjects(std::span<const NewObject> objects, uint32_t copies, const Context& context) {
  std::vector<PutRequest> requests;
  for (const NewObject& object : objects) requests.push_back({object.name, object.bytes, copies});
  if (requests.empty()) return Status::Ok();
  for (const PutResult& result : path_->store->PutAll(context, requests)) {
    RETURN_IF_ERROR(WithoutOutcome(result.status));
  }
  return Status::Ok();
}

// Sets the head's deletions; the object that it then names, if it does.
Result<std::optional<CollectionImpl::NewObject>> CollectionImpl::PlaceDeletions(const Snapshot& base,
                                                                                const DeletionMap& deletions,
                                                                                Head& next) {
  for (SegmentInfo& segment : next.segments) {
    auto of = deletions.find(segment.name);
    segment.hard_deleted = of == deletions.end() ? 0 : of->second.hard.size();
    segment.soft_deleted = of == deletions.end() ? 0 : of->second.soft.size();
  }
  bool any = false;
  for (const SegmentInfo& segment : next.segments) any = any || segment.hard_deleted + segment.soft_deleted > 0;
  if (!any) {
    next.deletions = {};
    next.deletion_deltas.clear();
    return std::optional<NewObject>();
  }
  // The base's object goes on being used as long as there is only something to add.
  const std::shared_ptr<const Liveness> known = base.KnownDeletions();
  const DeletionMap none;
  const bool adds = Extends(deletions, known->stored, next.segments);
  if (!adds) next.deletions = {};
  next.deletion_deltas = DeltasBetween(adds ? known->stored : none, deletions, next.segments);
  std::string inline_form;
  PutDeletionDeltas(inline_form, next.deletion_deltas);
  if (inline_form.size() <= kMaxInlineDeletionBytes) return std::optional<NewObject>();
  std::string bytes = EncodeDeletions(deletions, next.segments);
  if (bytes.size() > UINT32_MAX) {
    return Status::ResourceExhausted("the deletions take " + std::to_string(bytes.size()) +
                                     " bytes; at most 4 GiB are possible: compact the collection");
  }
  std::string name = NewObjectName("deletions", base.head.gc_epoch, *path_->env->random);
  new_objects_.push_back(name);
  next.deletions = {name, static_cast<uint32_t>(bytes.size()), Crc32c(bytes)};
  next.deletion_deltas.clear();
  next.operation.bytes_written += bytes.size();
  return std::optional<NewObject>({std::move(name), std::move(bytes)});
}

// Nobody replaces a head before it is archived, so all versions below the head's are there. The bytes are the same
// whoever writes them.
std::optional<CollectionImpl::NewObject> CollectionImpl::ArchiveOf(const Snapshot& base) const {
  const Head& head = base.head;
  if (head.version <= archived_version_) return std::nullopt;
  return NewObject{VersionObjectName(path_->branch_prefix, head.version, head.commit_ms), EncodeHead(base.WholeHead())};
}

Status CollectionImpl::Archive(const Snapshot& base, const Context& context) {
  const std::optional<NewObject> object = ArchiveOf(base);
  if (!object) return Status::Ok();
  const std::string what = "keeping version " + std::to_string(base.head.version);
  RETURN_IF_ERROR(PutObjects({&*object, 1}, 1, context).WithContext(what));
  archived_version_ = base.head.version;
  return Status::Ok();
}

// The rows' segments: those that were written for an earlier base, where they fit. The last ones are not put yet, but
// added to `last`.
Result<std::vector<SegmentInfo>> CollectionImpl::WriteRows(const Snapshot& base, const CommitPlan& plan,
                                                           std::vector<NewObject>& last, size_t at_once,
                                                           const Context& context) {
  if (prepared_ && !plan.with_inline_rows && (prepared_->gc_epoch == base.head.gc_epoch || Planted(Bug::kOldEpoch)) &&
      prepared_->rows == plan.segment_rows.size()) {
    new_blocks_ = prepared_->blocks;
    return prepared_->segments;
  }
  new_blocks_ = std::make_shared<CodeBlocks>(path_->ram->clears(), options_.memory.get(), MemoryUse::kMemtable);
  std::vector<const Row*> rows;
  for (const auto& row : plan.segment_rows) rows.push_back(row.get());
  const std::vector<size_t> ends = CutIntoPieces(plan.segment_rows);
  std::vector<SegmentInfo> segments(ends.size());
  for (size_t first = 0; first < ends.size(); first += at_once) {
    RETURN_IF_ERROR(PutObjects(last, options_.put_copies, context));
    last.clear();
    last.resize(std::min(at_once, ends.size() - first));
    std::vector<Status> encoded(last.size());
    for (NewObject& object : last) object.name = NewObjectName("segment", base.head.gc_epoch, *path_->env->random);
    path_->env->executor->ParallelFor(last.size(), [&](size_t i) {
      const size_t begin = first + i == 0 ? 0 : ends[first + i - 1];
      last[i].bytes.reserve(StoredBytes(std::span(plan.segment_rows).subspan(begin, ends[first + i] - begin)));
      auto written =
          WriteFlatSegment(base.head.schema, last[i].name, std::span(rows).subspan(begin, ends[first + i] - begin),
                           [&](std::string_view bytes) {
                             AppendTo(last[i].bytes, bytes);
                             return Status::Ok();
                           });
      encoded[i] = written.status();
      if (written.ok()) segments[first + i] = std::move(written).value();
    });
    for (const Status& status : encoded) RETURN_IF_ERROR(status);
    for (size_t i = 0; i < last.size(); ++i) {
      new_blocks_->Add(segments[first + i], last[i].bytes);
      if (plan.with_inline_rows) new_objects_.push_back(last[i].name);
    }
  }
  return segments;
}

// All objects that the next head names.
Status CollectionImpl::WriteObjects(const Snapshot& base, CommitPlan& plan, const Context& context) {
  Head& next = plan.next;
  std::vector<NewObject> objects;
  new_recent_ = nullptr;
  new_blocks_ = nullptr;
  MemoryReservation memory;
  std::optional<PreparedSegments> written;
  if (!plan.segment_rows.empty()) {
    // Without room for more, one after the other: what makes room is not held up by there being none.
    auto reserved = ReserveMemory(options_.memory.get(), MemoryUse::kBuild,
                                  std::min(StoredBytes(plan.segment_rows), kPiecesAtOnce * kMostPieceBytes));
    const size_t at_once = reserved.ok() ? kPiecesAtOnce : 1;
    if (reserved.ok()) memory = std::move(reserved).value();
    ASSIGN_OR_RETURN(std::vector<SegmentInfo> segments, WriteRows(base, plan, objects, at_once, context));
    if (!objects.empty() && !plan.with_inline_rows) {
      written = PreparedSegments{segments, plan.segment_rows.size(), base.head.gc_epoch, new_blocks_};
      for (SegmentInfo& segment : written->segments) {
        if (Planted(Bug::kUploadOrder)) segment.version = base.head.version + 1;
      }
    }
    if (committing_ != nullptr && !plan.with_inline_rows) {
      new_recent_ = MakeRecentRows(segments, committing_->rows(), new_blocks_, plan.segment_rows, plan.segment_soft);
    }
    size_t first = 0;
    for (SegmentInfo& segment : segments) {
      if (segment.version == 0 || !Planted(Bug::kUploadOrder)) segment.version = base.head.version + 1;
      next.operation.bytes_written += segment.bytes;
      plan.segment_soft.ForEach([&](uint32_t row) {
        if (row >= first && row - first < segment.rows) {
          plan.deletions[segment.name].soft.Add(row - static_cast<uint32_t>(first));
        }
      });
      first += segment.rows;
      next.segments.push_back(std::move(segment));
    }
  }
  ASSIGN_OR_RETURN(std::optional<NewObject> deletions, PlaceDeletions(base, plan.deletions, next));
  if (deletions) objects.push_back(std::move(*deletions));
  std::optional<NewObject> archive = ArchiveOf(base);
  if (archive) objects.push_back(std::move(*archive));
  Status put = PutObjects(objects, options_.put_copies, context);
  // Segments are used for another base only when they are there.
  if (written) {
    prepared_ = std::move(written);
    if (!put.ok()) ForgetPrepared(context);
  }
  RETURN_IF_ERROR(put);
  archived_version_ = std::max(archived_version_, base.head.version);
  return Status::Ok();
}

void CollectionImpl::ForgetPrepared(const Context& context) {
  if (!prepared_) return;
  std::vector<std::string> names;
  for (const SegmentInfo& segment : prepared_->segments) names.push_back(segment.name);
  prepared_.reset();
  RemoveObjects(names, context);
}

}  // namespace isotherm
