// What an erasure has to do, and what keeps it from being complete.
#include <algorithm>
#include <iterator>

#include "base/macros.h"
#include "base/planted.h"
#include "engine/erasure.h"

namespace isotherm {

// A version that was removed, and that a late request has put again, names segments that are gone.
Result<std::set<std::string>> CollectionImpl::Erasure::SegmentsThatHold(Head& version) {
  Status looked = traces_.Look(version.segments, context_);
  if (looked.ok()) return traces_.SegmentsWith(version);
  if (looked.code() != StatusCode::kCorruption) return looked;
  std::vector<SegmentInfo> there;
  bool cells_are_gone = false;
  for (const SegmentInfo& segment : version.segments) {
    ASSIGN_OR_RETURN(auto objects, ListObjects(*own_.path_->store, segment.name, context_));
    if (!objects.empty()) {
      there.push_back(segment);
    } else {
      cells_are_gone = cells_are_gone || segment.kind == SegmentKind::kCells;
    }
  }
  if (there.size() == version.segments.size()) return looked;
  version.segments = std::move(there);
  RETURN_IF_ERROR(traces_.Look(version.segments, context_));
  std::set<std::string> segments = traces_.SegmentsWith(version);
  // Nothing tells any more whose second copies those are.
  for (const SegmentInfo& segment : version.segments) {
    if (cells_are_gone && HasSecondCopies(segment)) segments.insert(segment.name);
  }
  return segments;
}

Result<bool> CollectionImpl::Erasure::Holds(const std::string& name, Branch& branch, const VersionName& version) {
  auto known = branch.holds.find(version.version);
  if (known != branch.holds.end()) return known->second;
  auto head = ReadVersion(*own_.path_->store, BranchPrefix(name), version, context_);
  if (head.status().code() == StatusCode::kNotFound) return false;  // a vacuum removed it in this moment
  RETURN_IF_ERROR(head.status());
  ASSIGN_OR_RETURN(const std::set<std::string> segments, SegmentsThatHold(*head));
  // A rollback may have brought them back after they were deleted.
  const uint64_t newest_erased = branch.deleted_in == 0 ? UINT64_MAX : branch.deleted_in;
  const bool holds = traces_.InRowsOf(*head, newest_erased) ||
                     !std::includes(branch.rewritten.begin(), branch.rewritten.end(), segments.begin(), segments.end());
  std::set_difference(segments.begin(), segments.end(), branch.rewritten.begin(), branch.rewritten.end(),
                      std::inserter(dead_segments_, dead_segments_.end()));
  branch.holds[version.version] = holds;
  return holds;
}

Result<uint64_t> CollectionImpl::Erasure::NewestHolding(const std::string& name, Branch& branch, uint64_t from,
                                                        uint64_t to) {
  ASSIGN_OR_RETURN(std::vector<VersionName> archived, ListVersions(*own_.path_->store, BranchPrefix(name), context_));
  uint64_t newest = 0;
  uint64_t count = 0;
  for (const VersionName& version : archived) {
    // What is older than `from` is garbage already, and may be gone in part; or it is leased.
    if (version.version < from || version.version >= to) continue;
    ASSIGN_OR_RETURN(const bool holds, Holds(name, branch, version));
    if (!holds) continue;
    newest = version.version;
    ++count;
  }
  branch.report.versions_held = std::max(branch.report.versions_held, count);
  return newest;
}

// Leases that have lapsed are a vacuum's to remove.
Status CollectionImpl::Erasure::FindHolds() {
  report_.holds.clear();
  BlobStore& store = *own_.path_->store;
  const int64_t now_ms = own_.path_->env->clock->WallMs();
  ASSIGN_OR_RETURN(auto leases, ListLeases(store, context_));
  for (const auto& [object, lease] : leases) {
    auto branch = branches_.find(lease.branch);
    if (branch == branches_.end() || lease.held_until_ms() < now_ms) continue;
    bool holds = false;
    if (auto known = branch->second.holds.find(lease.version); known != branch->second.holds.end()) {
      holds = known->second;
    } else {
      ASSIGN_OR_RETURN(auto archived, ListVersions(store, BranchPrefix(lease.branch), context_));
      auto version = std::find_if(archived.begin(), archived.end(),
                                  [&](const VersionName& one) { return one.version == lease.version; });
      if (version == archived.end()) continue;
      ASSIGN_OR_RETURN(holds, Holds(lease.branch, branch->second, *version));
    }
    if (holds) report_.holds.push_back({object, lease.branch, lease.version, lease.held_until_ms()});
  }
  return Status::Ok();
}

Status CollectionImpl::Erasure::FindLeft(bool* garbage) {
  report_.holds.clear();
  BlobStore& store = *own_.path_->store;
  const int64_t now_ms = own_.path_->env->clock->WallMs();
  std::map<std::string, std::vector<VersionName>> left;
  for (const auto& [name, branch] : branches_) {
    auto head = CommitLog(own_.path_->store, own_.path_->env, BranchPrefix(name)).Load(context_);
    if (head.status().code() == StatusCode::kNotFound && name != own_.branch_) continue;
    RETURN_IF_ERROR(head.status());
    ASSIGN_OR_RETURN(left[name], ListVersions(store, BranchPrefix(name), context_));
    std::erase_if(left[name], [&](const VersionName& one) { return one.version >= head->head.oldest_version; });
  }
  ASSIGN_OR_RETURN(auto leases, ListLeases(store, context_));
  for (const auto& [name, versions] : left) {
    for (const VersionName& version : versions) {
      bool leased = false;
      for (const auto& [object, lease] : leases) {
        if (lease.branch != name || lease.version != version.version || lease.held_until_ms() < now_ms) continue;
        leased = true;
        ASSIGN_OR_RETURN(const bool holds, Holds(name, branches_[name], version));
        if (holds) report_.holds.push_back({object, name, version.version, lease.held_until_ms()});
      }
      *garbage = *garbage || !leased;
    }
  }
  if (*garbage || spared_others_ || !report_.holds.empty()) return Status::Ok();
  // What the vacuum has spared a leased version's segments for may be gone by now, by another vacuum.
  ASSIGN_OR_RETURN(auto segments, ListObjects(store, "segment-", context_));
  *garbage = std::any_of(segments.begin(), segments.end(), [&](const ListEntry& entry) { return IsDead(entry.name); });
  return Status::Ok();
}

bool CollectionImpl::Erasure::IsDead(const std::string& segment) const {
  return dead_segments_.contains(segment) && std::none_of(branches_.begin(), branches_.end(), [&](const auto& branch) {
           return branch.second.rewritten.contains(segment);
         });
}

Result<std::vector<std::string>> CollectionImpl::Erasure::Unmarked() {
  std::vector<std::string> unmarked;
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListBranches(*own_.path_->store, context_));
  for (const std::string& name : names) {
    if (name != own_.branch_ && Planted(Bug::kErasureForgetsBranches)) continue;
    auto loaded = CommitLog(own_.path_->store, own_.path_->env, BranchPrefix(name)).Load(context_);
    if (loaded.status().code() == StatusCode::kNotFound && name != own_.branch_) continue;
    RETURN_IF_ERROR(loaded.status());
    epoch_ = std::max(epoch_, loaded->head.gc_epoch + 1);
    if (loaded->head.erasure.id != id_) unmarked.push_back(name);
  }
  return unmarked;
}

