// What becomes of commits when a writer's slot in the head goes to another one, an hour after its last commit.
#include "tests/cache/fake_environment.h"
#include "tests/engine/faulty_writer.h"

namespace isotherm {
namespace {

using namespace testing_support;

constexpr int64_t kHourMs = 60 * 60 * 1000;

// An hour after its last commit a writer's slot may go to another one.
class SlotTest : public FaultyWriter {
 protected:
  Head HeadInStore() { return CommitLog(store_, environment_).Load({})->head; }
};

TEST_F(SlotTest, ASlotIsReusedAfterAnHourOfSilenceAndItsWriterTakesAnother) {
  CommitOne(*writer_, 0);
  CommitOne(*Other(), 1);
  EXPECT_EQ(HeadInStore().slots.size(), 2U);
  clock_->AdvanceWallMs(kHourMs + 1);
  CommitOne(*Other(), 2);
  EXPECT_EQ(HeadInStore().slots.size(), 2U);
  EXPECT_EQ(HeadInStore().slots[0].epoch, 2U);
  CommitOne(*writer_, 3);
  EXPECT_EQ(HeadInStore().slots.size(), 2U);
  EXPECT_EQ(KeysInStore(), KeyRange(0, 4));
}

TEST_F(SlotTest, AWriterWithoutItsSlotSettlesALostAnswerAsAnyOther) {
  for (FaultKind kind : {FaultKind::kLoseAnswer, FaultKind::kFail, FaultKind::kLate}) {
    uint64_t key = KeysInStore().size();
    CommitOne(*writer_, key);
    clock_->AdvanceWallMs(kHourMs + 1);
    CommitOne(*Other(), key + 1);
    ASSERT_TRUE(writer_->Refresh().ok());
    ASSERT_TRUE(writer_->Insert(NumberedRow(key + 2)).ok());
    FaultHeadPut({kind});
    Status status = writer_->Commit();
    EXPECT_TRUE(status.ok()) << status;
    faulty_->DeliverLate();
    EXPECT_EQ(KeysInStore(), KeyRange(0, key + 3));
  }
}

// D4, D6: nobody can tell whether such a commit landed, so nothing that it may have put in place is touched.
TEST_F(SlotTest, ACommitLeftOpenUntilItsSlotIsGoneIsFencedAndHarmsNothing) {
  for (bool committed_before : {false, true}) {
    for (bool landed : {false, true}) {
      SCOPED_TRACE(std::to_string(committed_before) + std::to_string(landed));
      options_.inline_bytes = 0;
      SetUp();
      uint64_t key = 0;
      if (committed_before) CommitOne(*writer_, key++);
      ASSERT_TRUE(writer_->Insert(NumberedRow(key)).ok());
      LoseHeadPutAndGoDown(landed ? FaultKind::kLoseAnswer : FaultKind::kFail);
      EXPECT_EQ(writer_->Commit().code(), StatusCode::kUnknown);
      clock_->AdvanceWallMs(kHourMs + 1);
      for (uint64_t other = 1; other <= 4; ++other) CommitOne(*Other(), key + other);
      StoreIsUp();
      EXPECT_EQ(writer_->Commit().code(), StatusCode::kFenced);
      ExpectClean(*writer_);
      Status status = writer_->Commit();
      EXPECT_EQ(status.code(), landed ? StatusCode::kAlreadyExists : StatusCode::kOk) << status;
      ASSERT_TRUE(writer_->DiscardPending().ok());
      EXPECT_EQ(ScanKeys(*writer_), KeyRange(0, key + 5));
      CommitOne(*writer_, key + 5);
      ExpectClean(*writer_);
      store_->ExpectUnbroken();
    }
  }
}

// Else the caller took it for one that certainly did not happen, and it would be committed once more.
TEST_F(SlotTest, ACommitIsFencedAlsoWhenTheNewestVersionCannotBeRead) {
  ASSERT_TRUE(writer_->Upsert(NumberedRow(0)).ok());
  LoseHeadPutAndGoDown(FaultKind::kLoseAnswer);
  EXPECT_EQ(writer_->Commit().code(), StatusCode::kUnknown);
  clock_->AdvanceWallMs(kHourMs + 1);
  auto other = Other();
  ASSERT_TRUE(other->Delete(uint64_t{0}).ok());
  CommitOne(*other, 1);
  CompactOptions cells;
  cells.min_rows_for_cells = 1;
  cells.cells = 1;
  ASSERT_TRUE(other->Compact(cells).ok());
  int heads_read = 0;
  faulty_->SetHook([&](uint64_t, RequestKind kind, std::string_view name) {
    // The first one tells what became of the commit.
    bool fails = kind == RequestKind::kGet && (name != kHeadObject || heads_read++ > 0);
    return fails ? Fault{FaultKind::kFail} : Fault{};
  });
  EXPECT_EQ(writer_->Commit().code(), StatusCode::kFenced);
  EXPECT_GT(heads_read, 1);
  StoreIsUp();
  ASSERT_TRUE(writer_->DiscardPending().ok());
  EXPECT_EQ(KeysInStore(), KeyRange(1, 1));
  ExpectClean(*writer_);
}

// Else what is said to be done may have been done twice, the second time over what others did since.
TEST_F(SlotTest, WhatBecameOfACommitThatNobodyAskedForIsToldByTheNextOne) {
  auto executor = std::make_shared<test::ManualExecutor>();
  environment_->executor = environment_->background = executor;
  options_.memtable_bytes = 400;  // less than a row, more than half of one
  options_.background_compaction = false;
  SetUp();
  auto upsert = [&](uint64_t key) {
    Status status = writer_->Upsert(NumberedRow(key));
    EXPECT_TRUE(status.ok()) << status;
    executor->RunAll();  // the flush
  };
  LoseHeadPutAndGoDown(FaultKind::kLoseAnswer);
  upsert(0);
  clock_->AdvanceWallMs(kHourMs + 1);
  auto other = Other();
  ASSERT_TRUE(other->Delete(uint64_t{0}).ok());
  CommitOne(*other, 1);
  StoreIsUp();
  upsert(2);
  EXPECT_EQ(KeysInStore(), KeyRange(1, 1));
  EXPECT_EQ(writer_->Commit().code(), StatusCode::kFenced);
  EXPECT_EQ(KeysInStore(), KeyRange(1, 1));
  // Whoever knows it may commit all the same.
  Status status = writer_->Commit();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(KeysInStore(), KeyRange(0, 3));
  executor->RunAll();
}

TEST_F(SlotTest, WithinTheHourALostSwapIsKnownToBeLost) {
  ASSERT_TRUE(writer_->Insert(NumberedRow(0)).ok());
  LoseHeadPutAndGoDown(FaultKind::kLate);
  EXPECT_EQ(writer_->Commit().code(), StatusCode::kUnknown);
  clock_->AdvanceWallMs(kHourMs);
  CommitOne(*Other(), 1);
  StoreIsUp();
  Status status = writer_->Commit();
  EXPECT_TRUE(status.ok()) << status;
  faulty_->DeliverLate();
  EXPECT_EQ(KeysInStore(), KeyRange(0, 2));
}

}  // namespace
}  // namespace isotherm
