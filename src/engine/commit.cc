// Committing: freezing what is pending, writing its objects, swapping the head, and what the outcome means.
#include <algorithm>
#include <utility>

#include "base/context_check.h"
#include "base/crc32c.h"
#include "base/macros.h"
#include "engine/collection_impl.h"
#include "engine/object_names.h"
#include "engine/object_writer.h"
#include "segment/row_codec.h"
#include "segment/segment_writer.h"

namespace isotherm {

namespace {

// More than this of deletions makes every open slower by more than an object of their own does.
constexpr size_t kMaxInlineDeletionBytes = 16 << 10;

bool OfOneCallerOnly(StatusCode code) {
  return code == StatusCode::kCancelled || code == StatusCode::kDeadlineExceeded || code == StatusCode::kClosed;
}

}  // namespace

Status CollectionImpl::Commit(const Context& context) {
  RETURN_IF_ERROR(CommitBecause("commit", context));
  CompactWhenDue();
  return Status::Ok();
}

// Threads that wait here while one commits are all served by the next one's swap.
Status CollectionImpl::CommitBecause(std::string_view cause, const Context& context) {
  RETURN_IF_ERROR(CheckWritable());
  const uint64_t ticket = ++commit_tickets_;
  std::lock_guard write(write_mutex_);
  if (group_ticket_ >= ticket) return group_status_;
  // Every change of a thread that has its ticket by now is in the buffer that is about to be frozen.
  const uint64_t covered = commit_tickets_.load();
  const int64_t begin_ns = observer_.Now();
  Status status = observer_.Ended(CommitLocked(false, cause, context));
  if (status.ok()) observer_.Took(MetricId::kCommitSeconds, begin_ns);
  if (!OfOneCallerOnly(status.code())) {
    group_ticket_ = covered;
    group_status_ = status;
  }
  return status;
}

Status CollectionImpl::CommitLocked(bool force_segment, std::string_view cause, const Context& context) {
  RETURN_IF_ERROR(CheckOpen());
  if (uncertain_) {
    bool landed = false;
    bool of_changes = uncertain_changes_;
    RETURN_IF_ERROR(AfterSwap(log_.Settle(context), of_changes, context, &landed));
    if (!landed && of_changes && options_.conflict_policy == ConflictPolicy::kFail) return OtherWasFaster();
  }
  bool spill = force_segment && (snapshot()->rows.size() > 0 || !snapshot()->soft_rows.empty());
  if (!Freeze() && !spill) return Status::Ok();
  return CommitChanges(force_segment, cause, context);
}

// What is pending becomes committing_, together with what an earlier commit failed to commit. False: nothing is
// pending.
bool CollectionImpl::Freeze() {
  std::unique_lock state(state_mutex_);
  if (active_->size() > 0) {
    if (committing_ != nullptr) {
      auto both = std::make_shared<WriteBuffer>();
      both->Merge(*committing_);
      both->Merge(*active_);
      committing_ = std::move(both);
    } else {
      committing_ = std::move(active_);
    }
    active_ = std::make_shared<WriteBuffer>();
    prepared_.reset();
    places_.Clear();
  }
  return committing_ != nullptr;
}

Status CollectionImpl::CommitChanges(bool force_segment, std::string_view cause, const Context& context) {
  std::vector<KeyedChange> changes;
  if (committing_ != nullptr) changes = committing_->Changes();
  while (true) {
    RETURN_IF_ERROR(CheckContext(context, *path_->env->clock, "commit"));
    std::shared_ptr<const Snapshot> base = snapshot();
    ASSIGN_OR_RETURN(std::vector<StoredRow> stored, places_.Rows(*path_, keys_, *base, changes, context));
    RETURN_IF_ERROR(ReapplyPatches(*base, changes, stored, context));
    ASSIGN_OR_RETURN(std::shared_ptr<const Liveness> liveness, base->Deletions(*path_, context));
    auto plan = PlanCommit(*base, *liveness, changes, stored, {options_.inline_bytes, force_segment});
    if (plan.ok()) {
      ASSIGN_OR_RETURN(SwapResult swap, TrySwap(*base, std::move(plan).value(), cause, context));
      bool landed = false;
      RETURN_IF_ERROR(AfterSwap(std::move(swap), committing_ != nullptr, context, &landed));
      if (landed) return Status::Ok();
    } else {
      // What is in the way here may be gone in a newer version, and only the newest one's word counts.
      Status refreshed = Refresh(context);
      if (!refreshed.ok() || snapshot() == base) return plan.status();
    }
    if (options_.conflict_policy == ConflictPolicy::kFail) return OtherWasFaster();
  }
}

// A patch is of the row that is there when it is committed, whatever that was when it was made.
Status CollectionImpl::ReapplyPatches(const Snapshot& base, std::vector<KeyedChange>& changes,
                                      std::vector<StoredRow>& stored, const Context& context) {
  std::vector<size_t> stale = StalePatches(changes, stored);
  if (stale.empty()) return Status::Ok();
  for (size_t i : stale) {
    auto& [key, change] = changes[i];
    Row row;
    if (stored[i].row != nullptr) {
      row = *stored[i].row;
    } else {
      RowAddress address{&base.head.segments[stored[i].place.segment], stored[i].place.location};
      RETURN_IF_ERROR(ReadRows(*path_, base.head.schema, {&address, 1}, {}, context, {&row, 1}));
      row.expires_at_ms = stored[i].expires_at_ms;
    }
    row.key = key;
    change.row = std::make_shared<const Row>(Patched(std::move(row), *change.patch));
    change.expectation.version = stored[i].version;
    committing_->Reset(key, change);
  }
  prepared_.reset();
  return Status::Ok();
}

Status CollectionImpl::OtherWasFaster() const {
  return Status::Conflict("another writer committed version " + std::to_string(snapshot()->head.version) + " first");
}

Status CollectionImpl::PlaceDeletions(const Snapshot& base, const DeletionMap& deletions, Head& next,
                                      const Context& context) {
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
    return Status::Ok();
  }
  // The base's object goes on being used as long as there is only something to add.
  const std::shared_ptr<const Liveness> known = base.KnownDeletions();
  const DeletionMap none;
  const bool adds = Extends(deletions, known->stored, next.segments);
  if (!adds) next.deletions = {};
  next.deletion_deltas = DeltasBetween(adds ? known->stored : none, deletions, next.segments);
  std::string inline_form;
  PutDeletionDeltas(inline_form, next.deletion_deltas);
  if (inline_form.size() <= kMaxInlineDeletionBytes) return Status::Ok();
  std::string bytes = EncodeDeletions(deletions, next.segments);
  if (bytes.size() > UINT32_MAX) {
    return Status::ResourceExhausted("the deletions take " + std::to_string(bytes.size()) +
                                     " bytes; at most 4 GiB are possible: compact the collection");
  }
  std::string name = NewObjectName("deletions", base.head.gc_epoch, *path_->env->random);
  new_objects_.push_back(name);
  RETURN_IF_ERROR(WithoutOutcome(path_->store->Put(context, name, bytes).status()));
  next.deletions = {name, static_cast<uint32_t>(bytes.size()), Crc32c(bytes)};
  next.deletion_deltas.clear();
  next.operation.bytes_written += bytes.size();
  return Status::Ok();
}

