#include "segment/filter_columns.h"

#include <map>

#include "segment/row_codec.h"

namespace isotherm {

namespace {

uint8_t IndexWidth(size_t values) { return values <= 256 ? 1 : values <= 65536 ? 2 : 4; }

uint32_t ReadIndex(std::string_view indexes, uint8_t width, uint32_t row) {
  uint32_t index = 0;
  std::memcpy(&index, indexes.data() + size_t{row} * width, width);
  return index;
}

void PutColumn(std::string& out, const std::string& name, std::span<const Metadata* const> rows) {
  std::map<std::string, uint32_t> ids;  // encoded value ("" for absent) -> place in the dictionary
  std::vector<std::string> dictionary;
  std::vector<uint32_t> indexes;
  for (const Metadata* row : rows) {
    std::string encoded;
    if (auto field = row->find(name); field != row->end()) PutValue(encoded, field->second);
    auto [at, fresh] = ids.try_emplace(encoded, static_cast<uint32_t>(dictionary.size()));
    if (fresh) dictionary.push_back(encoded);
    indexes.push_back(at->second);
  }
  PutFixed<uint32_t>(out, static_cast<uint32_t>(dictionary.size()));
  for (const std::string& value : dictionary) PutBytes(out, value);
  uint8_t width = IndexWidth(dictionary.size());
  for (uint32_t index : indexes) out.append(reinterpret_cast<const char*>(&index), width);
}

}  // namespace

void PutFilterColumns(std::string& out, std::span<const std::string> names, std::span<const Metadata* const> rows) {
  for (const std::string& name : names) PutColumn(out, name, rows);
}

FilterColumns FilterColumns::Decode(Decoder& in, size_t columns, uint32_t rows) {
  FilterColumns out;
  for (size_t c = 0; c < columns && in.ok(); ++c) {
    Column column;
    auto values = in.Fixed<uint32_t>();
    if (values > rows) in.Fail();
    for (uint32_t v = 0; v < values && in.ok(); ++v) column.dictionary.push_back(in.Bytes());
    column.width = IndexWidth(values);
    column.indexes = in.Raw(uint64_t{rows} * column.width);
    for (uint32_t row = 0; row < rows && in.ok(); ++row) {
      if (ReadIndex(column.indexes, column.width, row) >= values) in.Fail();
    }
    out.columns_.push_back(std::move(column));
  }
  return out;
}

Metadata FilterColumns::Row(std::span<const std::string> names, uint32_t row) const {
  Metadata fields;
  for (size_t c = 0; c < columns_.size(); ++c) {
    const Column& column = columns_[c];
    std::string_view encoded = column.dictionary[ReadIndex(column.indexes, column.width, row)];
    if (encoded.empty()) continue;
    Decoder in(encoded);
    fields[names[c]] = GetValue(in);
  }
  return fields;
}

}  // namespace isotherm
