// Rows from a Parquet file of ours or anybody's: a column of vectors, perhaps keys, payloads, expiries, metadata as
// JSON; every other column is a field of the metadata.
#include <arrow/array.h>
#include <arrow/io/file.h>
#include <arrow/record_batch.h>
#include <arrow/type_traits.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>

#include <limits>
#include <optional>
#include <utility>

#include "base/macros.h"
#include "tools/parquet/arrow_status.h"
#include "tools/parquet/files.h"

namespace isotherm::parquet {

namespace {

constexpr int64_t kBatchRows = 4096;

// An integer of any width; nothing for any other type and for what an int64 does not hold.
std::optional<int64_t> IntegerAt(const arrow::Array& array, int64_t i) {
  switch (array.type_id()) {
    case arrow::Type::INT8: return static_cast<const arrow::Int8Array&>(array).Value(i);
    case arrow::Type::INT16: return static_cast<const arrow::Int16Array&>(array).Value(i);
    case arrow::Type::INT32: return static_cast<const arrow::Int32Array&>(array).Value(i);
    case arrow::Type::INT64: return static_cast<const arrow::Int64Array&>(array).Value(i);
    case arrow::Type::UINT8: return static_cast<const arrow::UInt8Array&>(array).Value(i);
    case arrow::Type::UINT16: return static_cast<const arrow::UInt16Array&>(array).Value(i);
    case arrow::Type::UINT32: return static_cast<const arrow::UInt32Array&>(array).Value(i);
    case arrow::Type::UINT64: {
      uint64_t value = static_cast<const arrow::UInt64Array&>(array).Value(i);
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
      return static_cast<int64_t>(value);
    }
    default: return std::nullopt;
  }
}

std::optional<double> FloatAt(const arrow::Array& array, int64_t i) {
  if (array.type_id() == arrow::Type::FLOAT) return static_cast<const arrow::FloatArray&>(array).Value(i);
  if (array.type_id() == arrow::Type::DOUBLE) return static_cast<const arrow::DoubleArray&>(array).Value(i);
  return std::nullopt;
}

std::optional<std::string> BytesAt(const arrow::Array& array, int64_t i) {
  switch (array.type_id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY: return static_cast<const arrow::BinaryArray&>(array).GetString(i);
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY: return static_cast<const arrow::LargeBinaryArray&>(array).GetString(i);
    default: return std::nullopt;
  }
}

// The items of a list: an array, and where in it.
struct Items {
  std::shared_ptr<arrow::Array> array;
  int64_t begin = 0;
  int64_t count = 0;
};

std::optional<Items> ItemsAt(const arrow::Array& array, int64_t i) {
  switch (array.type_id()) {
    case arrow::Type::LIST: {
      const auto& list = static_cast<const arrow::ListArray&>(array);
      return Items{list.values(), list.value_offset(i), list.value_length(i)};
    }
    case arrow::Type::LARGE_LIST: {
      const auto& list = static_cast<const arrow::LargeListArray&>(array);
      return Items{list.values(), list.value_offset(i), list.value_length(i)};
    }
    case arrow::Type::FIXED_SIZE_LIST: {
      const auto& list = static_cast<const arrow::FixedSizeListArray&>(array);
      return Items{list.values(), list.value_offset(i), list.value_length(i)};
    }
    default: return std::nullopt;
  }
}

std::optional<Value> ScalarAt(const arrow::Array& array, int64_t i) {
  if (array.IsNull(i)) return Value();
  if (array.type_id() == arrow::Type::BOOL) return Value(static_cast<const arrow::BooleanArray&>(array).Value(i));
  if (auto integer = IntegerAt(array, i)) return Value(*integer);
  if (auto number = FloatAt(array, i)) return Value(*number);
  bool text = array.type_id() == arrow::Type::STRING || array.type_id() == arrow::Type::LARGE_STRING;
  if (text) return Value(*BytesAt(array, i));
  return std::nullopt;
}

std::optional<Value> ValueAt(const arrow::Array& array, int64_t i) {
  auto items = ItemsAt(array, i);
  if (!items) return ScalarAt(array, i);
  Value::Array values;
  for (int64_t item = items->begin; item < items->begin + items->count; ++item) {
    auto value = ScalarAt(*items->array, item);
    if (!value) return std::nullopt;
    values.push_back(*std::move(value));
  }
  return Value(std::move(values));
}

std::optional<int64_t> MillisecondsAt(const arrow::Array& array, int64_t i) {
  if (array.type_id() != arrow::Type::TIMESTAMP) return IntegerAt(array, i);
  const int64_t value = static_cast<const arrow::TimestampArray&>(array).Value(i);
  switch (static_cast<const arrow::TimestampType&>(*array.type()).unit()) {
    case arrow::TimeUnit::SECOND: return value * 1000;
    case arrow::TimeUnit::MILLI: return value;
    case arrow::TimeUnit::MICRO: return value / 1000;
    case arrow::TimeUnit::NANO: return value / 1'000'000;
  }
  return std::nullopt;
}

class ArrowReader : public FileReader {
 public:
  ArrowReader(std::string path, const Columns& columns) : path_(std::move(path)), columns_(columns) {}

