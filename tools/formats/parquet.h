// Parquet files, by a module that is loaded when the first one is met: builds without it say so (kUnsupported).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "isotherm/row.h"
#include "isotherm/status.h"
#include "tools/formats/row_source.h"

namespace isotherm::parquet {
class FileWriter;
}

namespace isotherm::formats {

// Ends with ".parquet".
bool IsParquetFileName(const std::string& path);

// A column of vectors, others for keys, payloads and expiries; all that is left is metadata, and so is the JSON object
// in a column of that name. Null: the row has no such field.
Result<std::unique_ptr<RowSource>> OpenParquetSource(const RowSourceOptions& options);

// A file that is there whole or not at all.
class ParquetFile {
 public:
  static Result<std::unique_ptr<ParquetFile>> Create(const std::string& path, uint32_t dimension, KeyType key_type);
  ParquetFile(std::string path, std::unique_ptr<parquet::FileWriter> writer);
  // Removes what was written, unless Finish succeeded.
  ~ParquetFile();

  // Metadata goes into one column, as JSON: what JSON can't hold is kInvalidArgument.
  Status Append(Row row);
  // Gives the file its name and returns its bytes. Nothing can be done after it.
  Result<uint64_t> Finish();

 private:
  const std::string path_;
  std::unique_ptr<parquet::FileWriter> writer_;
  bool finished_ = false;
};

}  // namespace isotherm::formats
