#include "isotherm/row.h"

#include <functional>

#include "base/json_text.h"

namespace isotherm {

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
