// What a handle tells its metrics and event log, and what it takes of a memory budget.
#include <gtest/gtest.h>

#include <thread>

#include "base/memory_budget.h"
#include "blob/memory_store.h"
#include "tests/base/manual_clock.h"
#include "tests/engine/commits.h"

namespace isotherm {
namespace {

using namespace testing_support;

class ObservabilityTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.metrics = std::make_shared<Metrics>();
    options_.events = std::make_shared<EventLog>();
    options_.env = environment_;
  }

  std::vector<std::string> Kinds() const {
    std::vector<std::string> kinds;
    for (const Event& event : options_.events->After()) kinds.push_back(EventKindName(event.kind));
    return kinds;
  }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<Environment> environment_ = EnvironmentWithClock(clock_);
  std::shared_ptr<BlobStore> store_ = std::make_shared<MemoryBlobStore>(environment_);
  Options options_ = CreatingSmall();
};

TEST_F(ObservabilityTest, CommitsConflictsReadsAndErrorsAreCounted) {
  auto writer = MustOpen(store_, options_);
  Options unobserved = CreatingSmall();
  unobserved.env = environment_;
  auto other = MustOpen(store_, unobserved);
  ASSERT_TRUE(writer->InsertBatch(NumberedRows(0, 5)).ok());
  ASSERT_TRUE(writer->Commit().ok());
  ASSERT_TRUE(other->Refresh().ok());
  ASSERT_TRUE(other->Insert(NumberedRow(10)).ok());
  ASSERT_TRUE(other->Commit().ok());
  ASSERT_TRUE(writer->Delete(uint64_t{2}).ok());
  ASSERT_TRUE(writer->Commit().ok());
  EXPECT_TRUE(writer->Get(uint64_t{1}).ok());
  EXPECT_TRUE(writer->Search(NumberedRow(1).vector).ok());
  MetricsSnapshot seen = options_.metrics->Snapshot();
  EXPECT_EQ(seen.Value(MetricId::kCommits), 2);
  EXPECT_EQ(seen.Value(MetricId::kConflicts), 1);
  EXPECT_EQ(seen.Value(MetricId::kRowsInserted), 5);
  EXPECT_EQ(seen.Value(MetricId::kRowsDeleted), 1);
  EXPECT_EQ(seen.Value(MetricId::kVersion), 4);
  EXPECT_EQ(seen.Histogram(MetricId::kCommitSeconds).count(), 2U);
  EXPECT_EQ(seen.Histogram(MetricId::kGetSeconds).count(), 1U);
  EXPECT_EQ(seen.Histogram(MetricId::kSearchSeconds).count(), 1U);
  EXPECT_EQ(Kinds(), (std::vector<std::string>{"commit", "conflict", "commit"}));
  Event first = options_.events->After().front();
  EXPECT_EQ(first.version, 2U);
  EXPECT_EQ(first.cause, "commit");
  EXPECT_EQ(first.details.at("rows_written"), Value(int64_t{5}));
}

TEST_F(ObservabilityTest, GaugesTellWhatWaitsForACommit) {
  auto writer = MustOpen(store_, options_);
  ASSERT_TRUE(writer->InsertBatch(NumberedRows(0, 7)).ok());
  MetricsSnapshot seen = options_.metrics->Snapshot();
  EXPECT_EQ(seen.Value(MetricId::kMemtableRows), 7);
  EXPECT_GT(seen.Value(MetricId::kMemtableBytes), 7 * 16);
  ASSERT_TRUE(writer->Commit().ok());
  EXPECT_EQ(options_.metrics->Snapshot().Value(MetricId::kMemtableRows), 0);
  writer = nullptr;
  EXPECT_EQ(options_.metrics->Snapshot().Value(MetricId::kMemtableRows), 0) << "the handle is gone";
}

TEST_F(ObservabilityTest, TheMemoryBudgetHoldsAndWhatWaitsIsCommittedToMakeRoom) {
  constexpr uint64_t kLimit = 1 << 20;
  options_.memory = MakeMemoryBudget(kLimit);
  options_.block_cache_bytes = 256 << 10;
  auto writer = MustOpen(store_, options_);
  std::string payload(10'000, 'p');
  constexpr uint64_t kRows = 400;  // four times what the budget holds
  for (uint64_t key = 0; key < kRows; ++key) {
    Row row = NumberedRow(key);
    row.payload = payload;
    Status status = writer->Insert(row);
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_LE(UsageOf(*options_.memory).used_bytes, kLimit);
  }
  EXPECT_GT(writer->Stats().version, 3U) << "it was committed on the way";
  ASSERT_TRUE(writer->Commit().ok());
  EXPECT_EQ(writer->Stats().rows, kRows);
  EXPECT_EQ(UsageOf(*options_.memory).by_use[static_cast<int>(MemoryUse::kMemtable)], 0U);
  // What can never fit fails alone.
  Row huge = NumberedRow(kRows);
  huge.payload.assign(2 * kLimit, 'h');
  EXPECT_EQ(writer->Insert(huge).code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(writer->Insert(NumberedRow(kRows)).ok());
}

// A second may pass on a slow machine until it is given back.
TEST_F(ObservabilityTest, AWriteWaitsForMemoryThatIsGivenBackSoon) {
  options_.memory = MakeMemoryBudget(1 << 20);
  options_.block_cache_bytes = 256 << 10;
  auto writer = MustOpen(store_, options_);
  std::vector<MemoryReservation> others;
  for (uint64_t bytes = 1 << 20; bytes > 0; bytes /= 2) {
    if (auto piece = options_.memory->Reserve(MemoryUse::kQuery, bytes); piece.ok()) {
      others.push_back(std::move(piece).value());
    }
  }
  std::thread later([&] {
    while (UsageOf(*options_.memory).waiting == 0) std::this_thread::yield();
    for (int step = 0; step < 10; ++step) {
      clock_->AdvanceNs(100'000'000);
      Clock& real = *Environment::Default()->clock;
      real.SleepUntilNs(real.NowNs() + 2'000'000);
    }
    others.clear();
  });
  Status status = writer->Insert(NumberedRow(1));
  later.join();
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace isotherm
