#include "tools/formats/npy.h"

#include <cstring>
#include <limits>
#include <utility>

#include "base/macros.h"
#include "simd/kernels.h"

namespace isotherm::formats {

namespace {

constexpr char kMagic[] = "\x93NUMPY";
constexpr size_t kMagicBytes = 6;
constexpr uint32_t kMaxHeaderBytes = 65536;

struct TypeName {
  const char* descr;
  NpyType type;
  size_t bytes;
};
constexpr TypeName kTypes[] = {
    {"<f2", NpyType::kF16, 2}, {"<f4", NpyType::kF32, 4}, {"<f8", NpyType::kF64, 8},
    {"|i1", NpyType::kI8, 1},  {"|u1", NpyType::kU8, 1},  {"<i4", NpyType::kI32, 4},
    {"<u4", NpyType::kU32, 4}, {"<i8", NpyType::kI64, 8}, {"<u8", NpyType::kU64, 8},
};

size_t TypeBytes(NpyType type) {
  for (const TypeName& name : kTypes) {
    if (name.type == type) return name.bytes;
  }
  return 0;
}

// The text between `before` and `after` in the header's dictionary; empty when it is not there.
std::string Between(const std::string& header, const std::string& before, const std::string& after) {
  size_t begin = header.find(before);
  if (begin == std::string::npos) return {};
  begin += before.size();
  size_t end = header.find(after, begin);
  return end == std::string::npos ? std::string() : header.substr(begin, end - begin);
}

template <typename From, typename To>
void Convert(const std::string& raw, std::vector<To>& out) {
  for (size_t i = 0; i < out.size(); ++i) {
    From value;
    std::memcpy(&value, raw.data() + i * sizeof(From), sizeof(From));
    out[i] = static_cast<To>(value);  // NOLINT(bugprone-signed-char-misuse): int8_t is a number here
  }
}

Status WriteArray(const std::string& path, const char* descr, const void* data, size_t values, size_t value_bytes,
                  size_t columns) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  if (!file) return Status::IoError("cannot write " + path);
  std::string header = std::string("{'descr': '") + descr + "', 'fortran_order': False, 'shape': (" +
                       std::to_string(columns == 0 ? 0 : values / columns) + ", " + std::to_string(columns) + "), }";
  size_t unpadded = kMagicBytes + 4 + header.size() + 1;
  header.append((64 - unpadded % 64) % 64, ' ');
  header.push_back('\n');
  auto length = static_cast<uint16_t>(header.size());
  file.write(kMagic, kMagicBytes);
  file.write("\x01\x00", 2);
  file.write(reinterpret_cast<const char*>(&length), 2);
  file << header;
  file.write(static_cast<const char*>(data), static_cast<std::streamsize>(values * value_bytes));
  file.close();
  return file ? Status::Ok() : Status::IoError("cannot write " + path);
}

}  // namespace

Result<NpyReader> NpyReader::Open(const std::string& path) {
  NpyReader reader;
  reader.path_ = path;
  reader.file_.open(path, std::ios::binary);
  if (!reader.file_) return Status::NotFound("cannot open " + path);
  RETURN_IF_ERROR(reader.ReadHeader().WithContext(path));
  RETURN_IF_ERROR(reader.CheckSize().WithContext(path));
  return reader;
}

Status NpyReader::ReadHeader() {
  char preamble[12] = {};
  file_.read(preamble, 10);
  if (!file_ || std::memcmp(preamble, kMagic, kMagicBytes) != 0) return Status::InvalidArgument("not a .npy file");
  if (preamble[6] < 1 || preamble[6] > 3) {
    return Status::InvalidArgument("version " + std::to_string(preamble[6]) + " of .npy; 1 to 3 are known");
  }
  size_t length_bytes = preamble[6] == 1 ? 2 : 4;
  if (length_bytes == 4) file_.read(preamble + 10, 2);
  uint32_t length = 0;
  std::memcpy(&length, preamble + 8, length_bytes);
  if (length > kMaxHeaderBytes) return Status::InvalidArgument("a header of " + std::to_string(length) + " bytes");
  std::string header(length, '\0');
  file_.read(header.data(), length);
  if (!file_) return Status::InvalidArgument("the header is truncated");
  data_offset_ = 8 + length_bytes + length;
  return ParseHeader(header);
}

