// Removing what no version, branch, lease or build needs any more. docs/decisions/0006-changes-and-versions.md says why
// the order of the steps makes this safe against everything that goes on meanwhile.
#include <algorithm>
#include <set>

#include "base/context_check.h"
#include "base/macros.h"
#include "base/planted.h"
#include "engine/collection_impl.h"
#include "engine/history.h"
#include "engine/object_writer.h"
#include "segment/routing_object.h"

namespace isotherm {

namespace {

constexpr int64_t kBuildMaxAgeMs = 24 * 60 * 60 * 1000;
constexpr int kAttempts = 100;

bool IsGivenUp(const Build& build, int64_t now_ms) { return build.started_ms + kBuildMaxAgeMs < now_ms; }

bool Holds(const Lease& lease, int64_t now_ms) { return lease.held_until_ms() >= now_ms; }

// What one branch keeps.
struct BranchState {
  std::string name;
  Head head;
  std::vector<VersionName> archived;
};

// The oldest version that stays, by the policy.
uint64_t OldestKept(const BranchState& branch, const VacuumOptions& options, int64_t now_ms) {
  if (options.keep_versions == 0 && options.keep_age_ms == 0) return branch.head.oldest_version;
  uint64_t oldest = branch.head.version;
  uint64_t kept = 1;  // the newest
  for (auto version = branch.archived.rbegin(); version != branch.archived.rend(); ++version) {
    if (version->version >= branch.head.version) continue;  // the newest, kept in advance
    bool young = options.keep_age_ms != 0 && version->commit_ms >= now_ms - options.keep_age_ms;
    if (kept >= options.keep_versions && !young) break;
    oldest = version->version;
    ++kept;
  }
  return std::max(oldest, branch.head.oldest_version);
}

uint64_t PurgeSoftDeleted(Head& next, DeletionMap& deletions) {
  uint64_t purged = std::erase_if(next.inline_rows, [](const InlineRow& row) { return row.soft_deleted; });
  for (auto& [name, of] : deletions) {
    purged += of.soft.size();
    of.hard |= of.soft;
    of.soft = {};
  }
  return purged;
}

class Garbage {
 public:
  Garbage(BlobStore& store, const VacuumOptions& options, int64_t now_ms, const Context& context)
      : store_(store), options_(options), now_ms_(now_ms), context_(context) {}

  Status List() {
    ASSIGN_OR_RETURN(candidates_, ListObjects(store_, "", context_));
    return Status::Ok();
  }

  // `leases`: that hold. `branches`: all that there are, listed after the leases. kNotFound for a version that is gone
  // since it was listed: then once more, with what there is now.
  Status Protect(const std::vector<BranchState>& branches, const std::map<std::string, Lease>& leases) {
    oldest_build_epoch_ = lowest_epoch_ = UINT64_MAX;
    versions_kept_ = versions_removed_ = 0;
    for (const auto& [name, lease] : leases) named_.insert(name);
    for (const BranchState& branch : branches) RETURN_IF_ERROR(ProtectBranch(branch, leases));
    return Status::Ok();
  }

  std::vector<ListEntry> Removable() const {
    std::vector<ListEntry> out;
    for (const ListEntry& entry : candidates_) {
      if (named_.contains(entry.name) || !MayGo(entry.name)) continue;
      out.push_back(entry);
    }
    return out;
  }

  const std::vector<ListEntry>& candidates() const { return candidates_; }
  const std::set<std::string>& named() const { return named_; }
  uint64_t versions_kept() const { return versions_kept_; }
  uint64_t versions_removed() const { return versions_removed_; }

