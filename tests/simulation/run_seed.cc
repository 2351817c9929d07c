#include "tests/simulation/run_seed.h"

#include <numeric>

#include "tests/simulation/actors.h"
#include "tests/simulation/world.h"

namespace isotherm::simulation {

uint64_t SeedReport::fault_count() const { return std::accumulate(faults.begin(), faults.end(), uint64_t{0}); }

SeedReport RunSeed(uint64_t seed, std::ostream* trace) {
  World world(seed, trace);
  StartActors(world);
  std::string stuck = world.scheduler().Run();
  if (!stuck.empty()) world.model().Fail(stuck);
  SeedReport report;
  report.seed = seed;
  report.failure = world.model().failure();
  report.trace_hash = world.trace().hash();
  report.faults = world.faults().counts();
  report.calls = world.calls();
  report.operations = world.operations();
  report.versions = world.model().newest();
  report.requests = world.request_count();
  report.switches = world.scheduler().switches();
  report.simulated_ns = world.scheduler().now_ns();
  return report;
}

}  // namespace isotherm::simulation
