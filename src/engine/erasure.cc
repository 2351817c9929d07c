// Erasing rows: deleting them on every branch, rewriting what holds their bytes, and removing what that leaves.
#include "engine/erasure.h"

#include <algorithm>
#include <utility>

#include "base/context_check.h"
#include "base/macros.h"
#include "base/planted.h"
#include "engine/object_writer.h"
#include "segment/routing_object.h"
#include "segment/row_version.h"

namespace isotherm {

namespace {

constexpr int kAttempts = 20;  // against others that are faster
constexpr int kRounds = 10;    // against branches that are made meanwhile

std::string KeyCount(size_t keys) { return std::to_string(keys) + (keys == 1 ? " key" : " keys"); }

}  // namespace

// With one segment of cells all of them: anew, since centroids that are kept would be means of erased rows.
PickedPlan CollectionImpl::Erasure::PlanOf(const Head& head, const std::set<std::string>& names) {
  PickedPlan out;
  out.plan.to_cells = std::any_of(head.segments.begin(), head.segments.end(), [&](const SegmentInfo& segment) {
    return segment.kind == SegmentKind::kCells && names.contains(segment.name);
  });
  for (uint32_t s = 0; s < head.segments.size(); ++s) {
    const bool of_partition = out.plan.to_cells && head.segments[s].kind == SegmentKind::kCells;
    if (of_partition || names.contains(head.segments[s].name)) out.plan.inputs.push_back(s);
  }
  out.cause = "rows are erased";
  return out;
}

Result<ErasureReport> CollectionImpl::Erase(std::span<const Key> keys, const ErasureOptions& options,
                                            const Progress& progress, const Context& context) {
  RETURN_IF_ERROR(options.dry_run ? CheckOpen() : CheckWritable());
  if (keys.empty()) return Status::InvalidArgument("there is no key to be erased");
  if (keys.size() > kMaxBatchRows) {
    return Status::InvalidArgument(std::to_string(keys.size()) + " keys to be erased; at most " +
                                   std::to_string(kMaxBatchRows) + " are allowed: call it several times");
  }
  if (options.by_ms < 0) {
    return Status::InvalidArgument("erasure by " + std::to_string(options.by_ms) +
                                   "; milliseconds since 1970 are wanted, or 0 for now");
  }
  for (const Key& key : keys) {
    Mutation mutation{MutationKind::kDelete, {}, {}, 0};
    mutation.row.key = key;
    RETURN_IF_ERROR(CheckMutation(mutation));
  }
  Erasure erasure(*this, keys, options, progress, context);
  if (options.dry_run) return erasure.Foresee();
  const CompactionControl::Pause pause(compactions_);
  std::lock_guard one_at_a_time(compact_mutex_);
  auto report = erasure.Run();
  if (report.ok()) observer_.Erased(report->complete);
  return report;
}

CollectionImpl::Erasure::Erasure(CollectionImpl& own, std::span<const Key> keys, const ErasureOptions& options,
                                 const Progress& progress, const Context& context)
    : own_(own), options_(options), progress_(progress), context_(context), traces_(*own.path_, keys) {
  report_.keys = traces_.keys().size();
}

Result<ErasureReport> CollectionImpl::Erasure::Run() {
  {
    std::lock_guard write(own_.write_mutex_);
    RETURN_IF_ERROR(own_.CommitLocked(false, "before an erasure", context_));
  }
  id_ = MakeNonce(*own_.path_->env->random);
  for (int round = 0; round < kRounds; ++round) {
    ASSIGN_OR_RETURN(std::vector<std::string> unmarked, Unmarked());
    if (unmarked.empty() && !spared_others_) {
      report_.caches_emptied = own_.EmptyCaches().ok();
      Conclude();
      return report_;
    }
    for (const std::string& name : unmarked) {
      Status erased = EraseBranch(name);
      if (IsGone(name, erased)) {
        branches_.erase(name);
        continue;
      }
      RETURN_IF_ERROR(erased.WithContext("branch '" + name + "'"));
    }
    RETURN_IF_ERROR(FindHolds());
    if (options_.break_leases) RETURN_IF_ERROR(BreakLeases());
    RETURN_IF_ERROR(CollectGarbage());
    // Branches are listed again after the leases: one that was in the making is held by its lease, or is there by then.
    RETURN_IF_ERROR(Mark());
  }
  return Status::Conflict("branches are made faster than rows can be erased from them; try again");
}

Result<CollectionImpl*> CollectionImpl::Erasure::HandleOf(const std::string& name) {
  if (name == own_.branch_) return &own_;
  auto found = handles_.find(name);
  if (found == handles_.end()) {
    Options options = own_.options_;
    options.create.reset();
    options.branch = name;
    options.lease_ms = 0;
    options.cache_dir.clear();
    if (options.spill_dir.empty() && !own_.options_.cache_dir.empty()) {
      options.spill_dir = own_.options_.cache_dir + "/spill";
    }
    options.block_cache_bytes = 0;
    options.recent_bytes = 0;
    options.refresh_interval_ms = 0;
    options.background_compaction = false;
    options.commit_on_close = false;
    options.metrics = nullptr;  // of requests: the store that is handed on counts them already
    options.env = own_.path_->env;
    ASSIGN_OR_RETURN(std::unique_ptr<Collection> opened, Open(own_.path_->store, options, context_));
    found = handles_.emplace(name, std::move(opened)).first;
  }
  return static_cast<CollectionImpl*>(found->second.get());
}

bool CollectionImpl::Erasure::IsGone(const std::string& name, const Status& failed) {
  if (failed.ok() || name == own_.branch_) return false;
  if (failed.code() == StatusCode::kNotFound) return true;
  auto newest = CommitLog(own_.path_->store, own_.path_->env, BranchPrefix(name)).Load(context_);
  if (newest.status().code() == StatusCode::kNotFound) return true;
  auto handle = handles_.find(name);
  if (!newest.ok() || name.empty() || handle == handles_.end()) return false;
  auto at = static_cast<CollectionImpl*>(handle->second.get())->snapshot();
  return newest->head.version <= at->head.version && newest->etag != at->etag;
}

Status CollectionImpl::Erasure::EraseBranch(const std::string& name) {
  handles_.erase(name);  // it may have been of another branch of this name
  ASSIGN_OR_RETURN(CollectionImpl * handle, HandleOf(name));
  Branch& branch = branches_[name];
  // Another erasure may have marked it since: then what was written meanwhile stays. (If it is another branch, rows
  // that it began with may not be taken for those.)
  if (handle->snapshot()->head.fork_version > branch.deleted_in) branch = {};
  branch.holds.clear();
  branch.rewritten.clear();
  branch.report.name = name;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    RETURN_IF_ERROR(CheckContext(context_, *own_.path_->env->clock, "erasure"));
    bool clean = false;
    Status status = TryBranch(*handle, branch, &clean);
    // A vacuum may have removed what the handle's version names.
    if (!status.ok() && handle->MovedOn(*handle->snapshot(), status, context_)) continue;
    RETURN_IF_ERROR(status);
    if (clean) return ReplaceRoutingCopy(*handle, context_);
  }
  return Status::Conflict("it went on being changed; try again");
}

