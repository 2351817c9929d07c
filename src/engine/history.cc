#include "engine/history.h"

#include <algorithm>

#include "base/crc32c.h"
#include "base/macros.h"
#include "segment/routing_object.h"

namespace isotherm {

namespace {

constexpr std::string_view kLeaseMagic = "ISOLEAS1";

Result<std::string> ReadWhole(BlobStore& store, const std::string& name, const Context& context) {
  ReadRequest request{name, {}, {}};
  ReadResult read = std::move(store.Read(context, {&request, 1})[0]);
  RETURN_IF_ERROR(read.status);
  return std::move(read.data);
}

Status NoSuchVersion(const std::string& wanted, const std::vector<VersionName>& archived, const Head& newest) {
  uint64_t oldest = archived.empty() ? newest.version : archived.front().version;
  return Status::NotFound("there is no " + wanted + "; versions " + std::to_string(oldest) + " to " +
                          std::to_string(newest.version) + " are kept");
}

// When this branch has a version of that number, and it is another one. The main branch is always the one that it was.
bool IsAnother(const std::string& branch, const Head& newest, const std::vector<VersionName>& archived,
               const std::optional<VersionName>& version) {
  if (branch.empty() || !version) return false;
  if (newest.version == version->version) return newest.commit_ms != version->commit_ms;
  return newest.version < version->version ||
         std::any_of(archived.begin(), archived.end(), [&](const VersionName& own) {
           return own.version == version->version && own.commit_ms != version->commit_ms;
         });
}

// The version that a branch began as a copy of, as far as it is known still.
std::optional<VersionName> ForkOf(const Head& newest, const std::vector<VersionName>& archived) {
  if (newest.version == newest.fork_version) return VersionName{newest.version, newest.commit_ms};
  auto first = std::find_if(archived.begin(), archived.end(),
                            [&](const VersionName& own) { return own.version == newest.fork_version; });
  return first == archived.end() ? std::nullopt : std::optional(*first);
}

// The archived version that is wanted, of this branch or those that it came from; nothing when there is none.
// `at_most`: no later version counts. `fork`: what a branch of this one began with; when this one has it not, it is
// another one of the name.
Result<std::optional<Head>> FindArchived(BlobStore& store, const std::string& branch, const VersionWanted& wanted,
                                         uint64_t at_most, const std::optional<VersionName>& fork, const Head& newest,
                                         const Context& context) {
  std::string prefix = BranchPrefix(branch);
  ASSIGN_OR_RETURN(std::vector<VersionName> archived, ListVersions(store, prefix, context));
  if (IsAnother(branch, newest, archived, fork)) return std::optional<Head>();
  const VersionName* found = nullptr;
  for (const VersionName& candidate : archived) {
    bool fits = wanted.version != 0 ? candidate.version == wanted.version : candidate.commit_ms <= wanted.as_of_ms;
    if (fits && candidate.version <= at_most) found = &candidate;
  }
  // Of a moment: when the version after it was removed, that may have been the one.
  auto follows = [&](const VersionName& version) { return version.version == found->version + 1; };
  if (found != nullptr && wanted.version == 0 && found->version != at_most && found->version + 1 != newest.version &&
      std::none_of(archived.begin(), archived.end(), follows)) {
    return std::optional<Head>();
  }
  if (found != nullptr) {
    ASSIGN_OR_RETURN(Head head, ReadVersion(store, prefix, *found, context));
    return std::optional(std::move(head));
  }
  if (newest.fork_version == 0) return std::optional<Head>();
  if (wanted.version > newest.fork_version) return std::optional<Head>();
  // The fork itself may still be the newest of its own branch.
  const std::string parent = BranchPrefix(newest.fork_of) + kHeadObject;
  ASSIGN_OR_RETURN(std::string bytes, ReadWhole(store, parent, context));
  auto head = DecodeHead(bytes);
  RETURN_IF_ERROR(head.status().WithContext(parent));
  const std::optional<VersionName> began = ForkOf(newest, archived);
  if (IsAnother(newest.fork_of, *head, {}, began)) return std::optional<Head>();
  bool fits = wanted.version != 0 ? head->version == wanted.version : head->commit_ms <= wanted.as_of_ms;
  if (fits && head->version <= newest.fork_version) return std::optional(std::move(head).value());
  return FindArchived(store, newest.fork_of, wanted, std::min(at_most, newest.fork_version), began, *head, context);
}

}  // namespace

Result<std::vector<ListEntry>> ListObjects(BlobStore& store, std::string_view prefix, const Context& context) {
  std::vector<ListEntry> entries;
  while (true) {
    std::string after = entries.empty() ? std::string() : entries.back().name;
    ASSIGN_OR_RETURN(ListPage page, store.List(context, prefix, after));
    entries.insert(entries.end(), page.entries.begin(), page.entries.end());
    if (!page.more) return entries;
  }
}

Result<std::vector<VersionName>> ListVersions(BlobStore& store, std::string_view branch_prefix,
                                              const Context& context) {
  std::string prefix = std::string(branch_prefix) + kVersionPrefix;
  ASSIGN_OR_RETURN(std::vector<ListEntry> entries, ListObjects(store, prefix, context));
  std::vector<VersionName> versions;
  for (const ListEntry& entry : entries) {
    if (auto version = ParseVersionName(std::string_view(entry.name).substr(branch_prefix.size()))) {
      versions.push_back(*version);
    }
  }
  return versions;
}

Result<Head> ReadVersion(BlobStore& store, std::string_view branch_prefix, const VersionName& version,
                         const Context& context) {
  std::string name = VersionObjectName(branch_prefix, version.version, version.commit_ms);
  ASSIGN_OR_RETURN(std::string bytes, ReadWhole(store, name, context));
  auto head = DecodeHead(bytes);
  RETURN_IF_ERROR(head.status().WithContext(name));
  if (head->version != version.version) return Status::Corruption(name + ": holds another version");
  return head;
}

Result<std::shared_ptr<const Snapshot>> LoadSnapshotAt(const ReadPath& path, const VersionWanted& wanted,
                                                       const Context& context) {
  ASSIGN_OR_RETURN(std::shared_ptr<const Snapshot> newest, LoadSnapshot(path, nullptr, context));
  const Head& head = newest->head;
  bool newest_fits = wanted.version != 0 ? head.version == wanted.version : head.commit_ms <= wanted.as_of_ms;
  if (newest_fits) return newest;
  std::string branch = path.branch_prefix.empty() ? std::string() : *BranchOfHead(path.branch_prefix + kHeadObject);
  ASSIGN_OR_RETURN(auto archived, FindArchived(*path.store, branch, wanted, head.version, std::nullopt, head, context));
  if (!archived) {
    ASSIGN_OR_RETURN(std::vector<VersionName> versions, ListVersions(*path.store, path.branch_prefix, context));
    return NoSuchVersion(wanted.version != 0 ? "version " + std::to_string(wanted.version)
                                             : "version as old as " + std::to_string(wanted.as_of_ms) + " ms",
                         versions, head);
  }
  return SnapshotOf(path, std::move(*archived), *newest, context);
}

Result<std::vector<std::string>> ListBranches(BlobStore& store, const Context& context) {
  std::vector<std::string> branches{""};
  ASSIGN_OR_RETURN(std::vector<ListEntry> entries, ListObjects(store, kBranchesPrefix, context));
  for (const ListEntry& entry : entries) {
    if (auto branch = BranchOfHead(entry.name)) branches.push_back(*branch);
  }
  return branches;
}

std::string EncodeLease(const Lease& lease) {
  std::string body;
  PutBytes(body, lease.branch);
  PutFixed<uint64_t>(body, lease.version);
  PutFixed<int64_t>(body, lease.expires_ms);
  std::string out(kLeaseMagic);
  PutFixed<uint32_t>(out, Crc32c(body));
  return out + body;
}

Result<Lease> DecodeLease(std::string_view bytes) {
  Decoder in(bytes);
  if (in.Raw(kLeaseMagic.size()) != kLeaseMagic) return Status::Corruption("lease: wrong magic number");
  auto crc = in.Fixed<uint32_t>();
  if (!in.ok() || Crc32c(bytes.substr(bytes.size() - in.remaining())) != crc) {
    return Status::Corruption("lease: does not match its crc32c");
  }
  Lease lease;
  lease.branch = in.Bytes();
  lease.version = in.Fixed<uint64_t>();
  lease.expires_ms = in.Fixed<int64_t>();
  if (!in.done()) return Status::Corruption("lease: malformed");
  return lease;
}

// One that is gone when it is read may have been renewed, by another one that the list did not have yet: then they are
// listed again, and those are read that are new.
Result<std::map<std::string, Lease>> ListLeases(BlobStore& store, const Context& context) {
  std::map<std::string, Lease> known;
  while (true) {
    ASSIGN_OR_RETURN(std::vector<ListEntry> entries, ListObjects(store, kLeasePrefix, context));
    std::map<std::string, Lease> leases;
    for (const ListEntry& entry : entries) {
      auto found = known.find(entry.name);
      if (found == known.end()) {
        auto bytes = ReadWhole(store, entry.name, context);
        if (!bytes.ok() && bytes.status().code() != StatusCode::kNotFound) return bytes.status();
        if (!bytes.ok()) continue;
        auto lease = DecodeLease(*bytes);
        RETURN_IF_ERROR(lease.status().WithContext(entry.name));
        found = known.emplace(entry.name, std::move(lease).value()).first;
      }
      leases.insert(*found);
    }
    if (leases.size() == entries.size()) return leases;
  }
}

void AddBuildRecords(const Head& head, std::set<std::string>& names) {
  for (const Build& build : head.builds) names.insert(BuildRecordName(build.gc_epoch, build.id));
}

void AddReferences(const Head& head, std::set<std::string>& names) {
  for (const SegmentInfo& segment : head.segments) names.insert(segment.name);
  if (!head.deletions.name.empty()) names.insert(head.deletions.name);
  if (head.routing.generation != 0) names.insert(RoutingName(head.routing.sha256_hex));
}

Result<std::set<std::string>> NamedObjects(BlobStore& store, const Context& context) {
  std::set<std::string> names;
  ASSIGN_OR_RETURN(auto leases, ListLeases(store, context));
  for (const auto& [name, lease] : leases) names.insert(name);
  ASSIGN_OR_RETURN(std::vector<std::string> branches, ListBranches(store, context));
  for (const std::string& branch : branches) {
    const std::string prefix = BranchPrefix(branch);
    names.insert(prefix + kHeadObject);
    names.insert(prefix + kRoutingObject);
    auto bytes = ReadWhole(store, prefix + kHeadObject, context);
    if (bytes.ok()) {
      auto head = DecodeHead(*bytes);
      if (head.ok()) AddReferences(*head, names);
      if (head.ok()) AddBuildRecords(*head, names);
    }
    ASSIGN_OR_RETURN(std::vector<VersionName> versions, ListVersions(store, prefix, context));
    for (const VersionName& version : versions) {
      names.insert(VersionObjectName(prefix, version.version, version.commit_ms));
      auto head = ReadVersion(store, prefix, version, context);
      if (head.ok()) AddReferences(*head, names);
    }
  }
  return names;
}

const char* OperationName(Operation operation) {
  switch (operation) {
    case Operation::kCreate: return "create";
    case Operation::kCommit: return "commit";
    case Operation::kCompact: return "compact";
    case Operation::kVacuum: return "vacuum";
    case Operation::kRollback: return "rollback";
    case Operation::kBranch: return "branch";
    case Operation::kRecover: return "recover";
    case Operation::kBuild: return "build";
    case Operation::kErase: return "erase";
  }
  return "unknown";
}

}  // namespace isotherm
