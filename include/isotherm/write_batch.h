// Changes of rows that happen together: all of them, or none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "isotherm/row.h"

namespace isotherm {

// What becomes of a row's metadata: fields are set and removed, the others stay, and so do vector and payload.
struct MetadataPatch {
  Metadata set;
  std::vector<std::string> remove;  // no harm when absent; after `set`
};

enum class MutationKind : uint8_t { kInsert, kUpsert, kPatch, kDelete, kSoftDelete, kRestore };

// One change of one row.
struct Mutation {
  MutationKind kind = MutationKind::kUpsert;
  Row row;  // kInsert, kUpsert: all of it; else its key
  MetadataPatch patch;
  // Not 0: kConflict unless the row is there with this version (Row::version, as read).
  uint64_t if_version = 0;
};

// Filled by one thread, then given to Collection::Write. A key may occur more than once: changes apply in order.
class WriteBatch {
 public:
  // kAlreadyExists when there is a row of that key.
  WriteBatch& Insert(Row row) { return Add({MutationKind::kInsert, std::move(row), {}, 0}); }
  // Replaces the row of that key, if there is one.
  WriteBatch& Upsert(Row row, uint64_t if_version = 0) {
    return Add({MutationKind::kUpsert, std::move(row), {}, if_version});
  }
  // kNotFound when there is no such row.
  WriteBatch& Patch(Key key, MetadataPatch patch, uint64_t if_version = 0) {
    return Add({MutationKind::kPatch, OfKey(std::move(key)), std::move(patch), if_version});
  }
  // Nothing to do, and no error, when there is no such row.
  WriteBatch& Delete(Key key, uint64_t if_version = 0) {
    return Add({MutationKind::kDelete, OfKey(std::move(key)), {}, if_version});
  }
  // The row is absent from now on, but can be restored until a vacuum removes it, or a row of its key is written.
  WriteBatch& SoftDelete(Key key, uint64_t if_version = 0) {
    return Add({MutationKind::kSoftDelete, OfKey(std::move(key)), {}, if_version});
  }
  // Brings a softly deleted row back. kNotFound when there is none; nothing to do when the row is not deleted.
  // kConflict when a deletion that is not committed yet was of one version only, and the row that is there now is of
  // another.
  WriteBatch& Restore(Key key) { return Add({MutationKind::kRestore, OfKey(std::move(key)), {}, 0}); }

  // For large imports: the batch is seen, by this handle too, only when it is committed, and no index of rows in RAM is
  // built for it. A key that this handle changed already, and did not commit, is seen at once all the same.
  WriteBatch& Defer() {
    deferred_ = true;
    return *this;
  }
  bool deferred() const { return deferred_; }

  WriteBatch& Add(Mutation mutation) {
    mutations_.push_back(std::move(mutation));
    return *this;
  }

  bool empty() const { return mutations_.empty(); }
  size_t size() const { return mutations_.size(); }
  const std::vector<Mutation>& mutations() const { return mutations_; }
  std::vector<Mutation>& mutations() { return mutations_; }

 private:
  static Row OfKey(Key key) {
    Row row;
    row.key = std::move(key);
    return row;
  }

  std::vector<Mutation> mutations_;
  bool deferred_ = false;
};

}  // namespace isotherm
