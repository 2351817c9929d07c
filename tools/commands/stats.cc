#include <CLI/CLI.hpp>

#include "base/macros.h"
#include "tools/commands/command.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/output.h"
#include "tools/commands/session.h"
#include "tools/terminal/table.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

namespace {

using terminal::FormatBytes;
using terminal::FormatCount;

struct Flags {
  StoreFlags store;
  bool json = false;
};

formats::Json ToJson(const Flags& flags, const CollectionStats& stats) {
  formats::Json segments = formats::Json::array();
  for (const SegmentStats& segment : stats.segments) {
    segments.push_back({{"name", segment.name},
                        {"kind", segment.kind},
                        {"rows", segment.rows},
                        {"deleted", segment.deleted},
                        {"entries", segment.entries},
                        {"cells", segment.cells},
                        {"bytes", segment.bytes}});
  }
  return {{"uri", flags.store.uri},
          {"branch", flags.store.branch},
          {"version", stats.version},
          {"rows", stats.rows},
          {"soft_deleted_rows", stats.soft_deleted_rows},
          {"dimension", stats.dimension},
          {"metric", MetricName(stats.metric)},
          {"key_type", KeyTypeName(stats.key_type)},
          {"filter_columns", stats.filter_columns},
          {"inline_rows", stats.inline_rows},
          {"cells", stats.cells},
          {"default_probes", stats.default_probes},
          {"routing_generation", stats.routing_generation},
          {"head_bytes", stats.head_bytes},
          {"routing_bytes", stats.routing_bytes},
          {"stored_bytes", stats.stored_bytes},
          {"segments", std::move(segments)}};
}

std::string Text(const Flags& flags, const CollectionStats& stats) {
  std::string columns;
  for (const std::string& name : stats.filter_columns) columns += (columns.empty() ? "" : ", ") + name;
  std::vector<std::pair<std::string, std::string>> fields = {
      {"collection", flags.store.uri},
      {"version", std::to_string(stats.version)},
      {"rows", FormatCount(stats.rows)},
      {"softly deleted", FormatCount(stats.soft_deleted_rows)},
      {"dimension", std::to_string(stats.dimension)},
      {"metric", MetricName(stats.metric)},
      {"keys", KeyTypeName(stats.key_type)},
      {"filter columns", columns.empty() ? "none" : columns},
      {"cells", stats.cells == 0 ? "none"
                                 : FormatCount(stats.cells) + "; a search wants the nearest " +
                                       std::to_string(stats.default_probes)},
      {"stored", FormatBytes(stats.stored_bytes)},
  };
  if (!flags.store.branch.empty()) fields.insert(fields.begin() + 1, {"branch", flags.store.branch});
  terminal::Table table({{"part"},
                         {"kind"},
                         {"rows", terminal::Align::kRight},
                         {"deleted", terminal::Align::kRight},
                         {"with copies", terminal::Align::kRight},
                         {"cells", terminal::Align::kRight},
                         {"size", terminal::Align::kRight}});
  table.AddRow({"head", "head", FormatCount(stats.inline_rows), "", "", "", FormatBytes(stats.head_bytes)});
  if (stats.routing_generation > 0) {
    table.AddRow({"routing", "routing", "", "", "", FormatCount(stats.cells), FormatBytes(stats.routing_bytes)});
  }
  for (const SegmentStats& segment : stats.segments) {
    table.AddRow({segment.name, segment.kind, FormatCount(segment.rows), FormatCount(segment.deleted),
                  FormatCount(segment.entries), FormatCount(segment.cells), FormatBytes(segment.bytes)});
  }
  return terminal::Fields(fields) + "\n" + table.ToString();
}

Result<int> Run(const Flags& flags) {
  ASSIGN_OR_RETURN(auto collection, OpenToRead(flags.store));
  CollectionStats stats = collection->Stats();
  if (flags.json) {
    PrintJson(ToJson(flags, stats));
  } else {
    Print(Text(flags, stats));
  }
  return kExitOk;
}

}  // namespace

void AddStats(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = AddCommand(tool, "stats", "What a collection is and how its rows are stored",
                                 "  isotherm stats ./movies\n"
                                 "  isotherm stats s3://bucket/movies --json\n"
                                 "  isotherm stats ./movies --as-of 12\n");
  AddReadCollection(*command, flags->store);
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return Run(*flags); }; });
}

}  // namespace isotherm::tool
