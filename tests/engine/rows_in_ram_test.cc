// Rows in RAM are searched through their graph: what it finds is what comparing with all of them finds, at any moment.
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "base/memory_budget.h"
#include "blob/memory_store.h"
#include "engine/memtable_rows.h"
#include "isotherm/memory.h"
#include "tests/cache/fake_environment.h"
#include "tests/engine/commits.h"
#include "tests/engine/oracle.h"

namespace isotherm {
namespace {

using namespace testing_support;

constexpr uint32_t kDimension = 16;

class Everything : public SlotFilter {
 public:
  bool Accepts(uint32_t) const override { return true; }
};

class Even : public SlotFilter {
 public:
  bool Accepts(uint32_t slot) const override { return slot % 2 == 0; }
};

MemtableOptions Small() {
  MemtableOptions options;
  options.dimension = kDimension;
  options.m = 16;
  options.ef_construction = 60;
  options.graph_rows = 500;
  return options;
}

std::vector<std::shared_ptr<const Row>> SharedRows(size_t count, uint64_t seed) {
  std::vector<std::shared_ptr<const Row>> rows;
  for (Row& row : MakeRows(count, kDimension, seed)) rows.push_back(std::make_shared<const Row>(std::move(row)));
  return rows;
}

// Keys, nearest first.
std::vector<uint32_t> Found(const MemtableRows& rows, std::span<const float> query, size_t k, bool exact,
                            const SlotFilter& filter) {
  Candidates candidates(k);
  rows.Search(query, k, exact, filter, 0, candidates);
  std::vector<uint32_t> slots;
  for (const Candidate& found : candidates.Take()) slots.push_back(found.position);
  if (slots.size() > k) slots.resize(k);
  return slots;
}

double Recall(const MemtableRows& rows, const SlotFilter& filter) {
  size_t right = 0;
  constexpr size_t kQueries = 40;
  for (const auto& query : SharedRows(kQueries, 77)) {
    std::vector<uint32_t> truth = Found(rows, query->vector, 10, true, filter);
    std::vector<uint32_t> found = Found(rows, query->vector, 10, false, filter);
    std::set<uint32_t> in_truth(truth.begin(), truth.end());
    for (uint32_t slot : found) right += in_truth.count(slot);
    EXPECT_EQ(found.size(), 10U);
  }
  return static_cast<double>(right) / (10.0 * kQueries);
}

TEST(MemtableRowsTest, AreFoundWhetherTheGraphHasThemOrNot) {
  MemtableRows rows(Small());
  size_t added = 0;
  const auto all = SharedRows(4'000, 1);
  for (size_t upto : {400U, 600U, 2'000U, 4'000U}) {
    for (; added < upto; ++added) rows.Add(all[added], 1);
    for (int link = 0; link < 700; ++link) rows.LinkOne();
    EXPECT_GE(Recall(rows, Everything()), 0.97) << upto;
    EXPECT_GE(Recall(rows, Even()), 0.97) << upto;
  }
  while (rows.LinkOne()) {
  }
  EXPECT_EQ(rows.unlinked(), 0U);
  EXPECT_GE(Recall(rows, Everything()), 0.97);
  EXPECT_GE(Recall(rows, Even()), 0.97);
}

TEST(MemtableRowsTest, AreSeenFromTheirSequenceOnAndUntilTheyAreHidden) {
  MemtableRows rows(Small());
  const auto all = SharedRows(3, 1);
  rows.Add(all[0], 5);
  rows.Add(all[1], 6);
  rows.Hide(0, 8);
  EXPECT_FALSE(rows.IsSeen(0, 4));
  EXPECT_TRUE(rows.IsSeen(0, 5));
  EXPECT_TRUE(rows.IsSeen(0, 7));
  EXPECT_FALSE(rows.IsSeen(0, 8));
  EXPECT_FALSE(rows.IsSeen(1, 5));
  EXPECT_TRUE(rows.IsSeen(1, 8));
}

TEST(MemtableRowsTest, WithoutMemoryForTheGraphAreComparedOneByOne) {
  MemtableOptions options = Small();
  options.memory = MakeMemoryBudget(1 << 20);  // no chunk fits
  MemtableRows rows(options);
  for (const auto& row : SharedRows(2'000, 1)) rows.Add(row, 1);
  while (rows.LinkOne()) {
  }
  EXPECT_EQ(rows.unlinked(), 0U) << "it does not go on trying";
  EXPECT_EQ(Recall(rows, Everything()), 1.0);
}

TEST(MemtableRowsTest, AddedLinkedAndSearchedAtOnceAreNeverMissed) {
  MemtableRows rows(Small());
  const auto all = SharedRows(3'000, 1);
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int linker = 0; linker < 2; ++linker) {
    threads.emplace_back([&] {
      while (!done) {
        if (!rows.LinkOne()) std::this_thread::yield();
      }
    });
  }
  threads.emplace_back([&] {
    SplitMix64 random(3);
    while (!done) {
      const uint32_t size = rows.size();
      if (size == 0) continue;
      // A row's nearest one is itself, whether it has come to the graph by now or not.
      const auto slot = static_cast<uint32_t>(random.Below(size));
      std::vector<uint32_t> found = Found(rows, rows.row(slot)->vector, 3, false, Everything());
      ASSERT_FALSE(found.empty());
      EXPECT_EQ(found.front(), slot);
    }
  });
  for (const auto& row : all) rows.Add(row, 1);
  while (rows.unlinked() > 0) std::this_thread::yield();
  done = true;
  for (std::thread& thread : threads) thread.join();
}

// A handle whose memtable is large enough for a graph.
class RowsInRamTest : public testing::Test {
 protected:
  static constexpr size_t kRows = 3'000;

  RowsInRamTest() {
    options_.create = CreateOptions{kDimension, Metric::kL2, KeyType::kInteger, {"colour"}};
    options_.graph_m = 16;
    options_.graph_ef_construction = 60;
    options_.inline_bytes = 0;
    options_.background_compaction = false;
    options_.commit_on_close = false;
    rows_ = MakeRows(kRows, kDimension, 5);
  }

  void OpenAndInsert() {
    handle_ = MustOpen(store_, options_);
    ASSERT_TRUE(handle_->InsertBatch(rows_).ok());
  }
  void AwaitGraph() {
    while (handle_->Stats().unlinked_rows > 0) std::this_thread::yield();
  }
  std::vector<Key> Search(std::span<const float> query, bool exact = false, size_t k = 10) {
    SearchOptions search;
    search.k = k;
    search.exact = exact;
    auto found = handle_->Search(query, search);
    EXPECT_TRUE(found.ok()) << found.status();
    std::vector<Key> keys;
    if (!found.ok()) return keys;
    explain_ = found->explain;
    for (const Hit& hit : found->hits) keys.push_back(hit.key);
    return keys;
  }
  void ExpectNearlyExact() {
    size_t right = 0;
    for (const Row& query : MakeRows(30, kDimension, 99)) {
      std::vector<Key> truth = Search(query.vector, true);
      for (const Key& key : Search(query.vector)) right += std::count(truth.begin(), truth.end(), key);
    }
    EXPECT_GE(right, 290U);
  }

  std::shared_ptr<BlobStore> store_ = std::make_shared<MemoryBlobStore>(Environment::Default());
  Options options_;
  std::vector<Row> rows_;
  std::unique_ptr<Collection> handle_;
  Explain explain_;
};

TEST_F(RowsInRamTest, AreSearchedThroughTheGraphBeforeAndAfterTheirCommit) {
  OpenAndInsert();
  AwaitGraph();
  ExpectNearlyExact();
  Search(rows_[0].vector);
  EXPECT_LT(explain_.distances_exact, kRows / 2) << "the graph was not used";
  ASSERT_TRUE(handle_->Commit().ok());
  EXPECT_EQ(handle_->Stats().recent_rows, kRows);
  ExpectNearlyExact();
  Search(rows_[0].vector);
  EXPECT_EQ(explain_.store.waves, 0U);
  EXPECT_LT(explain_.distances_exact, kRows / 2);
}

TEST_F(RowsInRamTest, ShowDeletionsAndReplacementsAtOnceAndAfterTheirCommit) {
  OpenAndInsert();
  ASSERT_TRUE(handle_->Commit().ok());
  AwaitGraph();
  ASSERT_TRUE(handle_->Delete(rows_[7].key).ok());
  ASSERT_TRUE(handle_->SoftDelete(rows_[8].key).ok());
  Row replaced = rows_[9];
  for (float& x : replaced.vector) x = -x;
  ASSERT_TRUE(handle_->Upsert(replaced).ok());
  for (const char* when : {"pending", "committed", "compacted"}) {
    SCOPED_TRACE(when);
    EXPECT_NE(Search(rows_[7].vector).front(), rows_[7].key);
    EXPECT_NE(Search(rows_[8].vector).front(), rows_[8].key);
    EXPECT_NE(Search(rows_[9].vector).front(), rows_[9].key);
    EXPECT_EQ(Search(replaced.vector).front(), rows_[9].key);
    std::vector<Key> all = Search(replaced.vector, true, kRows);
    EXPECT_EQ(all.size(), kRows - 2);
    EXPECT_EQ(std::set<Key>(all.begin(), all.end()).size(), all.size());
    if (when == std::string("pending")) {
      ASSERT_TRUE(handle_->Commit().ok());
    } else if (when == std::string("committed")) {
      EXPECT_EQ(handle_->Stats().recent_rows, kRows);
      ASSERT_TRUE(handle_->Compact().ok());
      EXPECT_EQ(handle_->Stats().recent_rows, 0U) << "the segment is gone";
    }
  }
}

TEST_F(RowsInRamTest, MakeRoomWhenTheBudgetNeedsIt) {
  options_.memory = MakeMemoryBudget(18 << 20);
  options_.block_cache_bytes = 1 << 20;
  OpenAndInsert();
  ASSERT_TRUE(handle_->Commit().ok());
  AwaitGraph();
  ASSERT_EQ(handle_->Stats().recent_rows, kRows);
  std::vector<Key> before = Search(rows_[5].vector, true);
  Row large{.key = uint64_t{1} << 40, .vector = rows_[0].vector, .metadata = {}, .payload = std::string(15 << 20, 'x')};
  ASSERT_TRUE(handle_->Insert(large).ok());
  EXPECT_EQ(handle_->Stats().recent_rows, 0U);
  EXPECT_EQ(Search(rows_[5].vector, true), before);
  ExpectNearlyExact();
}

TEST_F(RowsInRamTest, AreSearchedByTheirCodesUntilTheGraphHasThem) {
  auto environment = std::make_shared<Environment>(*Environment::Default());
  auto background = std::make_shared<test::ManualExecutor>();
  environment->background = background;
  options_.env = environment;
  OpenAndInsert();
  EXPECT_TRUE(handle_->Commit().ok());
  EXPECT_EQ(handle_->Stats().recent_rows, kRows);
  EXPECT_EQ(handle_->Stats().unlinked_rows, kRows);
  ExpectNearlyExact();
  EXPECT_EQ(Search(rows_[7].vector).front(), rows_[7].key);
  EXPECT_EQ(explain_.codes_evaluated, kRows);
  EXPECT_EQ(explain_.distances_exact, 0U);
  EXPECT_EQ(explain_.store.waves, 0U);
  EXPECT_EQ(Search(rows_[7].vector, true).front(), rows_[7].key);
  EXPECT_EQ(explain_.distances_exact, kRows);
  EXPECT_EQ(explain_.store.waves, 0U);
  SearchOptions whole;
  whole.include_vector = whole.include_metadata = whole.include_payload = true;
  whole.rerank = 20;
  auto found = handle_->Search(rows_[7].vector, whole);
  EXPECT_TRUE(found.ok() && found->hits.front().vector == rows_[7].vector) << found.status();
  EXPECT_TRUE(found.ok() && found->explain.store.waves == 0);
  EXPECT_TRUE(handle_->Delete(rows_[7].key).ok());
  EXPECT_NE(Search(rows_[7].vector).front(), rows_[7].key);
  EXPECT_TRUE(handle_->Commit().ok());
  EXPECT_NE(Search(rows_[7].vector).front(), rows_[7].key);
  background->RunAll();
  EXPECT_EQ(handle_->Stats().unlinked_rows, 0U);
  ExpectNearlyExact();
  Search(rows_[8].vector);
  EXPECT_EQ(explain_.codes_evaluated, 0U);
  EXPECT_NE(Search(rows_[7].vector).front(), rows_[7].key);
}

TEST_F(RowsInRamTest, ThatMadeRoomForOthersAreStillSearchedWithoutARequest) {
  options_.recent_bytes = 1;
  OpenAndInsert();
  ASSERT_TRUE(handle_->Commit().ok());
  ASSERT_EQ(handle_->Stats().recent_rows, 0U);
  Search(rows_[0].vector);
  EXPECT_EQ(explain_.codes_evaluated, kRows);
  EXPECT_EQ(explain_.store.waves, 0U);
  // Too few to be kept as rows.
  ASSERT_TRUE(handle_->InsertBatch(MakeRows(300, kDimension, 8, kRows)).ok());
  ASSERT_TRUE(handle_->Commit().ok());
  ASSERT_EQ(handle_->Stats().recent_rows, 0U);
  Search(rows_[0].vector);
  EXPECT_EQ(explain_.codes_evaluated, kRows + 300);
  EXPECT_EQ(explain_.store.waves, 0U);
  ExpectNearlyExact();
}

TEST_F(RowsInRamTest, OfABatchThatIsDeferredAreSeenFromTheCommitOn) {
  OpenAndInsert();
  WriteBatch batch;
  std::vector<Row> more = MakeRows(2'500, kDimension, 6, kRows);
  for (const Row& row : more) batch.Insert(row);
  Row replaced = rows_[9];
  replaced.vector = more[0].vector;
  batch.Upsert(replaced);  // of a key that is pending already
  ASSERT_TRUE(handle_->Write(std::move(batch.Defer())).ok());
  EXPECT_EQ(handle_->Get(more[3].key).status().code(), StatusCode::kNotFound);
  EXPECT_NE(Search(more[3].vector).front(), more[3].key);
  EXPECT_EQ(handle_->Insert(more[3]).code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(Search(replaced.vector).front(), replaced.key);
  ASSERT_TRUE(handle_->Commit().ok());
  EXPECT_EQ(Search(more[3].vector).front(), more[3].key);
  EXPECT_TRUE(handle_->Get(more[3].key).ok());
  // A row that is committed is there until the deferred change of it is.
  ASSERT_TRUE(handle_->Write(std::move(WriteBatch().Delete(more[3].key).Defer())).ok());
  EXPECT_EQ(Search(more[3].vector).front(), more[3].key);
  ASSERT_TRUE(handle_->Commit().ok());
  EXPECT_NE(Search(more[3].vector).front(), more[3].key);
}

TEST_F(RowsInRamTest, AreComparedOneByOneWithoutAGraph) {
  options_.graph_m = 0;
  OpenAndInsert();
  EXPECT_EQ(handle_->Stats().unlinked_rows, 0U);
  Search(rows_[0].vector);
  EXPECT_EQ(explain_.distances_exact, kRows);
  for (uint32_t bad : {1U, 513U}) {
    options_.graph_m = bad;
    EXPECT_EQ(Open(store_, options_).status().code(), StatusCode::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace isotherm
