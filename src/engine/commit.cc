// Committing: freezing what is pending, writing its objects, swapping the head, and what the outcome means.
#include <algorithm>
#include <utility>

#include "base/context_check.h"
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

bool OfOneCallerOnly(StatusCode code) {
  return code == StatusCode::kCancelled || code == StatusCode::kDeadlineExceeded || code == StatusCode::kClosed;
}

}  // namespace

Status CollectionImpl::Commit(const Context& context) {
  RETURN_IF_ERROR(CommitBecause("commit", context));
  CompactWhenDue();
  return Status::Ok();
}

// Threads that come while one commits are all served by the next one's swap.
Status CollectionImpl::CommitBecause(std::string_view cause, const Context& context) {
  RETURN_IF_ERROR(CheckWritable());
  std::unique_lock group(group_mutex_);
  const uint64_t ticket = ++commit_tickets_;
  if (committing_group_ && Planted(Bug::kAcknowledgedEarly)) return Status::Ok();
  group_changed_.Wait(group, [&] { return served_ticket_ >= ticket || !committing_group_; });
  if (served_ticket_ >= ticket) return committed_ticket_ >= ticket ? Status::Ok() : served_status_;
  committing_group_ = true;
  AwaitGroup(group);
  // Every change of a thread that has its ticket by now is in the buffer that is about to be frozen.
  const uint64_t covered = commit_tickets_;
  group.unlock();
  const int64_t begin_ns = observer_.Now();
  const int64_t begun_ns = path_->env->clock->NowNs();
  Status status;
  bool by_close = false;
  {
    std::lock_guard write(write_mutex_);
    by_close = IsCommitted(ticket);
    if (!by_close) status = observer_.Ended(CommitLocked(false, cause, context));
  }
  if (status.ok() && !by_close) observer_.Took(MetricId::kCommitSeconds, begin_ns);
  group.lock();
  committing_group_ = false;
  commit_took_ns_ = path_->env->clock->NowNs() - begun_ns;
  committers_ = commit_tickets_ - std::exchange(group_begin_, covered);
  // Close may have had its commit before the others of this group came: whoever is next learns that it is closed.
  if (!by_close && !OfOneCallerOnly(status.code())) {
    // Of changes whose commit can't be told any more those may be that came while it was under way.
    Serve(status.code() == StatusCode::kFenced ? commit_tickets_ : covered, status);
  }
  group_changed_.NotifyAll();
  return status;
}

// Under group_mutex_. What a commit that failed left pending is in the next one.
void CollectionImpl::Serve(uint64_t ticket, const Status& status) {
  served_ticket_ = std::max(served_ticket_, ticket);
  served_status_ = status;
  if (status.ok()) committed_ticket_ = std::max(committed_ticket_, ticket);
}

bool CollectionImpl::IsCommitted(uint64_t ticket) {
  std::lock_guard group(group_mutex_);
  return committed_ticket_ >= ticket;
}

// Threads that commit again and again come back when the one commit has served them, or wait already: whoever is the
// first waits a moment for the others, who would else wait for all of its commit and then for their own.
void CollectionImpl::AwaitGroup(std::unique_lock<Mutex>& group) {
  constexpr int64_t kShare = 8;  // of what a commit takes
  constexpr int64_t kStepNs = 200'000;
  constexpr int64_t kLongestNs = 100'000'000;  // also after a commit during which the process stood still
  Clock& clock = *path_->env->clock;
  const int64_t end_ns = clock.NowNs() + std::min(commit_took_ns_ / kShare, kLongestNs);
  for (int64_t now_ns = clock.NowNs(); now_ns < end_ns; now_ns = clock.NowNs()) {
    if (commit_tickets_ - group_begin_ >= committers_) return;
    group.unlock();
    clock.SleepUntilNs(std::min(end_ns, now_ns + kStepNs));
    group.lock();
  }
}

// What became of changes is told to somebody who asked for their commit before they are committed once more: nobody
// hears of a flush.
Status CollectionImpl::CommitLocked(bool force_segment, std::string_view cause, const Context& context) {
  RETURN_IF_ERROR(CheckOpen());
  const bool heard = cause != kFlush;
  if (!untold_.ok()) return heard ? std::exchange(untold_, Status::Ok()) : untold_;
  Status status = CommitPending(force_segment, cause, context);
  const bool lost = status.code() == StatusCode::kConflict && options_.conflict_policy == ConflictPolicy::kFail;
  if (!heard && (lost || status.code() == StatusCode::kFenced)) untold_ = status;
  return status;
}