 private:
  Status ProtectBranch(const BranchState& branch, const std::map<std::string, Lease>& leases) {
    const std::string prefix = BranchPrefix(branch.name);
    named_.insert(prefix + kHeadObject);
    named_.insert(prefix + kRoutingObject);
    AddReferences(branch.head, named_);
    ++versions_kept_;
    for (const Build& build : branch.head.builds) {
      if (Planted(Bug::kVacuumIgnoresBuilds)) break;
      if (options_.dry_run && IsGivenUp(build, now_ms_)) continue;
      oldest_build_epoch_ = std::min(oldest_build_epoch_, build.gc_epoch);
    }
    lowest_epoch_ = std::min(lowest_epoch_, branch.head.gc_epoch);
    const uint64_t oldest = options_.dry_run ? OldestKept(branch, options_, now_ms_) : branch.head.oldest_version;
    for (const VersionName& version : branch.archived) {
      bool leased = std::any_of(leases.begin(), leases.end(), [&](const auto& entry) {
        return entry.second.branch == branch.name && entry.second.version == version.version;
      });
      if (version.version < oldest && !leased) {
        ++versions_removed_;
        continue;
      }
      ASSIGN_OR_RETURN(Head head, ReadVersion(store_, prefix, version, context_));
      ++versions_kept_;
      named_.insert(VersionObjectName(prefix, version.version, version.commit_ms));
      AddReferences(head, named_);
    }
    return Status::Ok();
  }

  bool MayGo(std::string_view name) const {
    // In a dry run the epoch has not begun: what writers are at work on may be counted.
    if (auto epoch = EpochOfObject(name)) {
      bool old = options_.dry_run || *epoch < lowest_epoch_ || Planted(Bug::kNoEpoch);
      return old && *epoch < oldest_build_epoch_;
    }
    // A routing object's name is its content's: a build may be about to write this very one.
    if (name.starts_with("routing-")) return oldest_build_epoch_ == UINT64_MAX;
    // A lease that had lapsed is gone by now, or was renewed.
    if (name.starts_with(kLeasePrefix)) return options_.dry_run;
    if (name.starts_with("probe-")) return true;
    std::string_view own = name;
    if (name.starts_with(kBranchesPrefix)) {
      size_t slash = name.find('/', std::string_view(kBranchesPrefix).size());
      if (slash == std::string_view::npos) return false;
      own = name.substr(slash + 1);
      // What a deleted branch left.
      if (own == kRoutingObject) return true;
    }
    return ParseVersionName(own).has_value();
  }

