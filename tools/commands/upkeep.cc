// verify and compact.
#include <CLI/CLI.hpp>

#include "base/macros.h"
#include "isotherm/compaction.h"
#include "tools/commands/command.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/output.h"
#include "tools/commands/session.h"
#include "tools/terminal/progress_bar.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

namespace {

struct VerifyFlags {
  StoreFlags store;
  bool json = false;
};

constexpr uint64_t kMebibyte = uint64_t{1} << 20;

struct CompactFlags {
  StoreFlags store;
  CompactOptions options;
  std::string scope = "all";
  std::string policy = "size-tiered";
  SizeTieredOptions tiers;
  uint64_t memory_mib = CompactOptions().memory_bytes / kMebibyte;
  bool json = false;
};

// What keeps the collection from being opened at all is a problem of it like any other.
Result<VerifyReport> VerifyCollection(const StoreFlags& store) {
  VerifyReport report;
  auto collection = OpenToRead(store);
  if (collection.ok()) {
    terminal::ProgressBar bar;
    return (*collection)->Verify(bar.Callback());
  }
  if (collection.status().code() != StatusCode::kCorruption) return collection.status();
  report.problems.push_back(collection.status().message());
  return report;
}

Result<int> RunVerify(const VerifyFlags& flags) {
  int64_t begin_ns = NowNs();
  ASSIGN_OR_RETURN(VerifyReport report, VerifyCollection(flags.store));
  int64_t took_ns = NowNs() - begin_ns;
  bool clean = report.problems.empty();
  if (flags.json) {
    PrintJson({{"uri", flags.store.uri},
               {"clean", clean},
               {"problems", report.problems},
               {"objects", report.objects},
               {"extents", report.extents},
               {"rows", report.rows},
               {"bytes", report.bytes},
               {"orphans", report.orphans},
               {"seconds", Seconds(took_ns)},
               {"profile", flags.store.profile}});
    return clean ? kExitOk : kExitBadAnswer;
  }
  for (const std::string& problem : report.problems) Print("PROBLEM  " + problem + "\n");
  Print((clean ? std::string("clean: ") : Plural(report.problems.size(), "problem", "problems") + ": ") +
        Plural(report.objects, "object", "objects") + ", " + Plural(report.extents, "extent", "extents") + ", " +
        Plural(report.rows, "row", "rows") + ", " + terminal::FormatBytes(report.bytes) + " checked in " +
        terminal::FormatDuration(took_ns) + "\n");
  if (!report.orphans.empty()) {
    Print(Plural(report.orphans.size(), "object is", "objects are") +
          " not in use (harmless; 'isotherm vacuum' removes them)\n");
  }
  return clean ? kExitOk : kExitBadAnswer;
}

Result<int> RunCompact(const CompactFlags& flags) {
  ASSIGN_OR_RETURN(std::string profile, ProfileLine(flags.store.profile));
  Options options = OptionsToWrite();
  options.compaction_policy = flags.policy == "leveled" ? LeveledCompaction() : SizeTieredCompaction(flags.tiers);
  ASSIGN_OR_RETURN(auto collection, OpenCollection(flags.store, options));
  CompactOptions compact = flags.options;
  compact.scope = flags.scope == "policy" ? CompactScope::kPolicy : CompactScope::kAll;
  compact.memory_bytes = flags.memory_mib * kMebibyte;
  terminal::ProgressBar bar;
  int64_t begin_ns = NowNs();
  RETURN_IF_ERROR(collection->Compact(compact, bar.Callback()));
  int64_t took_ns = NowNs() - begin_ns;
  bar.Clear();
  CollectionStats stats = collection->Stats();
  RETURN_IF_ERROR(collection->Close());
  if (flags.json) {
    PrintJson({{"uri", flags.store.uri},
               {"rows", stats.rows},
               {"cells", stats.cells},
               {"default_probes", stats.default_probes},
               {"segments", stats.segments.size()},
               {"stored_bytes", stats.stored_bytes},
               {"compactions", stats.compactions},
               {"bytes_read", stats.compaction_bytes_read},
               {"bytes_written", stats.compaction_bytes_written},
               {"resumed", stats.compactions_resumed},
               {"bytes_resumed", stats.compaction_bytes_resumed},
               {"version", stats.version},
               {"seconds", Seconds(took_ns)},
               {"profile", flags.store.profile}});
  } else {
    Print("compacted " + Plural(stats.rows, "row", "rows") + " in " + terminal::FormatDuration(took_ns) + ": " +
          Plural(stats.cells, "cell", "cells") + ", " + Plural(stats.segments.size(), "segment", "segments") + ", " +
          terminal::FormatBytes(stats.stored_bytes) + "\n");
    if (stats.compactions_resumed > 0) {
      Print("went on where another compaction had died: " + terminal::FormatBytes(stats.compaction_bytes_resumed) +
            " were there already, " + terminal::FormatBytes(stats.compaction_bytes_written) + " were written\n");
    }
    Print(profile + "\n");
  }
  return kExitOk;
}

}  // namespace

void AddVerify(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<VerifyFlags>();
  CLI::App* command = AddCommand(tool, "verify", "Check every checksum and reference of a collection",
                                 "  isotherm verify s3://bucket/movies && echo sound\n\n"
                                 "Ends with 1, and a line a problem, when something is wrong.\n");
  AddReadCollection(*command, flags->store);
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return RunVerify(*flags); }; });
}

void AddCompact(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<CompactFlags>();
  CLI::App* command =
      AddCommand(tool, "compact", "Arrange all rows anew, so that a search reads few of them",
                 "  isotherm compact ./movies\n"
                 "  isotherm compact s3://bucket/movies --scope policy --memory 128\n\n"
                 "Readers and writers go on meanwhile. Deleted and expired rows are left out. What was\n"
                 "replaced stays until a vacuum removes the versions that need it. One that died is gone\n"
                 "on with by the same command, as long as there are no other rows.\n");
  AddCollection(*command, flags->store);
  AddChoice(*command, "--scope", flags->scope, {"all", "policy"}, "All rows, or what the policy finds due")
      ->capture_default_str();
  AddChoice(*command, "--policy", flags->policy, {"size-tiered", "leveled"},
            "What --scope policy goes by: 'size-tiered' writes little, 'leveled' reads and stores little")
      ->capture_default_str();
  command
      ->add_option("--threshold", flags->tiers.threshold,
                   "Of 'size-tiered': so many flat segments of similar size are merged")
      ->type_name("N")
      ->check(CLI::Range(2, 1000).description(""))
      ->capture_default_str();
  command->add_flag("--keep-cells", flags->options.keep_cells,
                    "Rows go to the cells that there are, as long as these fit their number: faster");
  command->add_option("--memory", flags->memory_mib, "At most so much; the rest is spilled to temporary files")
      ->type_name("MIB")
      ->check(CLI::Range(1, 1 << 20).description(""))
      ->capture_default_str();
  command->add_option("--cells", flags->options.cells, "How many groups the rows are put in (default: by their number)")
      ->type_name("N");
  command->add_option("--seed", flags->options.seed, "Of the grouping: the same seed and rows give the same cells")
      ->type_name("N")
      ->capture_default_str();
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return RunCompact(*flags); }; });
}

}  // namespace isotherm::tool
