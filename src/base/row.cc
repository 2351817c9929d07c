#include "isotherm/row.h"

#include <cmath>
#include <cstdio>
#include <functional>

namespace isotherm {

namespace {

void AppendJsonString(std::string& out, std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out.push_back('"');
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20) {
      out += "\\u00";
      out.push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

std::string FloatToJson(double value) {
  if (!std::isfinite(value)) return "null";  // JSON has no such numbers
  char buffer[32];
  for (int digits : {15, 16, 17}) {
    std::snprintf(buffer, sizeof(buffer), "%.*g", digits, value);
    if (std::strtod(buffer, nullptr) == value) break;
  }
  std::string text = buffer;
  // 1.0 stays a float when it is read again.
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

}  // namespace

std::string Key::ToString() const { return type() == KeyType::kInteger ? std::to_string(number()) : text(); }

size_t KeyHash::operator()(const Key& key) const {
  if (key.type() == KeyType::kInteger) return std::hash<uint64_t>()(key.number() * 0x9e3779b97f4a7c15);
  return std::hash<std::string>()(key.text());
}

std::string Value::ToString() const {
  std::string out;
  switch (type()) {
    case Type::kNull: return "null";
    case Type::kBool: return as_bool() ? "true" : "false";
    case Type::kInt: return std::to_string(as_int());
    case Type::kFloat: return FloatToJson(as_float());
    case Type::kString: AppendJsonString(out, as_string()); return out;
    case Type::kArray:
      out = "[";
      for (const Value& item : as_array()) {
        if (out.size() > 1) out += ",";
        out += item.ToString();
      }
      return out + "]";
  }
  return out;
}

const char* MetricName(Metric metric) {
  switch (metric) {
    case Metric::kL2: return "l2";
    case Metric::kCosine: return "cosine";
    case Metric::kInnerProduct: return "ip";
  }
  return "?";
}

Result<Metric> ParseMetric(std::string_view name) {
  for (Metric metric : {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    if (name == MetricName(metric)) return metric;
  }
  return Status::InvalidArgument("unknown metric '" + std::string(name) + "': l2, cosine or ip");
}

}  // namespace isotherm
