#include "segment/cell_block.h"

#include <gtest/gtest.h>

#include "quant/residual8.h"
#include "segment/segment_writer.h"
#include "tests/segment/random_rows.h"

namespace isotherm {
namespace {

constexpr uint32_t kDimension = 7;

// A block by chance, and what went into it.
struct Sample {
  SegmentSchema schema;
  std::vector<Row> rows;
  std::vector<BlockRow> block_rows;
  std::vector<float> centroid;
  uint32_t primary = 0;
  bool own_centroid = false;
  std::string bytes;
};

Sample MakeSample(RandomRows& random, KeyType type, uint32_t primary, uint32_t second, bool own_centroid) {
  Sample sample;
  sample.schema = {kDimension, Metric::kL2, type, {"colour", "weight"}};
  sample.rows = random.NextRows(primary + second);
  sample.centroid = random.Vector();
  sample.primary = primary;
  sample.own_centroid = own_centroid;
  uint64_t offset = random.random().Below(uint64_t{1} << 40);
  auto first = static_cast<uint32_t>(random.random().Below(1 << 30));
  for (uint32_t i = 0; i < primary + second; ++i) {
    const Row& row = sample.rows[i];
    auto length = static_cast<uint32_t>(random.random().Below(1000));
    BlockRow block_row{&row.key, &row.metadata, row.vector.data(), first + i, {offset, length}, {}};
    offset += length;
    if (i >= primary) {
      block_row.ordinal = static_cast<uint32_t>(random.random().Next());
      block_row.document.offset = random.random().Next();
    }
    sample.block_rows.push_back(block_row);
  }
  sample.bytes =
      EncodeCellBlock(sample.schema.block(), sample.block_rows, primary, sample.centroid, sample.own_centroid);
  return sample;
}

void ExpectSame(const CellBlock& block, const Sample& sample) {
  ASSERT_EQ(block.rows(), sample.rows.size());
  ASSERT_EQ(block.primary_rows(), sample.primary);
  std::vector<float> centroid(block.centroid().begin(), block.centroid().end());
  EXPECT_EQ(centroid, sample.own_centroid ? sample.centroid : std::vector<float>{});
  std::vector<int8_t> code(kDimension);
  for (uint32_t i = 0; i < block.rows(); ++i) {
    const BlockRow& row = sample.block_rows[i];
    EXPECT_EQ(block.key(i), *row.key);
    EXPECT_EQ(block.ordinal(i), row.ordinal);
    EXPECT_EQ(block.document(i).offset, row.document.offset);
    EXPECT_EQ(block.document(i).length, row.document.length);
    EXPECT_EQ(block.document_length(i), row.document.length);
    ResidualFactors factors = EncodeResidual8({row.vector, kDimension}, sample.centroid, code.data());
    EXPECT_EQ(block.scales()[i], factors.scale);
    EXPECT_EQ(block.norms2()[i], factors.norm2);
    EXPECT_TRUE(std::equal(code.begin(), code.end(), block.codes() + size_t{i} * kDimension));
    Metadata fields = block.columns().Row(sample.schema.filter_columns, i);
    for (const std::string& name : sample.schema.filter_columns) {
      ASSERT_EQ(fields.count(name), row.metadata->count(name));
      if (fields.count(name) != 0) {
        EXPECT_EQ(fields.at(name), row.metadata->at(name));
      }
    }
  }
}

// Reads all that a block says; with sanitizers on, any step outside of its bytes ends the test.
void Touch(const CellBlock& block, const SegmentSchema& schema) {
  for (uint32_t i = 0; i < block.rows(); ++i) {
    block.key(i);
    block.ordinal(i);
    block.document(i);
    block.columns().Row(schema.filter_columns, i);
  }
}

TEST(CellBlock, SaysWhatWentIntoIt) {
  for (KeyType type : {KeyType::kInteger, KeyType::kString}) {
    RandomRows random(1, kDimension, type);
    for (int i = 0; i < 100; ++i) {
      auto primary = static_cast<uint32_t>(random.random().Below(40));
      auto second = static_cast<uint32_t>(random.random().Below(40));
      Sample sample = MakeSample(random, type, i == 0 ? 0 : primary, i < 2 ? 0 : second, i % 2 == 0);
      auto block = CellBlock::Parse(sample.bytes, sample.schema.block());
      ASSERT_TRUE(block.ok()) << block.status();
      ExpectSame(*block, sample);
    }
  }
}

TEST(CellBlock, CutOffOrWithBytesBehindItIsCorruption) {
  for (KeyType type : {KeyType::kInteger, KeyType::kString}) {
    RandomRows random(2, kDimension, type);
    Sample sample = MakeSample(random, type, 5, 3, true);
    for (size_t length = 0; length < sample.bytes.size(); ++length) {
      auto block = CellBlock::Parse(std::string_view(sample.bytes).substr(0, length), sample.schema.block());
      EXPECT_EQ(block.status().code(), StatusCode::kCorruption) << length;
    }
    EXPECT_EQ(CellBlock::Parse(sample.bytes + '\0', sample.schema.block()).status().code(), StatusCode::kCorruption);
  }
}

TEST(CellBlock, AnyFlippedBitIsCorruptionOrABlockThatCanBeRead) {
  for (KeyType type : {KeyType::kInteger, KeyType::kString}) {
    RandomRows random(3, kDimension, type);
    Sample sample = MakeSample(random, type, 3, 2, true);
    for (size_t bit = 0; bit < sample.bytes.size() * 8; ++bit) {
      std::string damaged = sample.bytes;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
      auto block = CellBlock::Parse(damaged, sample.schema.block());
      if (block.ok()) {
        Touch(*block, sample.schema);
      } else {
        EXPECT_EQ(block.status().code(), StatusCode::kCorruption);
      }
    }
  }
}

TEST(CellBlock, ABlockOfAnotherCollectionIsCorruption) {
  RandomRows random(4, kDimension, KeyType::kInteger);
  Sample sample = MakeSample(random, KeyType::kInteger, 4, 0, false);
  SegmentSchema other = sample.schema;
  other.dimension = kDimension + 1;
  EXPECT_EQ(CellBlock::Parse(sample.bytes, other.block()).status().code(), StatusCode::kCorruption);
  other = sample.schema;
  other.key_type = KeyType::kString;
  EXPECT_EQ(CellBlock::Parse(sample.bytes, other.block()).status().code(), StatusCode::kCorruption);
  other = sample.schema;
  other.filter_columns.emplace_back("more");
  EXPECT_EQ(CellBlock::Parse(sample.bytes, other.block()).status().code(), StatusCode::kCorruption);
}

}  // namespace
}  // namespace isotherm
