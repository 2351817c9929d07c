// Bringing the rows of files into a collection, batch by batch, so that it can be interrupted and begun again.
#pragma once

#include <cstdint>
#include <vector>

#include "isotherm/collection.h"
#include "tools/formats/row_source.h"

namespace isotherm::tool {

enum class ImportMode {
  // What an earlier, interrupted import of the same rows left is found by keys: rows whose keys are in the collection
  // are not added again, but compared (the first and last of a batch, up to 64 of one that is there in part), so that
  // other rows with the same keys are an error and never skipped.
  kInsert,
  kUpsert,  // a row with the key of another one takes its place
};

// Each batch is one commit: all of it is there, or nothing.
class BatchImport {
 public:
  BatchImport(Collection& collection, formats::RowSource& source, ImportMode mode)
      : collection_(collection), source_(source), mode_(mode), schema_(collection.Stats()) {}

  // Takes the next at most `count` rows of the source; false when there are none. Errors name row or line; the batch
  // they are in was not committed.
  Result<bool> Next(size_t count);

  uint64_t added() const { return added_; }  // and committed
  uint64_t found() const { return found_; }  // there already; replaced, if these are upserts

 private:
  Status Check(size_t index) const;
  // Returns how many keys were there already. Nothing is committed yet.
  Result<size_t> Insert();
  Result<size_t> Upsert();
  std::vector<Key> Keys() const;
  // Inserts those rows of rows_ whose keys are not there; the others must be the same as what is there. Returns how
  // many of these there are.
  Result<size_t> AddMissing(const Status& refused);
  Status CheckSame(const std::vector<size_t>& present, size_t samples);
  // `refused`, or that two rows of the batch have the same key.
  Status Twice(const Status& refused) const;
  Status InBatch(const Status& status) const;

  Collection& collection_;
  formats::RowSource& source_;
  const ImportMode mode_;
  const CollectionStats schema_;
  std::vector<Row> rows_;
  uint64_t added_ = 0;
  uint64_t found_ = 0;
};

}  // namespace isotherm::tool
