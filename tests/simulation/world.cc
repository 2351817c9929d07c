#include "tests/simulation/world.h"

#include <numeric>

namespace isotherm::simulation {

Settings Settings::Of(uint64_t seed) {
  SplitMix64 random(seed ^ 0x5e77196);
  Settings settings;
  settings.create.dimension = static_cast<uint32_t>(4 + random.Below(5));
  settings.create.metric = random.Below(2) == 0 ? Metric::kL2 : Metric::kInnerProduct;
  settings.create.filter_columns = {"m", "n"};
  settings.inline_bytes = uint64_t{512} << random.Below(5);
  settings.memtable_bytes = random.Below(4) == 0 ? uint64_t{2560} << random.Below(4) : uint64_t{64} << 20;
  settings.min_rows_for_cells = uint64_t{2} << random.Below(5);
  settings.shared_keys = uint64_t{8} << random.Below(4);
  settings.writers = 2 + random.Below(2);
  settings.readers = 1 + random.Below(2);
  settings.compactors = random.Below(3);
  settings.keepers = random.Below(4) == 0 ? 0 : 1;
  settings.background_compaction = random.Below(2) == 0;
  switch (random.Below(4)) {
    case 0: break;
    case 1: settings.compaction_policy = SizeTieredCompaction({.threshold = 2}); break;
    case 2: settings.compaction_policy = SizeTieredCompaction({.threshold = 3, .dead_share = 0.1}); break;
    default: settings.compaction_policy = LeveledCompaction(); break;
  }
  settings.with_retries = random.Below(2) == 0;
  settings.unavailable_is_definite = settings.with_retries || random.Below(2) == 0;
  settings.etags_by_content = random.Below(2) == 0;
  settings.yield_one_in = random.Below(4) == 0 ? 0 : uint64_t{2} << random.Below(6);
  settings.disk_cache_bytes = random.Below(4) == 0 ? 0 : uint64_t{64} << (10 + random.Below(4));
  settings.block_cache_bytes = random.Below(3) == 0 ? 0 : uint64_t{64} << (10 + random.Below(4));
  settings.compaction.min_rows_for_cells = settings.min_rows_for_cells;
  settings.compaction.cells = static_cast<uint32_t>(random.Below(8));
  if (random.Below(3) > 0) settings.compaction.max_object_bytes = 2048;
  settings.erasures = random.Below(2) == 0;
  settings.most_put_copies = static_cast<uint32_t>(1 + random.Below(3));
  settings.one_way_of_compacting = random.Below(2) == 0;
  if (settings.one_way_of_compacting) {
    settings.compactors = 3;
    settings.min_rows_for_cells = settings.compaction.min_rows_for_cells = 2;
    settings.compaction.max_object_bytes = 2048;
  }
  return settings;
}

World::World(uint64_t seed, std::ostream* trace)
    : random_(seed),
      settings_(Settings::Of(seed)),
      trace_(trace),
      scheduler_({.seed = random_.Next(), .yield_one_in = settings_.yield_one_in}, trace_),
      faults_(random_.Next()),
      cloud_(settings_.etags_by_content),
      model_(scheduler_, cloud_) {
  cloud_.SetHook(
      [this](uint64_t client, const std::string& name, bool deleted) { model_.OnWrite(client, name, deleted); });
  for (const char* name : {"east", "west"}) {
    machines_.push_back(std::make_unique<Machine>());
    machines_.back()->name = name;
    if (!faults_.enabled(Fault::kClockSkew)) continue;
    // Minutes, or hours: past the age at which a writer's slot may be taken over.
    int64_t range_ms = random_.Below(2) == 0 ? 600'000 : 10'800'000;
    machines_.back()->wall_offset_ms =
        static_cast<int64_t>(random_.Below(2 * static_cast<uint64_t>(range_ms))) - range_ms;
    faults_.Hit(Fault::kClockSkew);
  }
}

World::~World() = default;

Process& World::StartProcess(const std::string& name, Machine& machine) {
  processes_.push_back(std::make_unique<Process>(name, machine, scheduler_, faults_, random_.Next()));
  // Its own clock is wrong too, by seconds: as if it had been set between two of its readings.
  if (faults_.enabled(Fault::kClockSkew) && random_.Below(2) == 0) {
    processes_.back()->SkewClock(static_cast<int64_t>(random_.Below(20'000)) - 10'000);
    faults_.Hit(Fault::kClockSkew);
  }
  return *processes_.back();
}

std::string World::NewBranchName() {
  if (model_.LineOf("branch" + std::to_string(branches_)) != nullptr || random_.Below(4) == 0) ++branches_;
  return "branch" + std::to_string(branches_);
}

std::shared_ptr<SimStore> World::Connect(Process& process, const Handle& handle) {
  SimStoreOptions options{.client = handle.id, .unavailable_is_definite = settings_.unavailable_is_definite};
  stores_.push_back(std::make_shared<SimStore>(process, cloud_, options));
  return stores_.back();
}

uint64_t World::request_count() const {
  return std::accumulate(stores_.begin(), stores_.end(), uint64_t{0},
                         [](uint64_t sum, const auto& store) { return sum + store->requests(); });
}

}  // namespace isotherm::simulation
