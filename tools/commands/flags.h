// Flags that several commands have.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "isotherm/options.h"
#include "isotherm/status.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace isotherm::tool {

// Which store, and as how far away it is to behave.
struct StoreFlags {
  std::string uri;
  std::string profile = "none";
  std::string cache_dir;
};

struct SchemaFlags {
  uint32_t dimension = 0;
  std::string metric;
  std::string key_type;  // empty: not said
  std::vector<std::string> filter_columns;
};

// An option that takes one of `choices`.
CLI::Option* AddChoice(CLI::App& command, const std::string& name, std::string& value,
                       const std::vector<std::string>& choices, const std::string& description);
void AddJson(CLI::App& command, bool& json);
// URI and --profile.
void AddStore(CLI::App& command, StoreFlags& flags);
void AddProfile(CLI::App& command, std::string& profile);
void AddCacheDir(CLI::App& command, std::string& cache_dir);
// --metric, --key-type and --filter-column.
void AddSchema(CLI::App& command, SchemaFlags& flags);

Result<CreateOptions> CreateOptionsOf(const SchemaFlags& flags);

}  // namespace isotherm::tool
