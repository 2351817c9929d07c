// log, versions and rollback: a collection's versions.
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/macros.h"
#include "tools/commands/command.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/output.h"
#include "tools/commands/session.h"
#include "tools/formats/time_text.h"
#include "tools/terminal/table.h"
#include "tools/terminal/text.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

namespace {

using terminal::Align;
using terminal::FormatCount;

struct LogFlags {
  StoreFlags store;
  size_t newest = 20;
  bool json = false;
};

struct VersionsFlags {
  StoreFlags store;
  bool json = false;
};

struct RollbackFlags {
  StoreFlags store;
  std::string to;
  bool json = false;
};

void PrintTable(const terminal::Table& table) {
  Print(table.ToString(terminal::IsTerminal(STDOUT_FILENO) ? terminal::TerminalWidth(STDOUT_FILENO) : 0));
}

formats::Json VersionJson(const VersionInfo& version) {
  return {
      {"version", version.version}, {"time", formats::FormatTime(version.commit_ms)}, {"commit_ms", version.commit_ms}};
}

void PrintVersionsJson(const StoreFlags& store, formats::Json versions) {
  PrintJson({{"uri", store.uri}, {"branch", store.branch}, {"versions", std::move(versions)}});
}

Result<int> RunLog(const LogFlags& flags) {
  ASSIGN_OR_RETURN(auto collection, OpenToRead(flags.store));
  ASSIGN_OR_RETURN(std::vector<VersionInfo> versions, collection->Log(flags.newest));
  std::reverse(versions.begin(), versions.end());
  if (flags.json) {
    formats::Json list = formats::Json::array();
    for (const VersionInfo& version : versions) {
      formats::Json item = VersionJson(version);
      item.update({{"operation", version.operation},
                   {"cause", version.cause},
                   {"rows", version.rows},
                   {"rows_written", version.rows_written},
                   {"rows_deleted", version.rows_deleted},
                   {"bytes_written", version.bytes_written},
                   {"segments", version.segments}});
      list.push_back(std::move(item));
    }
    PrintVersionsJson(flags.store, std::move(list));
    return kExitOk;
  }
  terminal::Table table({{"version", Align::kRight},
                         {"time"},
                         {"operation"},
                         {"cause"},
                         {"rows", Align::kRight},
                         {"written", Align::kRight},
                         {"deleted", Align::kRight},
                         {"bytes", Align::kRight}});
  for (const VersionInfo& version : versions) {
    table.AddRow({std::to_string(version.version), formats::FormatTime(version.commit_ms), version.operation,
                  version.cause, FormatCount(version.rows), FormatCount(version.rows_written),
                  FormatCount(version.rows_deleted), terminal::FormatBytes(version.bytes_written)});
  }
  PrintTable(table);
  return kExitOk;
}

Result<int> RunVersions(const VersionsFlags& flags) {
  ASSIGN_OR_RETURN(auto collection, OpenToRead(flags.store));
  ASSIGN_OR_RETURN(std::vector<VersionInfo> versions, collection->Versions());
  std::reverse(versions.begin(), versions.end());
  if (flags.json) {
    formats::Json list = formats::Json::array();
    for (const VersionInfo& version : versions) list.push_back(VersionJson(version));
    PrintVersionsJson(flags.store, std::move(list));
    return kExitOk;
  }
  terminal::Table table({{"version", Align::kRight}, {"time"}});
  for (const VersionInfo& version : versions) {
    table.AddRow({std::to_string(version.version), formats::FormatTime(version.commit_ms)});
  }
  PrintTable(table);
  return kExitOk;
}

// The newest version that is no later.
Result<uint64_t> VersionAt(Collection& collection, const std::string& text) {
  ASSIGN_OR_RETURN(Moment moment, ParseMoment(text));
  if (moment.version != 0) return moment.version;
  ASSIGN_OR_RETURN(std::vector<VersionInfo> versions, collection.Versions());
  auto later = std::find_if(versions.begin(), versions.end(),
                            [&](const VersionInfo& version) { return version.commit_ms > moment.ms; });
  if (later != versions.begin()) return std::prev(later)->version;
  return Status::NotFound("no version is as old as " + text + "; the oldest one is version " +
                          std::to_string(versions.front().version) + " of " +
                          formats::FormatTime(versions.front().commit_ms));
}

Result<int> RunRollback(const RollbackFlags& flags) {
  ASSIGN_OR_RETURN(auto collection, OpenCollection(flags.store, {}));
  ASSIGN_OR_RETURN(uint64_t to, VersionAt(*collection, flags.to));
  RETURN_IF_ERROR(collection->Rollback(to));
  CollectionStats stats = collection->Stats();
  RETURN_IF_ERROR(collection->Close());
  if (flags.json) {
    PrintJson({{"uri", flags.store.uri},
               {"branch", flags.store.branch},
               {"rolled_back_to", to},
               {"version", stats.version},
               {"rows", stats.rows}});
  } else {
    Print(flags.store.uri + " is again what it was at version " + std::to_string(to) + ": " +
          Plural(stats.rows, "row", "rows") + ", as version " + std::to_string(stats.version) + "\n");
  }
  return kExitOk;
}

}  // namespace

void AddLog(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<LogFlags>();
  CLI::App* command =
      AddCommand(tool, "log", "What was done to a collection, newest first",
                 "  isotherm log ./movies\n"
                 "  isotherm log ./movies -n 1 --json\n\n"
                 "A line a version that can still be opened: what made it and why, the rows after it,\n"
                 "the rows that it wrote and deleted, the bytes of its new objects. One request each.\n");
  AddCollection(*command, flags->store);
  command->add_option("-n", flags->newest, "How many versions to show")->type_name("N")->capture_default_str();
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return RunLog(*flags); }; });
}

void AddVersions(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<VersionsFlags>();
  CLI::App* command =
      AddCommand(tool, "versions", "The versions that --as-of and rollback can name, newest first",
                 "  isotherm versions ./movies\n\n"
                 "All that no vacuum removed, with the times they were made. On a branch, those of its\n"
                 "own; the earlier ones, of the branch that it came from, can be named too.\n");
  AddCollection(*command, flags->store);
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return RunVersions(*flags); }; });
}

void AddRollback(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<RollbackFlags>();
  CLI::App* command =
      AddCommand(tool, "rollback", "Make a collection what it was at an earlier version",
                 "  isotherm rollback ./movies 12\n"
                 "  isotherm rollback ./movies 2026-03-01T12:30:00Z\n\n"
                 "This is a new version, which copies nothing: what was done since can be read --as-of\n"
                 "its versions, and a rollback can be taken back by another one.\n");
  AddCollection(*command, flags->store);
  command->add_option("VERSION", flags->to, "A version's number, or a time: the newest version no later than that")
      ->required()
      ->check(CheckMoment);
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return RunRollback(*flags); }; });
}

}  // namespace isotherm::tool
