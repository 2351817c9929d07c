// Compactions against commits, other compactions, and lost answers.
#include "isotherm/compaction.h"
#include "segment/routing_object.h"
#include "tests/engine/faulty_writer.h"

namespace isotherm {
namespace {

using namespace testing_support;

CompactOptions Cells() {
  CompactOptions options;
  options.min_rows_for_cells = 1;
  options.cells = 3;
  return options;
}

class CompactionCommitTest : public FaultyWriter {
 protected:
  void SetUp() override {
    FaultyWriter::SetUp();
    InsertAndCommit(*writer_, 0, 40);
  }

  static void InsertAndCommit(Collection& collection, uint64_t first, uint64_t count) {
    Status status = collection.InsertBatch(NumberedRows(first, count));
    EXPECT_TRUE(status.ok()) << status;
    status = collection.Commit();
    EXPECT_TRUE(status.ok()) << status;
  }

  // Before the writer's n-th put of the head from now on.
  void BeforeHeadPut(int n, std::function<Fault()> act) {
    auto count = std::make_shared<int>(0);
    faulty_->SetHook([=](uint64_t, RequestKind kind, std::string_view name) {
      return kind == RequestKind::kPut && name == kHeadObject && (*count)++ == n ? act() : Fault{};
    });
  }

  void ExpectAll(uint64_t rows) {
    auto reader = MustOpen(store_);
    EXPECT_EQ(ScanKeys(*reader), KeyRange(0, rows));
    ExpectClean(*reader);
    store_->ExpectUnbroken();
  }

  // Compactions that the head takes for being under way.
  size_t CollectionBuilds() {
    ReadRequest request{kHeadObject, {}, {}};
    auto head = DecodeHead(store_->Read({}, {&request, 1}).front().data);
    EXPECT_TRUE(head.ok()) << head.status();
    return head.ok() ? head->builds.size() : SIZE_MAX;
  }
};

TEST_F(CompactionCommitTest, RowsCommittedMeanwhileStayBesideThePartition) {
  for (uint64_t inline_bytes : {uint64_t{1} << 20, uint64_t{0}}) {
    options_.inline_bytes = inline_bytes;
    SetUp();
    auto other = MustOpen(store_, options_);
    // The first put takes the rows out of the head, when they are there.
    BeforeHeadPut(inline_bytes > 0 ? 1 : 0, [&] {
      InsertAndCommit(*other, 40, 3);
      return Fault{};
    });
    Status status = writer_->Compact(Cells());
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(writer_->Stats().cells, 3U);
    ExpectAll(43);
    // The other writer, which knows nothing of the partition yet, goes on.
    InsertAndCommit(*other, 43, 2);
    ExpectAll(45);
  }
}

// D6: the loser's clustering of the same rows gives a routing object of the same name.
TEST_F(CompactionCommitTest, ACompactionThatLosesAgainstAnEqualOneRemovesNothingOfTheWinners) {
  ASSERT_TRUE(writer_->Compact({}).ok());
  auto other = MustOpen(store_, options_);
  // The first put registers the compaction.
  BeforeHeadPut(1, [&] {
    EXPECT_TRUE(other->Compact(Cells()).ok());
    return Fault{};
  });
  EXPECT_EQ(writer_->Compact(Cells()).code(), StatusCode::kConflict);
  // Also when the copy under the well-known name can't help.
  ASSERT_TRUE(store_->Delete({}, kRoutingObject).ok());
  ExpectAll(40);
  EXPECT_EQ(CountObjects(*store_, "segment-"), 2U + 1U) << "the winner's, the one before it, and the first";
  InsertAndCommit(*writer_, 40, 1);
  ExpectAll(41);
}

// What is compacted is what was registered, also when the handle has seen a newer version by then.
TEST_F(CompactionCommitTest, AHandleThatRefreshesAsItBeginsCompactsWhatIsThere) {
  for (bool other_compacts : {false, true}) {
    options_.inline_bytes = 0;
    SetUp();
    InsertAndCommit(*writer_, 40, 5);
    auto other = MustOpen(store_, options_);
    // The answer to the put that registers the compaction is lost: then the head is read again.
    bool acted = false;
    BeforeHeadPut(0, [&] {
      faulty_->SetHook([&](uint64_t, RequestKind kind, std::string_view name) {
        if (kind != RequestKind::kGet || name != kHeadObject || std::exchange(acted, true)) return Fault{};
        EXPECT_TRUE(other->Refresh().ok());
        if (other_compacts) {
          EXPECT_TRUE(other->Compact(Cells()).ok());
        } else {
          InsertAndCommit(*other, 45, 5);
        }
        EXPECT_TRUE(writer_->Refresh().ok());
        return Fault{};
      });
      return Fault{FaultKind::kLoseAnswer};
    });
    EXPECT_EQ(writer_->Compact(Cells()).code(), other_compacts ? StatusCode::kConflict : StatusCode::kOk);
    EXPECT_TRUE(acted);
    faulty_->SetHook(nullptr);
    ExpectAll(other_compacts ? 45 : 50);
    EXPECT_EQ(CollectionBuilds(), 0U);
  }
}

class FlatToPartition : public CompactionPolicy {
 public:
  explicit FlatToPartition(std::vector<size_t> units) : units_(std::move(units)) {}
  CompactionPick Pick(std::span<const CompactionUnit> units, uint64_t) const override {
    bool done = std::any_of(units.begin(), units.end(), [](const CompactionUnit& unit) { return unit.partition; });
    return done ? CompactionPick{} : CompactionPick{units_, true, "a part of the flat segments"};
  }

