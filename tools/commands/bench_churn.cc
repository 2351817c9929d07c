// Replacing every row several times: whether answers, disk and memory stay what they were.
#include <CLI/CLI.hpp>

#include "base/macros.h"
#include "tools/commands/bench.h"
#include "tools/commands/churn.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/output.h"
#include "tools/terminal/table.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

namespace {

constexpr double kRecallDrift = 0.01;
constexpr double kDiskGrowth = 1.3;  // of a fresh build
constexpr double kMemoryGrowth = 1.1;

// What does not hold, in words.
std::vector<std::string> Violations(const Churned& churned) {
  std::vector<std::string> out;
  const Turnover& first = churned.turnovers.front();
  for (const Turnover& turnover : churned.turnovers) {
    const std::string of = "turnover " + std::to_string(turnover.number) + ": ";
    if (turnover.recall < first.recall - kRecallDrift) out.push_back(of + "recall drifted by more than a point");
    if (static_cast<double>(turnover.stored_bytes) > kDiskGrowth * static_cast<double>(churned.fresh_bytes)) {
      out.push_back(of + "more than 1.3 times the disk of a fresh build");
    }
    if (static_cast<double>(turnover.memory_bytes) > kMemoryGrowth * static_cast<double>(first.memory_bytes)) {
      out.push_back(of + "more than 1.1 times the memory of the first");
    }
  }
  if (churned.unreachable > 0) out.push_back(Plural(churned.unreachable, "row", "rows") + " no search finds");
  return out;
}

formats::Json ToJson(const ChurnOptions& options, const Churned& churned, const std::vector<std::string>& violations) {
  formats::Json turnovers = formats::Json::array();
  for (const Turnover& t : churned.turnovers) {
    turnovers.push_back({{"turnover", t.number},
                         {"recall", t.recall},
                         {"stored_bytes", t.stored_bytes},
                         {"resident_bytes", t.resident_bytes},
                         {"anonymous_bytes", t.memory_bytes},
                         {"compactions", t.compactions},
                         {"write_amplification", t.write_amplification},
                         {"seconds", Seconds(t.ns)}});
  }
  return {{"uri", options.store.uri},           {"rows", options.rows},
          {"dimension", options.dimension},     {"turnovers", turnovers},
          {"fresh_bytes", churned.fresh_bytes}, {"fresh_recall", churned.fresh_recall},
          {"asked_for", churned.asked_for},     {"found_at_once", churned.found_at_once},
          {"unreachable", churned.unreachable}, {"violations", violations}};
}

std::string Text(const ChurnOptions& options, const Churned& churned, const std::vector<std::string>& violations) {
  constexpr auto kRight = terminal::Align::kRight;
  terminal::Table table({{"turnover"},
                         {"recall@10", kRight},
                         {"stored", kRight},
                         {"of a fresh build", kRight},
                         {"resident", kRight},
                         {"in use", kRight},
                         {"compactions", kRight},
                         {"write amplification", kRight},
                         {"time", kRight}});
  for (const Turnover& t : churned.turnovers) {
    table.AddRow(
        {std::to_string(t.number), terminal::FormatNumber(t.recall), terminal::FormatBytes(t.stored_bytes),
         terminal::FormatPercent(static_cast<double>(t.stored_bytes) / static_cast<double>(churned.fresh_bytes)),
         terminal::FormatBytes(t.resident_bytes), terminal::FormatBytes(t.memory_bytes),
         terminal::FormatCount(t.compactions), terminal::FormatNumber(t.write_amplification),
         terminal::FormatDuration(t.ns)});
  }
  table.AddRow({"fresh build", terminal::FormatNumber(churned.fresh_recall), terminal::FormatBytes(churned.fresh_bytes),
                "", "", "", "", "", ""});
  std::string text = Plural(options.rows, "row", "rows") + " of dimension " + std::to_string(options.dimension) + ", " +
                     terminal::FormatCount(options.batch) + " upserts a commit\n\n" + table.ToString() + "\n" +
                     Plural(churned.asked_for, "row was", "rows were") +
                     " asked for by their vectors: " + terminal::FormatCount(churned.found_at_once) +
                     " came first at once, " + terminal::FormatCount(churned.unreachable) + " never\n";
  for (const std::string& violation : violations) text += "BEYOND  " + violation + "\n";
  return text;
}

Result<int> Run(const ChurnOptions& options, bool json) {
  ASSIGN_OR_RETURN(Churned churned, Churn(options));
  std::vector<std::string> violations = Violations(churned);
  if (json) {
    PrintJson(ToJson(options, churned, violations));
  } else {
    Print(Text(options, churned, violations));
  }
  return violations.empty() ? kExitOk : kExitBadAnswer;
}

}  // namespace

void AddBenchChurn(CLI::App& bench, Chosen& chosen) {
  struct Flags {
    ChurnOptions options;
    bool json = false;
  };
  auto flags = std::make_shared<Flags>();
  ChurnOptions& options = flags->options;
  CLI::App* command =
      AddCommand(bench, "churn", "Replace all rows several times, and look at recall, disk and memory",
                 "  isotherm bench churn ./scratch --rows 200000 --turnovers 5\n\n"
                 "The collection must not exist, and stays where it was made, with a fresh build of the same\n"
                 "rows beside it ('-fresh'). Ends with 1 when recall drifts by more than a point, when disk is\n"
                 "beyond 1.3 times that of the fresh build or memory beyond 1.1 times that of the first\n"
                 "turnover, or when no search finds a row.\n");
  AddStore(*command, options.store);
  auto positive = CLI::Range(uint64_t{1}, uint64_t{1'000'000'000}).description("");
  auto add = [&](const char* name, uint64_t& value, const char* type, const char* description) {
    command->add_option(name, value, description)->type_name(type)->check(positive)->capture_default_str();
  };
  command->add_option("--dimension", options.dimension, "Numbers a vector")->type_name("N")->capture_default_str();
  add("--rows", options.rows, "N", "How many rows");
  add("--turnovers", options.turnovers, "N", "How often all of them are replaced");
  add("--batch", options.batch, "N", "Upserts a commit");
  add("--queries", options.queries, "N", "For the recall");
  add("--every", options.every, "N", "Of so many rows one is asked for by its vector in the end");
  AddChoice(*command, "--policy", options.policy, {"size-tiered", "leveled"}, "Of compactions")->capture_default_str();
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return Run(flags->options, flags->json); }; });
}

}  // namespace isotherm::tool
