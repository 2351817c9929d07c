// What upserts cost in all: bytes written to the store for each byte of rows, and requests in dollars.
#include <CLI/CLI.hpp>

#include "base/macros.h"
#include "isotherm/compaction.h"
#include "isotherm/metrics.h"
#include "tools/commands/bench.h"
#include "tools/commands/clustered_rows.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/idle_executor.h"
#include "tools/commands/output.h"
#include "tools/commands/session.h"
#include "tools/terminal/progress_bar.h"
#include "tools/terminal/table.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

namespace {

constexpr uint64_t kRowsPerCluster = 1000;
// An object beyond this size goes to S3 in parts, each of which is a request.
constexpr double kPartBytes = 8 << 20;

struct Flags {
  uint32_t dimension = 384;
  uint64_t keys = 50'000;
  uint64_t upserts = 100'000;
  uint64_t batch = 1'000;
  bool json = false;
};

struct Measured {
  std::string policy;
  uint64_t upserts = 0;
  uint64_t compactions = 0;
  double row_bytes = 0, commit_bytes = 0, compaction_bytes = 0;
  MeterSummary requests;
  int64_t ns = 0;

  double amplification() const { return (commit_bytes + compaction_bytes) / row_bytes; }
  double dollars_per_million() const { return PriceUsd(requests) / static_cast<double>(upserts) * 1e6; }
};

// Of the whole store, whoever asked for them.
MeterSummary RequestsOf(const MetricsSnapshot& metrics) {
  MeterSummary summary;
  for (size_t kind = 0; kind < kRequestKinds; ++kind) {
    summary.requests[kind] = static_cast<uint64_t>(metrics.Value(MetricId::kStoreRequests, kind));
  }
  const double put_bytes = metrics.Value(MetricId::kStoreBytes, static_cast<size_t>(RequestKind::kPut));
  summary.requests[static_cast<size_t>(RequestKind::kPut)] += static_cast<uint64_t>(put_bytes / kPartBytes);
  return summary;
}

// Each commit waits for the compactions that it makes due: so none is spared by being late.
Result<Measured> Measure(const Flags& flags, const std::string& policy) {
  std::shared_ptr<IdleExecutor> executor;
  Options options;
  options.create = CreateOptions{flags.dimension, Metric::kL2, KeyType::kInteger, {}};
  options.env = IdleExecutor::Over(executor);
  options.metrics = std::make_shared<Metrics>();
  options.background_compaction = policy != "none";
  options.compaction_policy = policy == "leveled" ? LeveledCompaction() : SizeTieredCompaction();
  const int64_t begin_ns = NowNs();
  ASSIGN_OR_RETURN(auto collection, OpenCollection({"memory:", "none", ""}, options));
  ClusteredRows rows(flags.dimension, static_cast<uint32_t>(flags.keys / kRowsPerCluster + 1));
  terminal::ProgressBar bar;
  bar.Begin(policy, flags.upserts);
  for (uint64_t done = 0; done < flags.upserts; done += flags.batch) {
    std::vector<Row> batch;
    for (uint64_t i = done; i < std::min(done + flags.batch, flags.upserts); ++i) {
      // All keys once, and then again in the same order.
      batch.push_back(rows.At(i % flags.keys, i / flags.keys));
    }
    RETURN_IF_ERROR(collection->UpsertBatch(std::move(batch)));
    RETURN_IF_ERROR(collection->Commit());
    executor->WaitIdle();
    bar.Update(done);
  }
  bar.Clear();
  CollectionStats stats = collection->Stats();
  if (stats.compactions_failed > 0) {
    return Status::Internal(Plural(stats.compactions_failed, "compaction", "compactions") + " failed");
  }
  RETURN_IF_ERROR(collection->Close());
  MetricsSnapshot metrics = options.metrics->Snapshot();
  return Measured{policy,
                  flags.upserts,
                  stats.compactions,
                  metrics.Value(MetricId::kRowBytesWritten),
                  metrics.Value(MetricId::kCommitBytesWritten),
                  metrics.Value(MetricId::kCompactionBytesWritten),
                  RequestsOf(metrics),
                  NowNs() - begin_ns};
}

Result<int> Run(const Flags& flags) {
  formats::Json json = formats::Json::array();
  constexpr auto kRight = terminal::Align::kRight;
  terminal::Table table({{"policy"},
                         {"compactions", kRight},
                         {"written by commits", kRight},
                         {"by compactions", kRight},
                         {"write amplification", kRight},
                         {"PUTs", kRight},
                         {"GETs", kRight},
                         {"a million upserts", kRight},
                         {"time", kRight}});
  for (const char* policy : {"size-tiered", "leveled", "none"}) {
    ASSIGN_OR_RETURN(Measured m, Measure(flags, policy));
    json.push_back({{"policy", policy},
                    {"compactions", m.compactions},
                    {"row_bytes", m.row_bytes},
                    {"commit_bytes_written", m.commit_bytes},
                    {"compaction_bytes_written", m.compaction_bytes},
                    {"write_amplification", m.amplification()},
                    {"puts", m.requests.puts()},
                    {"gets", m.requests.gets()},
                    {"usd_per_million_upserts", m.dollars_per_million()},
                    {"seconds", Seconds(m.ns)}});
    table.AddRow(
        {policy, terminal::FormatCount(m.compactions), terminal::FormatBytes(static_cast<uint64_t>(m.commit_bytes)),
         terminal::FormatBytes(static_cast<uint64_t>(m.compaction_bytes)), terminal::FormatNumber(m.amplification()),
         terminal::FormatCount(m.requests.puts()), terminal::FormatCount(m.requests.gets()),
         terminal::FormatUsd(m.dollars_per_million()), terminal::FormatDuration(m.ns)});
  }
  if (flags.json) {
    PrintJson({{"dimension", flags.dimension},
               {"keys", flags.keys},
               {"upserts", flags.upserts},
               {"batch", flags.batch},
               {"policies", json}});
  } else {
    Print(Plural(flags.upserts, "upsert", "upserts") + " of " + terminal::FormatCount(flags.keys) +
          " keys, dimension " + std::to_string(flags.dimension) + ", " + terminal::FormatCount(flags.batch) +
          " a commit\n\n" + table.ToString() + "\nprices: S3 Standard, us-east-1; parts of 8 MiB are requests\n");
  }
  return kExitOk;
}

}  // namespace

void AddBenchUpserts(CLI::App& bench, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = AddCommand(bench, "upserts", "Count what upserts cost with each policy of compaction",
                                 "  isotherm bench upserts\n"
                                 "  isotherm bench upserts --keys 200000 --upserts 1000000 --batch 10000\n\n"
                                 "In memory. 'Write amplification' is the bytes written to the store for each byte of\n"
                                 "the rows; 'a million upserts' prices all requests, reads too.\n");
  auto positive = CLI::Range(uint64_t{1}, uint64_t{1'000'000'000}).description("");
  auto add = [&](const char* name, uint64_t& value, const char* description) {
    command->add_option(name, value, description)->type_name("N")->check(positive)->capture_default_str();
  };
  command->add_option("--dimension", flags->dimension, "Numbers a vector")->type_name("N")->capture_default_str();
  add("--keys", flags->keys, "How many rows there are in the end");
  add("--upserts", flags->upserts, "How many in all");
  add("--batch", flags->batch, "Upserts a commit");
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return Run(*flags); }; });
}

}  // namespace isotherm::tool
