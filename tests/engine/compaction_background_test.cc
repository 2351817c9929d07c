// Compactions that a handle does by itself, beside its calls.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "blob/fault_store.h"
#include "blob/memory_store.h"
#include "segment/routing_object.h"
#include "tests/base/manual_clock.h"
#include "tests/engine/commits.h"

namespace isotherm {
namespace {

using namespace testing_support;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kHourMs = 60 * 60 * 1000;

// Tells when nothing is left to be done of what was scheduled.
class WatchedExecutor : public Executor {
 public:
  void Schedule(std::function<void()> task) override {
    ++*undone_;
    // Whoever waits may be gone, and this with it, before it is notified.
    below_->Schedule([undone = undone_, task = std::move(task)] {
      task();
      --*undone;
      undone->notify_all();
    });
  }
  void ParallelFor(size_t n, const std::function<void(size_t)>& body) override { below_->ParallelFor(n, body); }
  size_t Concurrency() const override { return below_->Concurrency(); }

  void WaitIdle() {
    for (int undone = *undone_; undone != 0; undone = *undone_) undone_->wait(undone);
  }

 private:
  const std::shared_ptr<Executor> below_ = Environment::Default()->executor;
  const std::shared_ptr<std::atomic<int>> undone_ = std::make_shared<std::atomic<int>>(0);
};

// Holds up the objects of compactions until the compaction is cancelled.
class WaitingStore : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  Result<std::unique_ptr<BlobWriter>> CreateWriter(const Context& context, std::string_view name) override {
    if (context.cancel == nullptr) return store_->CreateWriter(context, name);
    waiting_ = true;
    waiting_.notify_all();
    while (!context.cancel->cancelled()) std::this_thread::yield();
    return Status::Cancelled("writing " + std::string(name) + " was cancelled");
  }
  void WaitForCompaction() { waiting_.wait(false); }

 private:
  std::atomic<bool> waiting_{false};
};

class BackgroundCompactionTest : public testing::Test {
 protected:
  void SetUp() override {
    environment_->clock = clock_;
    environment_->executor = executor_;
    environment_->background = nullptr;
    options_.env = environment_;
    options_.background_compaction = true;
    options_.inline_bytes = 0;
    writer_ = MustOpen(faulty_, options_);
  }

  void InsertAndCommit(Collection& collection, uint64_t first, uint64_t count) {
    Status status = collection.InsertBatch(NumberedRows(first, count));
    EXPECT_TRUE(status.ok()) << status;
    status = collection.Commit();
    EXPECT_TRUE(status.ok()) << status;
  }

  // Flat segments enough for a merge.
  void CommitFour(Collection& collection, uint64_t first) {
    for (uint64_t i = 0; i < 4; ++i) InsertAndCommit(collection, first + i * 10, 10);
  }

  std::shared_ptr<Collection> OpenQuiet(const std::shared_ptr<BlobStore>& store) {
    Options quiet = options_;
    quiet.background_compaction = false;
    return MustOpen(store, quiet);
  }

