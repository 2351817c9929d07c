#include <CLI/CLI.hpp>

#include "base/macros.h"
#include "tools/commands/command.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/output.h"
#include "tools/commands/session.h"
#include "tools/formats/time_text.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

namespace {

struct Flags {
  StoreFlags store;
  VacuumOptions options;
  std::string keep_age;
  bool json = false;
};

std::string Objects(uint64_t count, uint64_t bytes) {
  return Plural(count, "object", "objects") + ", " + terminal::FormatBytes(bytes);
}

std::string CheckAge(const std::string& text) {
  auto age_ms = formats::ParseSpan(text);
  if (!age_ms.ok()) return age_ms.status().message();
  return *age_ms > 0 ? "" : "'" + text + "': to keep the newest version alone, say --keep-versions 1";
}

std::string Text(const Flags& flags, const VacuumReport& report) {
  const bool dry = flags.options.dry_run;
  std::string text = std::string(dry ? "would remove " : "removed ") +
                     Plural(report.versions_removed, "version", "versions") + " and " +
                     Objects(report.objects_removed.size(), report.bytes_removed) + "\n";
  if (report.soft_deleted_rows_removed > 0) {
    text += Plural(report.soft_deleted_rows_removed, "softly deleted row", "softly deleted rows") +
            (dry ? " could not" : " can't") + " be brought back any more\n";
  }
  text += Plural(report.versions_kept, "version is", "versions are") + " kept, the oldest is version " +
          std::to_string(report.oldest_version) + "; " + Objects(report.objects_in_use, report.bytes_in_use) +
          " are kept for older versions, branches and leases\n";
  return text;
}

Result<VacuumReport> Vacuum(const Flags& flags) {
  // What only looks needs no right to write.
  ASSIGN_OR_RETURN(auto collection, flags.options.dry_run ? OpenToRead(flags.store) : OpenCollection(flags.store, {}));
  ASSIGN_OR_RETURN(VacuumReport report, collection->Vacuum(flags.options));
  // The library counts them when they go.
  if (flags.options.dry_run && !flags.options.keep_soft_deleted) {
    report.soft_deleted_rows_removed = collection->Stats().soft_deleted_rows;
  }
  RETURN_IF_ERROR(collection->Close());
  return report;
}

Result<int> Run(const Flags& flags) {
  int64_t begin_ns = NowNs();
  ASSIGN_OR_RETURN(VacuumReport report, Vacuum(flags));
  if (!flags.json) {
    Print(Text(flags, report));
    return kExitOk;
  }
  PrintJson({{"uri", flags.store.uri},
             {"dry_run", flags.options.dry_run},
             {"versions_kept", report.versions_kept},
             {"versions_removed", report.versions_removed},
             {"oldest_version", report.oldest_version},
             {"soft_deleted_rows_removed", report.soft_deleted_rows_removed},
             {"objects_removed", report.objects_removed},
             {"bytes_removed", report.bytes_removed},
             {"objects_in_use", report.objects_in_use},
             {"bytes_in_use", report.bytes_in_use},
             {"seconds", Seconds(NowNs() - begin_ns)}});
  return kExitOk;
}

}  // namespace

void AddVacuum(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command =
      AddCommand(tool, "vacuum", "Remove old versions, and what nothing needs any more",
                 "  isotherm vacuum ./movies --keep-age 7d --dry-run --json    what would go, object by object\n"
                 "  isotherm vacuum ./movies --keep-age 7d\n"
                 "  isotherm vacuum ./movies --keep-versions 1 --keep-soft-deleted\n\n"
                 "A version stays when it is among the newest N of its branch or not older than the age;\n"
                 "without either, all stay, and only what no version names is removed. Versions that are\n"
                 "leased stay as well. Readers of the newest version and writers go on meanwhile.\n");
  AddCollection(*command, flags->store);
  VacuumOptions& options = flags->options;
  command->add_option("--keep-versions", options.keep_versions, "Keep the newest N versions of each branch")
      ->type_name("N")
      ->check(CLI::PositiveNumber.description(""));
  command->add_option("--keep-age", flags->keep_age, "Keep the versions that are not older: 90s, 30m, 12h, 7d, 2w")
      ->type_name("AGE")
      ->check(CheckAge);
  command->add_flag("--keep-soft-deleted", options.keep_soft_deleted,
                    "Keep the softly deleted rows, so that 'undelete' can bring them back");
  command->add_flag("--dry-run", options.dry_run, "Remove nothing, and tell what would be removed");
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] {
    // Checked by then.
    if (!flags->keep_age.empty()) flags->options.keep_age_ms = formats::ParseSpan(flags->keep_age).value();
    chosen.run = [flags] { return Run(*flags); };
  });
}

}  // namespace isotherm::tool
