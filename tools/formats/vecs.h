// The .fvecs, .bvecs and .ivecs files of the TEXMEX data sets (corpus-texmex.irisa.fr): each row is its dimension as a
// 32-bit integer and then that many floats, bytes or 32-bit integers, little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "isotherm/status.h"

namespace isotherm::formats {

enum class VecsType : uint8_t { kFloat, kByte, kInteger };

class VecsReader {
 public:
  // The type by the path's suffix. kInvalidArgument for a file that is not a whole number of rows.
  static Result<VecsReader> Open(const std::string& path);

  size_t rows() const { return rows_; }
  size_t dimension() const { return dimension_; }
  VecsType type() const { return type_; }

  // Rows [first, first + count), row by row; floats from a float or byte file, integers from an integer file.
  Result<std::vector<float>> ReadFloats(size_t first, size_t count);
  Result<std::vector<int64_t>> ReadIntegers(size_t first, size_t count);

 private:
  template <typename Element, typename Out>
  Result<std::vector<Out>> Read(size_t first, size_t count);

  std::string path_;
  std::ifstream file_;
  VecsType type_ = VecsType::kFloat;
  size_t rows_ = 0;
  size_t dimension_ = 0;
};

}  // namespace isotherm::formats
