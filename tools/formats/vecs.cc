#include "tools/formats/vecs.h"

#include <cstring>

namespace isotherm::formats {

namespace {

constexpr size_t kHeaderBytes = 4;
constexpr uint32_t kMaxDimension = 1 << 20;

size_t ElementBytes(VecsType type) { return type == VecsType::kByte ? 1 : 4; }

}  // namespace

Result<VecsReader> VecsReader::Open(const std::string& path) {
  VecsReader reader;
  reader.path_ = path;
  if (path.ends_with(".bvecs")) {
    reader.type_ = VecsType::kByte;
  } else if (path.ends_with(".ivecs")) {
    reader.type_ = VecsType::kInteger;
  } else if (!path.ends_with(".fvecs")) {
    return Status::InvalidArgument(path + ": a name that ends in .fvecs, .bvecs or .ivecs is wanted");
  }
  reader.file_.open(path, std::ios::binary);
  if (!reader.file_) return Status::NotFound("cannot open " + path);
  reader.file_.seekg(0, std::ios::end);
  auto bytes = static_cast<size_t>(reader.file_.tellg());
  if (bytes == 0) return reader;
  uint32_t dimension = 0;
  reader.file_.seekg(0);
  reader.file_.read(reinterpret_cast<char*>(&dimension), kHeaderBytes);
  if (!reader.file_ || dimension == 0 || dimension > kMaxDimension) {
    return Status::InvalidArgument(path + ": its first row says dimension " + std::to_string(dimension));
  }
  size_t row_bytes = kHeaderBytes + dimension * ElementBytes(reader.type_);
  if (bytes % row_bytes != 0) {
    return Status::InvalidArgument(path + ": " + std::to_string(bytes) + " bytes are no whole number of rows of " +
                                   std::to_string(row_bytes) + " (dimension " + std::to_string(dimension) +
                                   "); it is truncated or no such file");
  }
  reader.dimension_ = dimension;
  reader.rows_ = bytes / row_bytes;
  return reader;
}

template <typename Element, typename Out>
Result<std::vector<Out>> VecsReader::Read(size_t first, size_t count) {
  if (first > rows_ || count > rows_ - first) {
    return Status::InvalidArgument(path_ + ": rows " + std::to_string(first) + " to " + std::to_string(first + count) +
                                   " asked for, of " + std::to_string(rows_));
  }
  size_t row_bytes = kHeaderBytes + dimension_ * sizeof(Element);
  std::string raw(count * row_bytes, '\0');
  file_.clear();
  file_.seekg(static_cast<std::streamoff>(first * row_bytes));
  file_.read(raw.data(), static_cast<std::streamsize>(raw.size()));
  if (!file_) return Status::IoError("cannot read " + path_);
  std::vector<Out> out;
  out.reserve(count * dimension_);
  std::vector<Element> row(dimension_);
  for (size_t i = 0; i < count; ++i) {
    const char* at = raw.data() + i * row_bytes;
    uint32_t dimension;
    std::memcpy(&dimension, at, kHeaderBytes);
    if (dimension != dimension_) {
      return Status::InvalidArgument(path_ + ": row " + std::to_string(first + i) + " says dimension " +
                                     std::to_string(dimension) + ", the first row " + std::to_string(dimension_));
    }
    std::memcpy(row.data(), at + kHeaderBytes, dimension_ * sizeof(Element));
    for (Element element : row) out.push_back(static_cast<Out>(element));
  }
  return out;
}

Result<std::vector<float>> VecsReader::ReadFloats(size_t first, size_t count) {
  switch (type_) {
    case VecsType::kFloat: return Read<float, float>(first, count);
    case VecsType::kByte: return Read<uint8_t, float>(first, count);
    case VecsType::kInteger: break;
  }
  return Status::InvalidArgument(path_ + " holds integers; floats are wanted");
}

Result<std::vector<int64_t>> VecsReader::ReadIntegers(size_t first, size_t count) {
  if (type_ == VecsType::kInteger) return Read<int32_t, int64_t>(first, count);
  return Status::InvalidArgument(path_ + " holds floats or bytes; integers are wanted");
}

}  // namespace isotherm::formats
