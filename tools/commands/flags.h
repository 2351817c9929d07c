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

// Which store, as how far away it is to behave, and what is looked at there.
struct StoreFlags {
  std::string uri;
  std::string profile = "none";
  std::string cache_dir{};
  std::string branch{};
  std::string as_of{};  // a version or a time; empty: the newest version
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
void AddPartial(CLI::App& command, bool& partial);
// URI and --profile.
void AddStore(CLI::App& command, StoreFlags& flags);
void AddProfile(CLI::App& command, std::string& profile);
void AddBranchFlag(CLI::App& command, std::string& branch);
// The same and --branch.
void AddCollection(CLI::App& command, StoreFlags& flags);
// The same and --as-of, for commands that only read.
void AddReadCollection(CLI::App& command, StoreFlags& flags);
void AddCacheDir(CLI::App& command, std::string& cache_dir);
// --metric, --key-type and --filter-column.
void AddSchema(CLI::App& command, SchemaFlags& flags);

// A version's number or a time, for CLI::Option::check: what is wrong with the text, or empty.
std::string CheckMoment(const std::string& text);
struct Moment {
  uint64_t version = 0;
  int64_t ms = 0;  // since 1970, when there is no version
};
Result<Moment> ParseMoment(const std::string& text);

Result<CreateOptions> CreateOptionsOf(const SchemaFlags& flags);

}  // namespace isotherm::tool
