#include "isotherm/backup.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/macros.h"
#include "engine/history.h"
#include "engine/object_writer.h"
#include "segment/routing_object.h"

namespace isotherm {

namespace {

constexpr uint64_t kPieceBytes = 8 << 20;
constexpr int64_t kLeaseMs = 24 * 60 * 60 * 1000;

struct FoundHead {
  Head head;
  std::string etag;
};

Result<FoundHead> ReadHead(BlobStore& store, const std::string& name, const Context& context) {
  ReadRequest request{name, {}, {}};
  ReadResult read = std::move(store.Read(context, {&request, 1})[0]);
  RETURN_IF_ERROR(read.status.WithContext(store.Describe()));
  auto head = DecodeHead(read.data);
  RETURN_IF_ERROR(head.status().WithContext(store.Describe()));
  return FoundHead{std::move(head).value(), std::move(read.etag)};
}

Status CopyObject(BlobStore& from, BlobStore& to, const std::string& name, uint64_t bytes, const Context& context) {
  ASSIGN_OR_RETURN(std::unique_ptr<BlobWriter> writer, to.CreateWriter(context, name));
  for (uint64_t offset = 0; offset < bytes; offset += kPieceBytes) {
    ReadRequest request{name, ByteRange{offset, std::min(kPieceBytes, bytes - offset)}, {}};
    ReadResult read = std::move(from.Read(context, {&request, 1})[0]);
    RETURN_IF_ERROR(read.status.WithContext(from.Describe()));
    if (read.data.size() != request.range->length) return Status::Corruption(name + ": shorter than the head says");
    RETURN_IF_ERROR(writer->Append(read.data));
  }
  return writer->Finish().status();
}

std::map<std::string, uint64_t> ObjectsOf(const Head& head) {
  std::map<std::string, uint64_t> objects;
  for (const SegmentInfo& segment : head.segments) objects[segment.name] = segment.bytes;
  if (!head.deletions.name.empty()) objects[head.deletions.name] = head.deletions.bytes;
  if (head.routing.generation != 0) objects[RoutingName(head.routing.sha256_hex)] = head.routing.bytes;
  return objects;
}

// Keeps the version in `from` while it is copied. Removed when this goes.
class CopyLease {
 public:
  CopyLease(BlobStore& store, const std::string& branch, uint64_t version, const Context& context)
      : store_(store), context_(context) {
    auto env = Environment::Default();
    std::string name = kLeasePrefix + NonceHex(MakeNonce(*env->random));
    auto put = store_.Put(context, name, EncodeLease({branch, version, env->clock->WallMs() + kLeaseMs}));
    if (put.ok()) name_ = name;  // else the store is read-only here, or will say so soon
  }
  CopyLease(const CopyLease&) = delete;
  CopyLease& operator=(const CopyLease&) = delete;
  ~CopyLease() {
    if (name_.empty()) return;
    Status removed = store_.Delete(context_, name_);
    (void)removed;  // it lapses
  }

