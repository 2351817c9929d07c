// get and scan: rows as JSON lines.
#include <CLI/CLI.hpp>

#include "base/macros.h"
#include "tools/commands/command.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/output.h"
#include "tools/commands/session.h"
#include "tools/formats/row_source.h"
#include "tools/formats/time_text.h"
#include "tools/terminal/table.h"
#include "tools/terminal/text.h"

namespace isotherm::tool {

namespace {

struct GetFlags {
  StoreFlags store;
  std::vector<std::string> keys;
  bool json = false;
};

struct ScanFlags {
  StoreFlags store;
  bool sorted = false;
  bool vector = true;
  bool metadata = true;
  bool payload = true;
  bool row_version = false;
  bool soft_deleted = false;
  uint64_t limit = formats::kAllRows;
  bool json = true;
};

void PrintLine(const Row& row, bool with_version) {
  formats::Json json = formats::RowToJson(row);
  if (with_version) json[formats::kRowVersionMember] = row.version;
  Print(formats::DumpJson(json) + "\n");
}

std::string VectorText(const std::vector<float>& vector) {
  constexpr size_t kShown = 6;
  std::string text = "[";
  for (size_t i = 0; i < std::min(kShown, vector.size()); ++i) {
    text += (i > 0 ? ", " : "") + formats::DumpJson(formats::JsonOf(vector[i]));
  }
  if (vector.size() > kShown) text += ", …";
  return text + "] (" + std::to_string(vector.size()) + " numbers)";
}

void PrintFields(const Row& row) {
  std::vector<std::pair<std::string, std::string>> fields = {{"key", row.key.ToString()},
                                                             {"vector", VectorText(row.vector)}};
  for (const auto& [name, value] : row.metadata) fields.emplace_back(name, ValueText(value));
  if (!row.payload.empty()) fields.emplace_back("(payload)", row.payload);
  fields.emplace_back("(version)", std::to_string(row.version));
  if (row.expires_at_ms != 0) fields.emplace_back("(expires)", formats::FormatTime(row.expires_at_ms));
  Print(terminal::Fields(fields));
}

Result<int> RunGet(const GetFlags& flags) {
  ASSIGN_OR_RETURN(auto collection, OpenToRead(flags.store));
  ASSIGN_OR_RETURN(std::vector<Key> keys, ParseKeys(flags.keys, collection->Stats().key_type));
  int exit_code = kExitOk;
  bool first = true;
  for (const Key& key : keys) {
    auto row = collection->Get(key);
    if (!row.ok() && row.status().code() == StatusCode::kNotFound) {
      PrintNote(row.status().message());
      exit_code = kExitNotFound;
      continue;
    }
    RETURN_IF_ERROR(row.status());
    if (flags.json) {
      PrintLine(*row, true);
    } else {
      if (!first) Print("\n");
      PrintFields(*row);
    }
    first = false;
  }
  return exit_code;
}

Result<int> RunScan(const ScanFlags& flags) {
  ASSIGN_OR_RETURN(auto collection, OpenToRead(flags.store));
  ScanOptions options;
  options.in_key_order = flags.sorted;
  options.include_vector = flags.vector;
  options.include_metadata = flags.metadata;
  options.include_payload = flags.payload;
  options.soft_deleted = flags.soft_deleted;
  uint64_t printed = 0;
  if (flags.limit == 0) return kExitOk;
  Status scanned = collection->Scan(
      [&](const Row& row) {
        PrintLine(row, flags.row_version);
        return ++printed < flags.limit ? Status::Ok() : Status::Cancelled("enough");
      },
      options);
  if (!scanned.ok() && printed < flags.limit) return scanned;
  return kExitOk;
}

}  // namespace

void AddGet(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<GetFlags>();
  CLI::App* command = AddCommand(tool, "get", "Show the rows of keys",
                                 "  isotherm get ./movies 17\n"
                                 "  isotherm get ./movies 17 18 --json    a JSON line a row\n"
                                 "  isotherm get ./movies 17 --as-of 2026-03-01T12:30:00Z\n\n"
                                 "A row's version is that of the collection whose commit wrote it: --if-version of\n"
                                 "'set' and 'delete' takes it.\n"
                                 "A key without a row is said on standard error, and makes the exit code 4.\n");
  AddReadCollection(*command, flags->store);
  command->add_option("KEY", flags->keys, "Keys, as the collection has them: integers or strings")->required();
  AddCacheDir(*command, flags->store.cache_dir);
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return RunGet(*flags); }; });
}

void AddScan(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<ScanFlags>();
  CLI::App* command = AddCommand(tool, "scan", "Print all rows as JSON lines, which import reads",
                                 "  isotherm scan ./movies --no-vector | head\n"
                                 "  isotherm scan ./movies --soft-deleted --no-vector    what 'undelete' brings back\n"
                                 "\n'isotherm export' writes them to a file.\n");
  AddReadCollection(*command, flags->store);
  command->add_flag("--sorted", flags->sorted,
                    "By ascending keys, which holds all rows in memory (default: as stored)");
  command->add_flag("--vector,!--no-vector", flags->vector, "Whether with vectors (default: yes)");
  command->add_flag("--metadata,!--no-metadata", flags->metadata, "Whether with metadata (default: yes)");
  command->add_flag("--payload,!--no-payload", flags->payload, "Whether with payloads (default: yes)");
  command->add_flag("--row-version", flags->row_version,
                    "With each row's version as 'row_version', which import leaves aside");
  command->add_flag("--soft-deleted", flags->soft_deleted, "The softly deleted rows instead of the others");
  command->add_option("--limit", flags->limit, "Only the first N rows")->type_name("N");
  command->add_flag("--json", flags->json, "Changes nothing: the output is JSON lines anyway");
  command->callback([&chosen, flags] { chosen.run = [flags] { return RunScan(*flags); }; });
}

}  // namespace isotherm::tool
