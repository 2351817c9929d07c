// The work of `isotherm bench churn`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "isotherm/status.h"
#include "tools/commands/flags.h"

namespace isotherm::tool {

struct ChurnOptions {
  StoreFlags store;
  std::string policy = "size-tiered";
  uint32_t dimension = 128;
  uint64_t rows = 20'000;
  uint64_t turnovers = 5;
  uint64_t batch = 2'000;
  uint64_t queries = 200;
  uint64_t every = 1;
};

// After all rows were replaced once more, what was due was compacted, and old versions were removed.
struct Turnover {
  uint64_t number = 0;
  double recall = 0;  // of ten
  uint64_t stored_bytes = 0;
  uint64_t resident_bytes = 0;  // with what the allocator has free
  uint64_t memory_bytes = 0;    // anonymous, without that
  uint64_t compactions = 0;     // since the beginning
  double write_amplification = 0;
  int64_t ns = 0;
};

struct Churned {
  std::vector<Turnover> turnovers;
  // Of a collection that the last rows were inserted into, and that was compacted whole.
  uint64_t fresh_bytes = 0;
  double fresh_recall = 0;
  // Rows that were asked for by their own vectors: the best hit of an ordinary search, or of none that looks
  // everywhere.
  uint64_t asked_for = 0;
  uint64_t found_at_once = 0;
  uint64_t unreachable = 0;
};

Result<Churned> Churn(const ChurnOptions& options);

}  // namespace isotherm::tool