Status CollectionImpl::Erasure::TryBranch(CollectionImpl& handle, Branch& branch, bool* clean) {
  RETURN_IF_ERROR(DeleteRows(handle, branch));
  RETURN_IF_ERROR(RewriteSegments(handle, branch));
  return EndVersions(handle, branch, clean);
}

// From here on nobody goes back to them on this branch, and compactions that have read them are lost.
Status CollectionImpl::Erasure::DeleteRows(CollectionImpl& handle, Branch& branch) {
  std::set<Key> found;
  uint64_t version = 0;
  auto change = [&](const Snapshot& base, Head& next, DeletionMap& deletions) -> Status {
    RETURN_IF_ERROR(traces_.Look(base.head.segments, context_));
    found.clear();
    version = base.head.version + 1;
    auto is_new = [&](uint64_t row_version) { return branch.deleted_in != 0 && row_version > branch.deleted_in; };
    std::erase_if(next.inline_rows, [&](const InlineRow& row) {
      const bool goes = traces_.IsOne(row.row.key) && !is_new(row.row.version);
      if (goes) found.insert(row.row.key);
      return goes;
    });
    for (const SegmentInfo& segment : base.head.segments) {
      for (const KeyTrace& trace : traces_.In(segment.name)) {
        auto known = deletions.find(segment.name);
        const bool gone = known != deletions.end() && known->second.hard.Contains(trace.ordinal);
        if (gone || is_new(VersionOf(trace.attributes, segment))) continue;
        SegmentDeletions& of = deletions[segment.name];
        of.hard.Add(trace.ordinal);
        of.soft.Remove(trace.ordinal);
        found.insert(traces_.keys()[trace.key]);
      }
    }
    next.builds.clear();
    next.gc_epoch = std::max(next.gc_epoch + 1, epoch_);
    next.erasure.version = version;
    next.operation = {Operation::kErase, "erasure of " + KeyCount(report_.keys), 0, found.size(), 0, 0};
    return Status::Ok();
  };
  std::lock_guard write(handle.write_mutex_);
  RETURN_IF_ERROR(handle.SwapHead(change, context_));
  if (branch.deleted_in == 0) branch.deleted_in = version;
  branch.report.keys_found += found.size();
  return Status::Ok();
}

