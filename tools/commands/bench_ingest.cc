// Inserting from several threads, every batch acknowledged as durable, while others search.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "base/environment.h"
#include "base/macros.h"
#include "tools/commands/bench.h"
#include "tools/commands/distribution.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/output.h"
#include "tools/commands/queries.h"
#include "tools/commands/session.h"
#include "tools/terminal/progress_bar.h"
#include "tools/terminal/table.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

namespace {

struct Flags {
  StoreFlags store{.uri = "memory:", .profile = "s3"};
  uint32_t dimension = 768;
  uint64_t rows = 200'000;
  uint64_t writers = 8;
  uint64_t batch = 300;
  uint64_t readers = 1;
  uint64_t pause_ms = 10;  // of a reader, between its queries
  uint64_t quiet_queries = 300;
  uint32_t copies = 1;
  bool defer = false;
  bool compact = true;
  bool json = false;
};

void Pause(uint64_t ms) { Environment::Default()->clock->SleepUntilNs(NowNs() + static_cast<int64_t>(ms) * 1'000'000); }

struct Measured {
  Distribution ack_ms, ingest_ms, quiet_ms;  // commits; searches meanwhile, and afterwards
  uint64_t rows = 0;
  uint64_t newest_missed = 0;  // rows that were written and not found at once
  uint64_t newest_asked = 0;
  int64_t took_ns = 0;
  MeterSummary cost;
  CollectionStats stats;
};

// Vectors by chance around some centres, so that they have neighbours; each row's is its own.
class RandomRows {
 public:
  RandomRows(uint32_t dimension, uint64_t seed) : centres_(RandomQueries(kCentres, dimension, seed)) {}

  std::vector<float> Vector(uint64_t key) const {
    std::span<const float> near = centres_[key % kCentres];
    std::span<const float> far = centres_[(key / kCentres) % kCentres];
    std::vector<float> vector(near.begin(), near.end());
    const float share = 0.2F + 0.001F * static_cast<float>(key % 317);
    for (size_t i = 0; i < vector.size(); ++i) vector[i] += share * far[i];
    return vector;
  }

 private:
  static constexpr size_t kCentres = 1'009;
  const Queries centres_;
};

class Ingest {
 public:
  Ingest(const Flags& flags, Collection& collection)
      : flags_(flags), collection_(collection), random_(flags.dimension, 7) {}

  Result<Measured> Run() {
    context_.meter = &meter_;
    terminal::ProgressBar bar;
    bar.Begin("ingesting", flags_.rows);
    const int64_t begin_ns = NowNs();
    std::vector<std::thread> writers, readers;
    for (uint64_t w = 0; w < flags_.writers; ++w) writers.emplace_back([this] { WriteAll(); });
    for (uint64_t r = 0; r < flags_.readers; ++r) readers.emplace_back([this] { SearchUntilDone(); });
    while (written_ < flags_.rows && failure().ok()) {
      bar.Update(written_);
      Pause(50);
    }
    for (std::thread& thread : writers) thread.join();
    measured_.took_ns = NowNs() - begin_ns;
    measured_.rows = written_;
    done_ = true;
    for (std::thread& thread : readers) thread.join();
    RETURN_IF_ERROR(failure());
    measured_.cost = meter_.Summary();
    RETURN_IF_ERROR(AwaitQuiet());
    for (uint64_t i = 0; i < flags_.quiet_queries; ++i) RETURN_IF_ERROR(SearchOne(i, measured_.quiet_ms, false));
    measured_.stats = collection_.Stats();
    return std::move(measured_);
  }

 private:
  Status failure() const {
    std::lock_guard lock(mutex_);
    return failure_;
  }
  void Fail(const Status& status) {
    std::lock_guard lock(mutex_);
    if (failure_.ok()) failure_ = status;
  }

