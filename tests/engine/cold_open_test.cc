// What a cold start costs: dependent waves of requests, by the requests' own times over the latency of S3 Standard.
// Holds by structure, whatever the data: tests of recall and bytes are elsewhere.
#include <gtest/gtest.h>

#include "blob/latency_store.h"
#include "blob/memory_store.h"
#include "segment/routing_object.h"
#include "tests/base/manual_clock.h"
#include "tests/base/temp_directory.h"
#include "tests/engine/commits.h"

namespace isotherm {
namespace {

using namespace testing_support;

constexpr uint64_t kRows = 400;

class ColdOpenTest : public testing::Test {
 protected:
  void SetUp() override { WriteCollection(kRows); }

  void WriteCollection(uint64_t rows) {
    store_ = std::make_shared<MemoryBlobStore>(environment_);
    writer_ = MustOpen(store_, CreatingSmall());
    InsertAndCommit(0, rows);
  }

  void InsertAndCommit(uint64_t first, uint64_t count) {
    ASSERT_TRUE(writer_->InsertBatch(NumberedRows(first, count)).ok());
    Status status = writer_->Commit();
    ASSERT_TRUE(status.ok()) << status;
  }

  void Compact() {
    CompactOptions cells;
    cells.min_rows_for_cells = 1;
    cells.cells = 20;
    Status status = writer_->Compact(cells);
    ASSERT_TRUE(status.ok()) << status;
  }

  // A new process's handle on a distant store, with empty caches unless `cache_dir` says where to look.
  std::unique_ptr<Collection> OpenFar(const std::string& cache_dir = {}) {
    LatencyOptions latency;
    latency.seed = ++seed_;
    Options options;
    options.env = environment_;
    options.read_only = true;
    options.cache_dir = cache_dir;
    auto collection = Open(std::make_shared<LatencyBlobStore>(store_, environment_, latency), options, Metered());
    EXPECT_TRUE(collection.ok()) << collection.status();
    return std::move(collection).value();
  }

  Context Metered() {
    Context context;
    context.meter = &meter_;
    return context;
  }

  // The answer is held against that of a handle on the store itself.
  void Ask(Collection& collection, uint64_t key) {
    SearchOptions search;
    search.k = 3;
    auto far = collection.Search(NumberedRow(key).vector, search, Metered());
    ASSERT_TRUE(far.ok()) << far.status();
    auto near = MustOpen(store_)->Search(NumberedRow(key).vector, search);
    ASSERT_TRUE(near.ok()) << near.status();
    ASSERT_EQ(far->hits.size(), 3U);
    for (size_t i = 0; i < 3; ++i) EXPECT_EQ(far->hits[i].key, near->hits[i].key);
  }

  // Open and first query of a new process; reads alone, and no LIST among them.
  uint64_t WavesOfColdStart(uint64_t key) {
    meter_.Reset();
    auto collection = OpenFar();
    Ask(*collection, key);
    return Waves();
  }

  uint64_t Waves() {
    MeterSummary summary = meter_.Summary();
    EXPECT_EQ(summary.lists(), 0U);
    EXPECT_EQ(summary.puts(), 0U);
    return summary.waves;
  }

