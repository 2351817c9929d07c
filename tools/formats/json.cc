#include "tools/formats/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/macros.h"
#include "tools/formats/base64.h"

namespace isotherm::formats {

namespace {

constexpr int kMaxDepth = 100;
constexpr char kMetadataMember[] = "metadata";
constexpr char kBase64Suffix[] = "_base64";
constexpr int64_t kLatestMs = std::numeric_limits<int64_t>::max();

// Values are walked and destroyed recursively, so what comes from outside must not nest deeply.
Status CheckDepth(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) {
        return Status::InvalidArgument("JSON of more than " + std::to_string(kMaxDepth) + " levels");
      }
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return Status::Ok();
}

bool IsUtf8(std::string_view text) {
  // The serialiser's own check: "strict" would throw where "replace" changes something.
  Json json = std::string(text);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) ==
         json.dump(-1, ' ', false, Json::error_handler_t::ignore);
}

std::string_view TypeOf(const Json& json) { return json.type_name(); }

bool IsScalar(const Json& json) { return json.is_primitive() && !json.is_binary(); }

Result<Value> ScalarFromJson(const Json& json) {
  switch (json.type()) {
    case Json::value_t::boolean: return Value(json.get<bool>());
    case Json::value_t::number_integer: return Value(json.get<int64_t>());
    case Json::value_t::number_unsigned:
      if (json.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        return Status::InvalidArgument(json.dump() + " is no signed 64-bit integer; write it as a string");
      }
      return Value(static_cast<int64_t>(json.get<uint64_t>()));
    case Json::value_t::number_float: return Value(json.get<double>());
    case Json::value_t::string: return Value(json.get<std::string>());
    default: return Value();
  }
}

Result<Value> ValueFromJson(const Json& json) {
  if (IsScalar(json)) return ScalarFromJson(json);
  Value::Array array;
  for (const Json& item : json) {
    if (!IsScalar(item)) return Value(DumpJson(json));
    ASSIGN_OR_RETURN(Value value, ScalarFromJson(item));
    array.push_back(std::move(value));
  }
  return Value(std::move(array));
}

Status AddField(const std::string& name, const Json& json, Metadata& metadata) {
  if (json.is_object()) {
    for (const auto& [inner, value] : json.items()) RETURN_IF_ERROR(AddField(name + "." + inner, value, metadata));
    return Status::Ok();
  }
  auto value = ValueFromJson(json);
  RETURN_IF_ERROR(value.status().WithContext("field '" + name + "'"));
  if (!metadata.emplace(name, std::move(value).value()).second) {
    return Status::InvalidArgument("field '" + name + "' is there twice");
  }
  return Status::Ok();
}

// What a payload means is its owner's matter: anything but a string is kept as its JSON text.
std::string PayloadFromJson(const Json& json) { return json.is_string() ? json.get<std::string>() : DumpJson(json); }

Result<std::string> BytesFromJson(const Json& json) {
  if (!json.is_string()) {
    return Status::InvalidArgument("a " + std::string(TypeOf(json)) + "; a base64 string is wanted");
  }
  return DecodeBase64(json.get_ref<const std::string&>());
}

bool IsHeld(const Value& value) {
  if (value.type() == Value::Type::kFloat) return std::isfinite(value.as_float());
  return value.type() != Value::Type::kString || IsUtf8(value.as_string());
}

}  // namespace

Result<Json> ParseJson(std::string_view text) {
  RETURN_IF_ERROR(CheckDepth(text));
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 5: …"
    std::string message = error.what();
    size_t end = message.find("] ");
    return Status::InvalidArgument("not JSON: " + (end == std::string::npos ? message : message.substr(end + 2)));
  }
}