Status CollectionImpl::Erasure::RewriteSegments(CollectionImpl& handle, Branch& branch) {
  Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::shared_ptr<const Snapshot> at = handle.snapshot();
    RETURN_IF_ERROR(traces_.Look(at->head.segments, context_));
    ASSIGN_OR_RETURN(std::shared_ptr<const Liveness> liveness, at->Deletions(*handle.path_, context_));
    std::set<std::string> dead;
    for (const SegmentInfo& segment : at->head.segments) {
      auto deletions = liveness->now.find(segment.name);
      if (deletions == liveness->now.end()) continue;
      for (const KeyTrace& trace : traces_.In(segment.name)) {
        if (deletions->second.hard.Contains(trace.ordinal)) dead.insert(segment.name);
      }
    }
    if (dead.empty()) return Status::Ok();
    const PickedPlan plan = PlanOf(at->head, dead);
    CompactionRequest request;
    request.options = handle.options_.compaction;
    request.plan = [&](const Head& head) -> Result<PickedPlan> { return PlanOf(head, dead); };
    bool done = false;
    status = handle.RunCompaction(request, progress_, context_, &done);
    if (status.code() == StatusCode::kConflict || (status.ok() && !done)) continue;
    RETURN_IF_ERROR(status);
    for (uint32_t input : plan.plan.inputs) {
      ++branch.report.segments_rewritten;
      branch.report.bytes_rewritten += at->head.segments[input].bytes;
    }
  }
  return status.ok() ? Status::Conflict("it went on being changed; try again") : status;
}

// Whether the rows that are there of these keys were all written since.
bool CollectionImpl::Erasure::IsClean(const Head& head, const DeletionMap& deletions, const Branch& branch) const {
  for (const InlineRow& row : head.inline_rows) {
    if (traces_.IsOne(row.row.key) && row.row.version <= branch.deleted_in) return false;
  }
  for (const SegmentInfo& segment : head.segments) {
    auto of = deletions.find(segment.name);
    for (const KeyTrace& trace : traces_.In(segment.name)) {
      if (VersionOf(trace.attributes, segment) <= branch.deleted_in) return false;
      if (of != deletions.end() && of->second.hard.Contains(trace.ordinal)) return false;
    }
  }
  return true;
}

// A clean head's segments are clean in every version that names them. A version that was held against an older head may
// hold nothing, now that they are known.
void CollectionImpl::Erasure::AddRewritten(const std::set<std::string>& segments, Branch& branch) {
  const size_t before = branch.rewritten.size();
  branch.rewritten.insert(segments.begin(), segments.end());
  if (branch.rewritten.size() == before) return;
  std::erase_if(branch.holds, [](const auto& version) { return version.second; });
}

