#include "tools/formats/matrix_file.h"

#include "base/macros.h"
#include "tools/formats/npy.h"
#include "tools/formats/vecs.h"

namespace isotherm::formats {

namespace {

class NpyFile : public MatrixFile {
 public:
  NpyFile(NpyReader reader, bool as_row) : reader_(std::move(reader)), row_(as_row && reader_.dimensions() == 1) {}
  size_t rows() const override { return row_ ? 1 : reader_.rows(); }
  size_t columns() const override { return row_ ? reader_.rows() : reader_.columns(); }
  Result<std::vector<float>> ReadFloats(size_t first, size_t count) override {
    return reader_.ReadFloats(row_ ? 0 : first, row_ ? columns() : count);
  }
  Result<std::vector<int64_t>> ReadIntegers(size_t first, size_t count) override {
    return reader_.ReadIntegers(row_ ? 0 : first, row_ ? columns() : count);
  }

 private:
  NpyReader reader_;
  const bool row_;
};

class VecsFile : public MatrixFile {
 public:
  explicit VecsFile(VecsReader reader) : reader_(std::move(reader)) {}
  size_t rows() const override { return reader_.rows(); }
  size_t columns() const override { return reader_.dimension(); }
  Result<std::vector<float>> ReadFloats(size_t first, size_t count) override {
    return reader_.ReadFloats(first, count);
  }
  Result<std::vector<int64_t>> ReadIntegers(size_t first, size_t count) override {
    return reader_.ReadIntegers(first, count);
  }

 private:
  VecsReader reader_;
};

bool IsVecs(const std::string& path) {
  return path.ends_with(".fvecs") || path.ends_with(".bvecs") || path.ends_with(".ivecs");
}

}  // namespace

bool IsMatrixFileName(const std::string& path) { return path.ends_with(".npy") || IsVecs(path); }

Result<std::unique_ptr<MatrixFile>> OpenMatrixFile(const std::string& path, bool as_row) {
  if (IsVecs(path)) {
    ASSIGN_OR_RETURN(VecsReader reader, VecsReader::Open(path));
    return std::unique_ptr<MatrixFile>(std::make_unique<VecsFile>(std::move(reader)));
  }
  if (!path.ends_with(".npy")) {
    return Status::InvalidArgument(path + ": a name that ends in .npy, .fvecs, .bvecs or .ivecs is wanted");
  }
  ASSIGN_OR_RETURN(NpyReader reader, NpyReader::Open(path));
  return std::unique_ptr<MatrixFile>(std::make_unique<NpyFile>(std::move(reader), as_row));
}

}  // namespace isotherm::formats
