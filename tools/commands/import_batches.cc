#include "tools/commands/import_batches.h"

#include <algorithm>
#include <cmath>

#include "base/macros.h"

namespace isotherm::tool {

namespace {

constexpr size_t kSamplesOfPart = 64;
constexpr int kSettleAttempts = 5;

const char* Difference(const Row& stored, const Row& wanted) {
  if (stored.vector != wanted.vector) return "another vector";
  if (stored.metadata != wanted.metadata) return "other metadata";
  return stored.payload != wanted.payload ? "another payload" : nullptr;
}

}  // namespace

Result<bool> BatchImport::Next(size_t count) {
  RETURN_IF_ERROR(source_.Next(count, &rows_));
  if (rows_.empty()) return false;
  for (size_t i = 0; i < rows_.size(); ++i) RETURN_IF_ERROR(Check(i).WithContext(source_.Place(i)));
  Status inserted = collection_.InsertBatch(rows_);
  if (inserted.ok()) {
    added_ += rows_.size();
  } else if (inserted.code() == StatusCode::kAlreadyExists) {
    RETURN_IF_ERROR(AddMissing(inserted));
  } else {
    return InBatch(inserted);
  }
  RETURN_IF_ERROR(CommitSettled());
  return true;
}

// What the collection would refuse, said in terms of the file.
Status BatchImport::Check(size_t index) const {
  const Row& row = rows_[index];
  CollectionStats stats = collection_.Stats();
  if (row.vector.size() != stats.dimension) {
    return Status::InvalidArgument("a vector of " + std::to_string(row.vector.size()) +
                                   " numbers; the collection's dimension is " + std::to_string(stats.dimension));
  }
  for (size_t i = 0; i < row.vector.size(); ++i) {
    if (std::isfinite(row.vector[i])) continue;
    return Status::InvalidArgument("component " + std::to_string(i) + " of the vector is " +
                                   std::to_string(row.vector[i]) + "; finite numbers are wanted");
  }
  if (row.key.type() != stats.key_type) {
    return Status::InvalidArgument("key " + row.key.ToString() + "; this collection's keys are " +
                                   (stats.key_type == KeyType::kInteger ? "integers" : "strings"));
  }
  if (stats.metric == Metric::kCosine && std::all_of(row.vector.begin(), row.vector.end(), [](float x) { return x == 0; })) {
    return Status::InvalidArgument("the vector is all zeros; under the cosine metric it needs a direction");
  }
  return Status::Ok();
}

Status BatchImport::AddMissing(const Status& refused) {
  std::vector<Key> keys;
  for (const Row& row : rows_) keys.push_back(row.key);
  ASSIGN_OR_RETURN(std::vector<bool> contained, collection_.Contains(keys));
  std::vector<size_t> present;
  std::vector<Row> missing;
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (contained[i]) {
      present.push_back(i);
    } else {
      missing.push_back(rows_[i]);
    }
  }
  if (present.empty()) return InBatch(refused);
  RETURN_IF_ERROR(CheckSame(present, missing.empty() ? 2 : kSamplesOfPart));
  found_ += present.size();
  if (missing.empty()) return Status::Ok();
  added_ += missing.size();
  return InBatch(collection_.InsertBatch(std::move(missing)));
}

Status BatchImport::CheckSame(const std::vector<size_t>& present, size_t samples) {
  size_t count = std::min(samples, present.size());
  for (size_t s = 0; s < count; ++s) {
    size_t i = present[count == 1 ? 0 : s * (present.size() - 1) / (count - 1)];
    ASSIGN_OR_RETURN(Row stored, collection_.Get(rows_[i].key));
    if (const char* difference = Difference(stored, rows_[i])) {
      return Status::AlreadyExists(source_.Place(i) + ": key " + rows_[i].key.ToString() +
                                   " is in the collection already with " + difference +
                                   "; an import adds rows and changes none");
    }
  }
  return Status::Ok();
}

Status BatchImport::CommitSettled() {
  Status status = collection_.Commit();
  for (int attempt = 1; status.code() == StatusCode::kUnknown && attempt < kSettleAttempts; ++attempt) {
    status = collection_.Commit();
  }
  return InBatch(status);
}

Status BatchImport::InBatch(const Status& status) const {
  return status.WithContext(source_.Place(0) + " to " + source_.Place(rows_.size() - 1));
}

}  // namespace isotherm::tool
