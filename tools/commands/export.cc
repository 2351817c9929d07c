#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <utility>

#include "base/macros.h"
#include "tools/commands/command.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/output.h"
#include "tools/commands/session.h"
#include "tools/formats/line_writer.h"
#include "tools/formats/parquet.h"
#include "tools/terminal/progress_bar.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

namespace {

constexpr char kLines[] = "jsonl";
constexpr char kParquet[] = "parquet";

struct Flags {
  StoreFlags store;
  std::string file;
  std::string format;  // empty: by the file's name
  bool sorted = false;
  bool partial = false;
  bool json = false;
};

struct Report {
  uint64_t rows = 0;
  uint64_t bytes = 0;
  uint64_t version = 0;
  std::vector<MissingPart> missing;
};

// Where rows go.
struct Sink {
  std::function<Status(Row)> append;
  std::function<Result<uint64_t>()> finish;
};

Result<Sink> MakeSink(const Flags& flags, const CollectionStats& stats) {
  const bool by_name = formats::IsParquetFileName(flags.file);
  if (flags.format.empty() ? by_name : flags.format == kParquet) {
    ASSIGN_OR_RETURN(auto made, formats::ParquetFile::Create(flags.file, stats.dimension, stats.key_type));
    std::shared_ptr<formats::ParquetFile> file = std::move(made);
    return Sink{[file](Row row) { return file->Append(std::move(row)); }, [file] { return file->Finish(); }};
  }
  ASSIGN_OR_RETURN(auto made, formats::LineWriter::Create(flags.file));
  std::shared_ptr<formats::LineWriter> file = std::move(made);
  return Sink{[file](const Row& row) {
                RETURN_IF_ERROR(formats::CheckHeldByJson(row.metadata).WithContext("row " + row.key.ToString()));
                return file->Append(formats::DumpJson(formats::RowToJson(row)));
              },
              [file] { return file->Finish(); }};
}

Result<Report> Export(const Flags& flags) {
  ASSIGN_OR_RETURN(auto collection, OpenToReadAtLength(flags.store));
  const CollectionStats stats = collection->Stats();
  ASSIGN_OR_RETURN(Sink sink, MakeSink(flags, stats));
  terminal::ProgressBar bar;
  bar.Begin("exporting", stats.rows);
  Report report;
  report.version = stats.version;
  ScanOptions options;
  options.in_key_order = flags.sorted;
  if (flags.partial) options.missing = &report.missing;
  Status scanned = collection->Scan(
      [&](Row row) {
        RETURN_IF_ERROR(sink.append(std::move(row)));
        bar.Update(++report.rows);
        return Status::Ok();
      },
      options);
  RETURN_IF_ERROR(scanned);
  ASSIGN_OR_RETURN(report.bytes, sink.finish());
  RETURN_IF_ERROR(collection->Close());
  return report;
}

Result<int> Run(const Flags& flags) {
  ASSIGN_OR_RETURN(std::string profile, ProfileLine(flags.store.profile));
  int64_t begin_ns = NowNs();
  ASSIGN_OR_RETURN(Report report, Export(flags));
  int64_t took_ns = NowNs() - begin_ns;
  if (flags.json) {
    formats::Json json = {{"uri", flags.store.uri},      {"branch", flags.store.branch},  {"file", flags.file},
                          {"version", report.version},   {"rows", report.rows},           {"bytes", report.bytes},
                          {"seconds", Seconds(took_ns)}, {"profile", flags.store.profile}};
    if (!report.missing.empty()) json["missing"] = MissingJson(report.missing);
    PrintJson(json);
  } else {
    Print("exported " + Plural(report.rows, "row", "rows") + " of version " + std::to_string(report.version) + " to " +
          flags.file + " (" + terminal::FormatBytes(report.bytes) + ") in " + terminal::FormatDuration(took_ns) + "\n" +
          profile + "\n");
  }
  PrintMissing(report.missing);
  return report.missing.empty() ? kExitOk : kExitBadAnswer;
}

}  // namespace

void AddExport(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command =
      AddCommand(tool, "export", "Write all rows to a file of JSON lines or Parquet, which import reads",
                 "  isotherm export ./movies movies.jsonl.gz\n"
                 "  isotherm export ./movies monday.jsonl --as-of 2026-03-02T00:00:00Z\n"
                 "  isotherm export ./movies movies.parquet\n"
                 "  isotherm export ./damaged saved.jsonl --partial\n"
                 "  isotherm import ./copy movies.jsonl.gz --create --metric cosine\n\n"
                 "A line a row: key, expires_at_ms, vector, metadata, payload (payload_base64 where it\n"
                 "is no UTF-8), each as far as the row has it. 'import' makes the same rows of them, bit\n"
                 "for bit. The file has its name only when it is whole. Rows are read a few MiB at a\n"
                 "time, whatever their number. Softly deleted rows are left out.\n\n"
                 "Parquet: the columns key, vector, metadata (as JSON), payload, expires_at_ms (a\n"
                 "moment) and row_version; a null where the row has none. It needs a tool that was built\n"
                 "with -DISOTHERM_PARQUET=ON, and keys that are UTF-8.\n");
  AddReadCollection(*command, flags->store);
  command->add_option("FILE", flags->file, "The file, compressed if its name ends with .gz")->required();
  command->add_option("--format", flags->format, "jsonl or parquet (default: by the file's name)")
      ->type_name("NAME")
      ->check(CLI::IsMember({kLines, kParquet}));
  command->add_flag("--sorted", flags->sorted,
                    "By ascending keys, which holds all rows in memory (default: as stored)");
  AddPartial(*command, flags->partial);
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return Run(*flags); }; });
}

}  // namespace isotherm::tool
