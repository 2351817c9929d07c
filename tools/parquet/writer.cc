// Rows to a Parquet file: row groups of some MiB, Zstandard, the Arrow schema beside.
#include <arrow/builder.h>
#include <arrow/io/file.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/util/utf8.h>
#include <parquet/arrow/writer.h>

#include <utility>

#include "base/macros.h"
#include "tools/parquet/arrow_status.h"
#include "tools/parquet/files.h"

namespace isotherm::parquet {

namespace {

constexpr int64_t kGroupBytes = 32 << 20;  // of values, in memory

class ArrowWriter : public FileWriter {
 public:
  ArrowWriter(std::string path, const FileSchema& schema, const Columns& columns)
      : path_(std::move(path)), schema_(schema), pool_(arrow::default_memory_pool()) {
    const bool integers = schema.key_type == KeyType::kInteger;
    auto floats = arrow::field("item", arrow::float32(), false);
    arrow_schema_ = arrow::schema(
        {arrow::field(columns.key, integers ? arrow::uint64() : arrow::utf8(), false),
         arrow::field(columns.vector, arrow::fixed_size_list(floats, static_cast<int32_t>(schema.dimension)), false),
         arrow::field(columns.metadata, arrow::utf8()), arrow::field(columns.payload, arrow::binary()),
         arrow::field(columns.expiry, arrow::timestamp(arrow::TimeUnit::MILLI, "UTC")),
         arrow::field(columns.version, arrow::uint64())});
    arrow::util::InitializeUTF8();
  }

  Status Begin() {
    auto file = arrow::io::FileOutputStream::Open(path_);
    if (!file.ok()) return FromArrow(file.status(), path_);
    file_ = *file;
    auto properties = ::parquet::WriterProperties::Builder().compression(::parquet::Compression::ZSTD)->build();
    auto arrow_properties = ::parquet::ArrowWriterProperties::Builder().store_schema()->build();
    auto writer = ::parquet::arrow::FileWriter::Open(*arrow_schema_, pool_, file_, properties, arrow_properties);
    if (!writer.ok()) return FromArrow(writer.status(), path_);
    writer_ = std::move(*writer);
    values_ = std::make_shared<arrow::FloatBuilder>(pool_);
    vectors_ = std::make_unique<arrow::FixedSizeListBuilder>(pool_, values_, arrow_schema_->field(1)->type());
    return Status::Ok();
  }

  Status Append(const FileRow& row) override {
    RETURN_IF_ERROR(FromArrow(AppendKey(row.row.key), path_));
    RETURN_IF_ERROR(FromArrow(AppendRest(row), path_));
    bytes_ += static_cast<int64_t>(row.row.vector.size() * sizeof(float) + row.row.payload.size() +
                                   row.metadata_json.size() + 32);
    ++rows_;
    return bytes_ >= kGroupBytes ? Flush() : Status::Ok();
  }

  Status Finish() override {
    if (rows_ > 0) RETURN_IF_ERROR(Flush());
    RETURN_IF_ERROR(FromArrow(writer_->Close(), path_));
    return FromArrow(file_->Close(), path_);
  }

 private:
  arrow::Status AppendKey(const Key& key) {
    if (key.type() == KeyType::kInteger) return numbers_.Append(key.number());
    if (!arrow::util::ValidateUTF8(key.text())) {
      return arrow::Status::Invalid("a key is no UTF-8, which Parquet's texts must be; JSON lines hold any key");
    }
    return texts_.Append(key.text());
  }

  arrow::Status AppendRest(const FileRow& row) {
    ARROW_RETURN_NOT_OK(vectors_->Append());
    ARROW_RETURN_NOT_OK(values_->AppendValues(row.row.vector.data(), static_cast<int64_t>(row.row.vector.size())));
    ARROW_RETURN_NOT_OK(row.metadata_json.empty() ? metadata_.AppendNull() : metadata_.Append(row.metadata_json));
    ARROW_RETURN_NOT_OK(row.row.payload.empty() ? payloads_.AppendNull() : payloads_.Append(row.row.payload));
    const int64_t expiry = row.row.expires_at_ms;
    ARROW_RETURN_NOT_OK(expiry == 0 ? expiries_.AppendNull() : expiries_.Append(expiry));
    return row.row.version == 0 ? versions_.AppendNull() : versions_.Append(row.row.version);
  }

  Status Flush() {
    arrow::ArrayVector arrays(6);
    arrow::ArrayBuilder* keys = &numbers_;
    if (schema_.key_type == KeyType::kString) keys = &texts_;
    arrow::ArrayBuilder* const builders[] = {keys, vectors_.get(), &metadata_, &payloads_, &expiries_, &versions_};
    for (size_t i = 0; i < arrays.size(); ++i) {
      RETURN_IF_ERROR(FromArrow(builders[i]->Finish(&arrays[i]), path_));
    }
    auto table = arrow::Table::Make(arrow_schema_, arrays, rows_);
    RETURN_IF_ERROR(FromArrow(writer_->WriteTable(*table, rows_), path_));
    rows_ = 0;
    bytes_ = 0;
    return Status::Ok();
  }

  const std::string path_;
  const FileSchema schema_;
  arrow::MemoryPool* const pool_;
  std::shared_ptr<arrow::Schema> arrow_schema_;
  std::shared_ptr<arrow::io::FileOutputStream> file_;
  std::unique_ptr<::parquet::arrow::FileWriter> writer_;
  arrow::UInt64Builder numbers_;
  arrow::StringBuilder texts_;
  std::shared_ptr<arrow::FloatBuilder> values_;
  std::unique_ptr<arrow::FixedSizeListBuilder> vectors_;
  arrow::StringBuilder metadata_;
  arrow::BinaryBuilder payloads_;
  arrow::TimestampBuilder expiries_{arrow::timestamp(arrow::TimeUnit::MILLI, "UTC"), arrow::default_memory_pool()};
  arrow::UInt64Builder versions_;
  int64_t rows_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace

Result<std::unique_ptr<FileWriter>> CreateFile(const std::string& path, const FileSchema& schema,
                                               const Columns& columns) {
  auto writer = std::make_unique<ArrowWriter>(path, schema, columns);
  RETURN_IF_ERROR(writer->Begin());
  return std::unique_ptr<FileWriter>(std::move(writer));
}

}  // namespace isotherm::parquet
