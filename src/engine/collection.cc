// What the interface offers on top of its own calls.
#include "isotherm/collection.h"

namespace isotherm {

Status Collection::InsertBatch(std::vector<Row> rows, const Context& context) {
  WriteBatch batch;
  for (Row& row : rows) batch.Insert(std::move(row));
  return Write(std::move(batch), context);
}

Status Collection::UpsertBatch(std::vector<Row> rows, const Context& context) {
  WriteBatch batch;
  for (Row& row : rows) batch.Upsert(std::move(row));
  return Write(std::move(batch), context);
}

}  // namespace isotherm
