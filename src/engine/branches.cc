// Versions by name: the log of a collection, going back to one, branches, and leases that keep one from being removed.
#include <algorithm>

#include "base/macros.h"
#include "base/planted.h"
#include "engine/collection_impl.h"
#include "engine/history.h"
#include "engine/object_writer.h"
#include "segment/routing_object.h"

namespace isotherm {

namespace {

constexpr int64_t kBranchLeaseMs = 60 * 60 * 1000;

uint64_t RowsOf(const Head& head) {
  uint64_t rows = 0;
  for (const InlineRow& row : head.inline_rows) rows += row.soft_deleted ? 0 : 1;
  for (const SegmentInfo& segment : head.segments) rows += segment.live_rows();
  return rows;
}

VersionInfo Describe(const Head& head) {
  VersionInfo info;
  info.version = head.version;
  info.commit_ms = head.commit_ms;
  info.operation = OperationName(head.operation.operation);
  info.cause = head.operation.cause;
  info.rows = RowsOf(head);
  info.rows_written = head.operation.rows_written;
  info.rows_deleted = head.operation.rows_deleted;
  info.bytes_written = head.operation.bytes_written;
  info.segments = head.segments.size();
  return info;
}

// What the collection holds by `content`, as the successor of `base`.
void TakeContent(const Head& content, const Head& base, Head& next) {
  next = content;
  next.version = base.version;
  next.commit_ms = base.commit_ms;
  next.slots = base.slots;
  next.deletions = base.deletions;
  next.gc_epoch = base.gc_epoch;
  next.oldest_version = base.oldest_version;
  next.erasure = base.erasure;
  next.builds = base.builds;
  next.fork_of = base.fork_of;
  next.fork_version = base.fork_version;
}

// The branch's versions may be higher than those of who takes its content, which will come to have the same ones: what
// was written in them is written by this one, so that a key's version goes on to tell all of its rows apart.
void WrittenUpTo(uint64_t version, Head& next) {
  for (InlineRow& row : next.inline_rows) row.row.version = std::min(row.row.version, version);
  for (SegmentInfo& segment : next.segments) {
    if (segment.version == 0 || segment.version > version) segment.version = version;
  }
}

// Whoever lets a version go says so in the head before it looks for branches: when this one has gone, it may have
// looked before the branch was there. That its lease is there proves nothing then: it may have lapsed and been removed,
// and a late request may have put it again.
Status CheckStays(uint64_t version, const CommitLog& log, const Context& context) {
  auto newest = log.Load(context);
  if (!newest.ok()) {
    return Status::Unknown("the branch is there; whether a vacuum took parts of it can't be told: " +
                           newest.status().ToString());
  }
  const Head& head = newest->head;
  if (version >= head.oldest_version) return Status::Ok();
  const std::string title = "version " + std::to_string(version);
  if (version < head.erasure.oldest_version) return Status::Conflict(title + " holds rows that are being erased");
  return Status::Conflict(title + " was removed by a vacuum while the branch was made");
}

// Nothing tells its versions from those of a new one.
Status CheckNothingIsLeft(BlobStore& store, std::string_view name, const Context& context) {
  ASSIGN_OR_RETURN(const std::vector<VersionName> left, ListVersions(store, BranchPrefix(name), context));
  if (left.empty()) return Status::Ok();
  ReadRequest request{BranchPrefix(name) + kHeadObject, {}, {}};
  Status there = store.Read(context, {&request, 1})[0].status;
  if (there.ok()) return Status::AlreadyExists("there is a branch '" + std::string(name) + "'");
  if (there.code() != StatusCode::kNotFound) return there;
  return Status::Conflict("a deleted branch '" + std::string(name) + "' has left " + std::to_string(left.size()) +
                          " of its versions: a vacuum removes them, or take another name");
}

}  // namespace

Result<std::vector<VersionInfo>> CollectionImpl::Versions(const Context& context) {
  RETURN_IF_ERROR(CheckOpen());
  // Before the list is made: then all versions below are in it.
  std::shared_ptr<const Snapshot> at = snapshot();
  ASSIGN_OR_RETURN(std::vector<VersionName> archived, ListVersions(*path_->store, path_->branch_prefix, context));
  std::vector<VersionInfo> versions;
  for (const VersionName& version : archived) {
    if (version.version >= at->head.version) break;
    VersionInfo info;
    info.version = version.version;
    info.commit_ms = version.commit_ms;
    versions.push_back(info);
  }
  VersionInfo newest;
  newest.version = at->head.version;
  newest.commit_ms = at->head.commit_ms;
  versions.push_back(newest);
  return versions;
}

Result<std::vector<VersionInfo>> CollectionImpl::Log(size_t newest, const Context& context) {
  ASSIGN_OR_RETURN(std::vector<VersionInfo> versions, Versions(context));
  if (versions.size() > newest) versions.erase(versions.begin(), versions.end() - static_cast<ptrdiff_t>(newest));
  std::shared_ptr<const Snapshot> at = snapshot();
  for (VersionInfo& info : versions) {
    if (info.version == at->head.version) {
      info = Describe(at->WholeHead());
      continue;
    }
    auto head = ReadVersion(*path_->store, path_->branch_prefix, {info.version, info.commit_ms}, context);
    if (!head.ok() && head.status().code() == StatusCode::kNotFound) continue;  // removed in this moment
    RETURN_IF_ERROR(head.status());
    info = Describe(*head);
  }
  std::erase_if(versions, [](const VersionInfo& info) { return info.operation.empty(); });
  return versions;
}

Status CollectionImpl::Rollback(uint64_t version, const Context& context) {
  RETURN_IF_ERROR(CheckWritable());
  std::lock_guard write(write_mutex_);
  {
    std::shared_lock state(state_mutex_);
    if (active_->size() > 0 || committing_ != nullptr) {
      return Status::InvalidArgument("there are changes that are not committed: commit or discard them first");
    }
  }
  ASSIGN_OR_RETURN(std::shared_ptr<const Snapshot> content, LoadSnapshotAt(*path_, {version, 0}, context));
  RETURN_IF_ERROR(content->Deletions(*path_, context).status());
  RETURN_IF_ERROR(SwapHead(
      [&](const Snapshot& base, Head& next, DeletionMap& deletions) {
        const Head& head = base.head;
        if (version < head.oldest_version && (head.fork_version == 0 || version < head.erasure.version)) {
          const char* by = version < head.erasure.version ? "an erasure" : "a vacuum";
          return Status::NotFound("version " + std::to_string(version) + " was removed by " + by);
        }
        TakeContent(content->WholeHead(), base.head, next);
        if (!Planted(Bug::kRollbackKeepsDeletions)) deletions = content->KnownDeletions()->now;
        next.operation = {Operation::kRollback, "to version " + std::to_string(version), 0, 0, 0, 0};
        return Status::Ok();
      },
      context));
  return PutRoutingCopy(snapshot()->head.routing, path_->branch_prefix, context);
}

// For the first wave of opening. The immutable object is what counts, so no branch and no version fails without it.
Status CollectionImpl::PutRoutingCopy(const RoutingRef& ref, std::string_view branch_prefix, const Context& context) {
  if (ref.generation == 0) return Status::Ok();
  Extent extent{RoutingName(ref.sha256_hex), 0, ref.bytes, ref.crc32c};
  std::vector<FetchedExtent> fetched = path_->Fetch(context, {&extent, 1}, {}, nullptr);
  Status status = fetched[0].status;
  if (status.ok()) {
    std::string name = std::string(branch_prefix) + kRoutingObject;
    status = WithoutOutcome(path_->store->Put(context, name, fetched[0].block.bytes()).status());
  }
  return status.WithContext(
      "done, but opening takes one more wave until the next compaction: the copy of the routing "
      "object was not written");
}

Status CollectionImpl::CreateBranch(std::string_view name, uint64_t version, const Context& context) {
  RETURN_IF_ERROR(CheckWritable());
  RETURN_IF_ERROR(CheckBranchName(name));
  RETURN_IF_ERROR(CheckNothingIsLeft(*path_->store, name, context));
  if (version == 0) version = snapshot()->head.version;
  ASSIGN_OR_RETURN(std::string lease, TakeLease(branch_, version, kBranchLeaseMs, "", context));
  Status created = WriteBranch(name, version, context);
  // One that may still come to be needs it.
  if (created.ok() || created.code() == StatusCode::kAlreadyExists) RemoveObjects({lease}, context);
  return created;
}

Status CollectionImpl::WriteBranch(std::string_view name, uint64_t version, const Context& context) {
  ASSIGN_OR_RETURN(std::shared_ptr<const Snapshot> content, LoadSnapshotAt(*path_, {version, 0}, context));
  CommitLog log(path_->store, path_->env, path_->branch_prefix);
  ASSIGN_OR_RETURN(LoadedHead newest, log.Load(context));
  Head head = content->WholeHead();
  head.write = MakeNonce(*path_->env->random);
  head.gc_epoch = newest.head.gc_epoch;
  head.oldest_version = version;
  head.erasure = newest.head.erasure;
  // Those versions are not this branch's: it goes on from here.
  head.erasure.oldest_version = std::min(head.erasure.oldest_version, version);
  head.builds.clear();
  head.slots.clear();
  head.fork_of = branch_;
  head.fork_version = version;
  head.operation = {Operation::kBranch, "branch of version " + std::to_string(version), 0, 0, 0, 0};
  std::string object = BranchPrefix(name) + kHeadObject;
  const std::string bytes = EncodeHead(head);
  auto put = path_->store->Put(context, object, bytes, PutCondition::IfAbsent());
  if (!put.ok()) {
    // The answer may have been lost.
    ReadRequest request{object, {}, {}};
    ReadResult read = std::move(path_->store->Read(context, {&request, 1})[0]);
    if (!read.status.ok() || read.data != bytes) {
      if (put.status().code() != StatusCode::kConflict) return put.status();
      return Status::AlreadyExists("there is a branch '" + std::string(name) + "'");
    }
  }
  Status stays = CheckStays(version, log, context);
  if (stays.code() == StatusCode::kConflict) RETURN_IF_ERROR(path_->store->Delete(context, object));
  RETURN_IF_ERROR(stays);
  return PutRoutingCopy(head.routing, BranchPrefix(name), context);
}

Result<std::vector<BranchInfo>> CollectionImpl::Branches(const Context& context) {
  RETURN_IF_ERROR(CheckOpen());
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListBranches(*path_->store, context));
  std::vector<BranchInfo> branches;
  for (const std::string& name : names) {
    auto loaded = CommitLog(path_->store, path_->env, BranchPrefix(name)).Load(context);
    if (!loaded.ok() && loaded.status().code() == StatusCode::kNotFound) continue;
    RETURN_IF_ERROR(loaded.status());
    const Head& head = loaded->head;
    branches.push_back({name, head.version, head.commit_ms, head.fork_of, head.fork_version, head.gc_epoch});
  }
  return branches;
}