  Status Begin() {
    auto file = arrow::io::ReadableFile::Open(path_);
    if (!file.ok()) return Status::NotFound(path_ + ": " + file.status().message());
    ::parquet::arrow::FileReaderBuilder builder;
    RETURN_IF_ERROR(FromArrow(builder.Open(*file), path_));
    ::parquet::ArrowReaderProperties properties;
    properties.set_batch_size(kBatchRows);
    RETURN_IF_ERROR(FromArrow(builder.properties(properties)->Build(&reader_), path_));
    schema_.rows = static_cast<uint64_t>(reader_->parquet_reader()->metadata()->num_rows());
    auto batches = reader_->GetRecordBatchReader();
    if (!batches.ok()) return FromArrow(batches.status(), path_);
    batches_ = std::move(*batches);
    RETURN_IF_ERROR(ReadBatch());
    if (batch_ == nullptr) return Status::InvalidArgument(path_ + ": no rows to import");
    auto vectors = batch_->GetColumnByName(columns_.vector);
    if (vectors == nullptr) return Status::InvalidArgument(path_ + ": no column '" + columns_.vector + "'");
    auto items = ItemsAt(*vectors, 0);
    if (!items) return WrongType(columns_.vector, *vectors, "a list of floats");
    schema_.dimension = static_cast<uint32_t>(items->count);
    auto keys = batch_->GetColumnByName(columns_.key);
    schema_.has_key = keys != nullptr;
    if (keys != nullptr && BytesAt(*keys, 0)) schema_.key_type = KeyType::kString;
    return Status::Ok();
  }

  const FileSchema& schema() const override { return schema_; }

  Status Next(std::vector<FileRow>* rows) override {
    rows->clear();
    if (batch_ == nullptr) return Status::Ok();
    rows->resize(static_cast<size_t>(batch_->num_rows()));
    for (int column = 0; column < batch_->num_columns(); ++column) {
      const std::string& name = batch_->column_name(column);
      const arrow::Array& array = *batch_->column(column);
      for (int64_t i = 0; i < array.length(); ++i) {
        RETURN_IF_ERROR(TakeCell(name, array, i, (*rows)[static_cast<size_t>(i)]));
      }
    }
    return ReadBatch();
  }

 private:
  Status WrongType(const std::string& name, const arrow::Array& array, const char* wanted) const {
    return Status::InvalidArgument(path_ + ": column '" + name + "' has the type " + array.type()->ToString() + "; " +
                                   wanted + " is wanted");
  }

  // One that has rows; null at the end.
  Status ReadBatch() {
    do {
      RETURN_IF_ERROR(FromArrow(batches_->ReadNext(&batch_), path_));
    } while (batch_ != nullptr && batch_->num_rows() == 0);
    return Status::Ok();
  }

  Status TakeCell(const std::string& name, const arrow::Array& array, int64_t i, FileRow& row) const {
    if (name == columns_.version) return Status::Ok();
    if (name == columns_.vector) return TakeVector(array, i, row.row);
    if (array.IsNull(i)) {
      if (name == columns_.key) return Status::InvalidArgument(path_ + ": a row without a key");
      return Status::Ok();
    }
    if (name == columns_.key) return TakeKey(array, i, row.row);
    if (name == columns_.payload) {
      auto bytes = BytesAt(array, i);
      if (!bytes) return WrongType(name, array, "bytes or text");
      row.row.payload = *std::move(bytes);
    } else if (name == columns_.metadata) {
      auto text = BytesAt(array, i);
      if (!text) return WrongType(name, array, "text that is a JSON object");
      row.metadata_json = *std::move(text);
    } else if (name == columns_.expiry) {
      auto ms = MillisecondsAt(array, i);
      if (!ms) return WrongType(name, array, "a timestamp or an integer");
      row.row.expires_at_ms = *ms;
    } else {
      auto value = ValueAt(array, i);
      if (!value) return WrongType(name, array, "a number, a boolean, a text or a list of these");
      row.row.metadata[name] = *std::move(value);
    }
    return Status::Ok();
  }

  Status TakeKey(const arrow::Array& array, int64_t i, Row& row) const {
    if (array.type_id() == arrow::Type::UINT64) {
      row.key = static_cast<const arrow::UInt64Array&>(array).Value(i);
    } else if (auto integer = IntegerAt(array, i)) {
      if (*integer < 0)
        return Status::InvalidArgument(path_ + ": the key " + std::to_string(*integer) + " is negative");
      row.key = static_cast<uint64_t>(*integer);
    } else if (auto text = BytesAt(array, i)) {
      row.key = Key(*std::move(text));
    } else {
      return WrongType(columns_.key, array, "integers or texts");
    }
    return Status::Ok();
  }

  Status TakeVector(const arrow::Array& array, int64_t i, Row& row) const {
    auto items = array.IsNull(i) ? std::nullopt : ItemsAt(array, i);
    if (!items) return WrongType(columns_.vector, array, "a list of floats in every row");
    row.vector.resize(static_cast<size_t>(items->count));
    for (int64_t item = 0; item < items->count; ++item) {
      auto number =
          items->array->IsNull(items->begin + item) ? std::nullopt : FloatAt(*items->array, items->begin + item);
      if (!number) return WrongType(columns_.vector, array, "a list of floats in every row");
      row.vector[static_cast<size_t>(item)] = static_cast<float>(*number);
    }
    return Status::Ok();
  }

  const std::string path_;
  const Columns columns_;
  FileSchema schema_;
  std::unique_ptr<::parquet::arrow::FileReader> reader_;
  std::shared_ptr<arrow::RecordBatchReader> batches_;
  std::shared_ptr<arrow::RecordBatch> batch_;  // the next one
};

}  // namespace

Result<std::unique_ptr<FileReader>> OpenFile(const std::string& path, const Columns& columns) {
  auto reader = std::make_unique<ArrowReader>(path, columns);
  RETURN_IF_ERROR(reader->Begin());
  return std::unique_ptr<FileReader>(std::move(reader));
}

}  // namespace isotherm::parquet
