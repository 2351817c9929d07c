// Runs seeds of the simulator: one with its trace, or a range in several processes.
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <sstream>
#include <string>

#include "tests/simulation/planted/planted.h"
#include "tests/simulation/seed_jobs.h"
#include "tools/terminal/progress_bar.h"
#include "tools/terminal/table.h"
#include "tools/terminal/units.h"

namespace isotherm::simulation {
namespace {

using terminal::FormatCount;

class MachineClock : public Clock {
 public:
  int64_t NowNs() override { return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1); }
  int64_t WallMs() override { return 0; }
  void SleepUntilNs(int64_t) override {}
};

struct Arguments {
  std::string seeds;
  std::optional<uint64_t> seed;
  bool trace = false;
  JobOptions jobs;
  std::string resume;
};

// `seeds` of them took `seconds`, now.
void PrintTables(const Totals& totals, uint64_t seeds, double seconds) {
  terminal::Table faults({{"fault"}, {"times", terminal::Align::kRight}});
  for (size_t i = 0; i < kFaults; ++i) {
    faults.AddRow({FaultName(static_cast<Fault>(i)), FormatCount(totals.faults[i])});
  }
  terminal::Table operations({{"call: outcome"}, {"times", terminal::Align::kRight}});
  for (const auto& [name, count] : totals.operations) operations.AddRow({name, FormatCount(count)});
  std::cout << '\n' << faults.ToString() << '\n' << operations.ToString() << '\n';
  std::cout << FormatCount(totals.seeds) << " seeds, " << FormatCount(totals.versions) << " versions, "
            << FormatCount(totals.requests) << " requests; at least " << totals.least_calls << " calls and "
            << totals.least_faults << " faults a seed\n";
  std::cout << terminal::FormatNumber(static_cast<double>(seeds) / seconds) << " seeds/s; trace " << std::hex
            << totals.trace_hash << std::dec << '\n';
}

int RunOne(const Arguments& arguments) {
  MachineClock clock;
  const int64_t begin_ns = clock.NowNs();
  SeedReport report = RunSeed(*arguments.seed, arguments.trace ? &std::cout : nullptr);
  Totals totals;
  totals.Add(report);
  PrintTables(totals, 1, static_cast<double>(clock.NowNs() - begin_ns) / 1e9);
  if (report.failure.empty()) return 0;
  std::cout << "seed " << report.seed << " FAILED " << report.failure << '\n';
  return 1;
}

// Of this program's file: what an earlier build did says nothing of this one.
std::string Build() {
  struct stat self {};
  if (stat("/proc/self/exe", &self) != 0) return "?";
  return std::to_string(self.st_size) + "-" + std::to_string(self.st_mtim.tv_sec) + "-" +
         std::to_string(self.st_mtim.tv_nsec);
}

// Where an earlier run of the same seeds by the same build stopped.
std::optional<std::pair<uint64_t, Totals>> Load(const std::string& path, const std::string& seeds) {
  std::ifstream in(path);
  std::string first;
  if (!std::getline(in, first)) return std::nullopt;
  std::istringstream words(first);
  std::string range;
  std::string build;
  uint64_t next = 0;
  words >> range >> build >> next;
  std::ostringstream rest;
  rest << in.rdbuf();
  Totals totals;
  if (range != seeds || build != Build() || !totals.Decode(rest.str())) {
    std::cerr << path << " is of other seeds or of another build: beginning anew\n";
    return std::nullopt;
  }
  return std::pair(next, totals);
}

void Save(const std::string& path, const std::string& seeds, uint64_t next, const Totals& totals) {
  std::string temporary = path + ".new";
  {
    std::ofstream out(temporary);
    out << seeds << ' ' << Build() << ' ' << next << '\n' << totals.Encode();
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) std::perror(path.c_str());
}

int RunRange(Arguments& arguments, const char* program) {
  size_t dots = arguments.seeds.find("..");
  if (dots == std::string::npos) {
    std::cerr << "--seeds wants FIRST..LAST, got " << arguments.seeds << '\n';
    return 2;
  }
  arguments.jobs.first = std::stoull(arguments.seeds.substr(0, dots));
  arguments.jobs.last = std::stoull(arguments.seeds.substr(dots + 2));
  const uint64_t first = arguments.jobs.first;
  Totals totals;
  if (!arguments.resume.empty()) {
    if (auto before = Load(arguments.resume, arguments.seeds)) std::tie(arguments.jobs.first, totals) = *before;
  }
  const uint64_t done_before = totals.seeds;
  auto clock = std::make_shared<MachineClock>();
  const int64_t begin_ns = clock->NowNs();
  {
    terminal::ProgressBar bar(stderr, clock);
    bar.Begin("seeds", arguments.jobs.last - first + 1, terminal::ProgressUnit::kCount, done_before);
    RunSeeds(arguments.jobs, [&](uint64_t next, const Totals& batch) {
      totals.Add(batch);
      bar.Update(next - first);
      if (!arguments.resume.empty() && totals.failed.empty()) Save(arguments.resume, arguments.seeds, next, totals);
    });
  }
  PrintTables(totals, totals.seeds - done_before, static_cast<double>(clock->NowNs() - begin_ns) / 1e9);
  if (totals.failed.empty() && !arguments.resume.empty()) std::remove(arguments.resume.c_str());
  for (const FailedSeed& failed : totals.failed) {
    std::cout << "seed " << failed.seed << " FAILED " << failed.failure << "\n  again: " << program << " --seed "
              << failed.seed << " --trace\n";
  }
  return totals.failed.empty() ? 0 : 1;
}

}  // namespace
}  // namespace isotherm::simulation

int main(int argc, char** argv) {
  using namespace isotherm::simulation;
  Arguments arguments;
  CLI::App app("Runs the library between simulated processes, disks and an object store; each seed is one run.");
  auto* range = app.add_option("--seeds", arguments.seeds, "FIRST..LAST");
  app.add_option("--seed", arguments.seed, "one alone")->excludes(range);
  app.add_flag("--trace", arguments.trace, "print what happens in it");
  app.add_option("--jobs", arguments.jobs.jobs, "processes at a time")->default_val(2);
  app.add_option("--resume", arguments.resume, "a file that keeps what was done, to go on from");
  app.add_flag("--keep-going", arguments.jobs.keep_going, "also after a seed that failed");
#ifdef ISOTHERM_PLANTED_BUGS
  std::map<std::string, isotherm::Bug> bugs;
  for (const PlantedBug& each : PlantedBugs()) bugs.emplace(each.name, each.bug);
  isotherm::Bug bug = isotherm::Bug::kNone;
  app.add_option("--plant", bug, "a bug that the runs should find")->transform(CLI::CheckedTransformer(bugs));
#endif
  CLI11_PARSE(app, argc, argv);
#ifdef ISOTHERM_PLANTED_BUGS
  Plant(bug);
#endif
  if (arguments.seed.has_value()) return RunOne(arguments);
  if (arguments.seeds.empty()) arguments.seeds = "1..1000";
  return RunRange(arguments, argv[0]);
}
