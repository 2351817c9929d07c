// Repeated queries: from RAM, and from the disk cache after a restart.
#include <CLI/CLI.hpp>

#include "base/macros.h"
#include "tools/commands/allocation_count.h"
#include "tools/commands/bench.h"
#include "tools/commands/distribution.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/output.h"
#include "tools/commands/queries.h"
#include "tools/commands/session.h"
#include "tools/terminal/progress_bar.h"
#include "tools/terminal/table.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

namespace {

struct Flags {
  StoreFlags store;
  std::string queries;
  uint64_t count = 1000;
  SearchOptions options;
  bool json = false;
};

// One run through all queries.
struct Pass {
  std::string name;
  Distribution us, allocations;
  uint64_t gets = 0;
  uint64_t bytes = 0;
  uint64_t from_ram = 0, from_disk = 0, from_store = 0;  // extents
};

Result<Pass> RunPass(Collection& collection, const Queries& queries, const Flags& flags, const std::string& name) {
  Pass pass;
  pass.name = name;
  terminal::ProgressBar bar;
  bar.Begin(name, queries.count());
  for (size_t q = 0; q < queries.count(); ++q) {
    AllocationCount allocations;
    int64_t begin_ns = NowNs();
    auto result = collection.Search(queries[q], flags.options);
    int64_t took_ns = NowNs() - begin_ns;
    RETURN_IF_ERROR(result.status());
    pass.allocations.Add(static_cast<double>(allocations.count()));
    pass.us.Add(static_cast<double>(took_ns) / 1e3);
    pass.gets += result->explain.store.gets();
    pass.bytes += result->explain.store.bytes_read;
    pass.from_ram += result->explain.extents_from_ram;
    pass.from_disk += result->explain.extents_from_disk;
    pass.from_store += result->explain.extents_from_store;
    bar.Update(q + 1);
  }
  return pass;
}

Result<Queries> LoadQueries(const Flags& flags, size_t dimension) {
  if (flags.queries.empty()) return RandomQueries(flags.count, dimension, 1);
  ASSIGN_OR_RETURN(Queries queries, QueriesFromFile(flags.queries, {}));
  RETURN_IF_ERROR(CheckDimension(queries, dimension));
  if (queries.count() > flags.count) queries.vectors.resize(flags.count * dimension);
  return queries;
}

Result<std::vector<Pass>> MeasureAll(const Flags& flags) {
  std::vector<Pass> passes;
  ASSIGN_OR_RETURN(auto collection, OpenToRead(flags.store));
  CollectionStats stats = collection->Stats();
  if (!stats.disk_cache_note.empty()) return Status::Conflict("no disk cache: " + stats.disk_cache_note);
  ASSIGN_OR_RETURN(Queries queries, LoadQueries(flags, stats.dimension));
  ASSIGN_OR_RETURN(Pass first, RunPass(*collection, queries, flags, "first time"));
  ASSIGN_OR_RETURN(Pass again, RunPass(*collection, queries, flags, "again (RAM)"));
  passes.push_back(std::move(first));
  passes.push_back(std::move(again));
  if (flags.store.cache_dir.empty()) return passes;
  RETURN_IF_ERROR(collection->Close());
  // Only one handle at a time has the disk cache.
  collection.reset();
  ASSIGN_OR_RETURN(collection, OpenToRead(flags.store));
  ASSIGN_OR_RETURN(Pass disk, RunPass(*collection, queries, flags, "opened again (disk)"));
  passes.push_back(std::move(disk));
  return passes;
}

formats::Json ToJson(const Flags& flags, const std::vector<Pass>& passes) {
  formats::Json list = formats::Json::array();
  for (const Pass& pass : passes) {
    list.push_back({{"pass", pass.name},
                    {"us_p50", pass.us.Quantile(0.5)},
                    {"us_p90", pass.us.Quantile(0.9)},
                    {"us_p99", pass.us.Quantile(0.99)},
                    {"us_mean", pass.us.Mean()},
                    {"allocations_mean", pass.allocations.Mean()},
                    {"gets", pass.gets},
                    {"bytes_read", pass.bytes},
                    {"extents_from_ram", pass.from_ram},
                    {"extents_from_disk", pass.from_disk},
                    {"extents_from_store", pass.from_store}});
  }
  return {{"uri", flags.store.uri},
          {"profile", flags.store.profile},
          {"queries", flags.queries.empty() ? "random" : flags.queries},
          {"passes", std::move(list)}};
}

std::string Text(const Flags& flags, const std::vector<Pass>& passes, const std::string& profile) {
  constexpr auto kRight = terminal::Align::kRight;
  terminal::Table table({{"queries"},
                         {"p50", kRight},
                         {"p90", kRight},
                         {"p99", kRight},
                         {"allocations", kRight},
                         {"RAM", kRight},
                         {"disk", kRight},
                         {"store", kRight},
                         {"GETs", kRight},
                         {"read", kRight}});
  auto us = [](double value) { return terminal::FormatDuration(static_cast<int64_t>(value * 1e3)); };
  for (const Pass& pass : passes) {
    table.AddRow({pass.name, us(pass.us.Quantile(0.5)), us(pass.us.Quantile(0.9)), us(pass.us.Quantile(0.99)),
                  terminal::FormatNumber(pass.allocations.Mean()), terminal::FormatCount(pass.from_ram),
                  terminal::FormatCount(pass.from_disk), terminal::FormatCount(pass.from_store),
                  terminal::FormatCount(pass.gets), terminal::FormatBytes(pass.bytes)});
  }
  return "searches of " + flags.store.uri + ", one after another, " +
         (flags.queries.empty() ? "random queries" : "queries of " + flags.queries) +
         "; RAM, disk and store: extents of all queries\n" + table.ToString() + profile + "\n";
}

Result<int> Run(const Flags& flags) {
  ASSIGN_OR_RETURN(std::string profile, ProfileLine(flags.store.profile));
  ASSIGN_OR_RETURN(std::vector<Pass> passes, MeasureAll(flags));
  if (flags.json) {
    PrintJson(ToJson(flags, passes));
  } else {
    Print(Text(flags, passes, profile));
  }
  return kExitOk;
}

}  // namespace

void AddBenchWarm(CLI::App& bench, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command =
      AddCommand(bench, "warm", "The same queries twice, and with --cache-dir a third time after reopening",
                 "  isotherm bench warm ./movies --queries queries.npy --profile s3 --cache-dir ./cache\n");
  AddStore(*command, flags->store);
  AddCacheDir(*command, flags->store.cache_dir);
  command->add_option("--queries", flags->queries, "A file of queries (default: random directions)")->type_name("FILE");
  command->add_option("--count", flags->count, "At most so many queries")
      ->type_name("N")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000}).description(""))
      ->capture_default_str();
  command->add_option("-k", flags->options.k, "How many rows to find")->type_name("N")->capture_default_str();
  command
      ->add_option("--probes", flags->options.probes,
                   "How many of the nearest cells to look into (default: the collection's number)")
      ->type_name("N");
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return Run(*flags); }; });
}

}  // namespace isotherm::tool