// The rows' segment: the one that was written for an earlier base, where it fits.
Result<SegmentInfo> CollectionImpl::WriteRows(const Snapshot& base, const CommitPlan& plan, const Context& context) {
  if (prepared_ && !plan.with_inline_rows && prepared_->gc_epoch == base.head.gc_epoch &&
      prepared_->info.rows == plan.segment_rows.size()) {
    return prepared_->info;
  }
  std::string name = NewObjectName("segment", base.head.gc_epoch, *path_->env->random);
  std::vector<const Row*> rows;
  for (const auto& row : plan.segment_rows) rows.push_back(row.get());
  ASSIGN_OR_RETURN(SegmentInfo info, WriteObject<SegmentInfo>(*path_->store, context, name, [&](const ByteSink& sink) {
                     return WriteFlatSegment(base.head.schema, name, rows, sink);
                   }));
  if (plan.with_inline_rows) {
    new_objects_.push_back(name);
  } else {
    prepared_ = PreparedSegment{info, base.head.gc_epoch};
  }
  return info;
}

// All objects that the next head names.
Status CollectionImpl::WriteObjects(const Snapshot& base, CommitPlan& plan, const Context& context) {
  Head& next = plan.next;
  if (!plan.segment_rows.empty()) {
    ASSIGN_OR_RETURN(SegmentInfo info, WriteRows(base, plan, context));
    info.version = base.head.version + 1;
    next.operation.bytes_written += info.bytes;
    if (!plan.segment_soft.empty()) plan.deletions[info.name].soft = plan.segment_soft;
    next.segments.push_back(std::move(info));
  }
  return PlaceDeletions(base, plan.deletions, next, context);
}

// Two waves: all objects, and the version that the head moves on from, at the same time; then the swap.
Result<SwapResult> CollectionImpl::TrySwap(const Snapshot& base, CommitPlan plan, std::string_view cause,
                                           const Context& context) {
  plan.next.operation = {Operation::kCommit, std::string(cause), plan.rows_written, plan.rows_deleted, 0, 0};
  Status written;
  Status archived;
  const std::function<void()> wave[] = {[&] { written = WriteObjects(base, plan, context); },
                                        [&] { archived = Archive(base, context); }};
  if (plan.segment_rows.empty()) {
    for (const auto& step : wave) step();
  } else {
    path_->env->executor->ParallelFor(2, [&](size_t i) { wave[i](); });
  }
  RETURN_IF_ERROR(written);
  RETURN_IF_ERROR(archived);
  return log_.Swap({base.head, base.etag, base.head_bytes}, std::move(plan.next), context);
}