Status CollectionImpl::CommitPending(bool force_segment, std::string_view cause, const Context& context) {
  if (uncertain_) {
    bool landed = false;
    bool of_changes = uncertain_changes_;
    Status settled = AfterSwap(log_.Settle(context), of_changes, context, &landed);
    // Nobody waits for the outcome of a compaction that was given up.
    if (settled.code() != StatusCode::kFenced || of_changes) RETURN_IF_ERROR(settled);
    if (!landed && of_changes && options_.conflict_policy == ConflictPolicy::kFail) return OtherWasFaster();
  }
  bool spill = force_segment && (snapshot()->rows.size() > 0 || snapshot()->soft_rows.size() > 0);
  if (!Freeze() && !spill) return Status::Ok();
  return CommitChanges(force_segment, cause, context);
}

// What is pending becomes committing_, together with what an earlier commit failed to commit. False: nothing is
// pending.
bool CollectionImpl::Freeze() {
  std::unique_lock state(state_mutex_);
  if (active_->size() > 0) {
    if (committing_ != nullptr) {
      auto both = NewBuffer();
      both->Merge(*committing_);
      both->Merge(*active_);
      committing_ = std::move(both);
    } else {
      committing_ = std::move(active_);
    }
    active_ = NewBuffer();
    prepared_.reset();
    places_.Clear();
  }
  return committing_ != nullptr;
}

