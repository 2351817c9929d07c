// JSON in and out: nothing here throws, and errors say what was wrong.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "isotherm/row.h"
#include "isotherm/status.h"

namespace isotherm::formats {

using Json = nlohmann::ordered_json;

// kInvalidArgument for what is no JSON, numbers out of range, and more than 100 levels.
Result<Json> ParseJson(std::string_view text);
// `indent` negative: one line. Bytes that are no UTF-8 become U+FFFD.
std::string DumpJson(const Json& json, int indent = -1);

// A number that prints as the shortest decimal that gives the same float.
Json JsonOf(float number);
Json JsonOf(const std::vector<float>& numbers);
Json JsonOf(const Value& value);
Json JsonOf(const Metadata& metadata);
Json JsonOf(const Key& key);

// An array of numbers that fit in a float.
Result<std::vector<float>> FloatsFromJson(const Json& json);
// A string, or an integer from 0 to 2^64 - 1.
Result<Key> KeyFromJson(const Json& json);

// Adds the fields of `object` to `metadata`. An object inside becomes fields of dotted names ("a.b"), an array of
// scalars stays one, any other array becomes its JSON text. A name that is there already is kInvalidArgument.
Status AddMetadata(const Json& object, Metadata& metadata);

// Which members of an object are what. All others are metadata, and so is what is in the object `metadata`.
struct RowFields {
  std::string key = "key";
  std::string vector = "vector";
  std::string payload = "payload";
  std::string expiry = "expires_at_ms";
};

// {"key": 7, "expires_at_ms": 1790000000000, "vector": [0.5, …], "metadata": {…}, "payload": "…"}. A key or a payload
// that is no UTF-8 comes as "key_base64", "payload_base64". Only what the row has is written.
Json RowToJson(const Row& row, const RowFields& fields = {});
// Its version, which is no part of its content: a reader of rows leaves it aside.
inline constexpr char kRowVersionMember[] = "row_version";

// What JSON can't hold as it is: numbers that are not finite, and texts in the metadata that are no UTF-8. Names the
// field.
Status CheckHeldByJson(const Metadata& metadata);

// Milliseconds since 1970: an integer of at least 0.
Result<int64_t> ExpiryFromJson(const Json& json);

struct ParsedRow {
  Row row;
  bool has_key = false;
  bool has_vector = false;
};
// The inverse. Of the members none is required here.
Result<ParsedRow> RowFromJson(const Json& json, const RowFields& fields = {});

}  // namespace isotherm::formats
