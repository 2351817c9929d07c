// What a cold start costs and finds on real embeddings: the 20,000-row excerpt always, and the whole WordNet set where
// the environment's ISOTHERM_WORDNET names its folder. No time is asserted: waves, requests, bytes and recall are.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <set>

#include "blob/latency_store.h"
#include "blob/memory_store.h"
#include "isotherm/isotherm.h"
#include "tools/formats/npy.h"

namespace isotherm {
namespace {

constexpr size_t kNearest = 10;

struct DataSet {
  std::string folder;
  size_t dimension = 0;
  std::shared_ptr<BlobStore> store;  // holds the compacted collection
  std::vector<float> queries;
  std::vector<std::set<uint64_t>> truth;
};

// A collection of all rows in a store in memory, and the true answers of all queries.
DataSet Load(const std::string& folder) {
  DataSet data;
  data.folder = folder;
  data.store = std::make_shared<MemoryBlobStore>();
  auto vectors = formats::NpyReader::Open(folder + "/vectors.f16.npy");
  auto queries = formats::NpyReader::Open(folder + "/queries.f16.npy");
  EXPECT_TRUE(vectors.ok() && queries.ok()) << folder << " lacks vectors.f16.npy or queries.f16.npy";
  if (!vectors.ok() || !queries.ok()) return data;
  data.dimension = vectors->columns();
  data.queries = queries->ReadFloats(0, queries->rows()).value();
  Options options;
  options.create = CreateOptions{static_cast<uint32_t>(data.dimension), Metric::kCosine, KeyType::kInteger, {"group"}};
  auto collection = Open(data.store, options);
  EXPECT_TRUE(collection.ok()) << collection.status();
  std::vector<float> floats = vectors->ReadFloats(0, vectors->rows()).value();
  std::vector<Row> rows(vectors->rows());
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].key = uint64_t{i};
    auto begin = floats.begin() + static_cast<ptrdiff_t>(i * data.dimension);
    rows[i].vector.assign(begin, begin + static_cast<ptrdiff_t>(data.dimension));
    rows[i].metadata["group"] = static_cast<int64_t>(i % 40);
  }
  EXPECT_TRUE((*collection)->InsertBatch(std::move(rows)).ok());
  Status compacted = (*collection)->Compact();
  EXPECT_TRUE(compacted.ok()) << compacted;
  SearchOptions exact;
  exact.exact = true;
  auto answers = (*collection)->BatchSearch(data.queries, exact);
  EXPECT_TRUE(answers.ok()) << answers.status();
  for (const SearchResult& answer : *answers) {
    data.truth.emplace_back();
    for (const Hit& hit : answer.hits) data.truth.back().insert(hit.key.number());
  }
  return data;
}

const DataSet& Excerpt() {
  static const DataSet data = Load(ISOTHERM_EXCERPT);
  return data;
}

// Null when the whole set is not at hand.
const DataSet* Whole() {
  const char* folder = std::getenv("ISOTHERM_WORDNET");
  if (folder == nullptr) return nullptr;
  static const DataSet data = Load(folder);
  return &data;
}

#define WHOLE_OR_SKIP()           \
  const DataSet* whole = Whole(); \
  if (whole == nullptr) GTEST_SKIP() << "ISOTHERM_WORDNET is not set: the excerpt alone is tested"

struct Means {
  double recall = 0, gets = 0, bytes = 0, codes_percent = 0;
  uint64_t most_waves = 0, fewest_waves = UINT64_MAX, lists = 0;
};

