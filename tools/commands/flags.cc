#include "tools/commands/flags.h"

#include <CLI/App.hpp>

#include "base/macros.h"

namespace isotherm::tool {

void AddJson(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "Print JSON for programs instead of text for people");
}

void AddProfile(CLI::App& command, std::string& profile) {
  command
      .add_option("--profile", profile,
                  "Make the store answer as slowly as a distant one: 's3' as measured against S3 inside a region, "
                  "'fixed20' 20 ms a request")
      ->check(CLI::IsMember({"s3", "fixed20", "none"}))
      ->capture_default_str();
}

void AddStore(CLI::App& command, StoreFlags& flags) {
  command
      .add_option("URI", flags.uri, "The collection: a directory, file:///absolute/directory, or s3://bucket/prefix")
      ->required();
  AddProfile(command, flags.profile);
}

void AddCacheDir(CLI::App& command, std::string& cache_dir) {
  command.add_option("--cache-dir", cache_dir, "Keep what is read in this directory of the local disk, across runs")
      ->type_name("DIRECTORY");
}

void AddSchema(CLI::App& command, SchemaFlags& flags) {
  command
      .add_option("--metric", flags.metric,
                  "How near two vectors are: 'l2' squared distance, 'cosine', 'ip' inner product")
      ->check(CLI::IsMember({"l2", "cosine", "ip"}));
  command.add_option("--key-type", flags.key_type, "What rows are named by")->check(CLI::IsMember({"int", "string"}));
  command
      .add_option("--filter-column", flags.filter_columns,
                  "A metadata field that comes with every hit without a further request; may be given several times")
      ->type_name("NAME")
      ->allow_extra_args(false);
}

Result<CreateOptions> CreateOptionsOf(const SchemaFlags& flags) {
  CreateOptions options;
  options.dimension = flags.dimension;
  ASSIGN_OR_RETURN(options.metric, ParseMetric(flags.metric));
  options.key_type = flags.key_type == "string" ? KeyType::kString : KeyType::kInteger;
  options.filter_columns = flags.filter_columns;
  return options;
}

}  // namespace isotherm::tool
