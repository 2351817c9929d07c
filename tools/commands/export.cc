#include <CLI/CLI.hpp>

#include "base/macros.h"
#include "tools/commands/command.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/output.h"
#include "tools/commands/session.h"
#include "tools/formats/line_writer.h"
#include "tools/terminal/progress_bar.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

namespace {

struct Flags {
  StoreFlags store;
  std::string file;
  bool sorted = false;
  bool json = false;
};

struct Report {
  uint64_t rows = 0;
  uint64_t bytes = 0;
  uint64_t version = 0;
};

Result<Report> Export(const Flags& flags) {
  ASSIGN_OR_RETURN(auto collection, OpenToReadAtLength(flags.store));
  ASSIGN_OR_RETURN(auto file, formats::LineWriter::Create(flags.file));
  const CollectionStats stats = collection->Stats();
  terminal::ProgressBar bar;
  bar.Begin("exporting", stats.rows);
  Report report;
  report.version = stats.version;
  ScanOptions options;
  options.in_key_order = flags.sorted;
  Status scanned = collection->Scan(
      [&](const Row& row) {
        RETURN_IF_ERROR(formats::CheckHeldByJson(row.metadata).WithContext("row " + row.key.ToString()));
        RETURN_IF_ERROR(file->Append(formats::DumpJson(formats::RowToJson(row))));
        bar.Update(++report.rows);
        return Status::Ok();
      },
      options);
  RETURN_IF_ERROR(scanned);
  ASSIGN_OR_RETURN(report.bytes, file->Finish());
  RETURN_IF_ERROR(collection->Close());
  return report;
}

Result<int> Run(const Flags& flags) {
  ASSIGN_OR_RETURN(std::string profile, ProfileLine(flags.store.profile));
  int64_t begin_ns = NowNs();
  ASSIGN_OR_RETURN(Report report, Export(flags));
  int64_t took_ns = NowNs() - begin_ns;
  if (flags.json) {
    PrintJson({{"uri", flags.store.uri},
               {"branch", flags.store.branch},
               {"file", flags.file},
               {"version", report.version},
               {"rows", report.rows},
               {"bytes", report.bytes},
               {"seconds", Seconds(took_ns)},
               {"profile", flags.store.profile}});
  } else {
    Print("exported " + Plural(report.rows, "row", "rows") + " of version " + std::to_string(report.version) + " to " +
          flags.file + " (" + terminal::FormatBytes(report.bytes) + ") in " + terminal::FormatDuration(took_ns) + "\n" +
          profile + "\n");
  }
  return kExitOk;
}

}  // namespace

void AddExport(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command =
      AddCommand(tool, "export", "Write all rows to a file of JSON lines, which import reads",
                 "  isotherm export ./movies movies.jsonl.gz\n"
                 "  isotherm export ./movies monday.jsonl --as-of 2026-03-02T00:00:00Z\n"
                 "  isotherm import ./copy movies.jsonl.gz --create --metric cosine\n\n"
                 "A line a row: key, expires_at_ms, vector, metadata, payload (payload_base64 where it\n"
                 "is no UTF-8), each as far as the row has it. 'import' makes the same rows of them, bit\n"
                 "for bit. The file has its name only when it is whole. Rows are read a few MiB at a\n"
                 "time, whatever their number.\n");
  AddReadCollection(*command, flags->store);
  command->add_option("FILE", flags->file, "The file, compressed if its name ends with .gz")->required();
  command->add_flag("--sorted", flags->sorted,
                    "By ascending keys, which holds all rows in memory (default: as stored)");
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return Run(*flags); }; });
}

}  // namespace isotherm::tool
