#include <unistd.h>
#include <CLI/CLI.hpp>

#include "base/macros.h"
#include "tools/commands/command.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/output.h"
#include "tools/commands/search_output.h"
#include "tools/commands/session.h"
#include "tools/formats/npy.h"
#include "tools/terminal/progress_bar.h"
#include "tools/terminal/text.h"

namespace isotherm::tool {

namespace {

constexpr size_t kQueriesAtOnce = 128;
constexpr size_t kLinesShown = 20;

struct Flags {
  StoreFlags store;
  std::string vector;
  std::string query_file;
  std::optional<uint64_t> row;
  SearchOptions options;
  bool explain = false;
  std::string out;
  std::string truth;
  bool json = false;
};

Result<Queries> LoadQueries(const Flags& flags) {
  if (!flags.vector.empty()) return QueryFromText(flags.vector);
  return QueriesFromFile(flags.query_file, flags.row);
}

Result<std::vector<SearchResult>> SearchAll(Collection& collection, const Queries& queries,
                                            const SearchOptions& options, const std::string& stage,
                                            const Context& context) {
  terminal::ProgressBar bar;
  bar.Begin(stage, queries.count());
  std::vector<SearchResult> results;
  std::span<const float> vectors = queries.vectors;
  for (size_t begin = 0; begin < queries.count(); begin += kQueriesAtOnce) {
    size_t count = std::min(kQueriesAtOnce, queries.count() - begin);
    auto part = vectors.subspan(begin * queries.dimension, count * queries.dimension);
    ASSIGN_OR_RETURN(std::vector<SearchResult> some, collection.BatchSearch(part, options, context));
    std::move(some.begin(), some.end(), std::back_inserter(results));
    bar.Update(begin + count);
  }
  return results;
}

Result<double> MeasureRecall(Collection& collection, const Flags& flags, const Queries& queries,
                             std::span<const SearchResult> results) {
  std::vector<std::vector<Key>> truth;
  if (flags.truth == "exact") {
    SearchOptions exact;
    exact.k = flags.options.k;
    exact.exact = true;
    ASSIGN_OR_RETURN(auto answers, SearchAll(collection, queries, exact, "searching exactly", {}));
    truth = TruthFromResults(answers);
  } else {
    if (collection.Stats().key_type == KeyType::kString) {
      return Status::InvalidArgument("--truth " + flags.truth + " holds integers; this collection's keys are strings");
    }
    ASSIGN_OR_RETURN(truth, TruthFromFile(flags.truth, queries, flags.options.k));
  }
  return Recall(results, truth);
}

// Queries share what they are without.
void AddMissing(const MissingPart& part, std::vector<MissingPart>& missing) {
  bool known = std::any_of(missing.begin(), missing.end(), [&](const MissingPart& other) {
    return other.object == part.object && other.status.message() == part.status.message();
  });
  if (!known) missing.push_back(part);
}

// Keys as an array of a row a query; -1 where there are fewer hits.
Status WriteKeys(const std::string& path, KeyType key_type, std::span<const SearchResult> results, size_t k) {
  if (key_type == KeyType::kString)
    return Status::InvalidArgument("--out holds integers; this collection's keys are strings");
  std::vector<int64_t> keys(results.size() * k, -1);
  for (size_t q = 0; q < results.size(); ++q) {
    for (size_t i = 0; i < results[q].hits.size(); ++i) {
      keys[q * k + i] = static_cast<int64_t>(results[q].hits[i].key.number());
    }
  }
  return formats::WriteNpy(path, keys, k);
}

void PrintAnswers(const Flags& flags, const Answers& answers, const Queries& queries, const std::string& profile) {
  if (flags.json) {
    formats::Json json = {{"uri", flags.store.uri}, {"profile", flags.store.profile}};
    json.update(AnswersJson(answers, queries, flags.explain));
    PrintJson(json);
    return;
  }
  if (answers.results.size() == 1) {
    size_t width = terminal::IsTerminal(STDOUT_FILENO) ? terminal::TerminalWidth(STDOUT_FILENO) : 0;
    Print(HitText(answers.results[0], answers.filter_columns, width));
  } else if (flags.out.empty() && flags.truth.empty()) {
    Print(HitLines(answers, queries, kLinesShown));
  }
  if (flags.explain) Print(ExplainText(answers.results));
  Print(SummaryText(answers, profile));
}

Result<int> Run(const Flags& flags) {
  ASSIGN_OR_RETURN(std::string profile, ProfileLine(flags.store.profile));
  ASSIGN_OR_RETURN(Queries queries, LoadQueries(flags));
  Meter meter;
  Context context;
  context.meter = &meter;
  Answers answers;
  answers.k = flags.options.k;
  int64_t begin_ns = NowNs();
  ASSIGN_OR_RETURN(auto collection, OpenToRead(flags.store, context));
  answers.open_ns = NowNs() - begin_ns;
  CollectionStats stats = collection->Stats();
  if (!stats.disk_cache_note.empty()) PrintNote("without --cache-dir: " + stats.disk_cache_note);
  answers.filter_columns = stats.filter_columns;
  RETURN_IF_ERROR(CheckDimension(queries, stats.dimension));
  begin_ns = NowNs();
  ASSIGN_OR_RETURN(answers.results, SearchAll(*collection, queries, flags.options, "searching", context));
  answers.search_ns = NowNs() - begin_ns;
  answers.cost = meter.Summary();
  if (!flags.truth.empty()) {
    ASSIGN_OR_RETURN(answers.recall, MeasureRecall(*collection, flags, queries, answers.results));
  }
  for (const SearchResult& result : answers.results) {
    for (const MissingPart& part : result.missing) AddMissing(part, answers.missing);
  }
  if (!flags.out.empty()) RETURN_IF_ERROR(WriteKeys(flags.out, stats.key_type, answers.results, flags.options.k));
  RETURN_IF_ERROR(collection->Close());
  PrintAnswers(flags, answers, queries, profile);
  PrintMissing(answers.missing);
  return answers.missing.empty() ? kExitOk : kExitBadAnswer;
}

constexpr char kExamples[] =
    "  isotherm search ./movies --vector '[0.1, 0.7, 0.2]' -k 5\n"
    "  isotherm search ./movies --query queries.npy --row 3 --metadata --payload\n"
    "  isotherm search s3://bucket/movies --query queries.npy --out keys.npy --truth groundtruth.npy\n"
    "  isotherm search ./movies --query queries.npy --truth exact --probes 40\n"
    "  isotherm search ./movies --query queries.npy --row 3 --as-of 2026-03-01T12:30:00Z\n";

}  // namespace

void AddSearch(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = AddCommand(tool, "search", "Find the rows whose vectors are nearest", kExamples);
  AddReadCollection(*command, flags->store);
  AddCacheDir(*command, flags->store.cache_dir);
  command->add_option("--vector", flags->vector, "The query: a JSON array of numbers")->type_name("'[...]'");
  CLI::Option* file = command->add_option("--query", flags->query_file, "A file of queries: .npy, .fvecs or .bvecs");
  file->type_name("FILE")->excludes("--vector");
  command->add_option("--row", flags->row, "Only this row of the file, counted from 0")->type_name("N")->needs(file);
  SearchOptions& options = flags->options;
  command->add_option("-k", options.k, "How many rows to find")->type_name("N")->capture_default_str();
  command
      ->add_option("--probes", options.probes,
                   "How many of the nearest cells to look into (default: the collection's number)")
      ->type_name("N");
  command->add_option("--rerank", options.rerank, "Measure the best N again by their raw vectors: one more wave")
      ->type_name("N");
  command->add_flag("--exact", options.exact, "Compare with every row's raw vector, which reads the whole collection");
  command->add_flag("--metadata", options.include_metadata,
                    "Show all metadata, not only filter columns: one more wave");
  command->add_flag("--payload", options.include_payload, "Show the payload: one more wave");
  AddPartial(*command, options.partial);
  command->add_flag("--explain", flags->explain, "Say what it took");
  command->add_option("--out", flags->out, "Write the keys found: a row a query, -1 where there are fewer")
      ->type_name("FILE.npy");
  command
      ->add_option(
          "--truth", flags->truth,
          "Print the recall: against the keys in this file (.npy or .ivecs, a row a query), or against an exact "
          "search")
      ->type_name("FILE|exact");
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] {
    if (flags->vector.empty() && flags->query_file.empty())
      throw CLI::RequiredError("--vector '[...]' or --query FILE");
    chosen.run = [flags] { return Run(*flags); };
  });
}

}  // namespace isotherm::tool
