#include "tools/formats/parquet.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "base/macros.h"
#include "tools/formats/json.h"
#include "tools/parquet/module.h"

namespace isotherm::formats {

namespace {

constexpr char kModuleFile[] = "libisotherm_parquet.so";

// Beside the program, where it is built; below lib, where it is installed; or where one says.
std::vector<std::string> ModulePaths() {
  std::vector<std::string> paths;
  if (const char* path = std::getenv("ISOTHERM_PARQUET_MODULE")) return {path};
  std::error_code failed;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", failed);
  const std::filesystem::path folder = program.parent_path();
  return {(folder / kModuleFile).string(), (folder.parent_path() / "lib" / "isotherm" / kModuleFile).string()};
}

// Its symbols, and those of the libraries that it brings along, are kept apart from the program's.
int LoadFlags() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(RTLD_DEEPBIND)
  return RTLD_NOW | RTLD_LOCAL;
#else
  return RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
#endif
}

// Stays loaded: what it gave may be used at any time.
Result<const parquet::Module*> LoadModule() {
  std::string reason;
  for (const std::string& path : ModulePaths()) {
    std::error_code failed;
    if (!std::filesystem::exists(path, failed)) continue;
    void* library = ::dlopen(path.c_str(), LoadFlags());
    if (library == nullptr) {
      reason = std::string(": ") + ::dlerror();
      continue;
    }
    auto entry = reinterpret_cast<const parquet::Module* (*)()>(::dlsym(library, parquet::kEntryPoint));
    const parquet::Module* module = entry == nullptr ? nullptr : entry();
    if (module != nullptr && module->interface_version == parquet::kInterfaceVersion) return module;
    reason = ": " + path + " is of another build";
  }
  return Status::Unsupported("Parquet files need " + std::string(kModuleFile) +
                             ", which is built with -DISOTHERM_PARQUET=ON" + reason);
}

class ParquetSource : public RowSource {
 public:
  ParquetSource(RowSourceOptions options, std::unique_ptr<parquet::FileReader> reader)
      : options_(std::move(options)), reader_(std::move(reader)) {}

  uint32_t dimension() const override { return reader_->schema().dimension; }
  KeyType key_type() const override { return reader_->schema().key_type; }
  uint64_t done() const override { return given_; }
  uint64_t total() const override { return std::min(reader_->schema().rows, options_.limit); }
  bool counts_rows() const override { return true; }

  Status Next(size_t count, std::vector<Row>* rows) override {
    rows->clear();
    first_ = given_;
    while (rows->size() < count && given_ < total()) {
      if (next_ == batch_.size()) {
        RETURN_IF_ERROR(reader_->Next(&batch_));
        next_ = 0;
        if (batch_.empty()) break;
      }
      parquet::FileRow& row = batch_[next_++];
      if (!row.metadata_json.empty()) {
        auto json = ParseJson(row.metadata_json);
        Status status = json.ok() ? AddMetadata(*json, row.row.metadata) : json.status();
        RETURN_IF_ERROR(status.WithContext("row " + std::to_string(given_) + " of " + options_.path));
      }
      if (!reader_->schema().has_key) row.row.key = options_.first_key + given_;
      rows->push_back(std::move(row.row));
      ++given_;
    }
    return Status::Ok();
  }

  std::string Place(size_t index) const override {
    return "row " + std::to_string(first_ + index) + " of " + options_.path;
  }

 private:
  const RowSourceOptions options_;
  const std::unique_ptr<parquet::FileReader> reader_;
  std::vector<parquet::FileRow> batch_;
  size_t next_ = 0;  // of the batch
  uint64_t given_ = 0;
  uint64_t first_ = 0;  // of the last Next
};

std::string Unfinished(const std::string& path) { return path + ".part"; }

}  // namespace

bool IsParquetFileName(const std::string& path) { return path.ends_with(".parquet"); }

Result<std::unique_ptr<RowSource>> OpenParquetSource(const RowSourceOptions& options) {
  if (!options.ids.empty() || !options.metadata.empty()) {
    return Status::InvalidArgument(options.path +
                                   ": a Parquet file brings keys and metadata itself; ids and metadata " +
                                   "beside it go with a file of vectors (.npy, .fvecs, .bvecs)");
  }
  ASSIGN_OR_RETURN(const parquet::Module* module, LoadModule());
  parquet::Columns columns;
  columns.vector = options.vector_field;
  if (!options.key_field.empty()) columns.key = options.key_field;
  if (!options.payload_field.empty()) columns.payload = options.payload_field;
  if (!options.expiry_field.empty()) columns.expiry = options.expiry_field;
  ASSIGN_OR_RETURN(auto reader, module->open(options.path, columns));
  if (!options.key_field.empty() && !reader->schema().has_key) {
    return Status::InvalidArgument(options.path + ": no column '" + options.key_field + "'");
  }
  if (options.limit == 0) return Status::InvalidArgument(options.path + ": no rows to import");
  return std::unique_ptr<RowSource>(std::make_unique<ParquetSource>(options, std::move(reader)));
}

Result<std::unique_ptr<ParquetFile>> ParquetFile::Create(const std::string& path, uint32_t dimension,
                                                         KeyType key_type) {
  ASSIGN_OR_RETURN(const parquet::Module* module, LoadModule());
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code failed;
  if (!folder.empty() && !std::filesystem::is_directory(folder, failed)) {
    return Status::NotFound("cannot create " + Unfinished(path) + ": there is no folder " + folder.string());
  }
  ASSIGN_OR_RETURN(auto writer, module->create(Unfinished(path), {dimension, key_type}, {}));
  return std::make_unique<ParquetFile>(path, std::move(writer));
}

ParquetFile::ParquetFile(std::string path, std::unique_ptr<parquet::FileWriter> writer)
    : path_(std::move(path)), writer_(std::move(writer)) {}

ParquetFile::~ParquetFile() {
  std::error_code ignored;
  if (!finished_) std::filesystem::remove(Unfinished(path_), ignored);
}

Status ParquetFile::Append(Row row) {
  RETURN_IF_ERROR(CheckHeldByJson(row.metadata).WithContext("row " + row.key.ToString()));
  parquet::FileRow file_row;
  if (!row.metadata.empty()) file_row.metadata_json = DumpJson(JsonOf(row.metadata));
  file_row.row = std::move(row);
  return writer_->Append(file_row);
}

Result<uint64_t> ParquetFile::Finish() {
  RETURN_IF_ERROR(writer_->Finish());
  std::error_code failed;
  std::filesystem::rename(Unfinished(path_), path_, failed);
  if (failed) return Status::IoError("cannot rename " + Unfinished(path_) + ": " + failed.message());
  finished_ = true;
  return uint64_t{std::filesystem::file_size(path_, failed)};
}

}  // namespace isotherm::formats
