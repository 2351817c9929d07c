// NumPy's .npy files, format versions 1 to 3 (numpy.org/doc/stable/reference/generated/numpy.lib.format.html): arrays
// of one or two dimensions, C order, little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "isotherm/status.h"

namespace isotherm::formats {

enum class NpyType : uint8_t { kF16, kF32, kF64, kI8, kU8, kI32, kU32, kI64, kU64 };

// Reads rows one by one or many at a time, without loading the file.
class NpyReader {
 public:
  // kInvalidArgument also when the file is shorter than its header says.
  static Result<NpyReader> Open(const std::string& path);

  size_t rows() const { return rows_; }
  size_t columns() const { return columns_; }        // 1 for a one-dimensional array
  size_t dimensions() const { return dimensions_; }  // 1 or 2
  NpyType type() const { return type_; }
  bool is_integer() const { return type_ > NpyType::kF64; }

  // Rows [first, first + count) as count x columns numbers; InvalidArgument when they are not in the file. Floats also
  // from integers of 8 bits; integers of kU64 from 2^63 on come out negative.
  Result<std::vector<float>> ReadFloats(size_t first, size_t count);
  Result<std::vector<int64_t>> ReadIntegers(size_t first, size_t count);

 private:
  Status ReadHeader();
  Status ParseHeader(const std::string& header);
  Status CheckSize();
  Result<std::string> ReadRaw(size_t first, size_t count);

  std::string path_;
  std::ifstream file_;
  size_t data_offset_ = 0;
  size_t rows_ = 0;
  size_t columns_ = 0;
  size_t dimensions_ = 0;
  NpyType type_ = NpyType::kF32;
};

// A two-dimensional array of int64.
Status WriteNpy(const std::string& path, std::span<const int64_t> values, size_t columns);
// A two-dimensional array of float32.
Status WriteNpy(const std::string& path, std::span<const float> values, size_t columns);

}  // namespace isotherm::formats
