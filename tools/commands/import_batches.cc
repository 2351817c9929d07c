#include "tools/commands/import_batches.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "base/macros.h"
#include "tools/commands/session.h"

namespace isotherm::tool {

namespace {

constexpr size_t kSamplesOfPart = 64;

const char* Difference(const Row& stored, const Row& wanted) {
  if (stored.vector != wanted.vector) return "another vector";
  if (stored.metadata != wanted.metadata) return "other metadata";
  if (stored.expires_at_ms != wanted.expires_at_ms) return "another expiry";
  return stored.payload != wanted.payload ? "another payload" : nullptr;
}

}  // namespace

Result<bool> BatchImport::Next(size_t count) {
  RETURN_IF_ERROR(source_.Next(count, &rows_));
  if (rows_.empty()) return false;
  for (size_t i = 0; i < rows_.size(); ++i) RETURN_IF_ERROR(Check(i).WithContext(source_.Place(i)));
  ASSIGN_OR_RETURN(size_t found, mode_ == ImportMode::kUpsert ? Upsert() : Insert());
  RETURN_IF_ERROR(InBatch(CommitSettled(collection_)));
  found_ += found;
  added_ += rows_.size() - found;
  return true;
}

Result<size_t> BatchImport::Insert() {
  Status inserted = collection_.InsertBatch(rows_);
  if (inserted.code() == StatusCode::kAlreadyExists) return AddMissing(inserted);
  RETURN_IF_ERROR(InBatch(inserted));
  return size_t{0};
}

Result<size_t> BatchImport::Upsert() {
  const std::vector<Key> keys = Keys();
  ASSIGN_OR_RETURN(std::vector<bool> contained, collection_.Contains(keys));
  std::unordered_set<Key, KeyHash> seen;
  size_t found = 0;
  for (size_t i = 0; i < keys.size(); ++i) found += !seen.insert(keys[i]).second || contained[i] ? 1 : 0;
  RETURN_IF_ERROR(InBatch(collection_.UpsertBatch(rows_)));
  return found;
}

std::vector<Key> BatchImport::Keys() const {
  std::vector<Key> keys;
  keys.reserve(rows_.size());
  for (const Row& row : rows_) keys.push_back(row.key);
  return keys;
}

// What the collection would refuse, said in terms of the file.
Status BatchImport::Check(size_t index) const {
  const Row& row = rows_[index];
  if (row.vector.size() != schema_.dimension) {
    return Status::InvalidArgument("a vector of " + std::to_string(row.vector.size()) +
                                   " numbers; the collection's dimension is " + std::to_string(schema_.dimension));
  }
  for (size_t i = 0; i < row.vector.size(); ++i) {
    if (std::isfinite(row.vector[i])) continue;
    return Status::InvalidArgument("component " + std::to_string(i) + " of the vector is " +
                                   std::to_string(row.vector[i]) + "; finite numbers are wanted");
  }
  if (row.key.type() != schema_.key_type) {
    return Status::InvalidArgument("key " + row.key.ToString() + "; this collection's keys are " +
                                   (schema_.key_type == KeyType::kInteger ? "integers" : "strings"));
  }
  if (schema_.metric == Metric::kCosine &&
      std::all_of(row.vector.begin(), row.vector.end(), [](float x) { return x == 0; })) {
    return Status::InvalidArgument("the vector is all zeros; under the cosine metric it needs a direction");
  }
  return Status::Ok();
}

Result<size_t> BatchImport::AddMissing(const Status& refused) {
  ASSIGN_OR_RETURN(std::vector<bool> contained, collection_.Contains(Keys()));
  std::vector<size_t> present;
  std::vector<Row> missing;
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (contained[i]) {
      present.push_back(i);
    } else {
      missing.push_back(rows_[i]);
    }
  }
  if (present.empty()) return Twice(refused);
  RETURN_IF_ERROR(CheckSame(present, missing.empty() ? 2 : kSamplesOfPart));
  if (!missing.empty()) {
    Status inserted = collection_.InsertBatch(std::move(missing));
    if (!inserted.ok()) return Twice(inserted);
  }
  return present.size();
}

Status BatchImport::Twice(const Status& refused) const {
  std::unordered_map<Key, size_t, KeyHash> first;
  for (size_t i = 0; i < rows_.size(); ++i) {
    auto [other, fresh] = first.emplace(rows_[i].key, i);
    if (fresh) continue;
    return Status::AlreadyExists(source_.Place(i) + ": key " + rows_[i].key.ToString() + " is that of " +
                                 source_.Place(other->second) + " too");
  }
  return InBatch(refused);
}

Status BatchImport::CheckSame(const std::vector<size_t>& present, size_t samples) {
  size_t count = std::min(samples, present.size());
  for (size_t s = 0; s < count; ++s) {
    size_t i = present[count == 1 ? 0 : s * (present.size() - 1) / (count - 1)];
    ASSIGN_OR_RETURN(Row stored, collection_.Get(rows_[i].key));
    if (const char* difference = Difference(stored, rows_[i])) {
      return Status::AlreadyExists(source_.Place(i) + ": key " + rows_[i].key.ToString() +
                                   " is in the collection already with " + difference +
                                   "; an import adds rows and changes none, unless --upsert is given");
    }
  }
  return Status::Ok();
}

Status BatchImport::InBatch(const Status& status) const {
  return status.WithContext(source_.Place(0) + " to " + source_.Place(rows_.size() - 1));
}

}  // namespace isotherm::tool
