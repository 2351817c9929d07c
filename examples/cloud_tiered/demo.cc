#include "demo.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "chart.h"
#include "errors.h"
#include "excerpt.h"
#include "figures.h"
#include "isotherm/isotherm.h"
#include "measure.h"
#include "node_process.h"
#include "screen.h"
#include "temporary_folder.h"

namespace cloud_tiered {

namespace {

using isotherm::terminal::FormatBytes;
using isotherm::terminal::FormatCount;
using isotherm::terminal::FormatDuration;
using isotherm::terminal::FormatNumber;
using isotherm::terminal::FormatUsd;

constexpr size_t kBatch = 1000;
constexpr size_t kWarmQuestions = 20;
constexpr uint32_t kRepeats = 50;
constexpr size_t kShownAnswers = 3;
// Questions whose answers are shown; the others are only measured.
constexpr size_t kShownQuestions[] = {691, 564, 499};

std::string FormatMedian(const std::vector<int64_t>& samples_ns) {
  return FormatDuration(static_cast<int64_t>(Quantile(samples_ns, 0.5)));
}

// "2 waves, 9.97 GETs, 1.61 MB" in the mean; "no request".
std::string DescribeRequests(const std::vector<Cost>& costs) {
  double waves = Mean(costs, &Cost::waves), gets = Mean(costs, &Cost::gets);
  if (gets == 0 && Mean(costs, &Cost::other_requests) == 0) return "no request";
  auto counted = [](double count, const std::string& noun) {
    bool whole = count == static_cast<double>(static_cast<uint64_t>(count));
    std::string number = whole ? FormatCount(static_cast<uint64_t>(count)) : FormatNumber(count);
    return number + " " + noun + (count == 1 ? "" : "s");
  };
  return counted(waves, "wave") + ", " + counted(gets, "GET") + ", " +
         FormatBytes(static_cast<uint64_t>(Mean(costs, &Cost::bytes)));
}

class Demo {
 public:
  explicit Demo(const DemoOptions& options) : options_(options) {
    figures_.store = options.store.empty() ? "file://" + scratch_.path() + "/bucket" : options.store;
    profile_ = !options.profile.empty() ? options.profile : options.store.empty() ? "s3" : "none";
    figures_.profile = Take(isotherm::DescribeLatency(profile_));
  }

  void Run() {
    Introduce();
    Build();
    Upload();
    NodeOptions node{figures_.store, profile_, scratch_.path() + "/cache"};
    std::vector<size_t> warm = AskRunningNode(node);
    Restart(node, warm);
    StartCold(node);
    AskEverything(node);
    Finish();
  }

 private:
  void Introduce() {
    excerpt_ = LoadExcerpt(options_.data_folder);
    figures_.rows = excerpt_.rows.size();
    figures_.dimension = excerpt_.dimension;
    screen_.Title("Isotherm: from cold to hot");
    screen_.Fields({{"rows", FormatCount(figures_.rows) + " WordNet definitions, embedded in " +
                                 FormatCount(figures_.dimension) + " dimensions"},
                    {"store", figures_.store},
                    {"latency", figures_.profile}});
  }

  void Build() {
    screen_.Scene("Build the index, locally");
    int64_t begin_ns = screen_.NowNs();
    isotherm::Options options;
    options.spill_dir = scratch_.path() + "/spill";
    options.create = isotherm::CreateOptions{
        excerpt_.dimension, isotherm::Metric::kCosine, isotherm::KeyType::kInteger, {"pos", "lexfile", "freq"}};
    auto collection = Take(isotherm::Open(scratch_.path() + "/local", options));
    screen_.bar().Begin("  inserting", figures_.rows);
    for (size_t first = 0; first < excerpt_.rows.size(); first += kBatch) {
      size_t end = std::min(first + kBatch, excerpt_.rows.size());
      Check(collection->InsertBatch({std::make_move_iterator(excerpt_.rows.begin() + static_cast<ptrdiff_t>(first)),
                                     std::make_move_iterator(excerpt_.rows.begin() + static_cast<ptrdiff_t>(end))}));
      screen_.bar().Update(end);
    }
    excerpt_.rows.clear();
    Check(collection->Commit());
    Check(collection->Compact({}, screen_.Stages()));
    isotherm::CollectionStats stats = collection->Stats();
    Check(collection->Close());
    figures_.build_ns = screen_.NowNs() - begin_ns;
    figures_.cells = stats.cells;
    figures_.stored_bytes = stats.stored_bytes;
    screen_.Line("inserted, committed, compacted: " + FormatCount(stats.rows) + " rows in " + FormatCount(stats.cells) +
                 " cells, " + FormatBytes(stats.stored_bytes) + ", in " + FormatDuration(figures_.build_ns));
  }

