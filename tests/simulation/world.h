// All that one run consists of, made from its seed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "isotherm/isotherm.h"
#include "tests/simulation/cloud.h"
#include "tests/simulation/faults.h"
#include "tests/simulation/model.h"
#include "tests/simulation/process.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/sim_store.h"

namespace isotherm::simulation {

// What is the same for all of a run, and different in another.
struct Settings {
  uint64_t operations = 500;  // at least
  CreateOptions create;
  uint64_t inline_bytes = 0;
  uint64_t memtable_bytes = 0;
  uint64_t min_rows_for_cells = 0;
  uint64_t shared_keys = 0;  // those that all writers want
  uint64_t writers = 0, readers = 0, compactors = 0, keepers = 0;
  bool background_compaction = false;
  std::shared_ptr<const CompactionPolicy> compaction_policy;
  bool with_retries = false;             // a RetryBlobStore over the way to the store
  bool unavailable_is_definite = false;  // see SimStoreOptions
  bool etags_by_content = false;
  uint64_t yield_one_in = 0;
  uint64_t disk_cache_bytes = 0;  // 0: none
  uint64_t block_cache_bytes = 0;
  bool erasures = false;
  uint32_t most_put_copies = 1;
  CompactOptions compaction;
  bool one_way_of_compacting = false;  // all compactions have these options, so that one can go on with another

  static Settings Of(uint64_t seed);
};

class World {
 public:
  World(uint64_t seed, std::ostream* trace);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  const Settings& settings() const { return settings_; }
  Scheduler& scheduler() { return scheduler_; }
  Faults& faults() { return faults_; }
  Cloud& cloud() { return cloud_; }
  Model& model() { return model_; }
  Trace& trace() { return trace_; }
  const std::vector<std::unique_ptr<Machine>>& machines() const { return machines_; }
  const std::vector<std::unique_ptr<Process>>& processes() const { return processes_; }
  uint64_t NewSeed() { return random_.Next(); }

  // Of tasks that belong to no process.
  TaskGroup& outside() { return outside_; }
  Process& StartProcess(const std::string& name, Machine& machine);
  // The way to the cloud of a handle, kept until the end.
  std::shared_ptr<SimStore> Connect(Process& process, const Handle& handle);

  // A call was made, and ended.
  void CountCall() { ++calls_; }
  void CountOutcome(const std::string& outcome) { ++operations_[outcome]; }
  // By call and outcome; of those that were cut off there is none.
  const std::map<std::string, uint64_t>& operations() const { return operations_; }
  uint64_t calls() const { return calls_; }
  uint64_t request_count() const;

  // For a row's payload.
  std::string NewMarker() { return simulation::NewMarker(++rows_); }

  // For branches that somebody wants to make: never two of one name, but for two who want one at the same time.
  std::string NewBranchName();

  // Enough was done: everybody finishes.
  bool stopping() const { return stopping_ || !model_.failure().empty(); }
  void Stop() { stopping_ = true; }

 private:
  SplitMix64 random_;
  const Settings settings_;
  Trace trace_;
  Scheduler scheduler_;
  Faults faults_;
  Cloud cloud_;
  Model model_;
  TaskGroup outside_{"the world"};
  std::vector<std::unique_ptr<Machine>> machines_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<std::shared_ptr<SimStore>> stores_;
  uint64_t calls_ = 0;
  std::map<std::string, uint64_t> operations_;
  bool stopping_ = false;
  uint64_t branches_ = 0;
  uint64_t rows_ = 0;
};

}  // namespace isotherm::simulation
