// Many seeds, in child processes: what happened in all of them together, and the first one that failed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/simulation/run_seed.h"

namespace isotherm::simulation {

struct FailedSeed {
  uint64_t seed = 0;
  std::string failure;
};

// Of any number of seeds.
struct Totals {
  uint64_t seeds = 0;
  FaultCounts faults{};
  std::map<std::string, uint64_t> operations;  // by name and outcome, as SeedReport::operations
  uint64_t least_calls = UINT64_MAX;           // of one seed
  uint64_t least_faults = UINT64_MAX;
  uint64_t versions = 0;
  uint64_t requests = 0;
  uint64_t switches = 0;
  uint64_t trace_hash = 0;  // the same for the same seeds, in whatever order
  std::vector<FailedSeed> failed;

  void Add(const SeedReport& report);
  void Add(const Totals& other);
  // Lines of text, and back; false when they are none of these.
  std::string Encode() const;
  bool Decode(const std::string& text);
};

struct JobOptions {
  uint64_t first = 1;
  uint64_t last = 1;
  unsigned jobs = 1;
  uint64_t batch = 50;      // seeds of one child
  bool keep_going = false;  // after a seed that failed
  // More than this for one seed is taken for a hang.
  int64_t seed_seconds = 120;
};

// `done` is called with what each finished batch came to; batches finish in any order, but `done` is called in the
// order of their seeds. Returns at the end, or after a failed seed.
void RunSeeds(const JobOptions& options, const std::function<void(uint64_t next_seed, const Totals& batch)>& done);

}  // namespace isotherm::simulation
