// Commits whose way is barred: by a store that is down, a deadline, a full disk, another writer. The invariants D1 …
// are those of docs/durability.md.
#include "tests/engine/faulty_writer.h"

namespace isotherm {
namespace {

using namespace testing_support;

using CommitLogTest = FaultyWriter;

// D5.
TEST_F(CommitLogTest, AStoreThatGoesDownLeavesTheOutcomeUnknownUntilTheNextCommitSettlesIt) {
  for (FaultKind kind : {FaultKind::kLoseAnswer, FaultKind::kFail, FaultKind::kLate}) {
    uint64_t key = KeysInStore().size();
    ASSERT_TRUE(writer_->Insert(NumberedRow(key)).ok());
    LoseHeadPutAndGoDown(kind);
    EXPECT_EQ(writer_->Commit().code(), StatusCode::kUnknown);
    EXPECT_EQ(writer_->Commit().code(), StatusCode::kUnknown);
    EXPECT_EQ(writer_->DiscardPending().code(), StatusCode::kUnknown);
    EXPECT_EQ(writer_->Close().code(), StatusCode::kOk) << "it was asked not to commit on close";
    StoreIsUp();
    faulty_->DeliverLate();
    writer_ = MustOpen(faulty_, options_);
    // What was not asked for again is there or not, and whole.
    EXPECT_EQ(KeysInStore(), KeyRange(0, key + (kind == FaultKind::kFail ? 0 : 1)));
  }
}

TEST_F(CommitLogTest, RowsInsertedWhileAnOutcomeIsOpenAreCommittedAfterItIsSettled) {
  for (FaultKind kind : {FaultKind::kLoseAnswer, FaultKind::kFail, FaultKind::kLate}) {
    uint64_t key = KeysInStore().size();
    ASSERT_TRUE(writer_->Insert(NumberedRow(key)).ok());
    LoseHeadPutAndGoDown(kind);
    EXPECT_EQ(writer_->Commit().code(), StatusCode::kUnknown);
    StoreIsUp();
    ASSERT_TRUE(writer_->Insert(NumberedRow(key + 1)).ok());
    EXPECT_EQ(writer_->Insert(NumberedRow(key)).code(), StatusCode::kAlreadyExists);
    Status status = writer_->Commit();
    ASSERT_TRUE(status.ok()) << status;
    faulty_->DeliverLate();
    EXPECT_EQ(KeysInStore(), KeyRange(0, key + 2));
    EXPECT_EQ(writer_->Stats().pending_rows, 0U);
  }
  store_->ExpectUnbroken();
}

TEST_F(CommitLogTest, WithAutomaticCloseACommitThatCannotBeSettledKeepsTheHandleOpen) {
  options_.commit_on_close = true;
  writer_ = MustOpen(faulty_, options_);
  ASSERT_TRUE(writer_->Insert(NumberedRow(1)).ok());
  LoseHeadPutAndGoDown(FaultKind::kLoseAnswer);
  EXPECT_EQ(writer_->Close().code(), StatusCode::kUnknown);
  StoreIsUp();
  EXPECT_TRUE(writer_->Close().ok());
  EXPECT_EQ(KeysInStore(), KeyRange(1, 1));
}

// Time passes when a segment is put.
class SlowSegmentStore : public ForwardingStore {
 public:
  SlowSegmentStore(std::shared_ptr<BlobStore> store, std::shared_ptr<ManualClock> clock)
      : ForwardingStore(std::move(store)), clock_(std::move(clock)) {}

