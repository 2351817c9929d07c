#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "base/macros.h"
#include "tools/commands/command.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/import_batches.h"
#include "tools/commands/output.h"
#include "tools/commands/session.h"
#include "tools/terminal/progress_bar.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

namespace {

struct Flags {
  StoreFlags store;
  formats::RowSourceOptions files;
  SchemaFlags schema;
  bool create = false;
  bool upsert = false;
  bool compact = true;
  size_t batch = 10'000;
  bool json = false;
};

struct Report {
  uint64_t added = 0;
  uint64_t replaced = 0;
  uint64_t found = 0;  // there already, and left as they are
  int64_t import_ns = 0;
  bool compacted = false;
  int64_t compact_ns = 0;
  CollectionStats stats;
};

Result<std::unique_ptr<Collection>> OpenTarget(const Flags& flags, const formats::RowSource& source) {
  Options options = OptionsToWrite();
  if (flags.create) {
    ASSIGN_OR_RETURN(options.create, CreateOptionsOf(flags.schema));
    options.create->dimension = source.dimension();
    if (flags.schema.key_type.empty()) options.create->key_type = source.key_type();
  }
  auto collection = OpenCollection(flags.store, std::move(options));
  if (!collection.ok() && collection.status().code() == StatusCode::kNotFound && !flags.create) {
    return Status::NotFound(collection.status().message() + "; --create --metric l2, cosine or ip creates it");
  }
  return collection;
}

// A partition of all rows there is already, or so few rows that they lie in the head, where they are read fastest.
bool NeedsCompaction(const CollectionStats& stats) {
  if (stats.segments.empty()) return false;
  bool one_flat = stats.segments.size() == 1 && stats.rows < CompactOptions().min_rows_for_cells;
  bool all_cells = std::all_of(stats.segments.begin(), stats.segments.end(),
                               [](const SegmentStats& segment) { return segment.kind == "cells"; });
  return stats.inline_rows > 0 || !(one_flat || all_cells);
}

uint64_t Written(const Report& report) { return report.added + report.replaced; }

double Rate(const Report& report) {
  return Written(report) == 0 ? 0 : static_cast<double>(Written(report)) / Seconds(report.import_ns);
}

std::string Text(const Flags& flags, const Report& report) {
  std::string text =
      "imported " + Plural(report.added, "row", "rows") + " in " + terminal::FormatDuration(report.import_ns);
  if (Written(report) > 0) text += " (" + terminal::FormatNumber(Rate(report)) + " rows/s)";
  if (report.replaced > 0) text += ", replaced " + terminal::FormatCount(report.replaced);
  if (report.found > 0) text += ", found " + terminal::FormatCount(report.found) + " there already";
  text += "\n";
  if (report.compacted) {
    text += "compacted in " + terminal::FormatDuration(report.compact_ns) + ": " +
            (report.stats.cells > 0 ? Plural(report.stats.cells, "cell", "cells") : "one flat segment") + "\n";
  }
  return text + flags.store.uri + " has " + Plural(report.stats.rows, "row", "rows") + " at version " +
         std::to_string(report.stats.version) + "\n";
}

formats::Json ToJson(const Flags& flags, const Report& report) {
  return {{"uri", flags.store.uri},
          {"rows_added", report.added},
          {"rows_replaced", report.replaced},
          {"rows_found", report.found},
          {"import_seconds", Seconds(report.import_ns)},
          {"rows_per_second", Rate(report)},
          {"compacted", report.compacted},
          {"compact_seconds", Seconds(report.compact_ns)},
          {"rows", report.stats.rows},
          {"cells", report.stats.cells},
          {"version", report.stats.version},
          {"profile", flags.store.profile}};
}

Result<int> Run(const Flags& flags) {
  ASSIGN_OR_RETURN(std::string profile, ProfileLine(flags.store.profile));
  formats::RowSourceOptions files = flags.files;
  if (files.path == "-") files.path = "/dev/stdin";
  ASSIGN_OR_RETURN(auto source, formats::OpenRowSource(files));
  ASSIGN_OR_RETURN(auto collection, OpenTarget(flags, *source));
  terminal::ProgressBar bar;
  Report report;
  int64_t begin_ns = NowNs();
  bar.Begin("importing", source->total(),
            source->counts_rows() ? terminal::ProgressUnit::kCount : terminal::ProgressUnit::kBytes);
  BatchImport import(*collection, *source, flags.upsert ? ImportMode::kUpsert : ImportMode::kInsert);
  while (true) {
    auto more = import.Next(flags.batch);
    if (!more.ok()) {
      bar.Clear();
      PrintNote("the import ends early; " + Plural(import.added() + import.found(), "row is", "rows are") + " there");
      return more.status();
    }
    if (!*more) break;
    bar.Update(source->done());
  }
  report.added = import.added();
  (flags.upsert ? report.replaced : report.found) = import.found();
  report.import_ns = NowNs() - begin_ns;
  if (flags.compact && NeedsCompaction(collection->Stats())) {
    begin_ns = NowNs();
    RETURN_IF_ERROR(
        collection->Compact({}, bar.Callback()).WithContext("all rows are imported, but compacting failed"));
    report.compact_ns = NowNs() - begin_ns;
    report.compacted = true;
  }
  report.stats = collection->Stats();
  RETURN_IF_ERROR(collection->Close());
  bar.Clear();
  if (flags.json) {
    PrintJson(ToJson(flags, report));
  } else {
    Print(Text(flags, report) + profile + "\n");
  }
  return kExitOk;
}

void AddFileFlags(CLI::App& command, formats::RowSourceOptions& files) {
  command
      .add_option(
          "FILE", files.path,
          "Vectors (.npy of n x dimension numbers, .fvecs, .bvecs), Parquet (.parquet) or JSON lines, also .gz: "
          "{\"key\": 7, \"vector\": [0.5, ...], \"metadata\": {...}, \"payload\": \"...\", "
          "\"expires_at_ms\": ...}; other fields are metadata too. '-' is standard input")
      ->required();
  command.add_option("--ids", files.ids, "The keys of the vectors: .npy of integers. Without, rows are numbered")
      ->type_name("FILE.npy");
  command.add_option("--first-key", files.first_key, "The number of the first row")
      ->type_name("N")
      ->capture_default_str();
  command
      .add_option("--metadata", files.metadata,
                  "The metadata of the vectors: JSON lines, one object a row, also .gz. Fields of objects inside get "
                  "names with dots; an array of anything but numbers, strings and booleans is kept as its JSON text")
      ->type_name("FILE.jsonl");
  command.add_option("--key-field", files.key_field, "The field of the JSON lines that is the key")->type_name("NAME");
  command.add_option("--vector-field", files.vector_field, "The field of the JSON lines that is the vector")
      ->type_name("NAME")
      ->capture_default_str();
  command.add_option("--payload-field", files.payload_field, "The field of the JSON lines that is the payload")
      ->type_name("NAME");
  command
      .add_option("--expiry-field", files.expiry_field,
                  "The field of the JSON lines that tells when the row expires, in milliseconds since 1970 (default: "
                  "expires_at_ms where they are all of the row, none where they are --metadata)")
      ->type_name("NAME");
  command.add_option("--limit", files.limit, "Only the first N rows")->type_name("N");
}

constexpr char kExamples[] =
    "  isotherm import ./movies vectors.npy --create --metric cosine --metadata texts.jsonl.gz --payload-field text\n"
    "  isotherm import ./movies more.npy --first-key 20000\n"
    "  isotherm import ./movies changed.jsonl --upsert\n"
    "  isotherm import ./sift base.fvecs --create --metric l2 --limit 100000\n"
    "  isotherm scan ./movies | isotherm import ./copy - --create --metric cosine\n\n"
    "Each batch is one commit. An import that was interrupted is begun again by the same command: rows whose keys are\n"
    "there already are found and compared (the first and last of each batch), and what is missing is added. A row "
    "with\n"
    "the key of another row is an error; rows are never changed, doubled or left out. With --upsert a row takes the\n"
    "place of the one with its key, whole: vector, metadata, payload and expiry.\n";

}  // namespace

void AddImport(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = AddCommand(tool, "import", "Add the rows of files to a collection", kExamples);
  AddCollection(*command, flags->store);
  AddFileFlags(*command, flags->files);
  command->add_flag("--create", flags->create, "Create the collection, with the file's dimension, if there is none");
  AddSchema(*command, flags->schema);
  for (const char* name : {"--metric", "--key-type", "--filter-column"}) {
    command->get_option(name)->needs(command->get_option("--create"));
  }
  command->add_flag("--upsert", flags->upsert, "Replace rows whose keys are there already");
  command->add_option("--batch", flags->batch, "Rows a commit")
      ->type_name("N")
      ->check(CLI::Range(size_t{1}, kMaxBatchRows).description(""))
      ->capture_default_str();
  command->add_flag("--compact,!--no-compact", flags->compact,
                    "Whether to arrange all rows for searching at the end (default: yes)");
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] {
    if (flags->create && flags->schema.metric.empty()) throw CLI::RequiredError("With --create, --metric l2|cosine|ip");
    chosen.run = [flags] { return Run(*flags); };
  });
}

}  // namespace isotherm::tool