  void Upload() {
    screen_.Scene("Upload it to the object store");
    std::shared_ptr<isotherm::BlobStore> store = OpenProfiledStore(figures_.store, profile_);
    if (!Take(store->List({}, "", {}, 1)).entries.empty()) {
      throw std::runtime_error(figures_.store + " is not empty; name a place where the demo may write and remove");
    }
    if (!options_.keep) uploaded_.emplace(store);
    int64_t begin_ns = screen_.NowNs();
    auto local = Take(isotherm::OpenBlobStore(scratch_.path() + "/local"));
    Check(isotherm::CopyCollection(*local, *store, screen_.Stages(isotherm::terminal::ProgressUnit::kBytes)));
    figures_.upload_ns = screen_.NowNs() - begin_ns;
    screen_.Line("uploaded " + FormatBytes(figures_.stored_bytes) + " in " + FormatDuration(figures_.upload_ns));
  }

  // Returns the questions whose extents are in the node's disk cache now.
  std::vector<size_t> AskRunningNode(const NodeOptions& options) {
    screen_.Scene("Start a stateless search node: a new process, empty caches, all it is given is the URI");
    NodeProcess node(options);
    Cost open = node.ReadOpened().cost;
    screen_.Line("opened in " + FormatDuration(open.ns) + ": " + DescribeRequests({open}));
    Request write;
    write.write = true;
    node.Send(write);
    Written written = node.ReadWritten();
    if (written.code != "ReadOnly") throw std::runtime_error("a write was answered " + written.code + ", not ReadOnly");
    screen_.Line("a write is rejected: " + written.code + " (" + written.message + ")");

    screen_.Scene("Ask it");
    std::vector<size_t> questions(std::begin(kShownQuestions), std::end(kShownQuestions));
    for (size_t question : Spread(excerpt_.questions.size(), kWarmQuestions - questions.size())) {
      questions.push_back(question);
    }
    for (size_t i = 0; i < questions.size(); ++i) {
      bool shown = i < std::size(kShownQuestions);
      if (i == std::size(kShownQuestions)) screen_.bar().Begin("  more questions", questions.size(), {}, i);
      std::span<const float> vector = excerpt_.QuestionVector(questions[i]);
      Answer answer = node.Ask({false, {vector.begin(), vector.end()}, shown, kRepeats});
      if (shown) Show(excerpt_.questions[questions[i]], answer, i == 0);
      if (shown) figures_.texts.push_back(answer.texts);
      figures_.warm_ram_ns.insert(figures_.warm_ram_ns.end(), answer.repeat_ns.begin(), answer.repeat_ns.end());
      figures_.warm_ram_requests += answer.repeat_requests;
      if (!shown) screen_.bar().Update(i + 1);
    }
    node.Finish();
    screen_.Line(FormatCount(questions.size()) + " questions, each asked " + FormatCount(kRepeats) +
                 " times more: from RAM in " + FormatMedian(figures_.warm_ram_ns) + " (median), " +
                 (figures_.warm_ram_requests == 0 ? "no request"
                                                  : FormatCount(figures_.warm_ram_requests) + " requests in all"));
    return questions;
  }

  void Show(const std::string& question, const Answer& answer, bool cold) {
    screen_.Quote(question);
    for (size_t i = 0; i < std::min(kShownAnswers, answer.found.size()); ++i) {
      const Found& found = answer.found[i];
      screen_.Answer(found.distance, found.lemmas, found.lexfile, found.definition);
    }
    screen_.Fields(
        {{cold ? "cold query" : "another one", FormatDuration(answer.search.ns) + ", " +
                                                   DescribeRequests({answer.search}) + ": ids, scores, filter columns"},
         {"texts", FormatDuration(answer.texts.ns) + ", " + DescribeRequests({answer.texts})},
         {"warm query", FormatMedian(answer.repeat_ns) + " from RAM"}});
  }