  BlobStore& store_;
  const VacuumOptions& options_;
  const int64_t now_ms_;
  const Context& context_;
  std::vector<ListEntry> candidates_;
  std::set<std::string> named_;
  uint64_t oldest_build_epoch_ = UINT64_MAX;
  uint64_t lowest_epoch_ = UINT64_MAX;
  uint64_t versions_kept_ = 0;
  uint64_t versions_removed_ = 0;
};

Result<BranchState> LoadBranch(BlobStore& store, const std::string& name, const Context& context) {
  BranchState branch;
  branch.name = name;
  ReadRequest request{BranchPrefix(name) + kHeadObject, {}, {}};
  ReadResult read = std::move(store.Read(context, {&request, 1})[0]);
  RETURN_IF_ERROR(read.status);
  auto head = DecodeHead(read.data);
  RETURN_IF_ERROR(head.status().WithContext(request.name));
  branch.head = std::move(head).value();
  ASSIGN_OR_RETURN(branch.archived, ListVersions(store, BranchPrefix(name), context));
  return branch;
}

void BeginEpoch(const BranchState& state, const VacuumOptions& options, Builds builds, uint64_t epoch, int64_t now_ms,
                Head& next) {
  next.operation = {Operation::kVacuum, "vacuum", 0, 0, 0, 0};
  if (!Planted(Bug::kNoEpoch)) next.gc_epoch = std::max(next.gc_epoch + 1, epoch);
  next.oldest_version = OldestKept(state, options, now_ms);
  std::erase_if(next.builds,
                [&](const Build& build) { return builds == Builds::kAreLost || IsGivenUp(build, now_ms); });
}

// Of a head: what it lets go. Whatever lets more go changes it.
struct Boundary {
  explicit Boundary(const Head& head) : epoch(head.gc_epoch), oldest_version(head.oldest_version) {}
  bool operator==(const Boundary&) const = default;
  uint64_t epoch;
  uint64_t oldest_version;
};
using Boundaries = std::map<std::string, Boundary>;  // by branch

// From here on nothing that was begun before can be put into that branch's head. What counts is the head that is there,
// not what became of a swap of another one.
Result<Boundary> BeginEpochOf(const ReadPath& path, const std::string& branch, const VacuumOptions& options,
                              Builds builds, uint64_t epoch, int64_t now_ms, const Context& context) {
  const std::string prefix = BranchPrefix(branch);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    CommitLog log(path.store, path.env, prefix);
    ASSIGN_OR_RETURN(LoadedHead base, log.Load(context));
    BranchState state{branch, base.head, {}};
    ASSIGN_OR_RETURN(state.archived, ListVersions(*path.store, prefix, context));
    std::string archive = VersionObjectName(prefix, base.head.version, base.head.commit_ms);
    RETURN_IF_ERROR(WithoutOutcome(path.store->Put(context, archive, EncodeHead(base.head)).status()));
    Head next = base.head;
    BeginEpoch(state, options, builds, epoch, now_ms, next);
    SwapResult swap = log.Swap(base, std::move(next), context);
    if (swap.outcome == SwapOutcome::kLanded) {
      // So that there is a version to recover from when all older ones go.
      const Head& begun = swap.head.head;
      std::string kept = VersionObjectName(prefix, begun.version, begun.commit_ms);
      RETURN_IF_ERROR(WithoutOutcome(path.store->Put(context, kept, EncodeHead(begun)).status()));
      return Boundary(begun);
    }
    // It was deleted, and another one has its name by now, or a late request has put it again. A head that can't be
    // read is met again.
    if (swap.status.code() == StatusCode::kCorruption && !branch.empty()) continue;
    if (!swap.status.ok()) return WithoutOutcome(swap.status).WithContext("branch '" + branch + "'");
  }
  return Status::Conflict("branch '" + branch + "' moved on " + std::to_string(kAttempts) + " times; try again");
}

// Removes leases that have lapsed. Those that hold, as they were listed when none had lapsed: a lease that lapsed may
// be renewed by another one until it is gone, and not afterwards.
Result<std::map<std::string, Lease>> HoldingLeases(BlobStore& store, const VacuumOptions& options, int64_t now_ms,
                                                   VacuumReport& report, const Context& context) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    bool removed = false;
    ASSIGN_OR_RETURN(auto leases, ListLeases(store, context));
    for (auto lease = leases.begin(); lease != leases.end();) {
      const bool holds = Holds(lease->second, now_ms) && !Planted(Bug::kVacuumIgnoresLeases);
      if (!holds && !options.dry_run) {
        RETURN_IF_ERROR(store.Delete(context, lease->first));
        removed = true;
        report.objects_removed.push_back(lease->first);
        report.bytes_removed += EncodeLease(lease->second).size();
      }
      lease = holds ? std::next(lease) : leases.erase(lease);
    }
    if (!removed) return leases;
  }
  return Status::Conflict("leases that had lapsed came again " + std::to_string(kAttempts) + " times; try again");
}

// `before`: as they were before leases are listed. kNotFound when it must be done again, with those that are there now:
// another vacuum went on meanwhile. The versions that it let go may be held by a lease that was not there yet; and what
// a version named that is gone may have come back by a rollback to it, in a version that was not there yet when they
// were listed.
Status ProtectOnce(BlobStore& store, const std::string& own_branch, const VacuumOptions& options, int64_t now_ms,
                   Boundaries& before, Garbage& garbage, VacuumReport& report, const Context& context) {
  // Leases after all epochs have begun, and branches after the leases. Of a branch in the making the lease is there
  // when they are listed, or else the branch by now, or whoever makes it finds that its version was let go and gives
  // up.
  ASSIGN_OR_RETURN(auto leases, HoldingLeases(store, options, now_ms, report, context));
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListBranches(store, context));
  std::vector<BranchState> branches;
  Status same;
  for (const std::string& name : names) {
    if (name != own_branch && Planted(Bug::kVacuumIgnoresBranches)) continue;
    auto branch = LoadBranch(store, name, context);
    if (!branch.ok() && branch.status().code() == StatusCode::kNotFound && !name.empty()) continue;
    if (branch.status().code() == StatusCode::kNotFound) {
      return Status::Corruption("the head is gone: " + branch.status().message());
    }
    RETURN_IF_ERROR(branch.status());
    const Boundary now(branch->head);
    auto [known, is_new] = before.try_emplace(name, now);
    if (is_new || known->second != now) same = Status::NotFound("branch '" + name + "' was vacuumed");
    known->second = now;
    if (name == own_branch && options.dry_run) report.oldest_version = OldestKept(*branch, options, now_ms);
    branches.push_back(std::move(branch).value());
  }
  RETURN_IF_ERROR(same);
  return garbage.Protect(branches, leases);
}

