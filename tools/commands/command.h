// The commands of the tool. Each Add… declares one, its flags and its help; when the command line asks for it, it says
// so in `chosen`.
#pragma once

#include <functional>

#include "isotherm/status.h"

namespace CLI {
class App;
}

namespace isotherm::tool {

struct Chosen {
  std::function<Result<int>()> run;  // gives the exit code
};

void AddCreate(CLI::App& tool, Chosen& chosen);
void AddImport(CLI::App& tool, Chosen& chosen);
void AddExport(CLI::App& tool, Chosen& chosen);
void AddSet(CLI::App& tool, Chosen& chosen);
void AddDelete(CLI::App& tool, Chosen& chosen);
void AddUndelete(CLI::App& tool, Chosen& chosen);
void AddSearch(CLI::App& tool, Chosen& chosen);
void AddGet(CLI::App& tool, Chosen& chosen);
void AddScan(CLI::App& tool, Chosen& chosen);
void AddStats(CLI::App& tool, Chosen& chosen);
void AddLog(CLI::App& tool, Chosen& chosen);
void AddVersions(CLI::App& tool, Chosen& chosen);
void AddBranch(CLI::App& tool, Chosen& chosen);
void AddRollback(CLI::App& tool, Chosen& chosen);
void AddCompact(CLI::App& tool, Chosen& chosen);
void AddVacuum(CLI::App& tool, Chosen& chosen);
void AddErase(CLI::App& tool, Chosen& chosen);
void AddVerify(CLI::App& tool, Chosen& chosen);
void AddLs(CLI::App& tool, Chosen& chosen);
void AddBackup(CLI::App& tool, Chosen& chosen);
void AddRestore(CLI::App& tool, Chosen& chosen);
void AddRecover(CLI::App& tool, Chosen& chosen);
void AddCp(CLI::App& tool, Chosen& chosen);
void AddBench(CLI::App& tool, Chosen& chosen);
void AddCompletion(CLI::App& tool, Chosen& chosen);

// Declares `name` below `parent`. `examples`, one a line, come at the end of its help.
CLI::App* AddCommand(CLI::App& parent, const char* name, const char* description, const char* examples = "");

}  // namespace isotherm::tool