std::string DumpJson(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Json JsonOf(float number) {
  if (!std::isfinite(number)) return nullptr;
  char buffer[32];
  auto end = std::to_chars(buffer, buffer + sizeof(buffer), number).ptr;
  double shortest = number;
  std::from_chars(buffer, end, shortest);
  // Read as a double and then made a float, a decimal may be rounded twice.
  return static_cast<float>(shortest) == number ? shortest : number;
}

Json JsonOf(const std::vector<float>& numbers) {
  Json array = Json::array();
  for (float number : numbers) array.push_back(JsonOf(number));
  return array;
}

Json JsonOf(const Value& value) {
  switch (value.type()) {
    case Value::Type::kNull: return nullptr;
    case Value::Type::kBool: return value.as_bool();
    case Value::Type::kInt: return value.as_int();
    case Value::Type::kFloat: return value.as_float();
    case Value::Type::kString: return value.as_string();
    case Value::Type::kArray: break;
  }
  Json array = Json::array();
  for (const Value& item : value.as_array()) array.push_back(JsonOf(item));
  return array;
}

Json JsonOf(const Metadata& metadata) {
  Json object = Json::object();
  for (const auto& [name, value] : metadata) object[name] = JsonOf(value);
  return object;
}

Json JsonOf(const Key& key) {
  if (key.type() == KeyType::kInteger) return key.number();
  return key.text();
}

Result<std::vector<float>> FloatsFromJson(const Json& json) {
  if (!json.is_array())
    return Status::InvalidArgument("the vector is a " + std::string(TypeOf(json)) + "; an array of numbers is wanted");
  std::vector<float> numbers;
  numbers.reserve(json.size());
  for (const Json& item : json) {
    std::string which = "component " + std::to_string(numbers.size()) + " of the vector";
    if (!item.is_number())
      return Status::InvalidArgument(which + " is a " + std::string(TypeOf(item)) + "; a number is wanted");
    auto number = static_cast<float>(item.get<double>());
    if (!std::isfinite(number)) return Status::InvalidArgument(which + " is " + item.dump() + ", which no float holds");
    numbers.push_back(number);
  }
  return numbers;
}

Result<Key> KeyFromJson(const Json& json) {
  if (json.is_string()) return Key(json.get<std::string>());
  if (json.is_number_unsigned()) return Key(json.get<uint64_t>());
  return Status::InvalidArgument("the key is " + DumpJson(json) + "; a string or an integer of at least 0 is wanted");
}

Status AddMetadata(const Json& object, Metadata& metadata) {
  if (!object.is_object()) {
    return Status::InvalidArgument("the metadata is a " + std::string(TypeOf(object)) + "; an object is wanted");
  }
  for (const auto& [name, value] : object.items()) RETURN_IF_ERROR(AddField(name, value, metadata));
  return Status::Ok();
}

Json RowToJson(const Row& row, const RowFields& fields) {
  Json json = Json::object();
  if (row.key.type() == KeyType::kString && !IsUtf8(row.key.text())) {
    json[fields.key + kBase64Suffix] = EncodeBase64(row.key.text());
  } else {
    json[fields.key] = JsonOf(row.key);
  }
  if (row.expires_at_ms != 0) json[fields.expiry] = row.expires_at_ms;
  if (!row.vector.empty()) json[fields.vector] = JsonOf(row.vector);
  if (!row.metadata.empty()) json[kMetadataMember] = JsonOf(row.metadata);
  if (row.payload.empty()) return json;
  if (IsUtf8(row.payload)) {
    json[fields.payload] = row.payload;
  } else {
    json[fields.payload + kBase64Suffix] = EncodeBase64(row.payload);
  }
  return json;
}

Status CheckHeldByJson(const Metadata& metadata) {
  for (const auto& [name, value] : metadata) {
    bool held = IsUtf8(name) && IsHeld(value);
    if (value.type() == Value::Type::kArray) {
      held = held && std::all_of(value.as_array().begin(), value.as_array().end(), IsHeld);
    }
    if (!held) {
      return Status::InvalidArgument(
          "field '" + name + "' holds a number that is not finite or a text that is no UTF-8, which JSON can't");
    }
  }
  return Status::Ok();
}

Result<int64_t> ExpiryFromJson(const Json& json) {
  if (json.is_number_unsigned() && json.get<uint64_t>() <= static_cast<uint64_t>(kLatestMs)) return json.get<int64_t>();
  return Status::InvalidArgument("the expiry is " + DumpJson(json) +
                                 "; milliseconds since 1970 are wanted, or 0 for never");
}

Result<ParsedRow> RowFromJson(const Json& json, const RowFields& fields) {
  if (!json.is_object()) return Status::InvalidArgument("a " + std::string(TypeOf(json)) + "; an object is wanted");
  ParsedRow parsed;
  for (const auto& [name, value] : json.items()) {
    if (name == fields.key) {
      ASSIGN_OR_RETURN(parsed.row.key, KeyFromJson(value));
      parsed.has_key = true;
    } else if (name == fields.key + kBase64Suffix) {
      auto key = BytesFromJson(value);
      RETURN_IF_ERROR(key.status().WithContext("'" + name + "'"));
      parsed.row.key = Key(std::move(key).value());
      parsed.has_key = true;
    } else if (name == fields.expiry) {
      ASSIGN_OR_RETURN(parsed.row.expires_at_ms, ExpiryFromJson(value));
    } else if (name == kRowVersionMember) {
      continue;
    } else if (name == fields.vector) {
      ASSIGN_OR_RETURN(parsed.row.vector, FloatsFromJson(value));
      parsed.has_vector = true;
    } else if (name == fields.payload) {
      parsed.row.payload = PayloadFromJson(value);
    } else if (name == fields.payload + kBase64Suffix) {
      auto payload = BytesFromJson(value);
      RETURN_IF_ERROR(payload.status().WithContext("'" + name + "'"));
      parsed.row.payload = std::move(payload).value();
    } else if (name == kMetadataMember && value.is_object()) {
      RETURN_IF_ERROR(AddMetadata(value, parsed.row.metadata));
    } else {
      RETURN_IF_ERROR(AddField(name, value, parsed.row.metadata));
    }
  }
  return parsed;
}

}  // namespace isotherm::formats
