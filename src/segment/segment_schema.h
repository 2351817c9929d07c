// What rows of a collection have in common, and what its segments begin with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "isotherm/row.h"
#include "segment/cell_block.h"

namespace isotherm {

inline constexpr uint32_t kSegmentFormatVersion = 2;  // 2 brought versions and expiries of rows
inline constexpr uint64_t kSectionAlignment = 4096;
inline constexpr std::string_view kSegmentMagic = "ISOSEG01";

// What rows of a collection have in common.
struct SegmentSchema {
  uint32_t dimension = 0;
  Metric metric = Metric::kL2;
  KeyType key_type = KeyType::kInteger;
  std::vector<std::string> filter_columns;

  BlockSchema block() const { return {dimension, key_type, filter_columns}; }
};

void PutSchema(std::string& out, const SegmentSchema& schema);
// Fails the decoder on a dimension, metric or type of keys that there is not.
SegmentSchema GetSchema(Decoder& in);
// What a segment begins with: magic number, format version, schema.
std::string EncodeSegmentHeader(const SegmentSchema& schema, uint32_t format_version = kSegmentFormatVersion);
// Whether a segment of that schema may begin so, in any format version that can be read.
bool IsSegmentHeader(std::string_view bytes, const SegmentSchema& schema);

}  // namespace isotherm
