// Any bytes as a cell block whose checksum was right: all that it says can be read, and is the same in the block that
// is made of it. The first byte chooses the schema.
#include "quant/residual8.h"
#include "segment/cell_block.h"
#include "segment/row_codec.h"
#include "tests/fuzz/sealed.h"

namespace isotherm {
namespace {

using namespace fuzz;

void Read(const CellBlock& block, const BlockSchema& schema) {
  std::vector<float> query(schema.dimension, 1.0F);
  std::vector<float> distances(block.rows());
  ResidualQuery residual(Metric::kL2, query);
  residual.Reset(block.centroid().empty() ? std::span<const float>(query) : block.centroid());
  residual.Distances(block.codes(), block.scales(), block.norms2(), block.rows(), distances.data());
  // The offset of a row's document takes time in proportion to its number.
  uint32_t step = 1 + block.rows() / 64;
  for (uint32_t row = 0; row < block.rows(); row += step) {
    Require(block.key(row).type() == schema.key_type);
    block.ordinal(row);
    Require(block.document(row).length == block.document_length(row));
    Require(block.columns().Row(schema.filter_columns, row).size() <= schema.filter_columns.size());
  }
}

std::string FieldsOf(const CellBlock& block, const BlockSchema& schema, uint32_t row) {
  std::string bytes;
  PutMetadata(bytes, block.columns().Row(schema.filter_columns, row));
  return bytes;
}

void Compare(const CellBlock& a, const CellBlock& b, const BlockSchema& schema) {
  auto same = [](const void* x, const void* y, size_t size) { return size == 0 || std::memcmp(x, y, size) == 0; };
  Require(a.rows() == b.rows() && a.primary_rows() == b.primary_rows() && a.centroid().size() == b.centroid().size());
  Require(same(a.centroid().data(), b.centroid().data(), a.centroid().size_bytes()));
  Require(same(a.scales(), b.scales(), a.rows() * sizeof(float)));
  Require(same(a.norms2(), b.norms2(), a.rows() * sizeof(float)));
  Require(same(a.codes(), b.codes(), size_t{a.rows()} * schema.dimension));
  for (uint32_t row = 0; row < a.rows(); ++row) {
    Require(a.key(row) == b.key(row) && a.ordinal(row) == b.ordinal(row));
    Require(a.document(row).offset == b.document(row).offset && a.document_length(row) == b.document_length(row));
    Require(a.attributes(row) == b.attributes(row));
    Require(FieldsOf(a, schema, row) == FieldsOf(b, schema, row));
  }
}

void Rewrite(const CellBlock& block, const BlockSchema& schema) {
  constexpr uint32_t kMostRows = 200;
  if (block.rows() > kMostRows) return;
  std::vector<Key> keys;
  std::vector<Metadata> metadata;
  for (uint32_t row = 0; row < block.rows(); ++row) {
    keys.push_back(block.key(row));
    metadata.push_back(block.columns().Row(schema.filter_columns, row));
  }
  std::vector<BlockRow> rows(block.rows());
  for (uint32_t row = 0; row < block.rows(); ++row) {
    rows[row] = {&keys[row],
                 &metadata[row],
                 nullptr,
                 block.ordinal(row),
                 block.document(row),
                 block.attributes(row),
                 {block.scales()[row], block.norms2()[row]},
                 block.codes() + size_t{row} * schema.dimension};
  }
  std::string bytes = EncodeCellBlock(schema, rows, block.primary_rows(), block.centroid(), !block.centroid().empty());
  std::vector<uint64_t> aligned(bytes.size() / sizeof(uint64_t) + 1);
  std::memcpy(aligned.data(), bytes.data(), bytes.size());
  auto again = CellBlock::Parse({reinterpret_cast<const char*>(aligned.data()), bytes.size()}, schema);
  Require(again.ok());
  Compare(block, *again, schema);
}

}  // namespace
}  // namespace isotherm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isotherm;
  if (size == 0) return 0;
  static const std::vector<std::string> kColumns{"a", "b", "c"};
  BlockSchema schema;
  schema.dimension = 1 + (data[0] & 7);
  schema.key_type = (data[0] & 8) != 0 ? KeyType::kString : KeyType::kInteger;
  schema.filter_columns = std::span(kColumns).first((data[0] >> 4) & 3);
  // Floats are read where they lie, so a block is aligned.
  std::vector<uint64_t> aligned(size / sizeof(uint64_t) + 1);
  std::memcpy(aligned.data(), data + 1, size - 1);
  auto block = CellBlock::Parse({reinterpret_cast<const char*>(aligned.data()), size - 1}, schema);
  if (block.ok()) {
    Read(*block, schema);
    Rewrite(*block, schema);
  } else {
    fuzz::Require(block.status().code() == StatusCode::kCorruption);
  }
  return 0;
}
