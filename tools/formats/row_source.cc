#include "tools/formats/row_source.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <optional>

#include "base/macros.h"
#include "tools/formats/json.h"
#include "tools/formats/line_reader.h"
#include "tools/formats/matrix_file.h"
#include "tools/formats/npy.h"
#include "tools/formats/parquet.h"

namespace isotherm::formats {

namespace {

std::string LineOf(size_t number, const std::string& path) { return "line " + std::to_string(number) + " of " + path; }

// Takes the member `name` out of `object`, if it is there.
std::optional<Json> Extract(Json& object, const std::string& name) {
  if (name.empty() || !object.is_object()) return std::nullopt;
  auto member = object.find(name);
  if (member == object.end()) return std::nullopt;
  Json value = std::move(*member);
  object.erase(member);
  return value;
}

// A file of vectors, with keys and metadata beside it.
class MatrixSource : public RowSource {
 public:
  static Result<std::unique_ptr<RowSource>> Open(const RowSourceOptions& options) {
    auto source = std::make_unique<MatrixSource>();
    source->options_ = options;
    ASSIGN_OR_RETURN(source->vectors_, OpenMatrixFile(options.path));
    size_t rows = source->vectors_->rows();
    if (rows == 0 || options.limit == 0) return Status::InvalidArgument(options.path + ": no rows to import");
    source->total_ = std::min<uint64_t>(rows, options.limit);
    if (!options.ids.empty()) {
      if (!options.key_field.empty())
        return Status::InvalidArgument("keys come from --ids or from a field, not from both");
      auto ids = NpyReader::Open(options.ids);
      RETURN_IF_ERROR(ids.status());
      if (!ids->is_integer() || ids->columns() != 1) {
        return Status::InvalidArgument(options.ids + ": an array of integers with one dimension is wanted");
      }
      if (ids->rows() != rows) {
        return Status::InvalidArgument(options.ids + " has " + std::to_string(ids->rows()) + " ids, " + options.path +
                                       " " + std::to_string(rows) + " rows");
      }
      source->ids_ = std::make_unique<NpyReader>(std::move(ids).value());
    }
    if (!options.key_field.empty() && options.metadata.empty()) {
      return Status::InvalidArgument("the key's field '" + options.key_field + "' needs metadata to be in");
    }
    if (!options.metadata.empty()) RETURN_IF_ERROR(source->OpenMetadata());
    return std::unique_ptr<RowSource>(std::move(source));
  }

  uint32_t dimension() const override { return static_cast<uint32_t>(vectors_->columns()); }
  KeyType key_type() const override { return key_type_; }
  uint64_t done() const override { return next_; }
  uint64_t total() const override { return total_; }
  bool counts_rows() const override { return true; }

  Status Next(size_t count, std::vector<Row>* rows) override {
    rows->clear();
    first_ = next_;
    count = std::min<uint64_t>(count, total_ - next_);
    if (count == 0) return Status::Ok();
    ASSIGN_OR_RETURN(std::vector<float> vectors, vectors_->ReadFloats(first_, count));
    ASSIGN_OR_RETURN(std::vector<uint64_t> keys, Keys(count));
    rows->reserve(count);
    auto row = vectors.begin();
    auto dimension = static_cast<ptrdiff_t>(vectors_->columns());
    for (size_t i = 0; i < count; ++i, row += dimension) {
      rows->push_back({keys[i], {row, row + dimension}, {}, {}});
    }
    for (size_t i = 0; metadata_ && i < count; ++i) RETURN_IF_ERROR(ReadMetadata((*rows)[i]));
    next_ += count;
    return Status::Ok();
  }

  std::string Place(size_t index) const override {
    return "row " + std::to_string(first_ + index) + " of " + options_.path;
  }

 private:
  // The type of the keys, where a field holds them, is that of the first one.
  Status OpenMetadata() {
    if (!options_.key_field.empty()) {
      ASSIGN_OR_RETURN(metadata_, LineReader::Open(options_.metadata));
      Row first;
      RETURN_IF_ERROR(ReadMetadata(first));
      key_type_ = first.key.type();
    }
    ASSIGN_OR_RETURN(metadata_, LineReader::Open(options_.metadata));
    return Status::Ok();
  }

  // Of the rows from first_ on; where a field of the metadata is the key, that comes later.
  Result<std::vector<uint64_t>> Keys(size_t count) {
    std::vector<uint64_t> keys(count);
    std::iota(keys.begin(), keys.end(), options_.first_key + first_);
    if (ids_ == nullptr) return keys;
    ASSIGN_OR_RETURN(std::vector<int64_t> ids, ids_->ReadIntegers(first_, count));
    for (size_t i = 0; i < count; ++i) {
      if (ids[i] < 0 && ids_->type() != NpyType::kU64) {
        return Status::InvalidArgument("row " + std::to_string(first_ + i) + " of " + options_.ids + ": " +
                                       std::to_string(ids[i]) + " is no key; integers of at least 0 are wanted");
      }
      keys[i] = static_cast<uint64_t>(ids[i]);
    }
    return keys;
  }

  Status ReadMetadata(Row& row) {
    std::string line;
    ASSIGN_OR_RETURN(bool more, metadata_->Next(&line));
    if (!more) {
      return Status::InvalidArgument(options_.metadata + " ends after line " +
                                     std::to_string(metadata_->line_number()) + "; " + options_.path + " has " +
                                     std::to_string(vectors_->rows()) + " rows");
    }
    return FromLine(line, row).WithContext(LineOf(metadata_->line_number(), options_.metadata));
  }

