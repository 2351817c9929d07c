// isotherm: the command-line tool.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "tools/commands/command.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/help.h"
#include "tools/commands/output.h"

namespace isotherm::tool {

namespace {

constexpr char kDescription[] =
    "isotherm: vector collections in a directory or an object store\n\n"
    "A URI is a directory (./data, file:///data) or s3://bucket/prefix[?endpoint=URL&region=NAME]; credentials for S3\n"
    "come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.\n";

constexpr char kFooter[] =
    "Examples:\n"
    "  isotherm import ./movies vectors.npy --create --metric cosine --metadata texts.jsonl.gz\n"
    "  isotherm search ./movies --query queries.npy --row 0 -k 5 --metadata\n"
    "  isotherm search ./movies --query queries.npy --row 0 --as-of 2026-03-01T12:30:00Z\n"
    "  isotherm log ./movies\n"
    "  isotherm backup ./movies s3://bucket/movies\n"
    "  isotherm verify s3://bucket/movies\n\n"
    "'isotherm COMMAND --help' tells more.\n\n";

struct Group {
  const char* title;
  std::vector<void (*)(CLI::App&, Chosen&)> commands;
};

void AddCommands(CLI::App& app, Chosen& chosen) {
  const Group groups[] = {
      {"Writing", {AddCreate, AddImport, AddSet, AddDelete, AddUndelete}},
      {"Reading", {AddSearch, AddGet, AddScan, AddExport, AddStats}},
      {"Versions", {AddLog, AddVersions, AddRollback, AddBranch, AddVacuum, AddErase}},
      {"Keeping it well", {AddCompact, AddVerify, AddBackup, AddRestore, AddRecover, AddLs, AddCp}},
      {"This tool", {AddBench, AddCompletion}},
  };
  for (const Group& group : groups) {
    size_t before = app.get_subcommands({}).size();
    for (auto add : group.commands) add(app, chosen);
    std::vector<CLI::App*> all = app.get_subcommands({});
    for (size_t i = before; i < all.size(); ++i) {
      if (!all[i]->get_group().empty()) all[i]->group(group.title);
    }
  }
}

// The exit code. Failures are printed on standard error.
int RunTool(int argc, char** argv) {
  CLI::App app(kDescription, "isotherm");
  app.formatter(MakeHelpFormatter());
  app.footer(std::string(kFooter) + kExitCodeHelp);
  app.set_version_flag("--version", "isotherm " ISOTHERM_VERSION, "Print the version and exit");
  app.require_subcommand(1);
  app.get_help_ptr()->description("Print this and exit");
  Chosen chosen;
  AddCommands(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    PrintNote(UsageMessage(app, error));
    PrintNote("try '" + CommandPath(app) + " --help'");
    return kExitUsage;
  }
  Result<int> result = chosen.run();
  // What could not be written was no answer.
  bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (!result.ok()) {
    PrintNote(result.status().message());
    return ExitCodeOf(result.status().code());
  }
  if (!written) {
    PrintNote("cannot write to standard output");
    return kExitIo;
  }
  return *result;
}

}  // namespace

}  // namespace isotherm::tool

int main(int argc, char** argv) {
  try {
    return isotherm::tool::RunTool(argc, argv);
  } catch (const std::exception& error) {
    isotherm::tool::PrintNote(std::string("a bug: ") + error.what());
    return isotherm::tool::kExitInternal;
  }
}