// Every query on a handle of its own with empty caches. The store takes a little time for each request, so that
// requests that are sent together overlap.
Means ColdStarts(const DataSet& data, const SearchOptions& search, const std::string& branch = {}) {
  auto env = Environment::Default();
  LatencyOptions latency;
  latency.profile = LatencyProfile::Fixed(std::chrono::milliseconds(2));
  auto store = std::make_shared<LatencyBlobStore>(data.store, env, latency);
  Means means;
  auto n = static_cast<double>(data.truth.size());
  for (size_t q = 0; q < data.truth.size(); ++q) {
    Meter meter;
    Context context;
    context.meter = &meter;
    Options options;
    options.read_only = true;
    options.branch = branch;
    auto collection = Open(store, options, context);
    EXPECT_TRUE(collection.ok()) << collection.status();
    auto result = (*collection)->Search({&data.queries[q * data.dimension], data.dimension}, search, context);
    EXPECT_TRUE(result.ok()) << result.status();
    MeterSummary cost = meter.Summary();
    for (const Hit& hit : result->hits) {
      EXPECT_EQ(hit.metadata.at("group"), Value(static_cast<int64_t>(hit.key.number() % 40)));
      means.recall += static_cast<double>(data.truth[q].count(hit.key.number())) / n / kNearest;
    }
    means.gets += static_cast<double>(cost.gets()) / n;
    means.bytes += static_cast<double>(cost.bytes_read) / n;
    means.most_waves = std::max(means.most_waves, cost.waves);
    means.fewest_waves = std::min(means.fewest_waves, cost.waves);
    means.lists += cost.lists();
    means.codes_percent += 100.0 * static_cast<double>(result->explain.codes_evaluated) / n /
                           static_cast<double>((*collection)->Stats().rows);
  }
  std::printf("recall@10 %.4f, GETs %.1f, %.2f MB, codes %.2f %%, waves %llu to %llu\n", means.recall, means.gets,
              means.bytes / 1e6, means.codes_percent, static_cast<unsigned long long>(means.fewest_waves),
              static_cast<unsigned long long>(means.most_waves));
  return means;
}

TEST(WordNetExcerpt, ColdStartTakesTwoWavesTenRequestsAndTwoMegabytesForARecallOf95) {
  Means means = ColdStarts(Excerpt(), {});
  EXPECT_EQ(means.fewest_waves, 2U);
  EXPECT_EQ(means.most_waves, 2U);
  EXPECT_EQ(means.lists, 0U);
  EXPECT_LE(means.gets, 10.0);
  EXPECT_LE(means.bytes, 2e6);
  EXPECT_GE(means.recall, 0.95);
}

TEST(WordNetExcerpt, ColdStartAfterCommitsOfNewRowsTakesTwoWaves) {
  const DataSet& data = Excerpt();
  auto copy = std::make_shared<MemoryBlobStore>();
  ASSERT_TRUE(CopyCollection(*data.store, *copy).ok());
  auto writer = Open(copy);
  ASSERT_TRUE(writer.ok()) << writer.status();
  for (uint64_t commit = 0; commit < 4; ++commit) {
    std::vector<Row> rows(40);
    for (size_t i = 0; i < rows.size(); ++i) {
      rows[i].key = 1'000'000 + commit * 100 + i;
      auto begin = data.queries.begin() + static_cast<ptrdiff_t>((commit * 40 + i) * data.dimension);
      rows[i].vector.assign(begin, begin + static_cast<ptrdiff_t>(data.dimension));
      rows[i].metadata["group"] = static_cast<int64_t>(rows[i].key.number() % 40);
    }
    ASSERT_TRUE((*writer)->InsertBatch(rows).ok());
    ASSERT_TRUE((*writer)->Commit().ok());
  }
  DataSet changed = data;
  changed.store = copy;
  changed.truth.resize(100);
  // The rows committed are these queries themselves: each finds its own copy first.
  for (size_t q = 0; q < changed.truth.size(); ++q) changed.truth[q] = {1'000'000 + q / 40 * 100 + q % 40};
  Means means = ColdStarts(changed, {});
  EXPECT_EQ(means.most_waves, 2U);
  EXPECT_NEAR(means.recall * kNearest, 1.0, 1e-9);
}