  void ExpectAll(uint64_t rows) {
    auto reader = OpenQuiet(store_);
    EXPECT_EQ(ScanKeys(*reader), KeyRange(0, rows));
    ExpectClean(*reader);
    store_->ExpectUnbroken();
  }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<WatchedExecutor> executor_ = std::make_shared<WatchedExecutor>();
  std::shared_ptr<Environment> environment_ = std::make_shared<Environment>(*Environment::Default());
  std::shared_ptr<HeadHistory> store_ = std::make_shared<HeadHistory>(std::make_shared<MemoryBlobStore>(environment_));
  std::shared_ptr<FaultBlobStore> faulty_ = std::make_shared<FaultBlobStore>(store_, environment_);
  Options options_ = CreatingSmall();
  std::unique_ptr<Collection> writer_;
};

TEST_F(BackgroundCompactionTest, FollowsTheCommitThatMakesItDue) {
  CommitFour(*writer_, 0);
  executor_->WaitIdle();
  CollectionStats stats = writer_->Stats();
  EXPECT_EQ(stats.segments.size(), 1U);
  EXPECT_EQ(stats.compactions, 1U);
  EXPECT_EQ(ScanKeys(*writer_), KeyRange(0, 40));
  ExpectAll(40);
}

TEST_F(BackgroundCompactionTest, GoesOnUntilNothingIsDue) {
  options_.compaction.min_rows_for_cells = 100;
  writer_ = MustOpen(faulty_, options_);
  for (uint64_t i = 0; i < 20; ++i) {
    CommitFour(*writer_, i * 40);
    executor_->WaitIdle();
    CollectionStats stats = writer_->Stats();
    EXPECT_LE(stats.segments.size(), 6U);
    EXPECT_EQ(stats.compactions_failed, 0U);
    EXPECT_EQ(stats.cells > 0, i >= 2) << i;
  }
  ExpectAll(800);
}

TEST_F(BackgroundCompactionTest, IsNotBegunWhenItIsTurnedOffNorByAReader) {
  auto quiet = OpenQuiet(store_);
  CommitFour(*quiet, 0);
  executor_->WaitIdle();
  EXPECT_EQ(quiet->Stats().segments.size(), 4U);
  Options reading = options_;
  reading.create.reset();
  reading.read_only = true;
  auto reader = MustOpen(store_, reading);
  EXPECT_EQ(ScanKeys(*reader), KeyRange(0, 40));
  executor_->WaitIdle();
  EXPECT_EQ(store_->newest(), quiet->Stats().version);
}

TEST_F(BackgroundCompactionTest, CloseCancelsItAndRemovesWhatItWrote) {
  auto waiting = std::make_shared<WaitingStore>(store_);
  writer_ = MustOpen(waiting, options_);
  CommitFour(*writer_, 0);
  waiting->WaitForCompaction();
  Status closed = writer_->Close();
  EXPECT_TRUE(closed.ok()) << closed;
  executor_->WaitIdle();
  EXPECT_EQ(CountObjects(*store_, "segment-"), 4U);
  auto reader = OpenQuiet(store_);
  auto head = DecodeHead(store_->Read({}, std::vector<ReadRequest>{{kHeadObject, {}, {}}})[0].data);
  ASSERT_TRUE(head.ok());
  EXPECT_TRUE(head->builds.empty()) << "unregistered";
  ExpectAll(40);
}

TEST_F(BackgroundCompactionTest, ACompactionThatIsAskedForTakesItsPlace) {
  auto waiting = std::make_shared<WaitingStore>(store_);
  writer_ = MustOpen(waiting, options_);
  CommitFour(*writer_, 0);
  waiting->WaitForCompaction();
  Status compacted = writer_->Compact();
  EXPECT_TRUE(compacted.ok()) << compacted;
  EXPECT_EQ(writer_->Stats().segments.size(), 1U);
  EXPECT_EQ(writer_->Stats().compactions_failed, 1U) << "the one that was cancelled";
  ExpectAll(40);
}

TEST_F(BackgroundCompactionTest, AFailureIsCountedAndTriedAgainLater) {
  auto failures = std::make_shared<std::atomic<int>>(0);
  auto objects = std::make_shared<std::atomic<int>>(0);
  faulty_->SetHook([=](uint64_t, RequestKind kind, std::string_view name) {
    // The first four are those of commits.
    bool compacted = kind == RequestKind::kPut && name.starts_with("segment-") && ++*objects > 4;
    if (!compacted || *failures >= 2) return Fault{};
    ++*failures;
    return Fault{FaultKind::kFail, Status::ResourceExhausted("no room")};
  });
  CommitFour(*writer_, 0);
  executor_->WaitIdle();
  EXPECT_EQ(writer_->Stats().compactions_failed, 1U);
  EXPECT_EQ(writer_->Stats().segments.size(), 4U);
  ASSERT_TRUE(writer_->Commit().ok());
  executor_->WaitIdle();
  EXPECT_EQ(*failures, 1) << "too early";
  clock_->AdvanceNs(kSecondNs);
  ASSERT_TRUE(writer_->Commit().ok());
  executor_->WaitIdle();
  EXPECT_EQ(*failures, 2);
  clock_->AdvanceNs(kSecondNs);
  ASSERT_TRUE(writer_->Commit().ok());
  executor_->WaitIdle();
  EXPECT_EQ(writer_->Stats().segments.size(), 4U) << "twice as long";
  clock_->AdvanceNs(kSecondNs);
  ASSERT_TRUE(writer_->Commit().ok());
  executor_->WaitIdle();
  EXPECT_EQ(writer_->Stats().segments.size(), 1U);
  EXPECT_EQ(writer_->Stats().compactions_failed, 2U);
  ExpectAll(40);
}

TEST_F(BackgroundCompactionTest, LeavesTheWorkToABuildThatIsUnderWayUnlessThatIsOld) {
  auto waiting = std::make_shared<WaitingStore>(store_);
  Options options = options_;
  auto other = MustOpen(waiting, options);
  CommitFour(*other, 0);
  waiting->WaitForCompaction();  // registered, and at work
  ASSERT_TRUE(writer_->Refresh().ok());
  InsertAndCommit(*writer_, 40, 10);
  EXPECT_EQ(writer_->Stats().segments.size(), 5U);
  EXPECT_EQ(writer_->Stats().compactions, 0U);
  clock_->AdvanceWallMs(kHourMs);
  InsertAndCommit(*writer_, 50, 10);
  while (writer_->Stats().compactions == 0) std::this_thread::yield();
  EXPECT_EQ(writer_->Stats().segments.size(), 1U);
  other.reset();
  executor_->WaitIdle();
  ExpectAll(60);
}

TEST_F(BackgroundCompactionTest, LosesCleanlyToAnotherWritersAndLooksAgain) {
  auto other = OpenQuiet(store_);
  // Before its objects are written, another one publishes.
  auto meddled = std::make_shared<std::atomic<bool>>(false);
  auto objects = std::make_shared<std::atomic<int>>(0);
  faulty_->SetHook([=, this](uint64_t, RequestKind kind, std::string_view name) {
    if (kind == RequestKind::kPut && name.starts_with("segment-") && ++*objects > 4 && !meddled->exchange(true)) {
      EXPECT_TRUE(other->Refresh().ok());
      EXPECT_TRUE(other->Compact().ok());
      CommitFour(*other, 40);
    }
    return Fault{};
  });
  CommitFour(*writer_, 0);
  executor_->WaitIdle();
  CollectionStats stats = writer_->Stats();
  EXPECT_EQ(stats.compactions_lost, 1U);
  EXPECT_EQ(stats.compactions, 1U) << "of what there was by then";
  EXPECT_EQ(stats.compactions_failed, 0U);
  EXPECT_LE(stats.segments.size(), 2U);
  ExpectAll(80);
}

TEST_F(BackgroundCompactionTest, DisjointOnesOfTwoWritersBothStay) {
  auto other = OpenQuiet(store_);
  auto meddled = std::make_shared<std::atomic<bool>>(false);
  auto objects = std::make_shared<std::atomic<int>>(0);
  faulty_->SetHook([=, this](uint64_t, RequestKind kind, std::string_view name) {
    if (kind == RequestKind::kPut && name.starts_with("segment-") && ++*objects > 4 && !meddled->exchange(true)) {
      EXPECT_TRUE(other->Refresh().ok());
      // Larger ones, of another tier.
      for (uint64_t i = 0; i < 4; ++i) InsertAndCommit(*other, 40 + i * 300, 300);
      CompactOptions compact;
      compact.scope = CompactScope::kPolicy;
      EXPECT_TRUE(other->Compact(compact).ok());
    }
    return Fault{};
  });
  CommitFour(*writer_, 0);
  executor_->WaitIdle();
  EXPECT_GE(writer_->Stats().compactions + writer_->Stats().compactions_lost, 1U);
  EXPECT_EQ(writer_->Stats().compactions_failed, 0U);
  ExpectAll(1240);
}

// Deletions and replacements of rows that are being rewritten count in what is written.
TEST_F(BackgroundCompactionTest, ChangesThatComeInMeanwhileAreReBased) {
  for (uint64_t rows : {uint64_t{10}, uint64_t{100}}) {
    options_.compaction.min_rows_for_cells = 200;
    store_ = std::make_shared<HeadHistory>(std::make_shared<MemoryBlobStore>(environment_));
    faulty_ = std::make_shared<FaultBlobStore>(store_, environment_);
    writer_ = MustOpen(faulty_, options_);
    auto other = OpenQuiet(store_);
    auto meddled = std::make_shared<std::atomic<bool>>(false);
    auto objects = std::make_shared<std::atomic<int>>(0);
    faulty_->SetHook([=](uint64_t, RequestKind kind, std::string_view name) {
      if (kind == RequestKind::kPut && name.starts_with("segment-") && ++*objects > 2 && !meddled->exchange(true)) {
        EXPECT_TRUE(other->Refresh().ok());
        EXPECT_TRUE(other->Write(WriteBatch().Delete(uint64_t{3}).SoftDelete(uint64_t{4}).Upsert(NumberedRow(5))).ok());
        EXPECT_TRUE(other->Commit().ok());
      }
      return Fault{};
    });
    for (uint64_t i = 0; i < 4; ++i) InsertAndCommit(*writer_, i * rows, rows);
    executor_->WaitIdle();
    EXPECT_TRUE(*meddled);
    EXPECT_GE(writer_->Stats().compactions, 1U);
    auto reader = OpenQuiet(store_);
    std::vector<uint64_t> expected = KeyRange(0, 4 * rows);
    expected.erase(expected.begin() + 3, expected.begin() + 5);
    EXPECT_EQ(ScanKeys(*reader), expected);
    EXPECT_EQ(reader->Stats().soft_deleted_rows, 1U);
    ExpectClean(*reader);
    ASSERT_TRUE(reader->Restore(uint64_t{4}).ok());
  }
}

// A row that the compaction left out because it was deleted may come back.
TEST_F(BackgroundCompactionTest, ARollbackMeanwhileIsAConflict) {
  auto other = OpenQuiet(store_);
  CommitFour(*other, 0);
  uint64_t version = other->Stats().version;
  ASSERT_TRUE(other->Write(WriteBatch().Delete(uint64_t{3})).ok());
  ASSERT_TRUE(other->Commit().ok());
  ASSERT_TRUE(writer_->Refresh().ok());
  faulty_->SetHook([=](uint64_t, RequestKind kind, std::string_view name) {
    if (kind == RequestKind::kPut && name.starts_with("segment-") && other->Stats().version > version) {
      EXPECT_TRUE(other->Refresh().ok());
      if (ScanKeys(*other).size() == 39) {
        EXPECT_TRUE(other->Rollback(version).ok());
      }
    }
    return Fault{};
  });
  EXPECT_EQ(writer_->Compact().code(), StatusCode::kConflict);
  ExpectAll(40);
  faulty_->SetHook(nullptr);
  EXPECT_TRUE(writer_->Compact().ok());
  ExpectAll(40);
}

// It is registered: its objects are not taken for garbage, and its inputs are still read.
TEST_F(BackgroundCompactionTest, AVacuumMeanwhileTakesNothingOfIt) {
  auto other = OpenQuiet(store_);
  auto meddled = std::make_shared<std::atomic<int>>(0);
  auto objects = std::make_shared<std::atomic<int>>(0);
  faulty_->SetHook([=](uint64_t, RequestKind kind, std::string_view name) {
    bool after_segment = kind == RequestKind::kPut && name == kHeadObject && *objects == 5;
    if (kind == RequestKind::kPut && name.starts_with("segment-")) ++*objects;
    if (after_segment && (*meddled)++ == 0) {
      EXPECT_TRUE(other->Refresh().ok());
      VacuumOptions vacuum;
      vacuum.keep_versions = 1;
      auto report = other->Vacuum(vacuum);
      EXPECT_TRUE(report.ok()) << report.status();
    }
    return Fault{};
  });
  CommitFour(*writer_, 0);
  executor_->WaitIdle();
  EXPECT_GE(*meddled, 1);
  EXPECT_EQ(writer_->Stats().compactions, 1U);
  ExpectAll(40);
}

}  // namespace
}  // namespace isotherm
