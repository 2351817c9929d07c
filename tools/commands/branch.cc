// branch create, list, delete and forward.
#include <CLI/CLI.hpp>

#include "base/macros.h"
#include "tools/commands/command.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/output.h"
#include "tools/commands/session.h"
#include "tools/formats/time_text.h"
#include "tools/terminal/table.h"

namespace isotherm::tool {

namespace {

struct Flags {
  StoreFlags store;
  std::string name;
  uint64_t version = 0;
  bool json = false;
};

std::string NameOf(const std::string& branch) { return branch.empty() ? "the main branch" : "branch '" + branch + "'"; }

Result<int> RunCreate(const Flags& flags) {
  ASSIGN_OR_RETURN(auto collection, OpenCollection(flags.store, {}));
  const uint64_t version = flags.version != 0 ? flags.version : collection->Stats().version;
  RETURN_IF_ERROR(collection->CreateBranch(flags.name, version));
  RETURN_IF_ERROR(collection->Close());
  if (flags.json) {
    PrintJson({{"uri", flags.store.uri}, {"name", flags.name}, {"fork_of", flags.store.branch}, {"version", version}});
  } else {
    Print("branch '" + flags.name + "' begins with version " + std::to_string(version) + " of " +
          NameOf(flags.store.branch) + "\n");
  }
  return kExitOk;
}

Result<int> RunList(const Flags& flags) {
  ASSIGN_OR_RETURN(auto collection, OpenToRead(flags.store));
  ASSIGN_OR_RETURN(std::vector<BranchInfo> branches, collection->Branches());
  terminal::Table table({{"branch"}, {"version", terminal::Align::kRight}, {"time"}, {"began as"}});
  formats::Json list = formats::Json::array();
  for (const BranchInfo& branch : branches) {
    const std::string time = formats::FormatTime(branch.commit_ms);
    list.push_back({{"name", branch.name},
                    {"version", branch.version},
                    {"time", time},
                    {"commit_ms", branch.commit_ms},
                    {"fork_of", branch.fork_of},
                    {"fork_version", branch.fork_version}});
    table.AddRow({branch.name.empty() ? "(main)" : branch.name, std::to_string(branch.version), time,
                  branch.fork_version == 0
                      ? ""
                      : "version " + std::to_string(branch.fork_version) + " of " + NameOf(branch.fork_of)});
  }
  if (flags.json) {
    PrintJson({{"uri", flags.store.uri}, {"branches", std::move(list)}});
  } else {
    Print(table.ToString());
  }
  return kExitOk;
}

Result<int> RunDelete(const Flags& flags) {
  ASSIGN_OR_RETURN(auto collection, OpenCollection(flags.store, {}));
  RETURN_IF_ERROR(collection->DeleteBranch(flags.name));
  RETURN_IF_ERROR(collection->Close());
  if (flags.json) {
    PrintJson({{"uri", flags.store.uri}, {"name", flags.name}});
  } else {
    Print("deleted branch '" + flags.name + "'; what only it needed goes with the next vacuum\n");
  }
  return kExitOk;
}

Result<int> RunForward(const Flags& flags) {
  ASSIGN_OR_RETURN(auto collection, OpenCollection(flags.store, {}));
  RETURN_IF_ERROR(collection->FastForward(flags.name));
  CollectionStats stats = collection->Stats();
  RETURN_IF_ERROR(collection->Close());
  if (flags.json) {
    PrintJson({{"uri", flags.store.uri},
               {"branch", flags.store.branch},
               {"name", flags.name},
               {"version", stats.version},
               {"rows", stats.rows}});
  } else {
    Print(NameOf(flags.store.branch) + " has what branch '" + flags.name +
          "' has: " + Plural(stats.rows, "row", "rows") + ", as version " + std::to_string(stats.version) + "\n");
  }
  return kExitOk;
}

CLI::App* AddAction(CLI::App& branch, Chosen& chosen, const std::shared_ptr<Flags>& flags, const char* name,
                    const char* description, const char* examples, Result<int> (*run)(const Flags&)) {
  CLI::App* action = AddCommand(branch, name, description, examples);
  AddProfile(*action, flags->store.profile);
  AddJson(*action, flags->json);
  action->callback([&chosen, flags, run] { chosen.run = [flags, run] { return run(*flags); }; });
  return action;
}

void AddName(CLI::App& action, Flags& flags, const char* description) {
  action.add_option("NAME", flags.name, description)->required();
}

}  // namespace

void AddBranch(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = AddCommand(tool, "branch", "Work on a collection's rows without changing them for others",
                                 "  isotherm branch ./movies create trial\n"
                                 "  isotherm import ./movies more.jsonl --upsert --branch trial\n"
                                 "  isotherm search ./movies --query queries.npy --branch trial\n"
                                 "  isotherm branch ./movies forward trial    the main branch becomes what 'trial' is\n"
                                 "  isotherm branch ./movies delete trial\n\n"
                                 "A branch begins with all rows of a version, whatever their number, at the cost of a\n"
                                 "request or two, and goes its own way from there.\n");
  command
      ->add_option("URI", flags->store.uri,
                   "The collection: a directory, file:///absolute/directory, or s3://bucket/prefix")
      ->required();
  command->require_subcommand(1);
  CLI::App* create = AddAction(*command, chosen, flags, "create", "Begin a branch",
                               "  isotherm branch ./movies create trial\n"
                               "  isotherm branch ./movies create before --version 12\n"
                               "  isotherm branch ./movies create further --branch trial\n",
                               RunCreate);
  AddName(*create, *flags, "Its name: letters, digits, '.', '-' and '_'");
  create->add_option("--version", flags->version, "The version that it begins with (default: the newest)")
      ->type_name("N")
      ->check(CLI::PositiveNumber.description(""));
  AddBranchFlag(*create, flags->store.branch);
  AddAction(*command, chosen, flags, "list", "Show the branches", "  isotherm branch ./movies list\n", RunList);
  CLI::App* remove = AddAction(*command, chosen, flags, "delete", "Delete a branch",
                               "  isotherm branch ./movies delete trial\n", RunDelete);
  AddName(*remove, *flags, "The branch");
  CLI::App* forward =
      AddAction(*command, chosen, flags, "forward", "Make a branch what one that came from it is by now",
                "  isotherm branch ./movies forward trial\n"
                "  isotherm branch ./movies forward further --branch trial\n\n"
                "Only as long as the branch that is forwarded did not move on itself since the other\n"
                "one began; else exit code 7.\n",
                RunForward);
  AddName(*forward, *flags, "The branch that came from it");
  AddBranchFlag(*forward, flags->store.branch);
}

}  // namespace isotherm::tool