  Status FromLine(const std::string& line, Row& row) {
    ASSIGN_OR_RETURN(Json object, ParseJson(line));
    if (!options_.key_field.empty()) {
      std::optional<Json> key = Extract(object, options_.key_field);
      if (!key) return Status::InvalidArgument("no field '" + options_.key_field + "', which is to be the key");
      ASSIGN_OR_RETURN(row.key, KeyFromJson(*key));
    }
    if (std::optional<Json> payload = Extract(object, options_.payload_field)) {
      row.payload = payload->is_string() ? payload->get<std::string>() : DumpJson(*payload);
    }
    if (std::optional<Json> expiry = Extract(object, options_.expiry_field)) {
      ASSIGN_OR_RETURN(row.expires_at_ms, ExpiryFromJson(*expiry));
    }
    return AddMetadata(object, row.metadata);
  }

  RowSourceOptions options_;
  std::unique_ptr<MatrixFile> vectors_;
  std::unique_ptr<NpyReader> ids_;
  std::optional<LineReader> metadata_;
  KeyType key_type_ = KeyType::kInteger;
  uint64_t total_ = 0;
  uint64_t next_ = 0;
  uint64_t first_ = 0;  // of the last Next
};

// JSON lines that hold everything.
class JsonSource : public RowSource {
 public:
  static Result<std::unique_ptr<RowSource>> Open(const RowSourceOptions& options) {
    if (!options.ids.empty() || !options.metadata.empty()) {
      return Status::InvalidArgument(options.path +
                                     ": JSON lines bring keys and metadata themselves; ids and metadata "
                                     "beside it go with a file of vectors (.npy, .fvecs, .bvecs)");
    }
    ASSIGN_OR_RETURN(LineReader lines, LineReader::Open(options.path));
    auto source = std::make_unique<JsonSource>(std::move(lines));
    source->options_ = options;
    source->fields_.vector = options.vector_field;
    if (!options.key_field.empty()) source->fields_.key = options.key_field;
    if (!options.payload_field.empty()) source->fields_.payload = options.payload_field;
    if (!options.expiry_field.empty()) source->fields_.expiry = options.expiry_field;
    std::error_code none;
    uintmax_t bytes = std::filesystem::file_size(options.path, none);
    source->bytes_ = none ? 0 : bytes;
    Row first;
    ASSIGN_OR_RETURN(bool any, source->Read(&first));
    if (!any || options.limit == 0) return Status::InvalidArgument(options.path + ": no rows to import");
    source->dimension_ = static_cast<uint32_t>(first.vector.size());
    source->key_type_ = first.key.type();
    source->first_ = std::move(first);
    return std::unique_ptr<RowSource>(std::move(source));
  }

  explicit JsonSource(LineReader lines) : lines_(std::move(lines)) {}

  uint32_t dimension() const override { return dimension_; }
  KeyType key_type() const override { return key_type_; }
  bool counts_rows() const override { return options_.limit != kAllRows || bytes_ == 0; }
  uint64_t done() const override { return counts_rows() ? given_ : std::min(lines_.bytes_read(), bytes_); }
  uint64_t total() const override { return options_.limit != kAllRows ? options_.limit : bytes_; }

  Status Next(size_t count, std::vector<Row>* rows) override {
    rows->clear();
    places_.clear();
    while (rows->size() < count && given_ < options_.limit) {
      Row row;
      if (first_) {
        row = std::move(*first_);
        first_.reset();
      } else {
        ASSIGN_OR_RETURN(bool more, Read(&row));
        if (!more) break;
      }
      rows->push_back(std::move(row));
      places_.push_back(lines_.line_number());
      ++given_;
    }
    return Status::Ok();
  }

  std::string Place(size_t index) const override { return LineOf(places_[index], options_.path); }

 private:
  // false at the end.
  Result<bool> Read(Row* row) {
    std::string line;
    ASSIGN_OR_RETURN(bool more, lines_.Next(&line));
    if (!more) return false;
    auto read = FromLine(line);
    RETURN_IF_ERROR(read.status().WithContext(LineOf(lines_.line_number(), options_.path)));
    *row = std::move(read).value();
    return true;
  }

  Result<Row> FromLine(const std::string& line) {
    ASSIGN_OR_RETURN(Json json, ParseJson(line));
    ASSIGN_OR_RETURN(ParsedRow parsed, RowFromJson(json, fields_));
    if (!parsed.has_vector) return Status::InvalidArgument("no vector in the field '" + fields_.vector + "'");
    bool numbered = options_.key_field.empty() && (!any_row_ || numbered_);
    if (!parsed.has_key && !numbered) return Status::InvalidArgument("no key in the field '" + fields_.key + "'");
    if (parsed.has_key && any_row_ && numbered_) {
      return Status::InvalidArgument("a key, though the rows before it have none");
    }
    numbered_ = !parsed.has_key;
    any_row_ = true;
    if (numbered_) parsed.row.key = options_.first_key + given_;
    return std::move(parsed.row);
  }

  RowSourceOptions options_;
  RowFields fields_;
  LineReader lines_;
  std::optional<Row> first_;  // read on opening, to tell what the file holds; not given yet
  bool any_row_ = false;
  bool numbered_ = false;  // rows have no keys of their own
  uint32_t dimension_ = 0;
  KeyType key_type_ = KeyType::kInteger;
  uint64_t bytes_ = 0;  // of the file; 0 where that is not known, as of a pipe
  uint64_t given_ = 0;
  std::vector<size_t> places_;
};

}  // namespace

Result<std::unique_ptr<RowSource>> OpenRowSource(const RowSourceOptions& options) {
  if (IsParquetFileName(options.path)) return OpenParquetSource(options);
  return IsMatrixFileName(options.path) ? MatrixSource::Open(options) : JsonSource::Open(options);
}

}  // namespace isotherm::formats
