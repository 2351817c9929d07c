// backup, restore and recover.
#include "isotherm/backup.h"

#include <CLI/CLI.hpp>

#include "base/macros.h"
#include "tools/commands/command.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/output.h"
#include "tools/commands/session.h"
#include "tools/terminal/progress_bar.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

namespace {

struct CopyFlags {
  std::string from, to;
  std::string profile = "none";
  BackupOptions options;
  bool restore = false;
  bool json = false;
};

struct RecoverFlags {
  StoreFlags store;
  bool json = false;
};

Status CheckVacant(const CopyFlags& flags) {
  ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> to, OpenStore(flags.to, flags.profile));
  Options options;
  options.read_only = true;
  Status status = Open(to, options).status();
  if (status.code() == StatusCode::kNotFound) return Status::Ok();
  // One that is damaged is no vacant place either.
  if (status.ok() || status.code() == StatusCode::kCorruption || status.code() == StatusCode::kUnsupported) {
    return Status::AlreadyExists("there is a collection at " + to->Describe());
  }
  return status;
}

std::string Objects(uint64_t count, uint64_t bytes) {
  return Plural(count, "object", "objects") + " of " + terminal::FormatBytes(bytes);
}

std::string Text(const CopyFlags& flags, const BackupReport& report, int64_t took_ns) {
  std::string text = "version " + std::to_string(report.version) + " of " + flags.from + " is in " + flags.to + ": " +
                     Objects(report.objects_copied, report.bytes_copied) + " and the head copied in " +
                     terminal::FormatDuration(took_ns);
  if (report.objects_there > 0) text += "; " + Objects(report.objects_there, report.bytes_there) + " there already";
  return text + "\n";
}

Result<int> RunCopy(const CopyFlags& flags) {
  ASSIGN_OR_RETURN(std::string profile, ProfileLine(flags.profile));
  if (flags.restore) RETURN_IF_ERROR(CheckVacant(flags));
  ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> from, OpenStore(flags.from, flags.profile));
  ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> to, OpenStore(flags.to, flags.profile));
  terminal::ProgressBar bar;
  int64_t begin_ns = NowNs();
  auto report = Backup(*from, *to, flags.options, bar.Callback(terminal::ProgressUnit::kBytes));
  RETURN_IF_ERROR(report.status());
  int64_t took_ns = NowNs() - begin_ns;
  bar.Clear();
  if (flags.json) {
    PrintJson({{"from", flags.from},
               {"to", flags.to},
               {"branch", flags.options.branch},
               {"version", report->version},
               {"objects_copied", report->objects_copied},
               {"bytes_copied", report->bytes_copied},
               {"objects_there", report->objects_there},
               {"bytes_there", report->bytes_there},
               {"seconds", Seconds(took_ns)},
               {"profile", flags.profile}});
  } else {
    Print(Text(flags, *report, took_ns) + profile + "\n");
  }
  return kExitOk;
}

Result<int> RunRecover(const RecoverFlags& flags) {
  ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> store, OpenStore(flags.store.uri, flags.store.profile));
  ASSIGN_OR_RETURN(RecoverReport report, Recover(*store, flags.store.branch));
  if (flags.json) {
    PrintJson({{"uri", flags.store.uri},
               {"branch", flags.store.branch},
               {"version", report.version},
               {"from_version", report.from_version},
               {"what_was_wrong", report.what_was_wrong}});
  } else {
    Print("the head was: " + report.what_was_wrong + "\n" + flags.store.uri + " is again what it was at version " +
          std::to_string(report.from_version) + ", as version " + std::to_string(report.version) + "\n");
  }
  return kExitOk;
}

void AddVersionToCopy(CLI::App& command, BackupOptions& options) {
  command.add_option("--version", options.version, "The version to copy (default: the newest)")
      ->type_name("N")
      ->check(CLI::PositiveNumber.description(""));
}

}  // namespace

void AddBackup(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<CopyFlags>();
  CLI::App* command =
      AddCommand(tool, "backup", "Copy a version of a collection to another store",
                 "  isotherm backup ./movies s3://bucket/movies\n"
                 "  isotherm backup ./movies s3://bucket/movies    again: what is new since\n"
                 "  isotherm backup ./movies /mnt/movies-12 --version 12\n\n"
                 "TO may be empty or hold an older copy of the same collection, which stays there as an\n"
                 "older version; only objects that it lacks are copied. The version is leased meanwhile:\n"
                 "no vacuum removes it. A backup that was interrupted is gone on with by the same\n"
                 "command. A copy is a collection like any other: search it, verify it, restore it.\n");
  command->add_option("URI", flags->from, "The collection")->required();
  command->add_option("TO", flags->to, "Where it is copied to")->required();
  AddBranchFlag(*command, flags->options.branch);
  AddVersionToCopy(*command, flags->options);
  AddProfile(*command, flags->profile);
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return RunCopy(*flags); }; });
}

void AddRestore(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<CopyFlags>();
  flags->restore = true;
  CLI::App* command = AddCommand(tool, "restore", "Copy a backup to where there is no collection",
                                 "  isotherm restore s3://bucket/movies ./movies\n"
                                 "  isotherm restore s3://bucket/movies ./movies-12 --version 12\n\n"
                                 "To go back within a collection, see 'rollback'; to bring deleted rows back,\n"
                                 "'undelete'; for a collection that can't be opened any more, 'recover'.\n");
  command->add_option("FROM", flags->from, "The backup")->required();
  command->add_option("TO", flags->to, "Where it is copied to: a place without a collection")->required();
  AddVersionToCopy(*command, flags->options);
  AddProfile(*command, flags->profile);
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return RunCopy(*flags); }; });
}

void AddRecover(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<RecoverFlags>();
  CLI::App* command =
      AddCommand(tool, "recover", "Write a lost or overwritten head again",
                 "  isotherm recover ./movies\n\n"
                 "For a collection whose object 'head' was deleted or overwritten by something else.\n"
                 "The newest version that was kept becomes a new one; at most the last commit is lost,\n"
                 "and nothing when the writer had closed. A head that can be read is left alone: exit\n"
                 "code 5.\n");
  AddCollection(*command, flags->store);
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return RunRecover(*flags); }; });
}

}  // namespace isotherm::tool