  std::shared_ptr<Environment> environment_ = EnvironmentWithClock(std::make_shared<ManualClock>());
  std::shared_ptr<BlobStore> store_;
  std::unique_ptr<Collection> writer_;
  Meter meter_;
  uint64_t seed_ = 0;
};

TEST_F(ColdOpenTest, ASmallCollectionIsOneWave) {
  for (uint64_t key = 0; key < kRows; key += 37) EXPECT_EQ(WavesOfColdStart(key), 1U);
  EXPECT_EQ(CountObjects(*store_, "segment-"), 0U);
}

TEST_F(ColdOpenTest, UpToOneMegabyteIsOneObjectAndOneWave) {
  std::vector<Row> rows = NumberedRows(kRows, 200);
  for (Row& row : rows) row.payload.assign(4700, 'p');
  ASSERT_TRUE(writer_->InsertBatch(rows).ok());
  ASSERT_TRUE(writer_->Commit().ok());
  EXPECT_GT(writer_->Stats().head_bytes, 950'000U);
  EXPECT_EQ(CountObjects(*store_, "segment-"), 0U);
  EXPECT_EQ(WavesOfColdStart(5), 1U);
}

TEST_F(ColdOpenTest, WithCellsItIsTwoWavesAlsoRightAfterCommitsOfNewRows) {
  Compact();
  for (uint64_t key = 0; key < kRows; key += 37) EXPECT_EQ(WavesOfColdStart(key), 2U);
  // In the head, then in segments beside the cells.
  uint64_t rows = kRows;
  for (uint64_t commit = 0; commit < 6; ++commit) {
    InsertAndCommit(rows, 1000);
    rows += 1000;
    for (uint64_t key : {uint64_t{3}, rows - 1}) EXPECT_EQ(WavesOfColdStart(key), 2U);
  }
  EXPECT_GE(writer_->Stats().segments.size(), 3U);
  InsertAndCommit(rows, 1);
  EXPECT_EQ(WavesOfColdStart(rows), 2U);
  EXPECT_EQ(WavesOfColdStart(3), 2U);
}

TEST_F(ColdOpenTest, ALostOldTornOrForgedRoutingObjectCostsOneWaveMore) {
  Compact();
  ReadRequest request{kRoutingObject, {}, {}};
  std::string old = store_->Read({}, {&request, 1})[0].data;
  InsertAndCommit(kRows, 100);
  Compact();
  std::string good = store_->Read({}, {&request, 1})[0].data;
  std::string forged = good;
  forged[forged.size() / 2] = static_cast<char>(forged[forged.size() / 2] ^ 1);
  ASSERT_NE(old, good);
  EXPECT_EQ(WavesOfColdStart(7), 2U);
  for (const std::string& bad : {old, good.substr(0, good.size() / 2), forged, std::string("x")}) {
    ASSERT_TRUE(store_->Put({}, kRoutingObject, bad).ok());
    EXPECT_EQ(WavesOfColdStart(7), 3U);
  }
  ASSERT_TRUE(store_->Delete({}, kRoutingObject).ok());
  EXPECT_EQ(WavesOfColdStart(7), 3U);
  InsertAndCommit(kRows + 100, 1);
  EXPECT_EQ(WavesOfColdStart(kRows + 100), 3U);
}

TEST_F(ColdOpenTest, ARepeatedQueryMakesNoRequest) {
  for (bool cells : {false, true}) {
    if (cells) Compact();
    InsertAndCommit(kRows + (cells ? 2000 : 0), 2000);
    auto collection = OpenFar();
    Ask(*collection, 11);
    meter_.Reset();
    for (int i = 0; i < 3; ++i) Ask(*collection, 11);
    EXPECT_TRUE(meter_.Records().empty());
    // A refresh is the head's read, and what was read stays.
    ASSERT_TRUE(collection->Refresh(Metered()).ok());
    Ask(*collection, 11);
    EXPECT_EQ(meter_.Records().size(), 1U);
  }
}

TEST_F(ColdOpenTest, AfterARestartWithAWarmDiskCacheTheSameQueryReadsTheHeadAlone) {
  for (bool copy_is_lost : {false, true}) {
    TempDirectory cache;
    WriteCollection(kRows);
    Compact();
    InsertAndCommit(kRows, 4000);
    if (copy_is_lost) {
      ASSERT_TRUE(store_->Delete({}, kRoutingObject).ok());
    }
    {
      auto collection = OpenFar(cache.path());
      Ask(*collection, 11);
      ASSERT_TRUE(collection->Close().ok());
    }
    for (int restart = 0; restart < 2; ++restart) {
      meter_.Reset();
      auto collection = OpenFar(cache.path());
      Ask(*collection, 11);
      EXPECT_EQ(meter_.Records().size(), 1U);
      EXPECT_EQ(Waves(), 1U);
      ASSERT_TRUE(collection->Close().ok());
    }
  }
}

// What the disk cache remembers is out of date then.
TEST_F(ColdOpenTest, AfterACompactionAWarmDiskCacheCostsOneWaveMoreOnce) {
  TempDirectory cache;
  Compact();
  Ask(*OpenFar(cache.path()), 11);
  InsertAndCommit(kRows, 100);
  Compact();
  for (uint64_t expected : {3U, 1U}) {
    meter_.Reset();
    Ask(*OpenFar(cache.path()), 11);
    EXPECT_EQ(Waves(), expected);
  }
}

}  // namespace
}  // namespace isotherm
