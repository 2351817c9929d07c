// The filter columns of a block of rows: per column a dictionary of the values that occur and an index a row.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "isotherm/row.h"

namespace isotherm {

// Column i of the block is the field names[i] of each row; a row without the field is told from one where it is null.
void PutFilterColumns(std::string& out, std::span<const std::string> names, std::span<const Metadata* const> rows);

// Reads columns where they lie: values are decoded when a row is asked for.
class FilterColumns {
 public:
  // Fails the decoder on anything malformed. The bytes behind it must outlive this.
  static FilterColumns Decode(Decoder& in, size_t columns, uint32_t rows);

  // The fields that row `row` has; `names` as given to PutFilterColumns.
  Metadata Row(std::span<const std::string> names, uint32_t row) const;

 private:
  struct Column {
    std::vector<std::string_view> dictionary;  // encoded values; an empty view: absent
    std::string_view indexes;
    uint8_t width = 1;  // bytes an index
  };
  std::vector<Column> columns_;
};

}  // namespace isotherm