// *clean: the head itself holds none of the rows any more.
Status CollectionImpl::Erasure::EndVersions(CollectionImpl& handle, Branch& branch, bool* clean) {
  auto change = [&](const Snapshot& base, Head& next, DeletionMap& deletions) -> Status {
    RETURN_IF_ERROR(traces_.Look(base.head.segments, context_));
    *clean = IsClean(next, deletions, branch);
    if (!*clean) return Status::Cancelled("the head holds rows that are to be erased");
    AddRewritten(traces_.SegmentsWith(base.head), branch);
    ASSIGN_OR_RETURN(uint64_t newest, NewestHolding(handle.branch_, branch, next.oldest_version, base.head.version));
    if (!Planted(Bug::kErasureKeepsVersions)) next.oldest_version = std::max(next.oldest_version, newest + 1);
    // Those that a vacuum spared because of a lease among them: it is renewed no more.
    RETURN_IF_ERROR(FindHolds());
    for (const ErasureHold& hold : report_.holds) {
      if (hold.branch == handle.branch_) newest = std::max(newest, hold.version);
    }
    next.erasure.oldest_version = std::max(next.erasure.oldest_version, newest + 1);
    next.operation = {Operation::kErase, "versions end that hold erased rows", 0, 0, 0, 0};
    return Status::Ok();
  };
  std::lock_guard write(handle.write_mutex_);
  Status status = handle.SwapHead(change, context_);
  return !*clean && status.code() == StatusCode::kCancelled && CheckContext(context_, *own_.path_->env->clock, "").ok()
             ? Status::Ok()
             : status;
}

// The copy may be of an older routing object.
Status CollectionImpl::Erasure::ReplaceRoutingCopy(CollectionImpl& handle, const Context& context) {
  const RoutingRef& ref = handle.snapshot()->head.routing;
  const std::string& prefix = handle.path_->branch_prefix;
  if (ref.generation == 0) return handle.path_->store->Delete(context, prefix + kRoutingObject);
  return handle.PutRoutingCopy(ref, prefix, context);
}

Status CollectionImpl::Erasure::BreakLeases() {
  for (const ErasureHold& hold : report_.holds) RETURN_IF_ERROR(own_.path_->store->Delete(context_, hold.lease));
  return Status::Ok();
}

// A version that a vacuum spared may have lost its lease since: then once more.
Status CollectionImpl::Erasure::CollectGarbage() {
  VacuumOptions vacuum;
  vacuum.keep_soft_deleted = true;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::set<std::string> spared;
    ASSIGN_OR_RETURN(VacuumReport removed, own_.Vacuum(vacuum, Builds::kAreLost, &spared, context_));
    spared_others_ =
        std::any_of(spared.begin(), spared.end(), [&](const auto& name) { return !branches_.contains(name); });
    report_.versions_removed += removed.versions_removed;
    report_.bytes_removed += removed.bytes_removed;
    report_.objects_removed.insert(report_.objects_removed.end(), removed.objects_removed.begin(),
                                   removed.objects_removed.end());
    bool garbage = false;
    RETURN_IF_ERROR(FindLeft(&garbage));
    if (!garbage) return Status::Ok();
  }
  return Status::Conflict("leases came and went all the time; try again");
}

// After the objects are gone: nothing that was erased comes into a cache any more.
Status CollectionImpl::Erasure::Mark() {
  for (const auto& [name, branch] : branches_) {
    ASSIGN_OR_RETURN(CollectionImpl * handle, HandleOf(name));
    std::lock_guard write(handle->write_mutex_);
    Status marked = handle->SwapHead(
        [&](const Snapshot&, Head& next, DeletionMap&) {
          next.erasure.id = id_;
          next.operation = {Operation::kErase, "objects with erased rows are removed", 0, 0, 0, 0};
          return Status::Ok();
        },
        context_);
    if (IsGone(name, marked)) continue;
    RETURN_IF_ERROR(marked);
  }
  return Status::Ok();
}

}  // namespace isotherm