  void Restart(const NodeOptions& node, const std::vector<size_t>& questions) {
    screen_.Scene("Restart it: new processes that find the disk cache");
    screen_.bar().Begin("  restarting", questions.size());
    figures_.warm_starts = MeasureWarmStarts(node, excerpt_, questions, [this](size_t n) { screen_.bar().Update(n); });
    std::vector<Cost> opens = CostsOf(figures_.warm_starts, &WarmStart::open);
    std::vector<Cost> searches = CostsOf(figures_.warm_starts, &WarmStart::search);
    screen_.Line("opened in " + FormatMedian(Column(opens, &Cost::ns)) + ": " + DescribeRequests(opens) +
                 ", the head alone");
    screen_.Line("each of " + FormatCount(questions.size()) +
                 " restarts asked one of the questions again: from disk in " +
                 FormatMedian(Column(searches, &Cost::ns)) + " (median), " + DescribeRequests(searches));
  }

  void StartCold(const NodeOptions& node) {
    screen_.Scene("Start it cold, again and again: a new process, empty caches, a question not seen before");
    std::vector<size_t> questions = Spread(excerpt_.questions.size(), options_.cold_starts);
    screen_.bar().Begin("  starting", questions.size());
    figures_.cold_starts =
        MeasureColdStarts(node, excerpt_, questions, scratch_.path(), [this](size_t n) { screen_.bar().Update(n); });
    std::vector<Cost> totals = CostsOf(figures_.cold_starts, &ColdStart::total);
    screen_.Line("from the call of Open to the answer: " + FormatMedian(Column(totals, &Cost::ns)) + " (median of " +
                 FormatCount(totals.size()) + "), " + DescribeRequests(totals));
    screen_.Line("from starting the process to the answer: " +
                 FormatMedian(Column(figures_.cold_starts, &ColdStart::process_ns)));
  }

  void AskEverything(const NodeOptions& node) {
    std::vector<size_t> questions = Spread(excerpt_.questions.size(), options_.questions);
    screen_.Scene("Ask " + FormatCount(questions.size()) + " questions, each of a collection opened for it");
    screen_.bar().Begin("  asking", questions.size());
    ColdQuestions asked = AskAllCold(node, excerpt_, questions, [this](size_t n) { screen_.bar().Update(n); });
    figures_.cold_questions = std::move(asked.costs);
    figures_.recall_at_10 = asked.recall_at_10;
    screen_.Line("open and first query: " + DescribeRequests(figures_.cold_questions) + " in the mean");
    screen_.Line("recall@10 against the exact answers: " + FormatNumber(figures_.recall_at_10));
    double usd = Mean(figures_.cold_questions, &Cost::usd);
    screen_.Line("at S3's list prices: " + FormatUsd(usd) + " each, " + FormatUsd(usd * 1e6) + " a million");
  }

  Chart MakeChart() const {
    auto tier = [](const char* name, const char* what, Temperature temperature, const std::vector<Cost>& costs) {
      return Tier{name, what, DescribeRequests(costs), temperature, Column(costs, &Cost::ns)};
    };
    return {"One question, four temperatures",
            FormatCount(figures_.rows) + " vectors of " + FormatCount(figures_.dimension) + " dimensions; latency " +
                figures_.profile,
            {{"RAM", "the same question again", "no request", Temperature::kHot, figures_.warm_ram_ns},
             tier("Disk", "after a restart", Temperature::kWarm, CostsOf(figures_.warm_starts, &WarmStart::search)),
             tier("Object store", "a node's first question", Temperature::kCool,
                  CostsOf(figures_.cold_starts, &ColdStart::search)),
             tier("Cold start", "open and first question", Temperature::kCold,
                  CostsOf(figures_.cold_starts, &ColdStart::total))}};
  }

  void Finish() {
    Chart chart = MakeChart();
    screen_.Show(chart);
    WriteFile(options_.svg_file, RenderSvg(chart));
    screen_.Line("the same as a picture: " + options_.svg_file);
    if (!options_.json_file.empty()) {
      WriteFile(options_.json_file, isotherm::formats::DumpJson(ToJson(figures_), 2) + "\n");
      screen_.Line("all figures: " + options_.json_file);
    }
    if (options_.keep) screen_.Line("the collection stays at " + figures_.store);
  }

  static void WriteFile(const std::string& path, const std::string& content) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << content;
    file.close();
    if (!file) throw std::runtime_error("cannot write " + path);
  }

  const DemoOptions options_;
  std::string profile_;
  TemporaryFolder scratch_;
  std::optional<UploadedObjects> uploaded_;
  Screen screen_;
  Excerpt excerpt_;
  Figures figures_;
};

}  // namespace

void RunDemo(const DemoOptions& options) { Demo(options).Run(); }

}  // namespace cloud_tiered