  void WriteAll() {
    while (failure().ok()) {
      const uint64_t first = claimed_.fetch_add(flags_.batch);
      if (first >= flags_.rows) return;
      WriteBatch batch;
      const uint64_t end = std::min(flags_.rows, first + flags_.batch);
      for (uint64_t key = first; key < end; ++key) {
        Row row;
        row.key = key;
        row.vector = random_.Vector(key);
        batch.Upsert(std::move(row));
      }
      if (flags_.defer) batch.Defer();
      const int64_t begin_ns = NowNs();
      Status status = collection_.Write(std::move(batch), context_);
      newest_ = end - 1;
      if (status.ok()) status = collection_.Commit(context_);
      if (!status.ok()) return Fail(status);
      std::lock_guard lock(mutex_);
      measured_.ack_ms.Add(Milliseconds(NowNs() - begin_ns));
      written_ += end - first;
    }
  }

  void SearchUntilDone() {
    for (uint64_t i = 0; !done_ && failure().ok(); ++i) {
      if (newest_ == 0) continue;
      Distribution one;
      Status status = SearchOne(i, one, i % 4 == 0 && !flags_.defer);
      if (!status.ok()) return Fail(status);
      {
        std::lock_guard lock(mutex_);
        measured_.ingest_ms.Add(one.Mean());
      }
      Pause(flags_.pause_ms);
    }
  }

  // `newest`: for a row that was written just now, which must be found.
  Status SearchOne(uint64_t i, Distribution& ms, bool newest) {
    const uint64_t key = newest ? newest_.load() : i * 7919 % std::max<uint64_t>(1, written_);
    std::vector<float> query = random_.Vector(key);
    const int64_t begin_ns = NowNs();
    ASSIGN_OR_RETURN(SearchResult found, collection_.Search(query));
    ms.Add(Milliseconds(NowNs() - begin_ns));
    if (!newest) return Status::Ok();
    std::lock_guard lock(mutex_);
    ++measured_.newest_asked;
    const bool there =
        std::any_of(found.hits.begin(), found.hits.end(), [&](const Hit& hit) { return hit.key == key; });
    if (!there) ++measured_.newest_missed;
    return Status::Ok();
  }

  // Until nothing is compacted and all of the graph is there.
  Status AwaitQuiet() {
    constexpr int kStill = 20;
    uint64_t seen = 0;
    for (int still = 0; still < kStill;) {
      const CollectionStats now = collection_.Stats();
      const uint64_t state = now.version + now.compaction_bytes_read + now.unlinked_rows;
      still = state == seen ? still + 1 : 0;
      seen = state;
      Pause(50);
    }
    return Status::Ok();
  }