// Nobody replaces a head before it is archived, so all versions below the head's are there. The bytes are the same
// whoever writes them.
Status CollectionImpl::Archive(const Snapshot& base, const Context& context) {
  const Head& head = base.head;
  if (head.version <= archived_version_) return Status::Ok();
  auto put = path_->store->Put(context, VersionObjectName(path_->branch_prefix, head.version, head.commit_ms),
                               EncodeHead(base.WholeHead()));
  RETURN_IF_ERROR(WithoutOutcome(put.status()).WithContext("keeping version " + std::to_string(head.version)));
  archived_version_ = head.version;
  return Status::Ok();
}

// The head was written, and will be once more when it is archived.
void CollectionImpl::CountWritten(const OperationRecord& operation, uint64_t head_bytes) {
  if (operation.operation == Operation::kCommit) {
    uint64_t row_bytes = 0;
    if (committing_ != nullptr) {
      for (const auto& [key, change] : committing_->Changes()) {
        if (change.row != nullptr) row_bytes += EncodedRowBytes(*change.row);
      }
    }
    compactions_.Count({.commit_bytes = operation.bytes_written + 2 * head_bytes, .row_bytes = row_bytes});
    observer_.CommitWrote(operation.bytes_written + 2 * head_bytes, row_bytes);
  } else if (operation.operation == Operation::kBuild || operation.operation == Operation::kCompact) {
    compactions_.Count({.bytes_written = 2 * head_bytes});
    observer_.CompactionWrote(2 * head_bytes);
  }
}

void CollectionImpl::RemoveObjects(const std::vector<std::string>& names, const Context& context) {
  for (const std::string& name : names) {
    // An orphan does no harm: failing to remove it is no failure of the caller's.
    Status removed = path_->store->Delete(context, name);
    (void)removed;
  }
}

// What a swap's outcome means for this handle. What was written for it may be removed only when it is known to be lost.
Status CollectionImpl::AfterSwap(SwapResult swap, bool of_changes, const Context& context, bool* landed) {
  uncertain_ = swap.outcome == SwapOutcome::kUncertain;
  uncertain_changes_ = uncertain_ && of_changes;
  if (uncertain_) {
    return Status::Unknown("the commit may or may not have happened (" + swap.status.ToString() +
                           "); call Commit again to settle it");
  }
  *landed = swap.outcome == SwapOutcome::kLanded;
  std::vector<std::string> objects = std::exchange(new_objects_, {});
  if (*landed) {
    committed_version_ = swap.head.head.version;
    observer_.Landed(swap.head.head);
    CountWritten(swap.head.head.operation, swap.head.bytes);
    prepared_.reset();
    return Adopt(std::move(swap.head), of_changes, context);
  }
  if (swap.outcome == SwapOutcome::kFenced) {
    prepared_.reset();
    observer_.Fenced(swap.head.head.version);
    RETURN_IF_ERROR(Adopt(std::move(swap.head), false, context));
    return Status::Fenced(
        "whether the commit happened can't be told any more: it was not settled within an hour, and another writer "
        "took over this one's place in the head. The changes are still pending: an insert says kAlreadyExists if it "
        "is there");
  }
  if (!swap.status.ok() && prepared_) objects.push_back(std::exchange(prepared_, {})->info.name);
  RemoveObjects(objects, context);
  RETURN_IF_ERROR(swap.status);
  {
    std::unique_lock state(state_mutex_);
    ++conflicts_;
  }
  observer_.Conflicted(swap.head.head.version);
  return Adopt(std::move(swap.head), false, context);
}

// Moves on to `head`, or further. `committed`: it has what was committing.
Status CollectionImpl::Adopt(LoadedHead head, bool committed, const Context& context) {
  const uint64_t version = head.head.version;
  std::shared_ptr<const Snapshot> current = snapshot();
  std::shared_ptr<const Snapshot> next;
  // Refresh may have come further already.
  if (version > current->head.version) {
    const std::string& routing = head.head.routing.sha256_hex;
    if (routing == current->head.routing.sha256_hex) {
      next = MakeSnapshot(std::move(head.head), std::move(head.etag), head.bytes, current->routing, current.get());
    } else if (routing == new_routing_sha256_) {
      next = MakeSnapshot(std::move(head.head), std::move(head.etag), head.bytes, new_routing_, current.get());
    } else {
      ASSIGN_OR_RETURN(next, LoadSnapshot(*path_, current.get(), context));
    }
  }
  Publish(std::move(next), committed ? version : 0);
  return Status::Ok();
}

// What is searched never goes back to an older version. `committed_version`: has what was committing; 0: none has.
void CollectionImpl::Publish(std::shared_ptr<const Snapshot> next, uint64_t committed_version) {
  std::unique_lock state(state_mutex_);
  if (next != nullptr && next->head.version > snapshot_->head.version) snapshot_ = std::move(next);
  if (committed_version == 0) return;
  committing_ = nullptr;
  active_->CommittedBelow(committed_version);
  places_.Clear();
}

}  // namespace isotherm
