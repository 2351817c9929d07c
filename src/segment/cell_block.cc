#include "segment/cell_block.h"

#include <algorithm>
#include <cstring>

#include "base/coding.h"

namespace isotherm {

namespace {

constexpr uint32_t kMagic = 0x31424349;  // "ICB1"
constexpr size_t kHeaderBytes = 64;
constexpr uint32_t kOwnCentroid = 1;
constexpr uint32_t kStringKeys = 2;
constexpr uint32_t kVersions = 4;
constexpr uint32_t kExpiries = 8;

struct Header {
  uint32_t magic = kMagic;
  uint32_t dimension = 0;
  uint32_t rows = 0;
  uint32_t primary_rows = 0;
  uint32_t first_ordinal = 0;
  uint32_t flags = 0;
  uint64_t first_document = 0;
  uint32_t reserved[8] = {};
};
static_assert(sizeof(Header) == kHeaderBytes);

template <typename T>
T Load(const char* array, uint32_t index) {
  T value;
  std::memcpy(&value, array + size_t{index} * sizeof(T), sizeof(T));
  return value;
}

void PutCodes(std::string& out, std::span<const BlockRow> rows, size_t dimension, std::span<const float> centroid) {
  std::vector<float> scales(rows.size());
  std::vector<float> norms2(rows.size());
  std::vector<int8_t> codes(rows.size() * dimension);
  for (size_t i = 0; i < rows.size(); ++i) {
    ResidualFactors factors = rows[i].factors;
    if (rows[i].vector != nullptr) {
      factors = EncodeResidual8({rows[i].vector, dimension}, centroid, &codes[i * dimension]);
    } else {
      std::copy_n(rows[i].code, dimension, &codes[i * dimension]);
    }
    scales[i] = factors.scale;
    norms2[i] = factors.norm2;
  }
  out.append(reinterpret_cast<const char*>(scales.data()), scales.size() * sizeof(float));
  out.append(reinterpret_cast<const char*>(norms2.data()), norms2.size() * sizeof(float));
  out.append(reinterpret_cast<const char*>(codes.data()), codes.size());
}

void PutKeys(std::string& out, std::span<const BlockRow> rows, KeyType type) {
  if (type == KeyType::kInteger) {
    for (const BlockRow& row : rows) PutFixed<uint64_t>(out, row.key->number());
    return;
  }
  uint32_t end = 0;
  for (const BlockRow& row : rows) {
    end += static_cast<uint32_t>(row.key->text().size());
    PutFixed<uint32_t>(out, end);
  }
  for (const BlockRow& row : rows) out += row.key->text();
}

uint32_t AttributeFlags(std::span<const BlockRow> rows) {
  uint32_t flags = 0;
  for (const BlockRow& row : rows) {
    if (row.attributes.version != 0) flags |= kVersions;
    if (row.attributes.expires_at_ms != 0) flags |= kExpiries;
  }
  return flags;
}

void PutAttributes(std::string& out, std::span<const BlockRow> rows, uint32_t flags) {
  if ((flags & kVersions) != 0) {
    for (const BlockRow& row : rows) PutFixed<uint64_t>(out, row.attributes.version);
  }
  if ((flags & kExpiries) != 0) {
    for (const BlockRow& row : rows) PutFixed<int64_t>(out, row.attributes.expires_at_ms);
  }
}

}  // namespace

std::string EncodeCellBlock(const BlockSchema& schema, std::span<const BlockRow> rows, uint32_t primary_rows,
                            std::span<const float> centroid, bool own_centroid) {
  Header header;
  header.dimension = schema.dimension;
  header.rows = static_cast<uint32_t>(rows.size());
  header.primary_rows = primary_rows;
  header.flags = (own_centroid ? kOwnCentroid : 0) | (schema.key_type == KeyType::kString ? kStringKeys : 0) |
                 AttributeFlags(rows);
  if (primary_rows > 0) {
    header.first_ordinal = rows[0].ordinal;
    header.first_document = rows[0].document.offset;
  }
  std::string out(reinterpret_cast<const char*>(&header), sizeof(header));
  if (own_centroid) out.append(reinterpret_cast<const char*>(centroid.data()), centroid.size() * sizeof(float));
  PutCodes(out, rows, schema.dimension, centroid);
  for (const BlockRow& row : rows) PutFixed<uint32_t>(out, row.document.length);
  for (const BlockRow& row : rows.subspan(primary_rows)) PutFixed<uint32_t>(out, row.ordinal);
  for (const BlockRow& row : rows.subspan(primary_rows)) PutFixed<uint64_t>(out, row.document.offset);
  PutKeys(out, rows, schema.key_type);
  std::vector<const Metadata*> metadata;
  for (const BlockRow& row : rows) metadata.push_back(row.metadata);
  PutFilterColumns(out, schema.filter_columns, metadata);
  PutAttributes(out, rows, header.flags);
  return out;
}

Result<CellBlock> CellBlock::Parse(std::string_view bytes, const BlockSchema& schema) {
  auto malformed = [](const char* what) { return Status::Corruption(std::string("cell block: ") + what); };
  Decoder in(bytes);
  std::string_view raw_header = in.Raw(kHeaderBytes);
  if (!in.ok()) return malformed("shorter than its header");
  Header header;
  std::memcpy(&header, raw_header.data(), sizeof(header));
  if (header.magic != kMagic) return malformed("wrong magic number");
  if (header.dimension != schema.dimension) return malformed("dimension differs from the collection's");
  if (header.primary_rows > header.rows) return malformed("more primary rows than rows");
  if (((header.flags & kStringKeys) != 0) != (schema.key_type == KeyType::kString))
    return malformed("wrong type of keys");
  if ((header.flags & ~(kOwnCentroid | kStringKeys | kVersions | kExpiries)) != 0) return malformed("unknown flags");

  CellBlock block;
  block.rows_ = header.rows;
  block.primary_rows_ = header.primary_rows;
  block.first_ordinal_ = header.first_ordinal;
  block.first_document_ = header.first_document;
  block.key_type_ = schema.key_type;
  uint64_t rows = header.rows;
  uint64_t second = header.rows - header.primary_rows;
  uint64_t dimension = header.dimension;
  auto floats = [&in](uint64_t count) { return reinterpret_cast<const float*>(in.Raw(count * sizeof(float)).data()); };
  if ((header.flags & kOwnCentroid) != 0) block.centroid_ = {floats(dimension), dimension};
  block.scales_ = floats(rows);
  block.norms2_ = floats(rows);
  block.codes_ = reinterpret_cast<const int8_t*>(in.Raw(rows * dimension).data());
  block.document_lengths_ = in.Raw(rows * sizeof(uint32_t)).data();
  block.second_ordinals_ = in.Raw(second * sizeof(uint32_t)).data();
  block.second_documents_ = in.Raw(second * sizeof(uint64_t)).data();
  if (schema.key_type == KeyType::kInteger) {
    block.keys_ = in.Raw(rows * sizeof(uint64_t));
  } else {
    block.key_ends_ = in.Raw(rows * sizeof(uint32_t));
    if (!in.ok()) return malformed("truncated");
    uint32_t end = 0;
    for (uint32_t i = 0; i < block.rows_; ++i) {
      auto next = Load<uint32_t>(block.key_ends_.data(), i);
      if (next < end) return malformed("keys out of order");
      end = next;
    }
    block.keys_ = in.Raw(end);
  }
  block.columns_ = FilterColumns::Decode(in, schema.filter_columns.size(), block.rows_);
  if ((header.flags & kVersions) != 0) block.versions_ = in.Raw(rows * sizeof(uint64_t)).data();
  if ((header.flags & kExpiries) != 0) block.expiries_ = in.Raw(rows * sizeof(int64_t)).data();
  if (!in.done()) return malformed("truncated, or bytes behind its end");
  return block;
}

Key CellBlock::key(uint32_t row) const {
  if (key_type_ == KeyType::kInteger) return Load<uint64_t>(keys_.data(), row);
  uint32_t begin = row == 0 ? 0 : Load<uint32_t>(key_ends_.data(), row - 1);
  return std::string(keys_.substr(begin, Load<uint32_t>(key_ends_.data(), row) - begin));
}

uint32_t CellBlock::ordinal(uint32_t row) const {
  return row < primary_rows_ ? first_ordinal_ + row : Load<uint32_t>(second_ordinals_, row - primary_rows_);
}

int64_t CellBlock::expires_at_ms(uint32_t row) const {
  return expiries_ == nullptr ? 0 : Load<int64_t>(expiries_, row);
}

RowAttributes CellBlock::attributes(uint32_t row) const {
  return {versions_ == nullptr ? 0 : Load<uint64_t>(versions_, row), expires_at_ms(row)};
}

uint32_t CellBlock::document_length(uint32_t row) const { return Load<uint32_t>(document_lengths_, row); }

DocumentRef CellBlock::document(uint32_t row) const {
  DocumentRef ref{0, document_length(row)};
  if (row >= primary_rows_) {
    ref.offset = Load<uint64_t>(second_documents_, row - primary_rows_);
    return ref;
  }
  ref.offset = first_document_;
  for (uint32_t i = 0; i < row; ++i) ref.offset += document_length(i);
  return ref;
}

}  // namespace isotherm