// Its versions are listed before: later ones may be of the next branch of that name.
Status CollectionImpl::DeleteBranch(std::string_view name, const Context& context) {
  RETURN_IF_ERROR(CheckWritable());
  RETURN_IF_ERROR(CheckBranchName(name));
  if (name == branch_) return Status::InvalidArgument("branch '" + branch_ + "' is the one that this handle has open");
  const std::string object = BranchPrefix(name) + kHeadObject;
  ReadRequest request{object, {}, {}};
  ReadResult read = std::move(path_->store->Read(context, {&request, 1})[0]);
  if (read.status.code() == StatusCode::kNotFound) {
    return Status::NotFound("there is no branch '" + std::string(name) + "'");
  }
  RETURN_IF_ERROR(read.status);
  ASSIGN_OR_RETURN(const std::vector<VersionName> archived, ListVersions(*path_->store, BranchPrefix(name), context));
  RETURN_IF_ERROR(path_->store->Delete(context, object));
  std::vector<std::string> versions;
  for (const VersionName& one : archived) {
    versions.push_back(VersionObjectName(BranchPrefix(name), one.version, one.commit_ms));
  }
  RemoveObjects(versions, context);
  return Status::Ok();
}

Status CollectionImpl::FastForward(std::string_view name, const Context& context) {
  RETURN_IF_ERROR(CheckWritable());
  RETURN_IF_ERROR(CheckBranchName(name));
  std::lock_guard write(write_mutex_);
  RETURN_IF_ERROR(CommitLocked(false, "before a fast-forward", context));
  CommitLog log(path_->store, path_->env, BranchPrefix(name));
  auto loaded = log.Load(context);
  if (!loaded.ok() && loaded.status().code() == StatusCode::kNotFound) {
    return Status::NotFound("there is no branch '" + std::string(name) + "'");
  }
  RETURN_IF_ERROR(loaded.status());
  const Head& branch = loaded->head;
  ASSIGN_OR_RETURN(auto content, SnapshotOf(*path_, branch, *snapshot(), context));
  RETURN_IF_ERROR(content->Deletions(*path_, context).status());
  RETURN_IF_ERROR(SwapHead(
      [&](const Snapshot& base, Head& next, DeletionMap& deletions) {
        if (branch.fork_of != branch_ || branch.fork_version != base.head.version) {
          return Status::Conflict("branch '" + std::string(name) + "' began at version " +
                                  std::to_string(branch.fork_version) + " of '" + branch.fork_of +
                                  "'; this one is at version " + std::to_string(base.head.version));
        }
        TakeContent(content->WholeHead(), base.head, next);
        WrittenUpTo(base.head.version + 1, next);
        deletions = content->KnownDeletions()->now;
        next.operation = {Operation::kBranch, "fast-forward to branch " + std::string(name), 0, 0, 0, 0};
        return Status::Ok();
      },
      context));
  return PutRoutingCopy(snapshot()->head.routing, path_->branch_prefix, context);
}

}  // namespace isotherm
