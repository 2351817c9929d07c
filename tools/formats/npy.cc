#include "tools/formats/npy.h"

#include <cstring>
#include <utility>

#include "base/macros.h"
#include "simd/kernels.h"

namespace isotherm::formats {

namespace {

constexpr char kMagic[] = "\x93NUMPY";
constexpr size_t kMagicBytes = 6;

struct TypeName {
  const char* descr;
  NpyType type;
  size_t bytes;
};
constexpr TypeName kTypes[] = {{"<f2", NpyType::kF16, 2}, {"<f4", NpyType::kF32, 4}, {"<f8", NpyType::kF64, 8},
                               {"<i4", NpyType::kI32, 4}, {"<i8", NpyType::kI64, 8}, {"<u8", NpyType::kU64, 8}};

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
    out[i] = static_cast<To>(value);
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
  char preamble[12] = {};
  reader.file_.read(preamble, 10);
  if (!reader.file_ || std::memcmp(preamble, kMagic, kMagicBytes) != 0) {
    return Status::InvalidArgument(path + " is not a .npy file");
  }
  size_t length_bytes = preamble[6] == 1 ? 2 : 4;
  if (length_bytes == 4) reader.file_.read(preamble + 10, 2);
  uint32_t length = 0;
  std::memcpy(&length, preamble + 8, length_bytes);
  if (length > 65536) return Status::InvalidArgument(path + ": .npy header of " + std::to_string(length) + " bytes");
  std::string header(length, '\0');
  reader.file_.read(header.data(), length);
  if (!reader.file_) return Status::InvalidArgument(path + ": .npy header is truncated");
  reader.data_offset_ = 8 + length_bytes + length;

  std::string descr = Between(header, "'descr': '", "'");
  bool known = false;
  for (const TypeName& name : kTypes) {
    if (descr == name.descr) reader.type_ = name.type, known = true;
  }
  if (!known) return Status::InvalidArgument(path + ": element type '" + descr + "'; wanted f2, f4, f8, i4, i8 or u8, little-endian");
  if (Between(header, "'fortran_order': ", ",") != "False") return Status::InvalidArgument(path + ": not in C order");
  std::string shape = Between(header, "'shape': (", ")");
  size_t numbers = 0;
  size_t dims[2] = {0, 1};
  for (size_t at = 0; at < shape.size();) {
    size_t digits = shape.find_first_of("0123456789", at);
    if (digits == std::string::npos) break;
    if (numbers == 2) return Status::InvalidArgument(path + ": array of more than two dimensions");
    dims[numbers++] = std::strtoull(shape.c_str() + digits, nullptr, 10);
    at = shape.find_first_not_of("0123456789", digits);
    if (at == std::string::npos) break;
  }
  if (numbers == 0) return Status::InvalidArgument(path + ": array without dimensions");
  reader.rows_ = dims[0];
  reader.columns_ = dims[1];
  return reader;
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
    default: return Status::InvalidArgument(path_ + " holds integers; wanted floats");
  }
  return out;
}

Result<std::vector<int64_t>> NpyReader::ReadIntegers(size_t first, size_t count) {
  ASSIGN_OR_RETURN(std::string raw, ReadRaw(first, count));
  std::vector<int64_t> out(count * columns_);
  switch (type_) {
    case NpyType::kI32: Convert<int32_t>(raw, out); break;
    case NpyType::kI64:
    case NpyType::kU64: Convert<int64_t>(raw, out); break;
    default: return Status::InvalidArgument(path_ + " holds floats; wanted integers");
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
