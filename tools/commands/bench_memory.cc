// The memory that importing, compacting and searching take, against a budget.
#include <CLI/CLI.hpp>

#include "base/macros.h"
#include "isotherm/memory.h"
#include "tools/commands/bench.h"
#include "tools/commands/clustered_rows.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/output.h"
#include "tools/commands/process_memory.h"
#include "tools/commands/session.h"
#include "tools/terminal/progress_bar.h"
#include "tools/terminal/table.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

namespace {

constexpr uint64_t kMebibyte = uint64_t{1} << 20;
constexpr uint64_t kRowsPerCluster = 1000;
constexpr uint64_t kBatchBytes = 2 * kMebibyte;

struct Flags {
  StoreFlags store;
  uint32_t dimension = 768;
  uint64_t size_mib = 256;
  uint64_t budget_mib = 64;
  uint64_t beyond_mib = 100;
  uint64_t searches = 100;
  bool background = false;
  bool json = false;

  uint64_t rows() const { return size_mib * kMebibyte / (uint64_t{dimension} * sizeof(float)); }
};

struct Phase {
  std::string name;
  int64_t ns = 0;
  uint64_t peak_bytes = 0;    // anonymous memory
  uint64_t budget_bytes = 0;  // the most of the budget, since the beginning
};

class Measurement {
 public:
  explicit Measurement(const Flags& flags)
      : flags_(flags),
        budget_(MakeMemoryBudget(flags.budget_mib * kMebibyte)),
        rows_(flags.dimension, static_cast<uint32_t>(flags.rows() / kRowsPerCluster + 1)) {}

  Result<std::vector<Phase>> Run() {
    Options options;
    options.create = CreateOptions{flags_.dimension, Metric::kL2, KeyType::kInteger, {}};
    options.error_if_exists = true;
    options.memory = budget_;
    options.background_compaction = flags_.background;
    ASSIGN_OR_RETURN(auto collection, OpenCollection(flags_.store, options));
    RETURN_IF_ERROR(Measure("import", [&] { return Import(*collection); }));
    RETURN_IF_ERROR(Measure("compact", [&] { return collection->Compact({}, bar_.Callback()); }));
    RETURN_IF_ERROR(Measure("search", [&] { return Search(*collection); }));
    RETURN_IF_ERROR(collection->Close());
    bar_.Clear();
    return std::move(phases_);
  }

 private:
  Status Measure(const std::string& name, const std::function<Status()>& work) {
    peak_.Reset();
    int64_t begin_ns = NowNs();
    RETURN_IF_ERROR(work().WithContext(name));
    phases_.push_back({name, NowNs() - begin_ns, peak_.Peak(), UsageOf(*budget_).peak_bytes});
    return Status::Ok();
  }

  Status Import(Collection& collection) {
    const uint64_t batch = std::max<uint64_t>(1, kBatchBytes / (flags_.dimension * sizeof(float)));
    bar_.Begin("importing", flags_.rows());
    for (uint64_t first = 0; first < flags_.rows(); first += batch) {
      RETURN_IF_ERROR(collection.InsertBatch(rows_.Range(first, std::min(batch, flags_.rows() - first), 0)));
      bar_.Update(first);
    }
    return CommitSettled(collection);
  }

  // Rows are asked for by their own vectors.
  Status Search(Collection& collection) {
    for (uint64_t i = 0; i < flags_.searches; ++i) {
      const uint64_t key = i * flags_.rows() / flags_.searches;
      ASSIGN_OR_RETURN(SearchResult found, collection.Search(rows_.At(key, 0).vector));
      if (found.hits.empty() || found.hits.front().key != Key(key)) {
        return Status::Internal("row " + std::to_string(key) + " is not the nearest to its own vector");
      }
    }
    return Status::Ok();
  }

  const Flags& flags_;
  const std::shared_ptr<MemoryBudget> budget_;
  const ClusteredRows rows_;
  MemoryPeak peak_;
  terminal::ProgressBar bar_;
  std::vector<Phase> phases_;
};

Result<int> Run(const Flags& flags) {
  GiveBackLargePieces();
  ASSIGN_OR_RETURN(std::vector<Phase> phases, Measurement(flags).Run());
  const uint64_t allowed = (flags.budget_mib + flags.beyond_mib) * kMebibyte;
  bool within = true;
  formats::Json json = formats::Json::array();
  terminal::Table table({{""},
                         {"time", terminal::Align::kRight},
                         {"peak of anonymous memory", terminal::Align::kRight},
                         {"peak of the budget", terminal::Align::kRight}});
  for (const Phase& phase : phases) {
    within = within && phase.peak_bytes <= allowed;
    json.push_back({{"phase", phase.name},
                    {"seconds", Seconds(phase.ns)},
                    {"anonymous_bytes_peak", phase.peak_bytes},
                    {"budget_bytes_peak", phase.budget_bytes}});
    table.AddRow({phase.name, terminal::FormatDuration(phase.ns), terminal::FormatBytes(phase.peak_bytes),
                  terminal::FormatBytes(phase.budget_bytes)});
  }
  if (flags.json) {
    PrintJson({{"uri", flags.store.uri},
               {"rows", flags.rows()},
               {"dimension", flags.dimension},
               {"budget_bytes", flags.budget_mib * kMebibyte},
               {"allowed_bytes", allowed},
               {"within", within},
               {"phases", json}});
  } else {
    Print(Plural(flags.rows(), "row", "rows") + " of dimension " + std::to_string(flags.dimension) + ", " +
          terminal::FormatBytes(flags.size_mib * kMebibyte) + " of vectors, within a budget of " +
          terminal::FormatBytes(flags.budget_mib * kMebibyte) + "\n\n" + table.ToString() + "\n" +
          (within ? "within " : "BEYOND ") + terminal::FormatBytes(allowed) + "\n");
  }
  return within ? kExitOk : kExitBadAnswer;
}

}  // namespace

void AddBenchMemory(CLI::App& bench, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = AddCommand(bench, "memory", "Import, compact and search within a limit of memory",
                                 "  isotherm bench memory ./scratch --size 2560 --memory 256\n\n"
                                 "The collection must not exist, and stays where it was made. Ends with 1 when the\n"
                                 "process took more than the budget and 100 MiB, pages of files apart.\n");
  AddStore(*command, flags->store);
  auto positive = CLI::Range(uint64_t{1}, uint64_t{1'000'000'000}).description("");
  auto add = [&](const char* name, uint64_t& value, const char* type, const char* description) {
    command->add_option(name, value, description)->type_name(type)->check(positive)->capture_default_str();
  };
  command->add_option("--dimension", flags->dimension, "Numbers a vector")->type_name("N")->capture_default_str();
  add("--size", flags->size_mib, "MIB", "Of all vectors together");
  add("--memory", flags->budget_mib, "MIB", "The budget");
  add("--beyond", flags->beyond_mib, "MIB", "What may come on top of it");
  add("--searches", flags->searches, "N", "How many searches");
  command->add_flag("--background", flags->background, "Compact in the background during the import, too");
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return Run(*flags); }; });
}

}  // namespace isotherm::tool
