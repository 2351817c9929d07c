#include "segment/row_codec.h"

#include "base/crc32c.h"

namespace isotherm {

void PutValue(std::string& out, const Value& value) {
  PutFixed<uint8_t>(out, static_cast<uint8_t>(value.type()));
  switch (value.type()) {
    case Value::Type::kNull: break;
    case Value::Type::kBool: PutFixed<uint8_t>(out, value.as_bool() ? 1 : 0); break;
    case Value::Type::kInt: PutFixed<int64_t>(out, value.as_int()); break;
    case Value::Type::kFloat: PutFixed<double>(out, value.as_float()); break;
    case Value::Type::kString: PutBytes(out, value.as_string()); break;
    case Value::Type::kArray:
      PutFixed<uint32_t>(out, static_cast<uint32_t>(value.as_array().size()));
      for (const Value& item : value.as_array()) PutValue(out, item);
      break;
  }
}

namespace {

Value GetScalar(Decoder& in, uint8_t type) {
  switch (static_cast<Value::Type>(type)) {
    case Value::Type::kNull: return {};
    case Value::Type::kBool: {
      auto byte = in.Fixed<uint8_t>();
      if (byte > 1) in.Fail();
      return byte == 1;
    }
    case Value::Type::kInt: return in.Fixed<int64_t>();
    case Value::Type::kFloat: return in.Fixed<double>();
    case Value::Type::kString: return std::string(in.Bytes());
    case Value::Type::kArray: break;
  }
  in.Fail();
  return {};
}

}  // namespace

Value GetValue(Decoder& in) {
  auto type = in.Fixed<uint8_t>();
  if (type != static_cast<uint8_t>(Value::Type::kArray)) return GetScalar(in, type);
  auto count = in.Fixed<uint32_t>();
  Value::Array items;
  for (uint32_t i = 0; i < count && in.ok(); ++i) items.push_back(GetScalar(in, in.Fixed<uint8_t>()));
  return items;
}

void PutMetadata(std::string& out, const Metadata& metadata) {
  PutFixed<uint32_t>(out, static_cast<uint32_t>(metadata.size()));
  for (const auto& [name, value] : metadata) {
    PutBytes(out, name);
    PutValue(out, value);
  }
}

Metadata GetMetadata(Decoder& in) {
  Metadata metadata;
  auto count = in.Fixed<uint32_t>();
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    std::string name(in.Bytes());
    metadata[std::move(name)] = GetValue(in);
  }
  return metadata;
}

void PutKey(std::string& out, const Key& key) {
  if (key.type() == KeyType::kInteger) {
    PutFixed<uint64_t>(out, key.number());
  } else {
    PutBytes(out, key.text());
  }
}

Key GetKey(Decoder& in, KeyType type) {
  if (type == KeyType::kInteger) return in.Fixed<uint64_t>();
  return std::string(in.Bytes());
}

std::string EncodeDocument(const Row& row) {
  if (row.metadata.empty() && row.payload.empty()) return {};
  std::string body;
  PutMetadata(body, row.metadata);
  body += row.payload;
  std::string out;
  PutFixed<uint32_t>(out, Crc32c(body));
  return out + body;
}

Status DecodeDocument(std::string_view bytes, Row& row) {
  row.metadata.clear();
  row.payload.clear();
  if (bytes.empty()) return Status::Ok();
  Decoder in(bytes);
  auto crc = in.Fixed<uint32_t>();
  if (!in.ok() || Crc32c(bytes.substr(sizeof(crc))) != crc)
    return Status::Corruption("document does not match its crc32c");
  row.metadata = GetMetadata(in);
  row.payload = in.Raw(in.remaining());
  return in.ok() ? Status::Ok() : Status::Corruption("document is malformed");
}

void PutRow(std::string& out, const Row& row) {
  PutKey(out, row.key);
  out.append(reinterpret_cast<const char*>(row.vector.data()), row.vector.size() * sizeof(float));
  PutMetadata(out, row.metadata);
  PutBytes(out, row.payload);
}

Row GetRow(Decoder& in, KeyType type, uint32_t dimension) {
  Row row;
  row.key = GetKey(in, type);
  std::string_view vector = in.Raw(size_t{dimension} * sizeof(float));
  if (!in.ok()) return row;
  row.vector.resize(dimension);
  std::memcpy(row.vector.data(), vector.data(), vector.size());
  row.metadata = GetMetadata(in);
  row.payload = in.Bytes();
  return row;
}

size_t EncodedRowBytes(const Row& row) {
  std::string bytes;
  PutKey(bytes, row.key);
  PutMetadata(bytes, row.metadata);
  return bytes.size() + row.vector.size() * sizeof(float) + sizeof(uint32_t) + row.payload.size();
}

}  // namespace isotherm