 private:
  const std::vector<size_t> units_;
};

TEST_F(CompactionCommitTest, OfTwoThatMakeThePartitionOfDifferentRowsOneLoses) {
  options_.inline_bytes = 0;
  options_.compaction_policy = std::make_shared<FlatToPartition>(std::vector<size_t>{0, 1});
  SetUp();
  for (uint64_t i = 0; i < 3; ++i) InsertAndCommit(*writer_, 40 + i * 20, 20);
  Options others = options_;
  others.compaction_policy = std::make_shared<FlatToPartition>(std::vector<size_t>{2, 3});
  auto other = MustOpen(store_, others);
  CompactOptions compact = Cells();
  compact.scope = CompactScope::kPolicy;
  BeforeHeadPut(1, [&] {
    EXPECT_TRUE(other->Refresh().ok());
    EXPECT_TRUE(other->Compact(compact).ok());
    return Fault{};
  });
  EXPECT_EQ(writer_->Compact(compact).code(), StatusCode::kConflict);
  EXPECT_EQ(writer_->Stats().cells, 3U);
  ExpectAll(100);
  ExpectClean(*writer_);
}

TEST_F(CompactionCommitTest, AnEmptyCollectionIsLeftAlone) {
  auto empty = std::make_shared<HeadHistory>(std::make_shared<MemoryBlobStore>(environment_));
  auto collection = MustOpen(empty, options_);
  EXPECT_TRUE(collection->Compact(Cells()).ok());
  EXPECT_EQ(empty->newest(), 1U);
}

// D5: what a swap whose answer was lost means is found out at once, or by the next commit.
TEST_F(CompactionCommitTest, EveryAnswerThatIsLostOrLateIsSettled) {
  for (FaultKind kind : {FaultKind::kLoseAnswer, FaultKind::kFail, FaultKind::kLate}) {
    for (bool store_goes_down : {false, true}) {
      for (bool other_commits : {false, true}) {
        for (int put : {0, 1}) {
          SCOPED_TRACE(std::to_string(static_cast<int>(kind)) + (store_goes_down ? " down" : "") +
                       (other_commits ? " other" : "") + " put " + std::to_string(put));
          SetUp();
          auto other = MustOpen(store_, options_);
          BeforeHeadPut(put, [&] {
            if (store_goes_down)
              faulty_->SetHook([](uint64_t, RequestKind, std::string_view) { return Fault{FaultKind::kFail}; });
            return Fault{kind};
          });
          Status status = writer_->Compact(Cells());
          EXPECT_EQ(status.code(), store_goes_down ? StatusCode::kUnknown : StatusCode::kOk) << status;
          faulty_->SetHook(nullptr);
          uint64_t rows = 40;
          if (other_commits) {
            ASSERT_TRUE(other->Refresh().ok());
            InsertAndCommit(*other, rows++, 1);
          }
          InsertAndCommit(*writer_, rows++, 1);
          faulty_->DeliverLate();
          ExpectAll(rows);
          EXPECT_EQ(ScanKeys(*writer_), KeyRange(0, rows));
          EXPECT_TRUE(writer_->Search(NumberedRow(7).vector).ok());
          ASSERT_TRUE(writer_->Compact(Cells()).ok());
          ExpectAll(rows);
          ExpectClean(*writer_);
        }
      }
    }
  }
}

// D6: it may have landed, so all that it wrote stays.
TEST_F(CompactionCommitTest, ACompactionWhoseOutcomeCannotBeToldRemovesNothing) {
  constexpr int64_t kHourMs = 60 * 60 * 1000;
  BeforeHeadPut(2, [&] {
    faulty_->SetHook([&](uint64_t, RequestKind, std::string_view) {
      faulty_->SetHook(nullptr);
      clock_->AdvanceWallMs(kHourMs + 1);
      InsertAndCommit(*MustOpen(store_, options_), 40, 1);
      return Fault{};
    });
    return Fault{FaultKind::kLoseAnswer};
  });
  EXPECT_EQ(writer_->Compact(Cells()).code(), StatusCode::kFenced);
  ExpectAll(41);
  EXPECT_EQ(MustOpen(store_)->Stats().cells, 3U);
  InsertAndCommit(*writer_, 41, 1);
  ExpectAll(42);
}

// D10: whatever fails, the collection is as before, and the next one succeeds.
TEST_F(CompactionCommitTest, ADefiniteFailureAtAnyPutHarmsNothing) {
  for (uint64_t failing = 0; failing < 10; ++failing) {
    SetUp();
    uint64_t puts = 0;
    faulty_->SetHook([&](uint64_t, RequestKind kind, std::string_view) {
      bool fails = kind == RequestKind::kPut && puts++ == failing;
      return fails ? Fault{FaultKind::kFail, Status::ResourceExhausted("disk full")} : Fault{};
    });
    Status status = writer_->Compact(Cells());
    EXPECT_EQ(status.ok(), failing >= puts) << status;
    EXPECT_TRUE(status.ok() || status.code() == StatusCode::kResourceExhausted) << status;
    ExpectAll(40);
    auto report = MustOpen(store_)->Verify();
    ASSERT_TRUE(report.ok());
    // The segment before a compaction that succeeded is one; a routing object stays, as others may name it.
    EXPECT_LE(report->orphans.size(), 1U);
    faulty_->SetHook(nullptr);
    ASSERT_TRUE(writer_->Compact(Cells()).ok());
    ExpectAll(40);
  }
}

}  // namespace
}  // namespace isotherm
