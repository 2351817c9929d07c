// What the Parquet module offers: a shared object of its own, loaded when it is first needed, so that nothing else
// depends on Apache Arrow. Both sides are built together; nothing here is for anybody else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "isotherm/row.h"
#include "isotherm/status.h"

namespace isotherm::parquet {

// Raised when anything in this header changes.
inline constexpr uint32_t kInterfaceVersion = 1;
inline constexpr char kEntryPoint[] = "isotherm_parquet_module";

// The columns of a file.
struct Columns {
  std::string key = "key";               // uint64, or UTF-8 text
  std::string vector = "vector";         // list of floats
  std::string payload = "payload";       // bytes or text; null: empty
  std::string expiry = "expires_at_ms";  // a moment, or milliseconds since 1970; null: never
  std::string version = "row_version";   // uint64; left aside when read
  std::string metadata = "metadata";     // a JSON object as text; null: none
};

struct FileSchema {
  uint32_t dimension = 0;
  KeyType key_type = KeyType::kInteger;
  bool has_key = true;
  uint64_t rows = 0;
};

// A row and its metadata as JSON. When read, `row.metadata` has the fields of all other columns.
struct FileRow {
  Row row;
  std::string metadata_json;  // empty: none
};

class FileWriter {
 public:
  virtual ~FileWriter() = default;
  // kInvalidArgument for a text key that is no UTF-8.
  virtual Status Append(const FileRow& row) = 0;
  // Nothing can be done after it.
  virtual Status Finish() = 0;
};

class FileReader {
 public:
  virtual ~FileReader() = default;
  virtual const FileSchema& schema() const = 0;
  // Replaces `rows` by the next ones, a batch of the file's; none at the end.
  virtual Status Next(std::vector<FileRow>* rows) = 0;
};

struct Module {
  uint32_t interface_version = kInterfaceVersion;
  Result<std::unique_ptr<FileWriter>> (*create)(const std::string& path, const FileSchema& schema,
                                                const Columns& columns) = nullptr;
  Result<std::unique_ptr<FileReader>> (*open)(const std::string& path, const Columns& columns) = nullptr;
};

}  // namespace isotherm::parquet
