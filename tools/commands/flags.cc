#include "tools/commands/flags.h"

#include <CLI/CLI.hpp>
#include <charconv>

#include "base/macros.h"
#include "tools/formats/time_text.h"

namespace isotherm::tool {

CLI::Option* AddChoice(CLI::App& command, const std::string& name, std::string& value,
                       const std::vector<std::string>& choices, const std::string& description) {
  std::string type;
  for (const std::string& choice : choices) type += (type.empty() ? "" : "|") + choice;
  return command.add_option(name, value, description)->type_name(type)->check(CLI::IsMember(choices).description(""));
}

void AddPartial(CLI::App& command, bool& partial) {
  command.add_flag("--partial", partial,
                   "Go on without what can't be read, say what that was, and end with 1 if there was any");
}

void AddJson(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "Print JSON for programs instead of text for people");
}

void AddProfile(CLI::App& command, std::string& profile) {
  AddChoice(command, "--profile", profile, {"s3", "fixed20", "none"},
            "Make the store answer as slowly as a distant one: 's3' as measured against S3 inside a region, 'fixed20' "
            "20 ms a request")
      ->capture_default_str();
}

void AddStore(CLI::App& command, StoreFlags& flags) {
  command
      .add_option("URI", flags.uri, "The collection: a directory, file:///absolute/directory, or s3://bucket/prefix")
      ->required();
  AddProfile(command, flags.profile);
}

void AddBranchFlag(CLI::App& command, std::string& branch) {
  command.add_option("--branch", branch, "The branch to work on (default: the main one)")->type_name("NAME");
}

void AddCollection(CLI::App& command, StoreFlags& flags) {
  AddStore(command, flags);
  AddBranchFlag(command, flags.branch);
}

void AddReadCollection(CLI::App& command, StoreFlags& flags) {
  AddCollection(command, flags);
  command
      .add_option("--as-of", flags.as_of,
                  "The collection as it was: at this version, or at this time, as 2026-03-01T12:30:00Z")
      ->type_name("VERSION|TIME")
      ->check(CheckMoment);
}

Result<Moment> ParseMoment(const std::string& text) {
  Moment moment;
  if (text.find_first_not_of("0123456789") != std::string::npos) {
    ASSIGN_OR_RETURN(moment.ms, formats::ParseTime(text));
    if (moment.ms <= 0) return Status::InvalidArgument("'" + text + "' is before there were any versions");
    return moment;
  }
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), moment.version);
  if (error == std::errc() && moment.version > 0) return moment;
  return Status::InvalidArgument("'" + text + "' is no version; they are numbered from 1");
}

std::string CheckMoment(const std::string& text) { return ParseMoment(text).status().message(); }

void AddCacheDir(CLI::App& command, std::string& cache_dir) {
  command.add_option("--cache-dir", cache_dir, "Keep what is read in this directory of the local disk, across runs")
      ->type_name("DIRECTORY");
}

void AddSchema(CLI::App& command, SchemaFlags& flags) {
  AddChoice(command, "--metric", flags.metric, {"l2", "cosine", "ip"},
            "How near two vectors are: 'l2' is the squared distance, 'ip' the inner product");
  AddChoice(command, "--key-type", flags.key_type, {"int", "string"}, "What rows are named by");
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
