#include "tools/formats/json.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "tools/formats/base64.h"

namespace isotherm::formats {
namespace {

// Of all bit patterns, those of infinities and NaN left out.
template <typename Number, typename Bits>
Number AnyFinite(std::mt19937& engine) {
  while (true) {
    auto number = std::bit_cast<Number>(static_cast<Bits>(uint64_t{engine()} << 32 | engine()));
    if (std::isfinite(number)) return number;
  }
}

Row RandomRow(std::mt19937& engine) {
  auto below = [&](uint32_t n) { return std::uniform_int_distribution<uint32_t>(0, n - 1)(engine); };
  auto text = [&](uint32_t most) {
    static const std::string kPieces[] = {"a", "\"", "\\", "\n", "é", "漢", "😀", " ", "\x01"};
    std::string out;
    for (uint32_t i = below(most); i > 0; --i) out += kPieces[below(9)];
    return out;
  };
  auto scalar = [&]() -> Value {
    switch (below(5)) {
      case 0: return {};
      case 1: return below(2) == 0;
      case 2: return static_cast<int64_t>(uint64_t{engine()} << 32 | engine());
      case 3: return AnyFinite<double, uint64_t>(engine);
      default: return text(6);
    }
  };
  Row row;
  if (below(2) == 0) {
    row.key = uint64_t{engine()} << 32 | engine();
  } else {
    row.key = std::string("k").append(text(5)).append(below(3) == 0 ? "\xff\x80" : "");
  }
  if (below(2) == 0) row.expires_at_ms = static_cast<int64_t>(uint64_t{engine()} << 31 | engine());
  for (uint32_t i = 1 + below(5); i > 0; --i) {
    row.vector.push_back(AnyFinite<float, uint32_t>(engine));
  }
  for (uint32_t i = below(5); i > 0; --i) {
    Value::Array array;
    for (uint32_t j = below(4); j > 0; --j) array.push_back(scalar());
    row.metadata[std::string("field").append(text(4))] = below(3) == 0 ? Value(array) : scalar();
  }
  row.payload = text(9);
  if (below(3) == 0) row.payload += "\xff\xfe\x80";
  return row;
}

TEST(RowJson, ARowSurvivesItsTextBitForBit) {
  std::mt19937 engine(3);
  for (int i = 0; i < 500; ++i) {
    Row row = RandomRow(engine);
    std::string text = DumpJson(RowToJson(row));
    EXPECT_EQ(text.find('\n'), std::string::npos);
    auto json = ParseJson(text);
    ASSERT_TRUE(json.ok()) << json.status() << " in " << text;
    auto parsed = RowFromJson(*json);
    ASSERT_TRUE(parsed.ok()) << parsed.status() << " in " << text;
    EXPECT_EQ(parsed->row, row) << text;
    // Zero has two signs, which compare equal.
    EXPECT_EQ(std::memcmp(parsed->row.vector.data(), row.vector.data(), row.vector.size() * sizeof(float)), 0) << text;
    EXPECT_TRUE(parsed->has_key && parsed->has_vector);
  }
}

TEST(RowJson, FloatsAreWrittenShort) {
  EXPECT_EQ(DumpJson(JsonOf(std::vector<float>{0.1F, 1, -0.5F, 16777216})), "[0.1,1.0,-0.5,16777216.0]");
}

TEST(RowJson, AnyFloatSurvivesItsText) {
  std::mt19937 engine(4);
  for (int i = 0; i < 200'000; ++i) {
    const float number = AnyFinite<float, uint32_t>(engine);
    auto parsed = FloatsFromJson(*ParseJson("[" + DumpJson(JsonOf(number)) + "]"));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    ASSERT_EQ(std::bit_cast<uint32_t>(parsed->front()), std::bit_cast<uint32_t>(number)) << number;
  }
}

TEST(RowJson, WhatJsonCanNotHoldIsNamed) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (const Value& value : {Value(nan), Value(-infinity), Value("a\xff"), Value(Value::Array{1.0, infinity}),
                             Value(Value::Array{"a", "\xc3"})}) {
    Status status = CheckHeldByJson({{"good", 1.5}, {"bad", value}});
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << value.ToString();
    EXPECT_NE(status.message().find("'bad'"), std::string::npos) << status;
  }
  EXPECT_FALSE(CheckHeldByJson({{"\xff", 1}}).ok());
  EXPECT_TRUE(CheckHeldByJson({{"é", Value::Array{"漢", 1e300, Value(), true, int64_t{-1}}}, {"n", "x"}}).ok());
}

TEST(RowJson, AVersionIsLeftAside) {
  auto parsed = RowFromJson(*ParseJson(R"({"key": 1, "row_version": 7, "metadata": {"row_version": 8}})"));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->row.metadata, (Metadata{{"row_version", int64_t{8}}}));
  EXPECT_EQ(parsed->row.version, 0U);
}