  const Flags& flags_;
  Collection& collection_;
  const RandomRows random_;
  Meter meter_;
  Context context_;
  std::atomic<uint64_t> claimed_{0}, written_{0}, newest_{0};
  std::atomic<bool> done_{false};
  mutable std::mutex mutex_;
  Status failure_;
  Measured measured_;
};

Result<Measured> Measure(const Flags& flags) {
  Options options;
  options.create = CreateOptions{flags.dimension, Metric::kL2, KeyType::kInteger, {}};
  options.error_if_exists = true;
  options.background_compaction = flags.compact;
  options.put_copies = flags.copies;
  ASSIGN_OR_RETURN(auto collection, OpenCollection(flags.store, options));
  ASSIGN_OR_RETURN(Measured measured, Ingest(flags, *collection).Run());
  RETURN_IF_ERROR(collection->Close());
  return measured;
}

double RowsPerSecond(const Measured& m) { return static_cast<double>(m.rows) / Seconds(m.took_ns); }

formats::Json ToJson(const Flags& flags, const Measured& m) {
  return {{"uri", flags.store.uri},
          {"profile", flags.store.profile},
          {"dimension", flags.dimension},
          {"rows", m.rows},
          {"writers", flags.writers},
          {"batch", flags.batch},
          {"rows_per_second", RowsPerSecond(m)},
          {"ack_ms_p50", m.ack_ms.Quantile(0.5)},
          {"ack_ms_p99", m.ack_ms.Quantile(0.99)},
          {"search_ms_p50_ingest", m.ingest_ms.Quantile(0.5)},
          {"search_ms_p99_ingest", m.ingest_ms.Quantile(0.99)},
          {"search_ms_p50_quiet", m.quiet_ms.Quantile(0.5)},
          {"search_ms_p99_quiet", m.quiet_ms.Quantile(0.99)},
          {"newest_asked", m.newest_asked},
          {"newest_missed", m.newest_missed},
          {"segments", m.stats.segments.size()},
          {"compactions", m.stats.compactions},
          {"cost", CostJson(m.cost)}};
}

std::string Text(const Flags& flags, const Measured& m, const std::string& profile) {
  using terminal::FormatNumber;
  auto ms = [](double value) { return terminal::FormatDuration(static_cast<int64_t>(value * 1e6)); };
  auto both = [&](const Distribution& of) {
    return ms(of.Quantile(0.5)) + " p50, " + ms(of.Quantile(0.99)) + " p99, of " + terminal::FormatCount(of.count());
  };
  return terminal::Fields({
             {"rows", Plural(m.rows, "row", "rows") + " of dimension " + std::to_string(flags.dimension) + " by " +
                          Plural(flags.writers, "writer", "writers") + ", " + terminal::FormatCount(flags.batch) +
                          " a commit, into " + flags.store.uri},
             {"rate", FormatNumber(RowsPerSecond(m)) + " rows/s"},
             {"acknowledged", both(m.ack_ms)},
             {"searches meanwhile", both(m.ingest_ms)},
             {"searches afterwards", both(m.quiet_ms)},
             {"newest rows", std::to_string(m.newest_asked - m.newest_missed) + " of " +
                                 std::to_string(m.newest_asked) + " were found as soon as they were written"},
             {"at the end", Plural(m.stats.segments.size(), "segment", "segments") + " after " +
                                Plural(m.stats.compactions, "compaction", "compactions")},
             {"requests", CostText(m.cost)},
         }) +
         profile + "\n";
}

Result<int> Run(const Flags& flags) {
  ASSIGN_OR_RETURN(std::string profile, ProfileLine(flags.store.profile));
  ASSIGN_OR_RETURN(Measured measured, Measure(flags));
  if (flags.json) {
    PrintJson(ToJson(flags, measured));
  } else {
    Print(Text(flags, measured, profile));
  }
  return kExitOk;
}

}  // namespace

void AddBenchIngest(CLI::App& bench, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command =
      AddCommand(bench, "ingest", "Insert from several threads, each batch durable, while others search",
                 "  isotherm bench ingest --dimension 768 --rows 200000\n"
                 "  isotherm bench ingest ./scratch --profile none --writers 2 --readers 4\n\n"
                 "The collection must not exist, and stays where it was made.\n");
  command->add_option("URI", flags->store.uri, "Where the collection is made (default: in memory)");
  AddProfile(*command, flags->store.profile);
  auto positive = CLI::Range(uint64_t{1}, uint64_t{1'000'000'000}).description("");
  command->add_option("--dimension", flags->dimension, "Numbers a vector")->type_name("N")->capture_default_str();
  command->add_option("--rows", flags->rows, "How many rows")->type_name("N")->check(positive)->capture_default_str();
  command->add_option("--writers", flags->writers, "Threads that write")
      ->type_name("N")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--batch", flags->batch, "Rows a commit")->type_name("N")->check(positive)->capture_default_str();
  command->add_option("--readers", flags->readers, "Threads that search meanwhile")
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--pause", flags->pause_ms, "Milliseconds between a reader's queries")
      ->type_name("MS")
      ->capture_default_str();
  command->add_option("--copies", flags->copies, "Send each object of a commit so many times at once")
      ->type_name("N")
      ->check(CLI::Range(1U, 3U).description(""))
      ->capture_default_str();
  command->add_flag("--defer", flags->defer, "Rows are found when they are committed, not before");
  command->add_flag("!--no-compaction", flags->compact, "Do not compact in the background");
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return Run(*flags); }; });
}

}  // namespace isotherm::tool
