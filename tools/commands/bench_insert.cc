// Inserting and committing random rows.
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
  StoreFlags store{"memory:", "none", ""};
  uint32_t dimension = 384;
  uint64_t rows = 20'000;
  uint64_t batch = 1'000;
  bool compact = false;
  bool json = false;
};

struct Measured {
  Distribution insert_ms, commit_ms;
  uint64_t rows = 0;
  uint64_t allocations = 0;
  MeterSummary cost;
  int64_t compact_ns = 0;
  double insert_seconds() const {
    return (insert_ms.Mean() + commit_ms.Mean()) * static_cast<double>(insert_ms.count()) / 1e3;
  }
};

std::vector<Row> RandomRows(uint64_t first, uint64_t count, uint32_t dimension) {
  Queries random = RandomQueries(count, dimension, first + 1);
  std::vector<Row> rows(count);
  for (uint64_t i = 0; i < count; ++i) {
    rows[i].key = first + i;
    rows[i].vector.assign(random[i].begin(), random[i].end());
  }
  return rows;
}

Result<Measured> Measure(const Flags& flags) {
  Options options;
  options.create = CreateOptions{flags.dimension, Metric::kL2, KeyType::kInteger, {}};
  options.error_if_exists = true;
  Meter meter;
  Context context;
  context.meter = &meter;
  ASSIGN_OR_RETURN(auto collection, OpenCollection(flags.store, options));
  Measured measured;
  terminal::ProgressBar bar;
  bar.Begin("inserting", flags.rows);
  while (measured.rows < flags.rows) {
    uint64_t count = std::min(flags.batch, flags.rows - measured.rows);
    std::vector<Row> rows = RandomRows(measured.rows, count, flags.dimension);
    AllocationCount allocations;
    int64_t begin_ns = NowNs();
    RETURN_IF_ERROR(collection->InsertBatch(std::move(rows), context));
    int64_t inserted_ns = NowNs();
    RETURN_IF_ERROR(collection->Commit(context));
    measured.insert_ms.Add(Milliseconds(inserted_ns - begin_ns));
    measured.commit_ms.Add(Milliseconds(NowNs() - inserted_ns));
    measured.allocations += allocations.count();
    measured.rows += count;
    bar.Update(measured.rows);
  }
  measured.cost = meter.Summary();
  if (flags.compact) {
    int64_t begin_ns = NowNs();
    RETURN_IF_ERROR(collection->Compact({}, bar.Callback()));
    measured.compact_ns = NowNs() - begin_ns;
  }
  RETURN_IF_ERROR(collection->Close());
  return measured;
}

formats::Json ToJson(const Flags& flags, const Measured& m) {
  formats::Json json = {{"uri", flags.store.uri},
                        {"profile", flags.store.profile},
                        {"dimension", flags.dimension},
                        {"rows", m.rows},
                        {"batch", flags.batch},
                        {"rows_per_second", static_cast<double>(m.rows) / m.insert_seconds()},
                        {"insert_ms_p50", m.insert_ms.Quantile(0.5)},
                        {"insert_ms_p90", m.insert_ms.Quantile(0.9)},
                        {"commit_ms_p50", m.commit_ms.Quantile(0.5)},
                        {"commit_ms_p90", m.commit_ms.Quantile(0.9)},
                        {"allocations_per_row", static_cast<double>(m.allocations) / static_cast<double>(m.rows)},
                        {"cost", CostJson(m.cost)}};
  if (flags.compact) json["compact_seconds"] = Seconds(m.compact_ns);
  return json;
}

std::string Text(const Flags& flags, const Measured& m, const std::string& profile) {
  using terminal::FormatNumber;
  auto ms = [](double value) { return terminal::FormatDuration(static_cast<int64_t>(value * 1e6)); };
  std::vector<std::pair<std::string, std::string>> fields = {
      {"rows", Plural(m.rows, "random row", "random rows") + " of dimension " + std::to_string(flags.dimension) + ", " +
                   terminal::FormatCount(flags.batch) + " a commit, into " + flags.store.uri},
      {"rate", FormatNumber(static_cast<double>(m.rows) / m.insert_seconds()) + " rows/s"},
      {"insert of a batch", ms(m.insert_ms.Quantile(0.5)) + " p50, " + ms(m.insert_ms.Quantile(0.9)) + " p90"},
      {"commit", ms(m.commit_ms.Quantile(0.5)) + " p50, " + ms(m.commit_ms.Quantile(0.9)) + " p90"},
      {"allocations", FormatNumber(static_cast<double>(m.allocations) / static_cast<double>(m.rows)) + " a row"},
      {"requests", CostText(m.cost)},
  };
  if (flags.compact) fields.emplace_back("compaction", terminal::FormatDuration(m.compact_ns));
  return terminal::Fields(fields) + profile + "\n";
}

Result<int> Run(const Flags& flags) {
  ASSIGN_OR_RETURN(std::string profile, ProfileLine(flags.store.profile));
  ASSIGN_OR_RETURN(Measured measured, Measure(flags));
  if (flags.json) {
    PrintJson(ToJson(flags, measured));
  } else {
    Print(Text(flags, measured, profile));
  }
  return kExitOk;
}

}  // namespace

void AddBenchInsert(CLI::App& bench, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = AddCommand(bench, "insert", "Insert and commit random rows into a new collection",
                                 "  isotherm bench insert --dimension 768 --rows 50000\n"
                                 "  isotherm bench insert ./scratch --batch 100\n\n"
                                 "The collection must not exist, and stays where it was made.\n");
  command->add_option("URI", flags->store.uri, "Where the collection is made (default: in memory)");
  AddProfile(*command, flags->store.profile);
  auto positive = CLI::Range(uint64_t{1}, uint64_t{1'000'000'000}).description("");
  command->add_option("--dimension", flags->dimension, "Numbers a vector")->type_name("N")->capture_default_str();
  command->add_option("--rows", flags->rows, "How many rows")->type_name("N")->check(positive)->capture_default_str();
  command->add_option("--batch", flags->batch, "Rows a commit")->type_name("N")->check(positive)->capture_default_str();
  command->add_flag("--compact", flags->compact, "Compact at the end, and say how long it took");
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return Run(*flags); }; });
}

}  // namespace isotherm::tool
