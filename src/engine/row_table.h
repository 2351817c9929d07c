// The rows of a head, and how any two vectors are compared.
#pragma once

#include <cstddef>
#include <span>
#include <unordered_map>
#include <vector>

#include "isotherm/row.h"
#include "isotherm/status.h"

namespace isotherm {

// A vector may be compared by this function alone, wherever it lies: all exact answers agree to the bit.
float ExactDistance(Metric metric, std::span<const float> query, std::span<const float> row);

// Not thread-safe; its owner locks.
class RowTable {
 public:
  void Add(Row row);  // requires that the key is new
  size_t size() const { return rows_.size(); }
  const std::vector<Row>& rows() const { return rows_; }
  const Row* Find(const Key& key) const;  // null when absent
  size_t encoded_bytes() const { return encoded_bytes_; }

 private:
  std::vector<Row> rows_;
  std::unordered_map<Key, size_t, KeyHash> index_;
  size_t encoded_bytes_ = 0;
};

}  // namespace isotherm
