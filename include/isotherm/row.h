// What a collection holds: rows of a key, a vector, metadata and an opaque payload.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "isotherm/limits.h"
#include "isotherm/status.h"

namespace isotherm {

// How near two vectors are. Every answer's `distance` is smaller for nearer rows.
enum class Metric : uint8_t {
  kL2 = 1,            // sum (a_i - b_i)², squared
  kCosine = 2,        // 1 - a·b / (|a| |b|); a zero vector is refused
  kInnerProduct = 3,  // -a·b
};

// A collection's keys are all of one type, fixed when it is created.
enum class KeyType : uint8_t { kInteger = 1, kString = 2 };

// A row's name, unique in its collection: an unsigned 64-bit integer or a non-empty string of at most 1,024 bytes.
class Key {
 public:
  Key() = default;                                      // integer 0
  Key(uint64_t number) : value_(number) {}              // NOLINT(google-explicit-constructor)
  Key(std::string text) : value_(std::move(text)) {}    // NOLINT(google-explicit-constructor)
  Key(const char* text) : value_(std::string(text)) {}  // NOLINT(google-explicit-constructor)
  Key(int number) = delete;                             // say uint64_t: a negative number is no key

  KeyType type() const { return value_.index() == 0 ? KeyType::kInteger : KeyType::kString; }
  uint64_t number() const { return std::get<uint64_t>(value_); }             // requires kInteger
  const std::string& text() const { return std::get<std::string>(value_); }  // requires kString
  std::string ToString() const;

  // Integers by value, strings by bytes; integers before strings.
  friend bool operator==(const Key&, const Key&) = default;
  friend auto operator<=>(const Key&, const Key&) = default;

 private:
  std::variant<uint64_t, std::string> value_ = uint64_t{0};
};

struct KeyHash {
  size_t operator()(const Key& key) const;
};

// A metadata value: null, bool, 64-bit integer, double, UTF-8 string, or an array of the scalar ones.
class Value {
 public:
  using Array = std::vector<Value>;
  enum class Type : uint8_t { kNull = 0, kBool = 1, kInt = 2, kFloat = 3, kString = 4, kArray = 5 };

  Value() = default;
  Value(bool v) : value_(v) {}                      // NOLINT(google-explicit-constructor)
  Value(int v) : value_(int64_t{v}) {}              // NOLINT(google-explicit-constructor)
  Value(int64_t v) : value_(v) {}                   // NOLINT(google-explicit-constructor)
  Value(double v) : value_(v) {}                    // NOLINT(google-explicit-constructor)
  Value(std::string v) : value_(std::move(v)) {}    // NOLINT(google-explicit-constructor)
  Value(const char* v) : value_(std::string(v)) {}  // NOLINT(google-explicit-constructor)
  Value(Array v) : value_(std::move(v)) {}          // NOLINT(google-explicit-constructor)

  Type type() const { return static_cast<Type>(value_.index()); }
  bool is_null() const { return type() == Type::kNull; }
  // Each requires its type.
  bool as_bool() const { return std::get<bool>(value_); }
  int64_t as_int() const { return std::get<int64_t>(value_); }
  double as_float() const { return std::get<double>(value_); }
  const std::string& as_string() const { return std::get<std::string>(value_); }
  const Array& as_array() const { return std::get<Array>(value_); }
  // As JSON: 3, 0.5, "x", [1,2], null.
  std::string ToString() const;

  friend bool operator==(const Value&, const Value&) = default;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array> value_;
};

using Metadata = std::map<std::string, Value>;

struct Row {
  Key key;
  std::vector<float> vector;  // of the collection's dimension, finite
  Metadata metadata;
  std::string payload;  // any bytes
  // From this moment on (milliseconds since 1970 UTC, by the reader's clock) the row is absent; 0: never.
  int64_t expires_at_ms = 0;
  // Set by reading: the version of the collection whose commit wrote the row; 0: not committed yet. Ignored in what is
  // written.
  uint64_t version = 0;

  // The content: all but `version`.
  friend bool operator==(const Row& a, const Row& b) {
    return a.key == b.key && a.vector == b.vector && a.metadata == b.metadata && a.payload == b.payload &&
           a.expires_at_ms == b.expires_at_ms;
  }
};

const char* MetricName(Metric metric);  // "l2", "cosine", "ip"
Result<Metric> ParseMetric(std::string_view name);

}  // namespace isotherm
