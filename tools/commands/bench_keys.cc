// What a writer with a limit of memory takes to open a collection of many string keys and to upsert into it.
#include <CLI/CLI.hpp>

#include <numeric>
#include <random>

#include "base/macros.h"
#include "isotherm/memory.h"
#include "tools/commands/bench.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/output.h"
#include "tools/commands/process_memory.h"
#include "tools/commands/self_process.h"
#include "tools/commands/session.h"
#include "tools/terminal/progress_bar.h"
#include "tools/terminal/table.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

namespace {

constexpr char kOnce[] = "keys-once";
constexpr uint64_t kMebibyte = uint64_t{1} << 20;
constexpr uint64_t kRowsABatch = 20'000;

struct Flags {
  StoreFlags store;
  uint32_t dimension = 8;
  uint64_t keys = 1'000'000;
  uint64_t upserts = 100'000;
  uint64_t batch = 1'000;
  uint64_t budget_mib = 100;
  uint64_t within_mib = 200;
  bool no_compaction = false;
  bool json = false;
};

// What the new process did, and what it took.
struct Phase {
  std::string name;
  int64_t ns = 0;
  uint64_t peak_bytes = 0;  // anonymous memory
  uint64_t gets = 0;
  uint64_t bytes = 0;
};

// Its first number is another one for each seed below 2^31 - 1.
Row RowOf(uint64_t number, uint32_t dimension) {
  std::minstd_rand random(static_cast<uint32_t>(number + 1));
  char text[32];
  const auto first = static_cast<unsigned>(random());
  std::snprintf(text, sizeof(text), "user:%08x%08x", first, static_cast<unsigned>(random()));
  Row row;
  row.key = Key(text);
  for (uint32_t i = 0; i < dimension; ++i) row.vector.push_back(static_cast<float>(random() % 1'000));
  return row;
}

// Rows that nobody searches meanwhile.
Status Upsert(Collection& collection, const Flags& flags, const std::vector<uint64_t>& numbers,
              const Context& context = {}) {
  WriteBatch batch;
  for (uint64_t number : numbers) batch.Upsert(RowOf(number, flags.dimension));
  batch.Defer();
  return collection.Write(std::move(batch), context);
}

Status Build(const Flags& flags) {
  Options options = OptionsToWrite();
  options.create = CreateOptions{flags.dimension, Metric::kL2, KeyType::kString, {}};
  options.error_if_exists = true;
  ASSIGN_OR_RETURN(auto collection, OpenCollection(flags.store, options));
  terminal::ProgressBar bar;
  bar.Begin("importing", flags.keys);
  for (uint64_t first = 0; first < flags.keys; first += kRowsABatch) {
    std::vector<uint64_t> numbers(std::min(kRowsABatch, flags.keys - first));
    std::iota(numbers.begin(), numbers.end(), first);
    RETURN_IF_ERROR(Upsert(*collection, flags, numbers));
    bar.Update(first);
  }
  RETURN_IF_ERROR(CommitSettled(*collection));
  if (!flags.no_compaction) RETURN_IF_ERROR(collection->Compact({}, bar.Callback()));
  bar.Clear();
  return collection->Close();
}

// In the new process.
class Measurement {
 public:
  explicit Measurement(const Flags& flags) : flags_(flags) {}

  Result<std::vector<Phase>> Run() {
    Options options = OptionsToWrite();
    options.memory = MakeMemoryBudget(flags_.budget_mib * kMebibyte);
    std::unique_ptr<Collection> collection;
    RETURN_IF_ERROR(Measure("open", [&](const Context& context) -> Status {
      ASSIGN_OR_RETURN(collection, OpenCollection(flags_.store, options, context));
      return Status::Ok();
    }));
    const uint64_t rows = collection->Stats().rows;
    RETURN_IF_ERROR(Measure("one upsert", [&](const Context& context) { return Commit(*collection, {0}, context); }));
    RETURN_IF_ERROR(Measure("all upserts", [&](const Context& context) { return UpsertAll(*collection, context); }));
    RETURN_IF_ERROR(collection->Refresh());
    const uint64_t expected = rows + flags_.upserts / 2;
    if (collection->Stats().rows != expected) {
      return Status::Internal(std::to_string(collection->Stats().rows) + " rows are there; expected were " +
                              std::to_string(expected));
    }
    RETURN_IF_ERROR(collection->Close());
    return std::move(phases_);
  }

 private:
  Status Measure(const std::string& name, const std::function<Status(const Context&)>& work) {
    Meter meter;
    Context context;
    context.meter = &meter;
    peak_.Reset();
    const int64_t begin_ns = NowNs();
    RETURN_IF_ERROR(work(context).WithContext(name));
    const MeterSummary cost = meter.Summary();
    phases_.push_back({name, NowNs() - begin_ns, peak_.Peak(), cost.gets(), cost.bytes_read});
    return Status::Ok();
  }

  Status Commit(Collection& collection, const std::vector<uint64_t>& numbers, const Context& context) {
    RETURN_IF_ERROR(Upsert(collection, flags_, numbers, context));
    return collection.Commit(context);
  }

  // Every other one is of a key that is there.
  Status UpsertAll(Collection& collection, const Context& context) {
    terminal::ProgressBar bar;
    bar.Begin("upserting", flags_.upserts);
    std::mt19937_64 random(1);
    for (uint64_t done = 0; done < flags_.upserts; done += flags_.batch) {
      std::vector<uint64_t> numbers;
      for (uint64_t i = done; i < std::min(done + flags_.batch, flags_.upserts); ++i) {
        numbers.push_back(i % 2 == 0 ? random() % flags_.keys : flags_.keys + i / 2);
      }
      RETURN_IF_ERROR(Commit(collection, numbers, context));
      bar.Update(done);
    }
    bar.Clear();
    return Status::Ok();
  }

  const Flags& flags_;
  MemoryPeak peak_;
  std::vector<Phase> phases_;
};

Result<int> RunOnce(const Flags& flags) {
  GiveBackLargePieces();
  ASSIGN_OR_RETURN(std::vector<Phase> phases, Measurement(flags).Run());
  formats::Json json = formats::Json::array();
  for (const Phase& phase : phases) {
    json.push_back({{"phase", phase.name},
                    {"seconds", Seconds(phase.ns)},
                    {"anonymous_bytes_peak", phase.peak_bytes},
                    {"gets", phase.gets},
                    {"bytes_read", phase.bytes}});
  }
  Print(formats::DumpJson(json) + "\n");
  return kExitOk;
}

std::vector<std::string> OnceArguments(const Flags& flags) {
  auto number = [](uint64_t value) { return std::to_string(value); };
  return {"bench",
          kOnce,
          flags.store.uri,
          "--profile",
          flags.store.profile,
          "--dimension",
          number(flags.dimension),
          "--keys",
          number(flags.keys),
          "--upserts",
          number(flags.upserts),
          "--batch",
          number(flags.batch),
          "--memory",
          number(flags.budget_mib)};
}

void PrintText(const Flags& flags, const formats::Json& phases, bool within) {
  constexpr auto kRight = terminal::Align::kRight;
  terminal::Table table(
      {{""}, {"time", kRight}, {"peak of anonymous memory", kRight}, {"GETs", kRight}, {"bytes read", kRight}});
  for (const formats::Json& phase : phases) {
    auto bytes = [&](const char* name) { return terminal::FormatBytes(phase.value(name, uint64_t{0})); };
    table.AddRow(
        {phase.value("phase", ""), terminal::FormatDuration(static_cast<int64_t>(phase.value("seconds", 0.0) * 1e9)),
         bytes("anonymous_bytes_peak"), terminal::FormatCount(phase.value("gets", uint64_t{0})), bytes("bytes_read")});
  }
  Print(terminal::FormatCount(flags.keys) + " string keys of 21 bytes" +
        (flags.no_compaction ? ", not compacted" : "") + ", dimension " + std::to_string(flags.dimension) +
        "; a new process with a budget of " + terminal::FormatBytes(flags.budget_mib * kMebibyte) + " makes " +
        Plural(flags.upserts, "upsert", "upserts") + ", " + terminal::FormatCount(flags.batch) +
        " a commit, half of them of keys that are there\n\n" + table.ToString() + "\n" +
        (within ? "within " : "BEYOND ") + terminal::FormatBytes(flags.within_mib * kMebibyte) + "\n");
}

Result<int> Run(const Flags& flags) {
  RETURN_IF_ERROR(Build(flags));
  ASSIGN_OR_RETURN(SelfRun once, RunSelf(OnceArguments(flags)));
  if (once.exit_code != kExitOk) return once.exit_code;
  ASSIGN_OR_RETURN(formats::Json phases, formats::ParseJson(once.output));
  bool within = true;
  for (const formats::Json& phase : phases) {
    within = within && phase.value("anonymous_bytes_peak", uint64_t{0}) <= flags.within_mib * kMebibyte;
  }
  if (flags.json) {
    PrintJson({{"uri", flags.store.uri},
               {"keys", flags.keys},
               {"compacted", !flags.no_compaction},
               {"dimension", flags.dimension},
               {"upserts", flags.upserts},
               {"batch", flags.batch},
               {"budget_bytes", flags.budget_mib * kMebibyte},
               {"allowed_bytes", flags.within_mib * kMebibyte},
               {"within", within},
               {"phases", phases}});
  } else {
    PrintText(flags, phases, within);
  }
  return within ? kExitOk : kExitBadAnswer;
}

void AddNumbers(CLI::App& command, Flags& flags) {
  auto positive = CLI::Range(uint64_t{1}, uint64_t{1'000'000'000}).description("");
  auto add = [&](const char* name, uint64_t& value, const char* type, const char* description) {
    command.add_option(name, value, description)->type_name(type)->check(positive)->capture_default_str();
  };
  command.add_option("--dimension", flags.dimension, "Numbers a vector")->type_name("N")->capture_default_str();
  add("--keys", flags.keys, "N", "How many keys there are at first");
  add("--upserts", flags.upserts, "N", "How many in all");
  add("--batch", flags.batch, "N", "Upserts a commit");
  add("--memory", flags.budget_mib, "MIB", "The budget of the process that upserts");
}

}  // namespace

void AddBenchKeys(CLI::App& bench, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command =
      AddCommand(bench, "keys", "Open and upsert into many string keys within a limit of memory",
                 "  isotherm bench keys ./scratch\n"
                 "  isotherm bench keys ./scratch --keys 20000000 --no-compaction\n\n"
                 "The collection must not exist, and stays where it was made. Only the new process that\n"
                 "opens it and upserts is looked at. Ends with 1 when that took more than --within,\n"
                 "pages of files apart.\n");
  AddStore(*command, flags->store);
  AddNumbers(*command, *flags);
  command->add_option("--within", flags->within_mib, "What it may take in all")
      ->type_name("MIB")
      ->capture_default_str();
  command->add_flag("--no-compaction", flags->no_compaction, "Leave the rows in the segments of their commits");
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return Run(*flags); }; });

  auto once = std::make_shared<Flags>();
  CLI::App* hidden = bench.add_subcommand(kOnce, "Open and upsert once, and print JSON")->group("");
  AddStore(*hidden, once->store);
  AddNumbers(*hidden, *once);
  hidden->callback([&chosen, once] { chosen.run = [once] { return RunOnce(*once); }; });
}

}  // namespace isotherm::tool