TEST(RowJson, FieldsAroundTheVectorAreMetadata) {
  auto json = ParseJson(R"({"id": "a", "embedding": [1, 2], "body": "text", "year": 1999,
                            "metadata": {"deep": {"er": {"n": 1.5}, "flag": true}},
                            "tags": ["x", 2, null], "authors": [{"name": "A"}], "nothing": null})");
  ASSERT_TRUE(json.ok()) << json.status();
  auto parsed = RowFromJson(*json, {"id", "embedding", "body"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->row.key, Key("a"));
  EXPECT_EQ(parsed->row.vector, (std::vector<float>{1, 2}));
  EXPECT_EQ(parsed->row.payload, "text");
  Metadata wanted = {{"year", int64_t{1999}},
                     {"deep.er.n", 1.5},
                     {"deep.flag", true},
                     {"tags", Value::Array{"x", int64_t{2}, Value()}},
                     {"authors", R"([{"name":"A"}])"},
                     {"nothing", Value()}};
  EXPECT_EQ(parsed->row.metadata, wanted);
}

TEST(RowJson, SaysWhatIsWrong) {
  struct Case {
    std::string text, message;
  };
  for (const Case& bad : std::vector<Case>{
           {"[1]", "an object is wanted"},
           {R"({"key": -1})", "the key is -1"},
           {R"({"key": 1.5})", "the key is 1.5"},
           {R"({"key": [1]})", "the key is [1]"},
           {R"({"vector": "no"})", "the vector is a string"},
           {R"({"vector": [1, null]})", "component 1 of the vector is a null"},
           {R"({"vector": [1, 1e39]})", "component 1 of the vector is 1e+39"},
           {R"({"n": 18446744073709551615})", "field 'n': 18446744073709551615 is no signed 64-bit integer"},
           {R"({"a.b": 1, "a": {"b": 2}})", "field 'a.b' is there twice"},
           {R"({"payload_base64": "A"})", "base64 of 1 characters"},
           {R"({"payload_base64": "AA!A"})", "character 2"},
           {R"({"payload_base64": 1})", "'payload_base64': a number; a base64 string is wanted"},
           {R"({"key_base64": "A"})", "'key_base64': base64 of 1 characters"},
           {R"({"expires_at_ms": "noon"})", "the expiry is \"noon\""},
           {R"({"expires_at_ms": -1})", "the expiry is -1"},
           {R"({"expires_at_ms": 0.5})", "the expiry is 0.5"},
           {R"({"expires_at_ms": 9223372036854775808})", "the expiry is 9223372036854775808"},
       }) {
    auto json = ParseJson(bad.text);
    ASSERT_TRUE(json.ok()) << bad.text << json.status();
    Status status = RowFromJson(*json).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << bad.text;
    EXPECT_NE(status.message().find(bad.message), std::string::npos) << status;
  }
}

TEST(Json, WhatIsNoJsonIsAnErrorAndNoException) {
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("{\"a\":1,}"), std::string("[NaN]"), std::string("1e999"),
        std::string("\"\xff\""), std::string("{} {}"), std::string(101, '['), std::string(1'000'000, '{')}) {
    Status status = ParseJson(text).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << text.substr(0, 20);
    EXPECT_EQ(status.message().find("json.exception"), std::string::npos) << status;
  }
  EXPECT_TRUE(ParseJson(std::string(100, '[') + std::string(100, ']')).ok());
  EXPECT_TRUE(ParseJson("\"[[[[[[\\\"[[[\"").ok());
}

TEST(Json, BrokenUtf8IsReplacedOnTheWayOut) { EXPECT_EQ(DumpJson(Json("a\xff")), "\"a�\""); }

TEST(Base64, KnownVectors) {  // RFC 4648, section 10
  const std::pair<const char*, const char*> kVectors[] = {{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : kVectors) {
    EXPECT_EQ(EncodeBase64(bytes), text);
    EXPECT_EQ(DecodeBase64(text).value(), bytes);
  }
}

}  // namespace
}  // namespace isotherm::formats