  Result<std::string> Put(const Context& context, std::string_view name, std::string_view bytes,
                          const PutCondition& condition) override {
    auto etag = store_->Put(context, name, bytes, condition);
    if (name.starts_with("segment-")) clock_->AdvanceNs(2'000);
    return etag;
  }

 private:
  const std::shared_ptr<ManualClock> clock_;
};

// D4: between the segment and the swap it is certain yet that nothing happened.
TEST_F(CommitLogTest, ADeadlineBeforeTheSwapCommitsNothingForCertain) {
  options_.inline_bytes = 0;
  writer_ = MustOpen(std::make_shared<SlowSegmentStore>(store_, clock_), options_);
  ASSERT_TRUE(writer_->Insert(NumberedRow(1)).ok());
  Context context;
  context.deadline_ns = clock_->NowNs() + 1'000;
  EXPECT_EQ(writer_->Commit(context).code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(store_->newest(), 1U);
  ASSERT_TRUE(writer_->DiscardPending().ok());
  CommitOne(*writer_, 1);
}

TEST_F(CommitLogTest, ADeadlineOrCancellationDuringTheSwapLeavesItUnknownAndTheNextCommitSettlesIt) {
  for (FaultKind kind : {FaultKind::kLoseAnswer, FaultKind::kFail, FaultKind::kLate}) {
    for (bool cancelled : {false, true}) {
      uint64_t key = KeysInStore().size();
      CancelToken token;
      Context context;
      context.cancel = &token;
      context.deadline_ns = clock_->NowNs() + 1'000;
      Status told = cancelled ? Status::Cancelled("cancelled") : Status::DeadlineExceeded("too late");
      faulty_->SetHook([&](uint64_t, RequestKind request, std::string_view name) {
        if (request != RequestKind::kPut || name != kHeadObject) return Fault{};
        cancelled ? token.Cancel() : clock_->AdvanceNs(2'000);
        return Fault{kind, told};
      });
      ASSERT_TRUE(writer_->Insert(NumberedRow(key)).ok());
      EXPECT_EQ(writer_->Commit(context).code(), StatusCode::kUnknown);
      EXPECT_EQ(writer_->Commit(context).code(), StatusCode::kUnknown);
      StoreIsUp();
      Status status = writer_->Commit();
      EXPECT_TRUE(status.ok()) << status;
      faulty_->DeliverLate();
      EXPECT_EQ(KeysInStore(), KeyRange(0, key + 1));
    }
  }
  store_->ExpectUnbroken();
}

// D6: the segment goes when the swap certainly failed, and not before.
TEST_F(CommitLogTest, ADefiniteFailureLeavesTheRowsPendingAndNoSegmentBehind) {
  options_.inline_bytes = 0;
  writer_ = MustOpen(faulty_, options_);
  uint64_t key = 0;
  for (const Status& refusal :
       {Status::AccessDenied("denied"), Status::ResourceExhausted("disk full"), Status::IoError("broken")}) {
    ASSERT_TRUE(writer_->Insert(NumberedRow(key)).ok());
    FaultHeadPut({FaultKind::kFail, refusal});
    EXPECT_EQ(writer_->Commit().code(), refusal.code());
    EXPECT_EQ(CountObjects(*store_, "segment-"), key);
    EXPECT_EQ(writer_->Stats().pending_rows, 1U);
    EXPECT_EQ(KeysInStore(), KeyRange(0, key));
    StoreIsUp();
    ASSERT_TRUE(writer_->Commit().ok());
    EXPECT_EQ(KeysInStore(), KeyRange(0, ++key));
  }
}

TEST_F(CommitLogTest, ASegmentWhoseWriteFailsCommitsNothingAndLeavesNothingOpen) {
  options_.inline_bytes = 0;
  writer_ = MustOpen(faulty_, options_);
  ASSERT_TRUE(writer_->Insert(NumberedRow(0)).ok());
  for (const Status& told :
       {Status::Unknown("perhaps"), Status::Unavailable("gone"), Status::ResourceExhausted("disk full")}) {
    for (FaultKind kind : {FaultKind::kFail, FaultKind::kLoseAnswer}) {
      faulty_->SetHook([&](uint64_t, RequestKind request, std::string_view) {
        return request == RequestKind::kPut ? Fault{kind, told} : Fault{};
      });
      StatusCode code = writer_->Commit().code();
      EXPECT_EQ(code, told.code() == StatusCode::kUnknown ? StatusCode::kUnavailable : told.code());
      EXPECT_EQ(store_->newest(), 1U);
    }
  }
  StoreIsUp();
  ASSERT_TRUE(writer_->DiscardPending().ok());
  CommitOne(*writer_, 7);
  EXPECT_EQ(KeysInStore(), KeyRange(7, 1));
}

TEST_F(CommitLogTest, ASegmentStaysWhileItsSwapMayStillLandAndGoesWhenItCannot) {
  options_.inline_bytes = 0;
  writer_ = MustOpen(faulty_, options_);
  ASSERT_TRUE(writer_->Insert(NumberedRow(1)).ok());
  LoseHeadPutAndGoDown(FaultKind::kLate);
  EXPECT_EQ(writer_->Commit().code(), StatusCode::kUnknown);
  EXPECT_EQ(CountObjects(*store_, "segment-"), 1U);
  CommitOne(*Other(), 2);
  EXPECT_EQ(CountObjects(*store_, "segment-"), 2U);
  StoreIsUp();
  ASSERT_TRUE(writer_->Commit().ok());
  EXPECT_EQ(CountObjects(*store_, "segment-"), 2U) << "the lost swap's is gone, the new one's is there";
  faulty_->DeliverLate();
  EXPECT_EQ(KeysInStore(), KeyRange(1, 2));
  ExpectClean(*writer_);
}

TEST_F(CommitLogTest, ConflictPolicyFailReturnsConflictAndKeepsTheRowsForAnotherTry) {
  options_.conflict_policy = ConflictPolicy::kFail;
  writer_ = MustOpen(faulty_, options_);
  ASSERT_TRUE(writer_->Insert(NumberedRow(1)).ok());
  CommitOne(*Other(), 2);
  Status status = writer_->Commit();
  EXPECT_EQ(status.code(), StatusCode::kConflict);
  EXPECT_NE(status.message().find("version 2"), std::string::npos) << status;
  EXPECT_EQ(writer_->Stats().pending_rows, 1U);
  EXPECT_EQ(writer_->Stats().conflicts, 1U);
  EXPECT_EQ(writer_->Stats().version, 2U);
  ASSERT_TRUE(writer_->Commit().ok());
  EXPECT_EQ(KeysInStore(), KeyRange(1, 2));
}

TEST_F(CommitLogTest, ConflictPolicyFailReturnsConflictWhenAnOpenOutcomeTurnsOutLost) {
  options_.conflict_policy = ConflictPolicy::kFail;
  writer_ = MustOpen(faulty_, options_);
  ASSERT_TRUE(writer_->Insert(NumberedRow(1)).ok());
  LoseHeadPutAndGoDown(FaultKind::kFail);
  EXPECT_EQ(writer_->Commit().code(), StatusCode::kUnknown);
  CommitOne(*Other(), 2);
  StoreIsUp();
  EXPECT_EQ(writer_->Commit().code(), StatusCode::kConflict);
  ASSERT_TRUE(writer_->Commit().ok());
  EXPECT_EQ(KeysInStore(), KeyRange(1, 2));
}

TEST_F(CommitLogTest, AKeyThatAnotherWriterTookIsNamedAtCommitAndDiscardingHelps) {
  for (uint64_t inline_bytes : {uint64_t{1} << 20, uint64_t{0}}) {
    options_.inline_bytes = inline_bytes;
    writer_ = MustOpen(faulty_, options_);
    uint64_t key = KeysInStore().size();
    ASSERT_TRUE(writer_->InsertBatch(NumberedRows(key, 3)).ok());
    CommitOne(*Other(), key + 1);
    for (int i = 0; i < 2; ++i) {
      Status status = writer_->Commit();
      EXPECT_EQ(status.code(), StatusCode::kAlreadyExists);
      EXPECT_NE(status.message().find("key " + std::to_string(key + 1) + " "), std::string::npos) << status;
    }
    ASSERT_TRUE(writer_->DiscardPending().ok());
    CommitOne(*writer_, key);
    EXPECT_EQ(KeysInStore(), KeyRange(0, key + 2));
    EXPECT_EQ(writer_->Insert(NumberedRow(key + 1)).code(), StatusCode::kAlreadyExists);
  }
}

// While such a row waits, it is one row to its handle: the same after its own commit whose answer was lost.
TEST_F(CommitLogTest, AKeyThatIsBothPendingAndCommittedIsSeenOnce) {
  for (uint64_t inline_bytes : {uint64_t{1} << 20, uint64_t{0}}) {
    options_.inline_bytes = inline_bytes;
    writer_ = MustOpen(faulty_, options_);
    uint64_t key = KeysInStore().size();
    ASSERT_TRUE(writer_->InsertBatch(NumberedRows(key, 3)).ok());
    LoseHeadPutAndGoDown(FaultKind::kLoseAnswer);
    EXPECT_EQ(writer_->Commit().code(), StatusCode::kUnknown);
    StoreIsUp();
    ASSERT_TRUE(writer_->Refresh().ok());
    EXPECT_EQ(ScanKeys(*writer_), KeyRange(0, key + 3));
    for (bool exact : {false, true}) {
      SearchOptions search;
      search.k = 100;
      search.exact = exact;
      auto found = writer_->Search(NumberedRow(1).vector, search);
      ASSERT_TRUE(found.ok()) << found.status();
      EXPECT_EQ(found->hits.size(), key + 3);
    }
    ASSERT_TRUE(writer_->Commit().ok());
    EXPECT_EQ(ScanKeys(*writer_), KeyRange(0, key + 3));
    EXPECT_EQ(writer_->Stats().pending_rows, 0U);
  }
}

// D7.
TEST_F(CommitLogTest, ARefreshDuringACommitNeverLetsTheHandleGoBack) {
  for (bool compact : {false, true}) {
    uint64_t key = KeysInStore().size();
    ASSERT_TRUE(writer_->Insert(NumberedRow(key)).ok());
    auto other = Other();
    // When the swap has landed, and before its answer is there: others go on, and this handle refreshes.
    faulty_->SetHook([&](uint64_t, RequestKind kind, std::string_view name) {
      if (kind != RequestKind::kGet || name != kHeadObject) {
        return Fault{kind == RequestKind::kPut && name == kHeadObject ? FaultKind::kLoseAnswer : FaultKind::kNone};
      }
      StoreIsUp();
      CommitOne(*other, key + 1);
      if (compact) {
        CompactOptions cells;
        cells.min_rows_for_cells = 1;
        cells.cells = 2;
        EXPECT_TRUE(other->Compact(cells).ok());
      }
      EXPECT_TRUE(writer_->Refresh().ok());
      return Fault{};
    });
    Status status = writer_->Commit();
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(writer_->Stats().version, store_->newest());
    EXPECT_EQ(writer_->Stats().pending_rows, 0U);
    EXPECT_EQ(ScanKeys(*writer_), KeyRange(0, key + 2));
    CommitOne(*writer_, key + 2);
    ExpectClean(*writer_);
  }
}

TEST_F(CommitLogTest, AHeadOfAnotherCollectionIsNotCommittedTo) {
  CommitOne(*writer_, 0);
  ASSERT_TRUE(store_->Delete({}, kHeadObject).ok());
  auto elsewhere = std::make_shared<MemoryBlobStore>(environment_);
  CommitOne(*MustOpen(elsewhere, options_), 50);
  ReadRequest request{kHeadObject, {}, {}};
  std::string other_head = elsewhere->Read({}, {&request, 1})[0].data;
  ASSERT_TRUE(store_->Put({}, kHeadObject, other_head).ok());
  ASSERT_TRUE(writer_->Insert(NumberedRow(1)).ok());
  Status status = writer_->Commit();
  EXPECT_EQ(status.code(), StatusCode::kUnknown);
  EXPECT_NE(status.message().find("another collection"), std::string::npos) << status;
  EXPECT_EQ(store_->Read({}, {&request, 1})[0].data, other_head);
  EXPECT_EQ(writer_->Refresh().code(), StatusCode::kCorruption);
}

// As of a branch that was deleted, and is made again by a request that was late.
TEST_F(CommitLogTest, AHeadThatIsNoNewerThanTheHandlesIsNotLostToForEver) {
  for (bool of_the_same_version : {false, true}) {
    ReadRequest request{kHeadObject, {}, {}};
    const uint64_t key = KeysInStore().size();
    const std::string old_head = store_->Read({}, {&request, 1})[0].data;
    CommitOne(*writer_, key);
    ASSERT_TRUE(store_->Put({}, kHeadObject, old_head).ok());
    if (of_the_same_version) CommitOne(*Other(), key + 1);
    const std::string head = store_->Read({}, {&request, 1})[0].data;
    ASSERT_TRUE(writer_->Insert(NumberedRow(key + 2)).ok());
    for (int attempts = 0; attempts < 2; ++attempts) {
      Status status = writer_->Commit();
      EXPECT_EQ(status.code(), StatusCode::kUnknown);
      EXPECT_NE(status.message().find("somebody put another one in its place"), std::string::npos) << status;
    }
    EXPECT_EQ(store_->Read({}, {&request, 1})[0].data, head);
    EXPECT_EQ(writer_->Refresh().code(), of_the_same_version ? StatusCode::kOk : StatusCode::kCorruption);
    writer_ = Other();
    CommitOne(*writer_, key + (of_the_same_version ? 2 : 0));
  }
}

}  // namespace
}  // namespace isotherm
