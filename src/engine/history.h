// Reading a collection's past: archived versions, other branches, leases, and what all of them name.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/commit_log.h"
#include "engine/object_names.h"
#include "engine/snapshot.h"

namespace isotherm {

// All objects, in order of their names.
Result<std::vector<ListEntry>> ListObjects(BlobStore& store, std::string_view prefix, const Context& context);

// The archived versions of a branch, ascending: all but the newest, as far as they were kept.
Result<std::vector<VersionName>> ListVersions(BlobStore& store, std::string_view branch_prefix, const Context& context);
// The head that such a version was.
Result<Head> ReadVersion(BlobStore& store, std::string_view branch_prefix, const VersionName& version,
                         const Context& context);

// Which version to look at: by number or, with 0, by time: the newest one that is not younger.
struct VersionWanted {
  uint64_t version = 0;
  int64_t as_of_ms = 0;
};
// kNotFound, saying which versions there are, when it never was or was removed. A branch has those of the branch that
// it began with up to there.
Result<std::shared_ptr<const Snapshot>> LoadSnapshotAt(const ReadPath& path, const VersionWanted& wanted,
                                                       const Context& context);

// Names of all branches, the main one ("") among them.
Result<std::vector<std::string>> ListBranches(BlobStore& store, const Context& context);

// Keeps a version from being removed until some time, by the clock of whoever wrote it.
inline constexpr int64_t kLeaseSkewMs = 5 * 60 * 1000;
struct Lease {
  std::string branch;
  uint64_t version = 0;
  int64_t expires_ms = 0;
  int64_t held_until_ms() const { return expires_ms + kLeaseSkewMs; }
};
std::string EncodeLease(const Lease& lease);
Result<Lease> DecodeLease(std::string_view bytes);
// Corruption when one can't be read: nobody knows what it holds.
Result<std::map<std::string, Lease>> ListLeases(BlobStore& store, const Context& context);

// Adds the names of the objects that a head needs.
void AddReferences(const Head& head, std::set<std::string>& names);

// Adds the records of the builds that are under way, whether they are there or not.
void AddBuildRecords(const Head& head, std::set<std::string>& names);

// All objects that a branch, an archived version, a lease or a build needs or is. Archived versions that can't be read
// are left out.
Result<std::set<std::string>> NamedObjects(BlobStore& store, const Context& context);

const char* OperationName(Operation operation);

}  // namespace isotherm
