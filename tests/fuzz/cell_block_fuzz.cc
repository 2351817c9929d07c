// Any bytes as a cell block whose checksum was right: all that it says can be read. The first byte chooses the schema.
#include "quant/residual8.h"
#include "segment/cell_block.h"
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
  } else {
    fuzz::Require(block.status().code() == StatusCode::kCorruption);
  }
  return 0;
}
