#include "segment/filter_columns.h"

#include <gtest/gtest.h>

#include "segment/row_codec.h"
#include "tests/segment/random_rows.h"

namespace isotherm {
namespace {

std::string Encode(const std::vector<std::string>& names, const std::vector<Metadata>& rows) {
  std::vector<const Metadata*> pointers;
  for (const Metadata& row : rows) pointers.push_back(&row);
  std::string bytes;
  PutFilterColumns(bytes, names, pointers);
  return bytes;
}

Metadata Pick(const Metadata& all, const std::vector<std::string>& names) {
  Metadata picked;
  for (const std::string& name : names) {
    if (auto field = all.find(name); field != all.end()) picked.insert(*field);
  }
  return picked;
}

void ExpectRoundTrip(const std::vector<std::string>& names, const std::vector<Metadata>& rows) {
  std::string bytes = Encode(names, rows);
  Decoder in(bytes);
  FilterColumns columns = FilterColumns::Decode(in, names.size(), static_cast<uint32_t>(rows.size()));
  ASSERT_TRUE(in.done());
  for (uint32_t row = 0; row < rows.size(); ++row) {
    ASSERT_EQ(columns.Row(names, row), Pick(rows[row], names)) << "row " << row;
  }
}

TEST(FilterColumns, RowsHaveTheFieldsThatTheyWentInWith) {
  RandomRows random(1, 1, KeyType::kInteger);
  for (size_t count : {0, 1, 2, 100}) {
    std::vector<Metadata> rows;
    for (size_t i = 0; i < count; ++i) rows.push_back(random.AnyMetadata());
    ExpectRoundTrip({}, rows);
    ExpectRoundTrip({"colour"}, rows);
    ExpectRoundTrip({"weight", "nowhere", "ünï", "a"}, rows);
  }
}

TEST(FilterColumns, ANullIsToldFromAMissingField) {
  ExpectRoundTrip({"a"}, {{{"a", Value()}}, {}, {{"a", Value()}}, {{"b", Value(int64_t{1})}}});
}

// The width of an index changes with the number of distinct values.
TEST(FilterColumns, AnyNumberOfDistinctValues) {
  for (size_t count : {255, 256, 257, 65535, 65536, 65537}) {
    std::vector<Metadata> rows;
    for (size_t i = 0; i < count; ++i) rows.push_back({{"a", Value(static_cast<int64_t>(i))}});
    ExpectRoundTrip({"a"}, rows);
    rows[count / 2].clear();
    ExpectRoundTrip({"a"}, rows);
  }
}

TEST(FilterColumns, EqualValuesAreStoredOnce) {
  std::vector<Metadata> rows(1000, {{"a", Value(std::string(500, 'x'))}});
  EXPECT_LT(Encode({"a"}, rows).size(), 2000U);
}

TEST(FilterColumns, CutOffColumnsFailTheDecoder) {
  RandomRows random(2, 1, KeyType::kInteger);
  std::vector<Metadata> rows;
  for (int i = 0; i < 30; ++i) rows.push_back(random.AnyMetadata());
  std::string bytes = Encode({"colour", "weight"}, rows);
  for (size_t length = 0; length < bytes.size(); ++length) {
    Decoder in(std::string_view(bytes).substr(0, length));
    FilterColumns::Decode(in, 2, 30);
    EXPECT_FALSE(in.ok()) << length;
  }
}

TEST(FilterColumns, AnIndexOutsideOfTheDictionaryFailsTheDecoder) {
  std::string bytes;
  PutFixed<uint32_t>(bytes, 1);  // one value
  PutBytes(bytes, "");
  bytes += std::string("\0\1", 2);  // of two rows
  Decoder in(bytes);
  FilterColumns::Decode(in, 1, 2);
  EXPECT_FALSE(in.ok());
}

TEST(FilterColumns, MoreValuesThanRowsFailTheDecoder) {
  std::string bytes;
  PutFixed<uint32_t>(bytes, 0xffffffff);
  bytes.resize(100, '\0');
  Decoder in(bytes);
  FilterColumns::Decode(in, 1, 2);
  EXPECT_FALSE(in.ok());
}

}  // namespace
}  // namespace isotherm
