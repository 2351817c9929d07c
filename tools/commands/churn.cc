#include "tools/commands/churn.h"

#include <algorithm>
#include <numeric>

#include "base/macros.h"
#include "isotherm/compaction.h"
#include "tools/commands/clustered_rows.h"
#include "tools/commands/idle_executor.h"
#include "tools/commands/process_memory.h"
#include "tools/commands/queries.h"
#include "tools/commands/session.h"
#include "tools/terminal/progress_bar.h"

namespace isotherm::tool {

namespace {

constexpr uint64_t kRowsPerCluster = 1000;
constexpr uint64_t kQueryGeneration = uint64_t{1} << 40;
constexpr uint64_t kBlockCacheBytes = 16 << 20;  // full after the first turnover

class Run {
 public:
  explicit Run(const ChurnOptions& options)
      : options_(options), rows_(options.dimension, static_cast<uint32_t>(options.rows / kRowsPerCluster + 1)) {
    while (std::gcd(stride_, options.rows) != 1) ++stride_;
  }

  Result<Churned> All() {
    ASSIGN_OR_RETURN(collection_, Open(options_.store));
    RETURN_IF_ERROR(Upsert(*collection_, 0));
    for (uint64_t number = 1; number <= options_.turnovers; ++number) {
      RETURN_IF_ERROR(TurnOver(number).WithContext("turnover " + std::to_string(number)));
    }
    RETURN_IF_ERROR(AskForRows());
    RETURN_IF_ERROR(collection_->Close());
    RETURN_IF_ERROR(BuildFresh().WithContext("the fresh build"));
    bar_.Clear();
    return std::move(out_);
  }

 private:
  Result<std::unique_ptr<Collection>> Open(const StoreFlags& store) {
    Options options;
    options.create = CreateOptions{options_.dimension, Metric::kL2, KeyType::kInteger, {}};
    options.error_if_exists = true;
    options.env = environment_;
    options.block_cache_bytes = kBlockCacheBytes;
    options.compaction_policy = options_.policy == "leveled" ? LeveledCompaction() : SizeTieredCompaction();
    return OpenCollection(store, options);
  }

  // All rows, in an order in which neighbours are far from each other.
  Status Upsert(Collection& collection, uint64_t generation) {
    bar_.Begin("turnover " + std::to_string(generation), options_.rows);
    for (uint64_t done = 0; done < options_.rows; done += options_.batch) {
      std::vector<Row> batch;
      for (uint64_t i = done; i < std::min(done + options_.batch, options_.rows); ++i) {
        batch.push_back(rows_.At(i * stride_ % options_.rows, generation));
      }
      RETURN_IF_ERROR(collection.UpsertBatch(std::move(batch)));
      RETURN_IF_ERROR(CommitSettled(collection));
      bar_.Update(done);
    }
    executor_->WaitIdle();
    CollectionStats stats = collection.Stats();
    if (stats.rows != options_.rows) return Status::Internal("there are " + std::to_string(stats.rows) + " rows");
    if (stats.compactions_failed > 0) return Status::Internal("a compaction failed");
    return Status::Ok();
  }

  Status TurnOver(uint64_t number) {
    Turnover turnover;
    turnover.number = number;
    const int64_t begin_ns = NowNs();
    RETURN_IF_ERROR(Upsert(*collection_, number));
    turnover.ns = NowNs() - begin_ns;
    RETURN_IF_ERROR(Vacuum(*collection_));
    ASSIGN_OR_RETURN(turnover.recall, RecallOf(*collection_));
    ASSIGN_OR_RETURN(turnover.stored_bytes, StoredBytes(options_.store));
    CollectionStats stats = collection_->Stats();
    turnover.resident_bytes = ResidentBytes();
    GiveBackFreePages();
    turnover.memory_bytes = AnonymousBytes();
    turnover.compactions = stats.compactions;
    turnover.write_amplification = stats.write_amplification();
    out_.turnovers.push_back(turnover);
    return Status::Ok();
  }

  static Status Vacuum(Collection& collection) {
    VacuumOptions vacuum;
    vacuum.keep_versions = 1;
    return collection.Vacuum(vacuum).status();
  }

  Result<double> RecallOf(Collection& collection) {
    std::vector<SearchResult> found;
    std::vector<SearchResult> exact;
    for (uint64_t q = 0; q < options_.queries; ++q) {
      const std::vector<float> query = rows_.At(q, kQueryGeneration).vector;
      ASSIGN_OR_RETURN(SearchResult result, collection.Search(query));
      found.push_back(std::move(result));
      SearchOptions truly;
      truly.exact = true;
      ASSIGN_OR_RETURN(result, collection.Search(query, truly));
      exact.push_back(std::move(result));
    }
    return Recall(found, TruthFromResults(exact));
  }

  Result<uint64_t> StoredBytes(const StoreFlags& flags) {
    ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> store, OpenStore(flags.uri, flags.profile));
    uint64_t bytes = 0;
    std::string last;
    while (true) {
      ASSIGN_OR_RETURN(ListPage page, store->List({}, "", last));
      for (const ListEntry& entry : page.entries) bytes += entry.size;
      if (!page.more || page.entries.empty()) return bytes;
      last = page.entries.back().name;
    }
  }

  Status AskForRows() {
    bar_.Begin("asking for rows", options_.rows);
    for (uint64_t key = 0; key < options_.rows; key += options_.every) {
      const std::vector<float> vector = rows_.At(key, options_.turnovers).vector;
      auto is_first = [&](const SearchResult& result) {
        return !result.hits.empty() && result.hits.front().key == Key(key);
      };
      SearchOptions search;
      ASSIGN_OR_RETURN(SearchResult result, collection_->Search(vector, search));
      ++out_.asked_for;
      bar_.Update(key);
      if (is_first(result)) {
        ++out_.found_at_once;
        continue;
      }
      // Codes may mistake a near row for it.
      search.probes = UINT32_MAX;
      search.rerank = 100;
      ASSIGN_OR_RETURN(result, collection_->Search(vector, search));
      if (!is_first(result)) ++out_.unreachable;
    }
    return Status::Ok();
  }

  Status BuildFresh() {
    StoreFlags store = options_.store;
    store.uri += "-fresh";
    ASSIGN_OR_RETURN(auto fresh, Open(store));
    RETURN_IF_ERROR(Upsert(*fresh, options_.turnovers));
    RETURN_IF_ERROR(fresh->Compact());
    RETURN_IF_ERROR(Vacuum(*fresh));
    ASSIGN_OR_RETURN(out_.fresh_recall, RecallOf(*fresh));
    ASSIGN_OR_RETURN(out_.fresh_bytes, StoredBytes(store));
    return fresh->Close();
  }

  const ChurnOptions& options_;
  const ClusteredRows rows_;
  uint64_t stride_ = 7'919;
  std::shared_ptr<IdleExecutor> executor_;
  const std::shared_ptr<Environment> environment_ = IdleExecutor::Over(executor_);
  std::unique_ptr<Collection> collection_;
  terminal::ProgressBar bar_;
  Churned out_;
};

}  // namespace

Result<Churned> Churn(const ChurnOptions& options) {
  GiveBackLargePieces();
  return Run(options).All();
}

}  // namespace isotherm::tool