// The same rows after a history: half of them compacted, the others by 50 commits; then 5 % are deleted, half of those
// before another compaction and half after it; then a branch.
DataSet WithHistory(const DataSet& data) {
  DataSet out = data;
  out.store = std::make_shared<MemoryBlobStore>();
  auto rows_of = Open(data.store);
  EXPECT_TRUE(rows_of.ok()) << rows_of.status();
  std::vector<Row> rows;
  Status scanned = (*rows_of)->Scan([&](Row row) {
    rows.push_back(std::move(row));
    return Status::Ok();
  });
  EXPECT_TRUE(scanned.ok()) << scanned;
  Options options;
  options.create = CreateOptions{static_cast<uint32_t>(data.dimension), Metric::kCosine, KeyType::kInteger, {"group"}};
  auto writer = Open(out.store, options);
  EXPECT_TRUE(writer.ok()) << writer.status();
  const size_t half = rows.size() / 2;
  const size_t step = (rows.size() - half) / 50;
  EXPECT_TRUE((*writer)->InsertBatch({rows.begin(), rows.begin() + static_cast<ptrdiff_t>(half)}).ok());
  EXPECT_TRUE((*writer)->Compact().ok());
  for (size_t commit = 0; commit < 50; ++commit) {
    const size_t begin = half + commit * step;
    const size_t end = commit == 49 ? rows.size() : begin + step;
    EXPECT_TRUE(
        (*writer)
            ->InsertBatch({rows.begin() + static_cast<ptrdiff_t>(begin), rows.begin() + static_cast<ptrdiff_t>(end)})
            .ok());
    EXPECT_TRUE((*writer)->Commit().ok());
  }
  for (size_t part : {0, 1}) {
    for (size_t i = part * 20; i < rows.size(); i += 40) EXPECT_TRUE((*writer)->Delete(rows[i].key).ok());
    EXPECT_TRUE((*writer)->Commit().ok());
    if (part == 0) {
      Status compacted = (*writer)->Compact();
      EXPECT_TRUE(compacted.ok()) << compacted;
    }
  }
  EXPECT_TRUE((*writer)->CreateBranch("later", 0).ok());
  SearchOptions exact;
  exact.exact = true;
  auto answers = (*writer)->BatchSearch(data.queries, exact);
  EXPECT_TRUE(answers.ok()) << answers.status();
  out.truth.clear();
  for (const SearchResult& answer : *answers) {
    out.truth.emplace_back();
    for (const Hit& hit : answer.hits) out.truth.back().insert(hit.key.number());
  }
  return out;
}

void ExpectColdStartsAsWithoutHistory(const DataSet& data, double gets, double bytes) {
  const DataSet changed = WithHistory(data);
  // Cells that were made of the rows in another order are other cells.
  constexpr double kOfAnotherOrder = 0.01;
  const double recall = ColdStarts(data, {}).recall - kOfAnotherOrder;
  for (const char* branch : {"", "later"}) {
    SCOPED_TRACE(std::string("branch '") + branch + "'");
    Means means = ColdStarts(changed, {}, branch);
    EXPECT_EQ(means.most_waves, 2U);
    EXPECT_EQ(means.lists, 0U);
    EXPECT_LE(means.gets, gets + 2);
    EXPECT_LE(means.bytes, bytes);
    EXPECT_GE(means.recall, recall);
  }
}

TEST(WordNetExcerpt, ColdStartAfterFiftyCommitsDeletionsACompactionAndABranchCostsNoMore) {
  ExpectColdStartsAsWithoutHistory(Excerpt(), 10.0, 2e6);
}

TEST(WordNetWhole, ColdStartAfterFiftyCommitsDeletionsACompactionAndABranchCostsNoMore) {
  WHOLE_OR_SKIP();
  ExpectColdStartsAsWithoutHistory(*whole, 24.0, 4e6);
}

TEST(WordNetWhole, ColdStartTakesTwoWaves24RequestsAndFourMegabytesForARecallOf95) {
  WHOLE_OR_SKIP();
  Means means = ColdStarts(*whole, {});
  EXPECT_EQ(means.fewest_waves, 2U);
  EXPECT_EQ(means.most_waves, 2U);
  EXPECT_EQ(means.lists, 0U);
  EXPECT_LE(means.gets, 24.0);
  EXPECT_LE(means.bytes, 4e6);
  EXPECT_GE(means.recall, 0.95);
  EXPECT_LE(means.codes_percent, 2.4);
}

TEST(WordNetWhole, MoreProbesReach97WithFewCodes) {
  WHOLE_OR_SKIP();
  SearchOptions search;
  search.probes = 38;
  Means means = ColdStarts(*whole, search);
  EXPECT_GE(means.recall, 0.97);
  EXPECT_LE(means.codes_percent, 4.5);
}

TEST(WordNetWhole, OneRerankWaveReaches98) {
  WHOLE_OR_SKIP();
  SearchOptions search;
  search.probes = 56;
  search.rerank = 30;
  Means means = ColdStarts(*whole, search);
  EXPECT_EQ(means.most_waves, 3U);
  EXPECT_GE(means.recall, 0.98);
}

}  // namespace
}  // namespace isotherm