Status NpyReader::ParseHeader(const std::string& header) {
  std::string descr = Between(header, "'descr': '", "'");
  bool known = false;
  for (const TypeName& name : kTypes) {
    if (descr == name.descr) type_ = name.type, known = true;
  }
  if (!known) {
    return Status::InvalidArgument("element type '" + descr +
                                   "'; wanted is one of f2, f4, f8, i1, u1, i4, u4, i8, u8, little-endian");
  }
  if (Between(header, "'fortran_order': ", ",") != "False") {
    return Status::InvalidArgument("not in C order; save numpy.ascontiguousarray(…) of it");
  }
  std::string shape = Between(header, "'shape': (", ")");
  size_t dims[2] = {0, 1};
  for (size_t at = shape.find_first_of("0123456789"); at != std::string::npos;
       at = shape.find_first_of("0123456789", at)) {
    if (dimensions_ == 2) return Status::InvalidArgument("shape (" + shape + "); one or two dimensions are wanted");
    dims[dimensions_++] = std::strtoull(shape.c_str() + at, nullptr, 10);
    at = shape.find_first_not_of("0123456789", at);
    if (at == std::string::npos) break;
  }
  if (dimensions_ == 0) return Status::InvalidArgument("shape (" + shape + "); one or two dimensions are wanted");
  rows_ = dims[0];
  columns_ = dims[1];
  return Status::Ok();
}

Status NpyReader::CheckSize() {
  file_.seekg(0, std::ios::end);
  auto data_bytes = static_cast<size_t>(file_.tellg()) - data_offset_;
  if (columns_ > std::numeric_limits<uint32_t>::max()) {
    return Status::InvalidArgument("rows of " + std::to_string(columns_) + " elements");
  }
  size_t row_bytes = columns_ * TypeBytes(type_);
  size_t whole_rows = row_bytes == 0 ? rows_ : data_bytes / row_bytes;
  if (whole_rows >= rows_) return Status::Ok();
  return Status::InvalidArgument("truncated: the header says " + std::to_string(rows_) + " rows, the file holds " +
                                 std::to_string(whole_rows));
}

Result<std::string> NpyReader::ReadRaw(size_t first, size_t count) {
  if (first > rows_ || count > rows_ - first) {
    return Status::InvalidArgument(path_ + ": rows " + std::to_string(first) + " to " + std::to_string(first + count) +
                                   " asked for, of " + std::to_string(rows_));
  }
  size_t row_bytes = columns_ * TypeBytes(type_);
  std::string raw(count * row_bytes, '\0');
  file_.clear();
  file_.seekg(static_cast<std::streamoff>(data_offset_ + first * row_bytes));
  file_.read(raw.data(), static_cast<std::streamsize>(raw.size()));
  if (!file_) return Status::InvalidArgument(path_ + " is shorter than its header says");
  return raw;
}

Result<std::vector<float>> NpyReader::ReadFloats(size_t first, size_t count) {
  ASSIGN_OR_RETURN(std::string raw, ReadRaw(first, count));
  std::vector<float> out(count * columns_);
  switch (type_) {
    case NpyType::kF16:
      simd::Active().f16_to_f32(reinterpret_cast<const simd::float16_t*>(raw.data()), out.data(), out.size());
      break;
    case NpyType::kF32: Convert<float>(raw, out); break;
    case NpyType::kF64: Convert<double>(raw, out); break;
    case NpyType::kI8: Convert<int8_t>(raw, out); break;
    case NpyType::kU8: Convert<uint8_t>(raw, out); break;
    default: return Status::InvalidArgument(path_ + " holds integers; floats are wanted");
  }
  return out;
}

Result<std::vector<int64_t>> NpyReader::ReadIntegers(size_t first, size_t count) {
  ASSIGN_OR_RETURN(std::string raw, ReadRaw(first, count));
  std::vector<int64_t> out(count * columns_);
  switch (type_) {
    case NpyType::kI8: Convert<int8_t>(raw, out); break;
    case NpyType::kU8: Convert<uint8_t>(raw, out); break;
    case NpyType::kI32: Convert<int32_t>(raw, out); break;
    case NpyType::kU32: Convert<uint32_t>(raw, out); break;
    case NpyType::kI64:
    case NpyType::kU64: Convert<int64_t>(raw, out); break;
    default: return Status::InvalidArgument(path_ + " holds floats; integers are wanted");
  }
  return out;
}

Status WriteNpy(const std::string& path, std::span<const int64_t> values, size_t columns) {
  return WriteArray(path, "<i8", values.data(), values.size(), sizeof(int64_t), columns);
}

Status WriteNpy(const std::string& path, std::span<const float> values, size_t columns) {
  return WriteArray(path, "<f4", values.data(), values.size(), sizeof(float), columns);
}

}  // namespace isotherm::formats
