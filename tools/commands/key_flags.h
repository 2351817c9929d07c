// Keys on the command line, and from files.
#pragma once

#include <string>
#include <vector>

#include "isotherm/row.h"
#include "isotherm/status.h"

namespace CLI {
class App;
}

namespace isotherm::tool {

struct KeyFlags {
  std::vector<std::string> keys;
  std::string file;
};

// KEY and --file.
void AddKeys(CLI::App& command, KeyFlags& flags);
// In a command's callback: throws when there is neither.
void RequireKeys(const KeyFlags& flags);

// Those of the command line, then those of the file.
Result<std::vector<Key>> KeysOf(const KeyFlags& flags, KeyType type);

}  // namespace isotherm::tool