 private:
  BlobStore& store_;
  const Context& context_;
  std::string name_;
};

Result<Head> HeadAt(BlobStore& store, const BackupOptions& options, const Context& context) {
  const std::string prefix = BranchPrefix(options.branch);
  ASSIGN_OR_RETURN(FoundHead newest, ReadHead(store, prefix + kHeadObject, context));
  if (options.version == 0 || options.version == newest.head.version) return std::move(newest.head);
  ASSIGN_OR_RETURN(std::vector<VersionName> versions, ListVersions(store, prefix, context));
  for (const VersionName& version : versions) {
    if (version.version == options.version) return ReadVersion(store, prefix, version, context);
  }
  return Status::NotFound("version " + std::to_string(options.version) + " is not kept in " + store.Describe());
}

// The head of an older copy, if there is one, which may be replaced by `head`.
Result<std::optional<FoundHead>> OlderCopy(BlobStore& to, const Head& head, const Context& context) {
  auto there = ReadHead(to, kHeadObject, context);
  if (there.status().code() == StatusCode::kNotFound) return std::optional<FoundHead>();
  if (!there.ok() || there->head.collection != head.collection) {
    return Status::AlreadyExists("there is something else at " + to.Describe());
  }
  if (there->head.version > head.version) {
    return Status::Conflict(to.Describe() + " holds version " + std::to_string(there->head.version) +
                            ", which is newer than version " + std::to_string(head.version));
  }
  return std::optional(std::move(there).value());
}

Status PublishCopy(BlobStore& to, const Head& head, const std::optional<FoundHead>& older, const Context& context) {
  PutCondition condition = PutCondition::IfAbsent();
  if (older) {
    std::string archive = VersionObjectName("", older->head.version, older->head.commit_ms);
    RETURN_IF_ERROR(WithoutOutcome(to.Put(context, archive, EncodeHead(older->head)).status()));
    condition = PutCondition::IfMatch(older->etag);
  }
  auto put = to.Put(context, kHeadObject, EncodeHead(head), condition);
  if (put.ok() || put.status().code() != StatusCode::kConflict) return put.status();
  return Status::AlreadyExists("somebody else wrote a head to " + to.Describe());
}

}  // namespace

Result<BackupReport> Backup(BlobStore& from, BlobStore& to, const BackupOptions& options, const Progress& progress,
                            const Context& context) {
  if (!options.branch.empty()) RETURN_IF_ERROR(CheckBranchName(options.branch));
  ASSIGN_OR_RETURN(Head head, HeadAt(from, options, context));
  CopyLease lease(from, options.branch, head.version, context);
  // A vacuum that came before the lease may have removed it.
  if (options.version != 0) {
    ASSIGN_OR_RETURN(head, HeadAt(from, options, context));
  }
  ASSIGN_OR_RETURN(std::optional<FoundHead> older, OlderCopy(to, head, context));
  if (!older) RETURN_IF_ERROR(ProbeStore(to, *Environment::Default()->random, context));
  BackupReport report;
  report.version = head.version;
  if (older && older->head.version == head.version) return report;
  std::map<std::string, uint64_t> there;
  ASSIGN_OR_RETURN(std::vector<ListEntry> listed, ListObjects(to, "", context));
  for (const ListEntry& entry : listed) there[entry.name] = entry.size;
  const std::map<std::string, uint64_t> objects = ObjectsOf(head);
  uint64_t total = 0;
  for (const auto& [name, bytes] : objects) total += bytes;
  for (const auto& [name, bytes] : objects) {
    auto found = there.find(name);
    if (found != there.end() && found->second == bytes) {
      ++report.objects_there;
      report.bytes_there += bytes;
    } else {
      RETURN_IF_ERROR(CopyObject(from, to, name, bytes, context));
      ++report.objects_copied;
      report.bytes_copied += bytes;
    }
    if (progress) progress("copying", report.bytes_there + report.bytes_copied, total);
  }
  if (head.routing.generation != 0) {
    ReadRequest request{RoutingName(head.routing.sha256_hex), {}, {}};
    ReadResult routing = std::move(to.Read(context, {&request, 1})[0]);
    RETURN_IF_ERROR(routing.status);
    RETURN_IF_ERROR(WithoutOutcome(to.Put(context, kRoutingObject, routing.data).status()));
  }
  // What only the original has: other branches, other versions, compactions at work.
  head.builds.clear();
  head.fork_of.clear();
  head.fork_version = 0;
  head.oldest_version = older ? std::min(older->head.oldest_version, head.version) : head.version;
  // Last: until here there is no new version.
  RETURN_IF_ERROR(PublishCopy(to, head, older, context));
  return report;
}

Status CopyCollection(BlobStore& from, BlobStore& to, const Progress& progress, const Context& context) {
  ReadRequest request{kHeadObject, {}, {}};
  if (to.Read(context, {&request, 1})[0].status.ok()) {
    return Status::AlreadyExists("there is a collection at " + to.Describe());
  }
  return Backup(from, to, {}, progress, context).status();
}

Result<RecoverReport> Recover(BlobStore& store, std::string_view branch, const Context& context) {
  if (!branch.empty()) RETURN_IF_ERROR(CheckBranchName(branch));
  const std::string prefix = BranchPrefix(branch);
  ReadRequest request{prefix + kHeadObject, {}, {}};
  ReadResult read = std::move(store.Read(context, {&request, 1})[0]);
  const bool missing = read.status.code() == StatusCode::kNotFound;
  if (!read.status.ok() && !missing) return read.status;
  RecoverReport report;
  report.what_was_wrong = "missing";
  if (!missing) {
    auto head = DecodeHead(read.data);
    if (head.ok() || head.status().code() == StatusCode::kUnsupported) {
      return Status::AlreadyExists("the head at " + store.Describe() + " needs no recovery");
    }
    report.what_was_wrong = head.status().message();
  }
  ASSIGN_OR_RETURN(std::vector<VersionName> versions, ListVersions(store, prefix, context));
  for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
    auto archived = ReadVersion(store, prefix, *version, context);
    if (!archived.ok() && archived.status().code() == StatusCode::kCorruption) continue;
    RETURN_IF_ERROR(archived.status());
    auto env = Environment::Default();
    Head head = std::move(archived).value();
    head.write = MakeNonce(*env->random);
    head.builds.clear();  // what they have written may be gone
    // The lost head's number, unless it was lost before there was another.
    head.version = versions.back().version + 1;
    head.commit_ms = std::max(head.commit_ms, env->clock->WallMs());
    head.operation = {Operation::kRecover, "from version " + std::to_string(version->version), 0, 0, 0, 0};
    auto condition = missing ? PutCondition::IfAbsent() : PutCondition::IfMatch(read.etag);
    RETURN_IF_ERROR(store.Put(context, request.name, EncodeHead(head), condition).status());
    report.version = head.version;
    report.from_version = version->version;
    return report;
  }
  return Status::NotFound("no archived version in " + store.Describe() + ": there is nothing to recover from");
}

}  // namespace isotherm
