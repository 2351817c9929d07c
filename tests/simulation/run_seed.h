// One run: everything that happens follows from its seed.
#pragma once

#include <cstdint>
#include <map>
#include <ostream>
#include <string>

#include "tests/simulation/faults.h"

namespace isotherm::simulation {

struct SeedReport {
  uint64_t seed = 0;
  std::string failure;  // "": all that the model demands held
  uint64_t trace_hash = 0;
  FaultCounts faults{};
  uint64_t calls = 0;                          // of collections
  std::map<std::string, uint64_t> operations;  // by name and outcome; of those that a crash cut off there is none
  uint64_t versions = 0;
  uint64_t requests = 0;
  uint64_t switches = 0;
  int64_t simulated_ns = 0;

  uint64_t fault_count() const;
};

// `trace` (may be null) gets what happens, line by line. The seed's machine, processes and store are this thread's
// alone.
SeedReport RunSeed(uint64_t seed, std::ostream* trace = nullptr);

}  // namespace isotherm::simulation
