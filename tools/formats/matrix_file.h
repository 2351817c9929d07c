// A file of vectors, or of rows of ids, in whichever format its name says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "isotherm/status.h"

namespace isotherm::formats {

class MatrixFile {
 public:
  virtual ~MatrixFile() = default;
  virtual size_t rows() const = 0;
  virtual size_t columns() const = 0;
  // Rows [first, first + count), row by row. kInvalidArgument when they are not there or of the other kind.
  virtual Result<std::vector<float>> ReadFloats(size_t first, size_t count) = 0;
  virtual Result<std::vector<int64_t>> ReadIntegers(size_t first, size_t count) = 0;
};

// .npy, .fvecs, .bvecs or .ivecs.
bool IsMatrixFileName(const std::string& path);
// A one-dimensional .npy array is one row if `as_row`, else one column.
Result<std::unique_ptr<MatrixFile>> OpenMatrixFile(const std::string& path, bool as_row = false);

}  // namespace isotherm::formats
