// Cold starts: each a new process with empty caches and a query of its own.
#include <CLI/CLI.hpp>

#include "base/macros.h"
#include "tools/commands/allocation_count.h"
#include "tools/commands/bench.h"
#include "tools/commands/distribution.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/output.h"
#include "tools/commands/queries.h"
#include "tools/commands/self_process.h"
#include "tools/commands/session.h"
#include "tools/terminal/progress_bar.h"
#include "tools/terminal/table.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

namespace {

constexpr char kOnce[] = "cold-once";

struct Flags {
  StoreFlags store;
  std::string queries;
  uint64_t first_row = 0;
  uint64_t runs = 20;
  SearchOptions options;
  bool json = false;
};

struct Measured {
  int exit_code = kExitOk;  // of the first run that failed, which said why
  Distribution open_ms, search_ms, cold_ms, waves, gets, bytes, allocations;
};

// In the new process.
Result<int> RunOnce(const Flags& flags) {
  Queries queries;
  if (!flags.queries.empty()) {
    ASSIGN_OR_RETURN(queries, QueriesFromFile(flags.queries, flags.first_row));
  }
  Meter meter;
  Context context;
  context.meter = &meter;
  AllocationCount allocations;
  int64_t begin_ns = NowNs();
  ASSIGN_OR_RETURN(auto collection, OpenToRead(flags.store, context));
  int64_t opened_ns = NowNs();
  if (flags.queries.empty()) queries = RandomQueries(1, collection->Stats().dimension, flags.first_row + 1);
  int64_t search_ns = NowNs();
  ASSIGN_OR_RETURN(SearchResult result, collection->Search(queries.vectors, flags.options, context));
  int64_t end_ns = NowNs();
  uint64_t allocated = allocations.count();
  MeterSummary cost = meter.Summary();
  formats::Json json = {{"open_ms", Milliseconds(opened_ns - begin_ns)},
                        {"search_ms", Milliseconds(end_ns - search_ns)},
                        {"waves", cost.waves},
                        {"gets", cost.gets()},
                        {"lists", cost.lists()},
                        {"bytes", cost.bytes_read},
                        {"hits", result.hits.size()},
                        {"allocations", allocated}};
  Print(formats::DumpJson(json) + "\n");
  return kExitOk;
}

std::vector<std::string> OnceArguments(const Flags& flags, uint64_t run) {
  std::vector<std::string> arguments = {"bench",
                                        kOnce,
                                        flags.store.uri,
                                        "--profile",
                                        flags.store.profile,
                                        "--first-row",
                                        std::to_string(flags.first_row + run),
                                        "-k",
                                        std::to_string(flags.options.k)};
  auto add = [&](const char* name, const std::string& value) { arguments.insert(arguments.end(), {name, value}); };
  if (!flags.queries.empty()) add("--queries", flags.queries);
  if (flags.options.probes > 0) add("--probes", std::to_string(flags.options.probes));
  if (flags.options.rerank > 0) add("--rerank", std::to_string(flags.options.rerank));
  return arguments;
}

Result<Measured> MeasureAll(const Flags& flags) {
  Measured measured;
  terminal::ProgressBar bar;
  bar.Begin("starting cold", flags.runs);
  for (uint64_t run = 0; run < flags.runs; ++run) {
    ASSIGN_OR_RETURN(SelfRun once, RunSelf(OnceArguments(flags, run)));
    measured.exit_code = once.exit_code;
    if (once.exit_code != kExitOk) return measured;
    ASSIGN_OR_RETURN(formats::Json json, formats::ParseJson(once.output));
    auto number = [&](const char* name) { return json.value(name, 0.0); };
    measured.open_ms.Add(number("open_ms"));
    measured.search_ms.Add(number("search_ms"));
    measured.cold_ms.Add(number("open_ms") + number("search_ms"));
    measured.waves.Add(number("waves"));
    measured.gets.Add(number("gets"));
    measured.bytes.Add(number("bytes"));
    measured.allocations.Add(number("allocations"));
    bar.Update(run + 1);
  }
  return measured;
}

formats::Json ToJson(const Flags& flags, const Measured& m) {
  return {{"uri", flags.store.uri},
          {"profile", flags.store.profile},
          {"queries", flags.queries.empty() ? "random" : flags.queries},
          {"runs", flags.runs},
          {"open_ms_p50", m.open_ms.Quantile(0.5)},
          {"open_ms_p90", m.open_ms.Quantile(0.9)},
          {"search_ms_p50", m.search_ms.Quantile(0.5)},
          {"search_ms_p90", m.search_ms.Quantile(0.9)},
          {"cold_ms_p50", m.cold_ms.Quantile(0.5)},
          {"cold_ms_p90", m.cold_ms.Quantile(0.9)},
          {"waves_p50", m.waves.Quantile(0.5)},
          {"waves_max", m.waves.Max()},
          {"gets_mean", m.gets.Mean()},
          {"gets_max", m.gets.Max()},
          {"bytes_mean", m.bytes.Mean()},
          {"bytes_max", m.bytes.Max()},
          {"allocations_mean", m.allocations.Mean()}};
}

std::string Text(const Flags& flags, const Measured& m, const std::string& profile) {
  using terminal::FormatNumber;
  constexpr auto kRight = terminal::Align::kRight;
  terminal::Table table({{""}, {"p50", kRight}, {"p90", kRight}, {"mean", kRight}, {"max", kRight}});
  auto add = [&](const char* name, const Distribution& of, auto&& format) {
    table.AddRow({name, format(of.Quantile(0.5)), format(of.Quantile(0.9)), format(of.Mean()), format(of.Max())});
  };
  auto ms = [](double value) { return terminal::FormatDuration(static_cast<int64_t>(value * 1e6)); };
  auto bytes = [](double value) { return terminal::FormatBytes(static_cast<uint64_t>(value)); };
  add("open", m.open_ms, ms);
  add("first query", m.search_ms, ms);
  add("both", m.cold_ms, ms);
  add("waves", m.waves, FormatNumber);
  add("GETs", m.gets, FormatNumber);
  add("read", m.bytes, bytes);
  add("allocations", m.allocations, FormatNumber);
  return Plural(flags.runs, "cold start", "cold starts") + " of " + flags.store.uri +
         ", each a new process without caches, " +
         (flags.queries.empty() ? "random queries" : "queries of " + flags.queries) + "\n" + table.ToString() +
         profile + "\n";
}

Result<int> Run(const Flags& flags) {
  ASSIGN_OR_RETURN(std::string profile, ProfileLine(flags.store.profile));
  if (!flags.queries.empty()) {
    // Each run has a query that none before it had.
    RETURN_IF_ERROR(QueriesFromFile(flags.queries, flags.first_row + flags.runs - 1).status());
  }
  ASSIGN_OR_RETURN(Measured measured, MeasureAll(flags));
  if (measured.exit_code != kExitOk) return measured.exit_code;
  if (flags.json) {
    PrintJson(ToJson(flags, measured));
  } else {
    Print(Text(flags, measured, profile));
  }
  return kExitOk;
}

void AddFlags(CLI::App& command, Flags& flags) {
  AddStore(command, flags.store);
  command.add_option("--queries", flags.queries, "A file of queries (default: random directions)")->type_name("FILE");
  command.add_option("--first-row", flags.first_row, "The file's row for the first run")
      ->type_name("N")
      ->capture_default_str();
  command.add_option("-k", flags.options.k, "How many rows to find")->type_name("N")->capture_default_str();
  command
      .add_option("--probes", flags.options.probes,
                  "How many of the nearest cells to look into (default: the collection's number)")
      ->type_name("N");
  command.add_option("--rerank", flags.options.rerank, "Measure the best N again by their raw vectors")->type_name("N");
}

}  // namespace

void AddBenchCold(CLI::App& bench, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = AddCommand(bench, "cold", "Open and first query, in new processes with empty caches",
                                 "  isotherm bench cold s3://bucket/movies --queries queries.npy\n"
                                 "  isotherm bench cold ./movies --queries queries.npy --profile s3 --runs 50\n");
  AddFlags(*command, *flags);
  command->add_option("--runs", flags->runs, "How many cold starts")
      ->type_name("N")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000}).description(""))
      ->capture_default_str();
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return Run(*flags); }; });

  auto once = std::make_shared<Flags>();
  CLI::App* hidden = AddCommand(bench, kOnce, "One cold start of the above");
  hidden->group("");
  AddFlags(*hidden, *once);
  hidden->callback([&chosen, once] { chosen.run = [once] { return RunOnce(*once); }; });
}

}  // namespace isotherm::tool