Status CollectionImpl::CommitChanges(bool force_segment, std::string_view cause, const Context& context) {
  std::vector<KeyedChange> changes;
  if (committing_ != nullptr) changes = committing_->Changes();
  bool moved_on = false;
  for (bool again = false;; again = true) {
    RETURN_IF_ERROR(CheckContext(context, *path_->env->clock, "commit"));
    RETURN_IF_ERROR(AwaitTurn(again, context));
    std::shared_ptr<const Snapshot> base = snapshot();
    auto stored = LookUpForCommit(*base, changes, context);
    if (!stored.ok()) {
      if (moved_on || !(moved_on = MovedOn(*base, stored.status(), context))) return stored.status();
      if (options_.conflict_policy == ConflictPolicy::kFail) return OtherWasFaster();
      continue;
    }
    auto plan = PlanCommit(*base, *base->KnownDeletions(), changes, *stored, {options_.inline_bytes, force_segment});
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

Result<std::vector<StoredRow>> CollectionImpl::LookUpForCommit(const Snapshot& base, std::vector<KeyedChange>& changes,
                                                               const Context& context) {
  ASSIGN_OR_RETURN(std::vector<StoredRow> stored, places_.Rows(*path_, keys_, base, changes, context));
  RETURN_IF_ERROR(ReapplyPatches(base, changes, stored, context));
  RETURN_IF_ERROR(base.Deletions(*path_, context).status());
  return stored;
}

Status CollectionImpl::AwaitTurn(bool head_is_fresh, const Context& context) {
  Clock& clock = *path_->env->clock;
  if (options_.conflict_policy == ConflictPolicy::kFail || !turns_.Waits(snapshot()->head, clock.NowNs())) {
    return Status::Ok();
  }
  while (true) {
    if (!head_is_fresh) RETURN_IF_ERROR(Refresh(context));
    head_is_fresh = false;
    const int64_t now_ns = clock.NowNs();
    const int64_t until_ns = turns_.WaitUntil(snapshot()->head, now_ns, *path_->env->random);
    // Who has no time to wait tries at once.
    if (until_ns <= now_ns || until_ns >= context.deadline_ns) return Status::Ok();
    RETURN_IF_ERROR(PauseUntil(context, clock, until_ns, "commit"));
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
      RETURN_IF_ERROR(ReadRows(*path_, base.head.schema, {&address, 1}, {.charged = false}, context, {&row, 1}));
      row.expires_at_ms = stored[i].expires_at_ms;
    }
    row.key = key;
    change.row = std::make_shared<const Row>(Patched(std::move(row), *change.patch));
    change.expectation.version = stored[i].version;
    std::unique_lock state(state_mutex_);
    ++sequence_;
    const std::optional<PendingChange> before = committing_->Find(key);
    committing_->Reset(key, change);
    committing_->Show(key, sequence_);
    if (before) active_->Rebase(key, *before, change, sequence_);
  }
  prepared_.reset();
  return Status::Ok();
}

Status CollectionImpl::OtherWasFaster() const {
  return Status::Conflict("another writer committed version " + std::to_string(snapshot()->head.version) + " first");
}

// Two waves: all objects, and the version that the head moves on from, at the same time; then the swap.
Result<SwapResult> CollectionImpl::TrySwap(const Snapshot& base, CommitPlan plan, std::string_view cause,
                                           const Context& context) {
  Clock& clock = *path_->env->clock;
  const int64_t begin_ns = clock.NowNs();
  plan.next.operation = {Operation::kCommit, std::string(cause), plan.rows_written, plan.rows_deleted, 0, 0};
  RETURN_IF_ERROR(WriteObjects(base, plan, context));
  SwapResult swap = log_.Swap({base.head, base.etag, base.head_bytes}, std::move(plan.next), context);
  if (swap.outcome == SwapOutcome::kLanded) {
    turns_.Landed(swap.head.head.version, begin_ns, clock.NowNs());
  }
  if (swap.outcome == SwapOutcome::kLost && swap.status.ok()) turns_.Lost(begin_ns, clock.NowNs());
  return swap;
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
    return AdoptOwn(std::move(swap.head), of_changes, context);
  }
  if (swap.outcome == SwapOutcome::kFenced) {
    prepared_.reset();
    observer_.Fenced(swap.head.head.version);
    // Whoever committed is to know it also when the newest version can't be read now: the next commit reads it.
    Status adopted = Adopt(std::move(swap.head), false, context);
    (void)adopted;
    return Status::Fenced(
        "whether the commit happened can't be told any more: it was not settled within an hour, and another writer "
        "took over this one's place in the head. The changes are still pending: an insert says kAlreadyExists if it "
        "is there");
  }
  if (!swap.status.ok() && prepared_) {
    for (const SegmentInfo& segment : prepared_->segments) objects.push_back(segment.name);
    prepared_.reset();
  }
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

// The same of a version of this handle's own: it is committed, whether it can be read now or not.
Status CollectionImpl::AdoptOwn(LoadedHead head, bool of_changes, const Context& context) {
  const uint64_t version = head.head.version;
  Status adopted = Adopt(std::move(head), of_changes, context);
  if (adopted.ok()) return adopted;
  if (of_changes) Publish(nullptr, version);
  return Status::Unknown("version " + std::to_string(version) + " was committed, but the newest one can't be read (" +
                         adopted.ToString() + "); call Refresh to read it");
}

// What searches look for from now on in segments whose rows are not in RAM, or not any more.
void CollectionImpl::KeepNewBlocks() {
  if (new_blocks_ != nullptr) keys_.Remember(new_blocks_->TakeKeys());
  if (new_recent_ == nullptr) {
    if (new_blocks_ != nullptr) new_blocks_->MoveInto(*path_->extents, path_->ram->clears());
    return;
  }
  for (const auto& rows : recent_.PushedOutBy(new_recent_)) {
    rows->blocks->MoveInto(*path_->extents, path_->ram->clears());
  }
}

// What is searched never goes back to an older version. `committed_version`: has what was committing; 0: none has.
void CollectionImpl::Publish(std::shared_ptr<const Snapshot> next, uint64_t committed_version) {
  // Freed when nobody is held up by it any more.
  RecentSegments::Forgotten pushed_out;
  RecentSegments::Forgotten replaced;
  std::shared_ptr<WriteBuffer> committed;
  if (committed_version != 0) KeepNewBlocks();
  std::unique_lock state(state_mutex_);
  const Nonce erasure = snapshot_->head.erasure.id;
  if (next != nullptr && next->head.version > snapshot_->head.version) snapshot_.swap(next);
  const bool erased = snapshot_->head.erasure.id != erasure;
  if (committed_version != 0 && new_recent_ != nullptr) pushed_out = recent_.Add(std::move(new_recent_));
  replaced = recent_.KeepOf(snapshot_->head);
  if (committed_version != 0) {
    committed = std::move(committing_);
    active_->CommittedBelow(committed_version);
    places_.Clear();
  }
  state.unlock();
  if (!erased) return;
  Status emptied = EmptyCaches();
  (void)emptied;  // the next one that opens the disk cache tries again
}

// Rows that were erased may lie in them.
Status CollectionImpl::EmptyCaches() {
  recent_.Free(UINT64_MAX);
  keys_.Forget();
  return path_->ForgetErased(snapshot()->head.erasure.id);
}

}  // namespace isotherm
