#include "tools/commands/command.h"

#include <CLI/CLI.hpp>
#include <string>

namespace isotherm::tool {

CLI::App* AddCommand(CLI::App& parent, const char* name, const char* description, const char* examples) {
  CLI::App* command = parent.add_subcommand(name, description);
  if (*examples != '\0') command->footer(std::string("Examples:\n") + examples);
  return command;
}

}  // namespace isotherm::tool
