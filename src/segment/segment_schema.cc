#include "segment/segment_schema.h"

namespace isotherm {

void PutSchema(std::string& out, const SegmentSchema& schema) {
  PutFixed<uint32_t>(out, schema.dimension);
  PutFixed(out, schema.metric);
  PutFixed(out, schema.key_type);
  PutFixed<uint16_t>(out, static_cast<uint16_t>(schema.filter_columns.size()));
  for (const std::string& name : schema.filter_columns) PutBytes(out, name);
}

SegmentSchema GetSchema(Decoder& in) {
  SegmentSchema schema;
  schema.dimension = in.Fixed<uint32_t>();
  schema.metric = in.Fixed<Metric>();
  schema.key_type = in.Fixed<KeyType>();
  if (schema.dimension == 0 || schema.dimension > kMaxDimension) in.Fail();
  if (schema.metric < Metric::kL2 || schema.metric > Metric::kInnerProduct) in.Fail();
  if (schema.key_type != KeyType::kInteger && schema.key_type != KeyType::kString) in.Fail();
  auto columns = in.Fixed<uint16_t>();
  for (uint16_t c = 0; c < columns && in.ok(); ++c) schema.filter_columns.emplace_back(in.Bytes());
  return schema;
}

std::string EncodeSegmentHeader(const SegmentSchema& schema, uint32_t format_version) {
  std::string out(kSegmentMagic);
  PutFixed<uint32_t>(out, format_version);
  PutSchema(out, schema);
  return out;
}

bool IsSegmentHeader(std::string_view bytes, const SegmentSchema& schema) {
  for (uint32_t version = 1; version <= kSegmentFormatVersion; ++version) {
    if (bytes == EncodeSegmentHeader(schema, version)) return true;
  }
  return false;
}

}  // namespace isotherm
