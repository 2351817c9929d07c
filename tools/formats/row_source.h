// Rows to be imported, from files of any of the formats, in the order of the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "isotherm/row.h"
#include "isotherm/status.h"

namespace isotherm::formats {

inline constexpr uint64_t kAllRows = std::numeric_limits<uint64_t>::max();

struct RowSourceOptions {
  // .npy, .fvecs or .bvecs, .parquet, else JSON lines (RowFromJson), gzip-compressed or not.
  std::string path;
  // Beside a file of vectors; empty: none.
  std::string ids;       // .npy of integers: the keys. Without: first_key, first_key + 1, …
  std::string metadata;  // JSON lines, one object a row
  uint64_t first_key = 0;
  // Fields of the JSON lines. For metadata beside a file of vectors, empty means that no field is the key, the payload
  // or the expiry.
  std::string key_field;
  std::string vector_field = "vector";
  std::string payload_field;
  std::string expiry_field;
  uint64_t limit = kAllRows;  // only the first rows
};

class RowSource {
 public:
  virtual ~RowSource() = default;

  // Of the first row.
  virtual uint32_t dimension() const = 0;
  virtual KeyType key_type() const = 0;
  // How far it is read, of how much (0: not known); in rows or, where their number is not known, in bytes.
  virtual uint64_t done() const = 0;
  virtual uint64_t total() const = 0;
  virtual bool counts_rows() const = 0;

  // Replaces `rows` by the next `count`, fewer only at the end. kInvalidArgument names file and row or line; nothing
  // can be read after it.
  virtual Status Next(size_t count, std::vector<Row>* rows) = 0;
  // Where row `index` of those of the last Next stands: "row 5 of a.npy", "line 6 of a.jsonl".
  virtual std::string Place(size_t index) const = 0;
};

// kInvalidArgument when the file is no such file, holds no row, or the files beside it have other numbers of rows.
Result<std::unique_ptr<RowSource>> OpenRowSource(const RowSourceOptions& options);

}  // namespace isotherm::formats
