// erase: rows leave a collection so that none of their bytes is left.
#include <CLI/CLI.hpp>

#include "base/macros.h"
#include "tools/commands/command.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/key_flags.h"
#include "tools/commands/output.h"
#include "tools/commands/session.h"
#include "tools/formats/time_text.h"
#include "tools/terminal/progress_bar.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

namespace {

struct Flags {
  StoreFlags store;
  KeyFlags keys;
  std::string by;
  ErasureOptions options;
  bool json = false;
};

// A day stands for its beginning.
Result<int64_t> ParseDate(const std::string& text) {
  constexpr size_t kDayLength = 10;
  return formats::ParseTime(text.size() == kDayLength ? text + "T00:00:00Z" : text);
}

std::string CheckDate(const std::string& text) {
  auto ms = ParseDate(text);
  if (!ms.ok()) return ms.status().message();
  return *ms > 0 ? "" : "'" + text + "' is before 1970";
}

std::string BranchText(const std::string& name) { return name.empty() ? "the main branch" : "branch '" + name + "'"; }

std::string HoldText(const ErasureHold& hold) {
  return "version " + std::to_string(hold.version) + " of " + BranchText(hold.branch) + " is leased until " +
         formats::FormatTime(hold.until_ms) + " (" + hold.lease + ")\n";
}

std::string Text(const Flags& flags, const ErasureReport& report) {
  const bool dry = flags.options.dry_run;
  std::string text;
  uint64_t segments = 0;
  uint64_t bytes = 0;
  for (const ErasureBranch& branch : report.branches) {
    text += (dry ? "would erase " : "erased ") + Plural(branch.keys_found, "row", "rows") + " of " +
            BranchText(branch.name) + "; " + Plural(branch.versions_held, "version has", "versions have") +
            " rows of these keys\n";
    segments += branch.segments_rewritten;
    bytes += branch.bytes_rewritten;
  }
  text += (dry ? "would rewrite " : "rewrote ") + Plural(segments, "segment", "segments") + ", " +
          terminal::FormatBytes(bytes) + ", and " + (dry ? "remove " : "removed ") +
          Plural(report.versions_removed, "version", "versions");
  if (!dry) {
    text += " and " + Plural(report.objects_removed.size(), "object", "objects") + ", " +
            terminal::FormatBytes(report.bytes_removed);
  }
  text += "\n";
  for (const ErasureHold& hold : report.holds) text += HoldText(hold);
  if (report.complete) {
    text += dry ? "nothing would be left" : "nothing is left";
  } else if (report.holds.empty()) {
    text += "not complete: the disk cache could not be emptied; remove its files and run it again";
  } else {
    text += std::string(dry ? "would be" : "is") + " complete when it is run again after " +
            formats::FormatTime(report.blocked_until_ms);
  }
  if (!flags.by.empty() && report.late) text += "; that is later than " + flags.by;
  text += "\nbackups, exports and copies are elsewhere: erase the rows there as well\n";
  if (!dry && !report.caches_emptied && !report.holds.empty()) {
    text += "the disk cache could not be emptied: remove its files\n";
  }
  return text;
}

formats::Json JsonOf(const Flags& flags, const ErasureReport& report) {
  auto branches = formats::Json::array();
  for (const ErasureBranch& branch : report.branches) {
    branches.push_back({{"branch", branch.name},
                        {"keys_found", branch.keys_found},
                        {"versions_held", branch.versions_held},
                        {"segments_rewritten", branch.segments_rewritten},
                        {"bytes_rewritten", branch.bytes_rewritten}});
  }
  auto holds = formats::Json::array();
  for (const ErasureHold& hold : report.holds) {
    holds.push_back({{"lease", hold.lease},
                     {"branch", hold.branch},
                     {"version", hold.version},
                     {"until", formats::FormatTime(hold.until_ms)}});
  }
  formats::Json json{{"uri", flags.store.uri},
                     {"dry_run", flags.options.dry_run},
                     {"keys", report.keys},
                     {"branches", branches},
                     {"versions_removed", report.versions_removed},
                     {"objects_removed", report.objects_removed},
                     {"bytes_removed", report.bytes_removed},
                     {"caches_emptied", report.caches_emptied},
                     {"holds", holds},
                     {"complete", report.complete},
                     {"late", report.late}};
  if (report.blocked_until_ms != 0) json["blocked_until"] = formats::FormatTime(report.blocked_until_ms);
  return json;
}

Result<ErasureReport> Erase(const Flags& flags) {
  // What only looks needs no right to write.
  ASSIGN_OR_RETURN(auto collection,
                   flags.options.dry_run ? OpenToRead(flags.store) : OpenCollection(flags.store, OptionsToWrite()));
  ASSIGN_OR_RETURN(std::vector<Key> keys, KeysOf(flags.keys, collection->Stats().key_type));
  terminal::ProgressBar bar;
  ASSIGN_OR_RETURN(ErasureReport report, collection->Erase(keys, flags.options, bar.Callback()));
  bar.Clear();
  RETURN_IF_ERROR(collection->Close());
  return report;
}

Result<int> Run(const Flags& flags) {
  int64_t begin_ns = NowNs();
  ASSIGN_OR_RETURN(ErasureReport report, Erase(flags));
  if (flags.json) {
    formats::Json json = JsonOf(flags, report);
    json["seconds"] = Seconds(NowNs() - begin_ns);
    PrintJson(json);
  } else {
    Print(Text(flags, report));
  }
  return report.complete ? kExitOk : kExitLater;
}

}  // namespace

void AddErase(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command =
      AddCommand(tool, "erase", "Erase rows so that nothing of them is left",
                 "  isotherm erase ./movies 17 18 --by 2026-12-01 --dry-run    what it costs, and what holds it up\n"
                 "  isotherm erase ./movies 17 18 --by 2026-12-01\n"
                 "  isotherm erase ./movies --file keys.txt --json\n\n"
                 "Deletes them for good on every branch, rewrites the segments that hold their bytes,\n"
                 "removes all versions with such rows and all older ones, and empties caches. A leased\n"
                 "version stays until its lease ends: then the exit code is 8, and the same command again\n"
                 "goes on, as it does after a failure. Run it on backups and other copies as well.\n");
  AddStore(*command, flags->store);
  AddKeys(*command, flags->keys);
  command
      ->add_option("--by", flags->by,
                   "The day (its beginning, UTC) or time by which nothing may be left; tells if that can't be")
      ->type_name("DATE")
      ->check(CheckDate);
  command->add_flag("--break-leases", flags->options.break_leases,
                    "Remove leases on versions with such rows: their readers fail");
  command->add_flag("--dry-run", flags->options.dry_run, "Change nothing, and tell what would be done");
  AddCacheDir(*command, flags->store.cache_dir);
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] {
    RequireKeys(flags->keys);
    // Checked by then.
    if (!flags->by.empty()) flags->options.by_ms = ParseDate(flags->by).value();
    chosen.run = [flags] { return Run(*flags); };
  });
}

}  // namespace isotherm::tool
