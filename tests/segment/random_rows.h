// Rows by chance, of every kind that a collection may hold.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/splitmix.h"
#include "isotherm/row.h"

namespace isotherm {

class RandomRows {
 public:
  RandomRows(uint64_t seed, uint32_t dimension, KeyType key_type)
      : random_(seed), dimension_(dimension), key_type_(key_type) {}

  SplitMix64& random() { return random_; }

  std::string Text(size_t longest) {
    std::string text(random_.Below(longest + 1), '\0');
    for (char& c : text) c = static_cast<char>(random_.Below(256));
    return text;
  }

  // A new key each time: a number, or a text of up to `longest` bytes.
  Key NextKey(size_t longest = 40) {
    uint64_t number = next_key_++ * 0x9e3779b97f4a7c15;
    if (key_type_ == KeyType::kInteger) return number;
    std::string text(reinterpret_cast<const char*>(&number), sizeof(number));
    return text + Text(longest - sizeof(number));
  }

  Value Scalar() {
    switch (random_.Below(5)) {
      case 0: return {};
      case 1: return random_.Below(2) == 1;
      case 2: return static_cast<int64_t>(random_.Next());
      case 3: return Float();
      default: return Text(20);
    }
  }

  Value AnyValue() {
    if (random_.Below(5) != 0) return Scalar();
    Value::Array items;
    for (uint64_t i = random_.Below(4); i > 0; --i) items.push_back(Scalar());
    return items;
  }

  Metadata AnyMetadata() {
    static const char* kNames[] = {"a", "b", "colour", "weight", "ünï"};
    Metadata metadata;
    for (const char* name : kNames) {
      if (random_.Below(2) == 1) metadata[name] = AnyValue();
    }
    return metadata;
  }

  std::vector<float> Vector() {
    std::vector<float> vector;
    for (uint32_t i = 0; i < dimension_; ++i) vector.push_back(Component());
    return vector;
  }

  Row NextRow(size_t longest_key = 40) {
    Row row{NextKey(longest_key), Vector(), AnyMetadata(), {}};
    if (random_.Below(3) != 0) row.payload = Text(100);
    return row;
  }

  std::vector<Row> NextRows(size_t count, size_t longest_key = 40) {
    std::vector<Row> rows;
    for (size_t i = 0; i < count; ++i) rows.push_back(NextRow(longest_key));
    return rows;
  }

  // In [-1, 1).
  float Component() { return static_cast<float>(static_cast<double>(random_.Next() >> 11) * 0x1p-52 - 1.0); }

 private:
  double Float() {
    static constexpr double kSpecial[] = {
        0.0, -0.0, 0.1, 1e300, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::denorm_min()};
    return kSpecial[random_.Below(std::size(kSpecial))];
  }

  SplitMix64 random_;
  const uint32_t dimension_;
  const KeyType key_type_;
  uint64_t next_key_ = 1;
};

// As segments are written: in this order.
inline std::vector<const Row*> PointersTo(const std::vector<Row>& rows) {
  std::vector<const Row*> pointers;
  for (const Row& row : rows) pointers.push_back(&row);
  return pointers;
}

}  // namespace isotherm