Result<ErasureReport> CollectionImpl::Erasure::Foresee() {
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListBranches(*own_.path_->store, context_));
  for (const std::string& name : names) {
    auto loaded = CommitLog(own_.path_->store, own_.path_->env, BranchPrefix(name)).Load(context_);
    if (loaded.status().code() == StatusCode::kNotFound && name != own_.branch_) continue;
    RETURN_IF_ERROR(loaded.status());
    RETURN_IF_ERROR(ForeseeBranch(name, loaded->head).WithContext("branch '" + name + "'"));
  }
  RETURN_IF_ERROR(FindHolds());
  if (options_.break_leases) report_.holds.clear();
  Conclude();
  return report_;
}

Status CollectionImpl::Erasure::ForeseeBranch(const std::string& name, const Head& head) {
  Branch& branch = branches_[name];
  branch.report.name = name;
  RETURN_IF_ERROR(traces_.Look(head.segments, context_));
  auto snapshot = MakeSnapshot(head, {}, 0, nullptr, nullptr);
  ASSIGN_OR_RETURN(std::shared_ptr<const Liveness> liveness, snapshot->Deletions(*own_.path_, context_));
  std::set<Key> found;
  for (const InlineRow& row : head.inline_rows) {
    if (traces_.IsOne(row.row.key)) found.insert(row.row.key);
  }
  for (const SegmentInfo& segment : head.segments) {
    auto of = liveness->now.find(segment.name);
    for (const KeyTrace& trace : traces_.In(segment.name)) {
      if (of == liveness->now.end() || !of->second.hard.Contains(trace.ordinal)) {
        found.insert(traces_.keys()[trace.key]);
      }
    }
  }
  branch.report.keys_found = found.size();
  const std::set<std::string> segments = traces_.SegmentsWith(head);
  for (uint32_t input : PlanOf(head, segments).plan.inputs) {
    ++branch.report.segments_rewritten;
    branch.report.bytes_rewritten += head.segments[input].bytes;
  }
  branch.holds[head.version] = !found.empty() || !segments.empty();
  ASSIGN_OR_RETURN(uint64_t newest, NewestHolding(name, branch, head.oldest_version, head.version));
  if (branch.holds[head.version]) {
    newest = head.version;
    ++branch.report.versions_held;
  }
  ASSIGN_OR_RETURN(auto archived, ListVersions(*own_.path_->store, BranchPrefix(name), context_));
  for (const VersionName& version : archived) report_.versions_removed += version.version <= newest ? 1 : 0;
  return Status::Ok();
}

void CollectionImpl::Erasure::Conclude() {
  report_.branches.clear();
  for (const auto& [name, branch] : branches_) report_.branches.push_back(branch.report);
  for (const ErasureHold& hold : report_.holds) {
    report_.blocked_until_ms = std::max(report_.blocked_until_ms, hold.until_ms);
  }
  report_.complete = report_.holds.empty() && (options_.dry_run || report_.caches_emptied);
  const int64_t now_ms = own_.path_->env->clock->WallMs();
  const int64_t by_ms = options_.by_ms != 0 ? options_.by_ms : now_ms;
  report_.late = std::max(now_ms, report_.blocked_until_ms) > by_ms;
}

}  // namespace isotherm
