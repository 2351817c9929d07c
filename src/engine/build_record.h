// What a compaction leaves in the store so that another one can go on with it when it dies: what it compacts and how,
// and the cells that it found. Written once, before the first object; which objects are there already tell their names.
// docs/format.md has the byte table.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ordinal_set.h"
#include "engine/head.h"
#include "isotherm/status.h"

namespace isotherm {

struct BuildRecord {
  struct Input {
    std::string name;
    OrdinalSet dropped;  // the rows that were deleted for good when it began
  };

  Nonce collection{};
  // Whose objects count, each of whom went on with those before: the last one is whose record this is.
  std::vector<Nonce> builds;
  std::vector<Input> inputs;  // in the order in which their rows are read
  int64_t now_ms = 0;         // rows that have expired by then are left out
  // CompactOptions, as they were.
  bool keep_cells = false;
  uint32_t cells = 0;
  uint64_t min_rows_for_cells = 0;
  uint64_t max_object_bytes = 0;
  uint64_t seed = 0;
  uint64_t key_bytes = 0;  // of the keys of one object at most

  // Of the routing object whose cells are kept; empty: these are new ones.
  std::string routing_sha256_hex;
  uint32_t dimension = 0;
  std::vector<float> scales;  // one a cell; with `codes` as in a routing object
  std::vector<int8_t> codes;
  // Rows that are searched for, to find out how many cells a query should look into.
  std::vector<uint64_t> query_origins;
  std::vector<float> queries;

  bool keeps_cells() const { return !routing_sha256_hex.empty(); }
};

std::string EncodeBuildRecord(const BuildRecord& record);
Result<BuildRecord> DecodeBuildRecord(std::string_view bytes);

}  // namespace isotherm
