// Small rows that their keys determine, and a collection for them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "isotherm/options.h"
#include "isotherm/row.h"

namespace isotherm::testing_support {

inline constexpr uint32_t kSmallDimension = 4;

// A row that its key determines.
inline Row NumberedRow(uint64_t key) {
  Row row{.key = key, .vector = {}, .metadata = {}, .payload = "payload " + std::to_string(key)};
  for (uint32_t d = 0; d < kSmallDimension; ++d) row.vector.push_back(static_cast<float>((key * 31 + d * 7) % 101) + 1);
  row.metadata["number"] = static_cast<int64_t>(key);
  return row;
}

inline std::vector<Row> NumberedRows(uint64_t first_key, uint64_t count) {
  std::vector<Row> rows;
  for (uint64_t i = 0; i < count; ++i) rows.push_back(NumberedRow(first_key + i));
  return rows;
}

inline Options CreatingSmall() {
  Options options;
  options.create = CreateOptions{kSmallDimension, Metric::kL2, KeyType::kInteger, {"number"}};
  options.commit_on_close = false;
  options.background_compaction = false;
  options.block_cache_bytes = 1 << 20;
  return options;
}

}  // namespace isotherm::testing_support