Status ProtectAll(BlobStore& store, const std::string& own_branch, const VacuumOptions& options, int64_t now_ms,
                  Boundaries& begun, Garbage& garbage, VacuumReport& report, const Context& context) {
  Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    status = ProtectOnce(store, own_branch, options, now_ms, begun, garbage, report, context);
    if (status.code() != StatusCode::kNotFound) return status;
  }
  return Status::Conflict("other vacuums went on meanwhile; try again: " + status.message());
}

}  // namespace

// Caller holds write_mutex_.
Status CollectionImpl::BeginEpochHere(const VacuumOptions& options, Builds builds, uint64_t epoch, VacuumReport& report,
                                      const Context& context) {
  return SwapHead(
      [&](const Snapshot& base, Head& next, DeletionMap& deletions) {
        BranchState state{"", base.head, {}};
        ASSIGN_OR_RETURN(state.archived, ListVersions(*path_->store, path_->branch_prefix, context));
        BeginEpoch(state, options, builds, epoch, path_->env->clock->WallMs(), next);
        report.oldest_version = next.oldest_version;
        if (!options.keep_soft_deleted) report.soft_deleted_rows_removed = PurgeSoftDeleted(next, deletions);
        return Status::Ok();
      },
      context);
}

Result<VacuumReport> CollectionImpl::Vacuum(const VacuumOptions& options, const Context& context) {
  std::set<std::string> branches;
  return Vacuum(options, Builds::kGoOn, &branches, context);
}

Result<VacuumReport> CollectionImpl::Vacuum(const VacuumOptions& options, Builds builds,
                                            std::set<std::string>* branches, const Context& context) {
  RETURN_IF_ERROR(options.dry_run ? CheckOpen() : CheckWritable());
  const int64_t now_ms = path_->env->clock->WallMs();
  BlobStore& store = *path_->store;
  VacuumReport report;
  Garbage garbage(store, options, now_ms, context);
  RETURN_IF_ERROR(garbage.List());
  // One epoch for all branches: objects are told apart by nothing else.
  uint64_t epoch = 0;
  ASSIGN_OR_RETURN(std::vector<BranchInfo> present, Branches(context));
  for (const BranchInfo& branch : present) epoch = std::max(epoch, branch.gc_epoch + 1);
  Boundaries begun;
  if (!options.dry_run) {
    std::lock_guard write(write_mutex_);
    RETURN_IF_ERROR(BeginEpochHere(options, builds, epoch, report, context));
    RETURN_IF_ERROR(Archive(*snapshot(), context));
    begun.emplace(branch_, Boundary(snapshot()->head));
  }
  for (const BranchInfo& branch : present) {
    if (options.dry_run || branch.name == branch_) continue;
    auto boundary = BeginEpochOf(*path_, branch.name, options, builds, epoch, now_ms, context);
    if (boundary.status().code() == StatusCode::kNotFound) continue;  // deleted in this moment
    RETURN_IF_ERROR(boundary.status());
    begun.emplace(branch.name, *boundary);
  }
  RETURN_IF_ERROR(ProtectAll(store, branch_, options, now_ms, begun, garbage, report, context));
  for (const auto& [name, boundary] : begun) branches->insert(name);
  for (const ListEntry& entry : garbage.Removable()) {
    RETURN_IF_ERROR(CheckContext(context, *path_->env->clock, "vacuum"));
    if (!options.dry_run) RETURN_IF_ERROR(store.Delete(context, entry.name));
    report.objects_removed.push_back(entry.name);
    report.bytes_removed += entry.size;
  }
  if (!options.dry_run) observer_.Vacuumed(report.objects_removed.size(), report.bytes_removed);
  report.versions_kept = garbage.versions_kept();
  report.versions_removed = garbage.versions_removed();
  std::set<std::string> newest;
  AddReferences(snapshot()->head, newest);
  for (const ListEntry& entry : garbage.candidates()) {
    if (!garbage.named().contains(entry.name) || newest.contains(entry.name)) continue;
    if (entry.name == path_->branch_prefix + kHeadObject || entry.name == path_->branch_prefix + kRoutingObject)
      continue;
    ++report.objects_in_use;
    report.bytes_in_use += entry.size;
  }
  return report;
}

}  // namespace isotherm
