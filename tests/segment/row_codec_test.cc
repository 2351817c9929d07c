#include "segment/row_codec.h"

#include <gtest/gtest.h>

#include "tests/segment/random_rows.h"

namespace isotherm {
namespace {

constexpr uint32_t kDimension = 5;

TEST(RowCodec, EveryValueComesBackEqual) {
  RandomRows random(1, kDimension, KeyType::kInteger);
  for (int i = 0; i < 5000; ++i) {
    Value value = random.AnyValue();
    std::string bytes;
    PutValue(bytes, value);
    Decoder in(bytes);
    EXPECT_EQ(GetValue(in), value) << value.ToString();
    EXPECT_TRUE(in.done());
  }
}

TEST(RowCodec, RowsOneBehindTheOtherComeBackEqual) {
  for (KeyType type : {KeyType::kInteger, KeyType::kString}) {
    RandomRows random(2, kDimension, type);
    std::vector<Row> rows = random.NextRows(300);
    std::string bytes;
    for (const Row& row : rows) {
      size_t before = bytes.size();
      PutRow(bytes, row);
      EXPECT_EQ(bytes.size() - before, EncodedRowBytes(row));
    }
    Decoder in(bytes);
    for (const Row& row : rows) EXPECT_EQ(GetRow(in, type, kDimension), row);
    EXPECT_TRUE(in.done());
  }
}

TEST(RowCodec, ACutOffRowFailsTheDecoderWhereverItIsCut) {
  RandomRows random(3, kDimension, KeyType::kString);
  for (int i = 0; i < 20; ++i) {
    std::string bytes;
    PutRow(bytes, random.NextRow());
    for (size_t length = 0; length < bytes.size(); ++length) {
      Decoder in(std::string_view(bytes).substr(0, length));
      GetRow(in, KeyType::kString, kDimension);
      EXPECT_FALSE(in.ok()) << length << " of " << bytes.size();
    }
  }
}

TEST(RowCodec, DocumentsComeBackBitForBit) {
  RandomRows random(4, kDimension, KeyType::kInteger);
  for (int i = 0; i < 500; ++i) {
    Row row = random.NextRow();
    Row decoded;
    decoded.metadata["left over"] = 1;
    Status status = DecodeDocument(EncodeDocument(row), decoded);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(decoded.metadata, row.metadata);
    EXPECT_EQ(decoded.payload, row.payload);
  }
}

TEST(RowCodec, ARowWithoutMetadataAndPayloadHasNoDocument) {
  Row row;
  EXPECT_EQ(EncodeDocument(row), "");
  row.payload.push_back('x');
  EXPECT_TRUE(DecodeDocument("", row).ok());
  EXPECT_EQ(row.payload, "");
}

TEST(RowCodec, AnyFlippedBitOfADocumentIsCorruption) {
  RandomRows random(5, kDimension, KeyType::kInteger);
  Row row = random.NextRow();
  row.payload = "payload";
  std::string bytes = EncodeDocument(row);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    Row decoded;
    EXPECT_EQ(DecodeDocument(damaged, decoded).code(), StatusCode::kCorruption) << bit;
  }
  for (size_t length = 1; length < bytes.size(); ++length) {
    Row decoded;
    EXPECT_EQ(DecodeDocument(bytes.substr(0, length), decoded).code(), StatusCode::kCorruption) << length;
  }
}

TEST(RowCodec, UnknownTypesAndArraysInsideArraysFailTheDecoder) {
  std::string array;
  PutFixed<uint8_t>(array, static_cast<uint8_t>(Value::Type::kArray));
  PutFixed<uint32_t>(array, 1);
  PutFixed<uint8_t>(array, static_cast<uint8_t>(Value::Type::kArray));
  PutFixed<uint32_t>(array, 0);
  for (const std::string& bytes : {array, std::string("\x06"), std::string("\x01\x02"), std::string("\xff")}) {
    Decoder in(bytes);
    GetValue(in);
    EXPECT_FALSE(in.ok());
  }
}

}  // namespace
}  // namespace isotherm
