// Which compactions are gone on with, and which are begun anew.
#include "tests/engine/compaction_resume.h"

#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "engine/build_record.h"

namespace isotherm {
namespace {

using namespace testing_support;

constexpr int64_t kHourMs = 60 * 60 * 1000;
constexpr uint64_t kRows = kResumeRows;

class CompactionAdoptionTest : public CompactionResumption {};

TEST_F(CompactionAdoptionTest, OtherOptionsBeginAnew) {
  const std::vector<std::function<void(CompactOptions&)>> changes{
      [](CompactOptions& options) { options.cells = 5; },
      [](CompactOptions& options) { options.seed = 2; },
      [](CompactOptions& options) { options.max_object_bytes = 4096; },
      [](CompactOptions& options) { options.min_rows_for_cells = 2; },
      [](CompactOptions& options) { options.keep_cells = true; },
  };
  for (const auto& change : changes) {
    Begin();
    DieAfterSegment(3);
    CompactOptions other = compact_;
    change(other);
    auto next = OpenHandle();
    ASSERT_TRUE(Compact(*next, other).ok());
    EXPECT_EQ(next->collection->Stats().compactions_resumed, 0U);
    EXPECT_TRUE(next->stages.contains("clustering"));
    ExpectRows(AllKeys());
  }
}

TEST_F(CompactionAdoptionTest, CellsThatAreKeptAreGoneOnWith) {
  auto first = OpenHandle();
  ASSERT_TRUE(Compact(*first).ok());
  Commit(*first->collection, std::move(WriteBatch().Delete(uint64_t{100})), NumberedRows(kRows, 40));
  compact_.keep_cells = true;
  DieAfterSegment(3);
  ASSERT_EQ(Records().size(), 1U);
  auto next = OpenHandle();
  ASSERT_TRUE(CompactAndNote(*next).ok());
  EXPECT_EQ(next->collection->Stats().compactions_resumed, 1U);
  EXPECT_EQ(SegmentsPut(*next) + 3, next->collection->Stats().segments.size());
  EXPECT_FALSE(next->stages.contains("clustering"));
  std::vector<uint64_t> expected = KeyRange(0, kRows + 40);
  expected.erase(expected.begin() + 100);
  expected.erase(expected.begin() + 5);
  ExpectRows(expected);
  const std::vector<std::string> resumed = Shape();
  // The same without a death in between.
  ASSERT_TRUE(Compact(*next).ok());
  EXPECT_EQ(CountObjects(*store_, "build-"), 0U);
  EXPECT_EQ(next->collection->Stats().compactions_resumed, 1U);
  EXPECT_EQ(Shape().size(), resumed.size());
  ExpectRows(expected);
}

TEST_F(CompactionAdoptionTest, AVacuumInBetweenLeavesItUntilItGivesItUp) {
  DieAfterSegment(3);
  auto keeper = OpenHandle();
  VacuumOptions vacuum;
  vacuum.keep_versions = 1;
  auto report = keeper->collection->Vacuum(vacuum);
  ASSERT_TRUE(report.ok()) << report.status();
  auto verified = keeper->collection->Verify();
  ASSERT_TRUE(verified.ok());
  for (const std::string& orphan : verified->orphans) EXPECT_FALSE(orphan.starts_with("build-")) << orphan;
  auto next = OpenHandle();
  DieAfterSegment(1);
  EXPECT_EQ(Records().size(), 1U);
  clock_->AdvanceWallMs(25 * kHourMs);
  vacuum.dry_run = true;
  report = keeper->collection->Vacuum(vacuum);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(Among(report->objects_removed, Records()), 1U) << "would be removed";
  EXPECT_GT(report->objects_removed.size(), 3U) << "and the segments";
  vacuum.dry_run = false;
  report = keeper->collection->Vacuum(vacuum);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(CountObjects(*store_, "build-"), 0U);
  EXPECT_EQ(CountObjects(*store_, "segment-"), 2U) << "the inputs";
  EXPECT_TRUE(ReadHead().builds.empty());
  ASSERT_TRUE(next->collection->Refresh().ok());
  ASSERT_TRUE(Compact(*next).ok());
  EXPECT_EQ(next->collection->Stats().compactions_resumed, 0U);
  ExpectRows(AllKeys());
}

TEST_F(CompactionAdoptionTest, OneThatAVacuumGaveUpLoses) {
  auto slow = OpenHandle();
  auto keeper = OpenHandle();
  int segments = 0;
  slow->store->SetHook([&](uint64_t, RequestKind kind, std::string_view name) {
    if (kind == RequestKind::kPut && name.starts_with("segment-") && ++segments == 3) {
      clock_->AdvanceWallMs(25 * kHourMs);
      EXPECT_TRUE(keeper->collection->Vacuum({}).ok());
    }
    return Fault{};
  });
  EXPECT_EQ(Compact(*slow).code(), StatusCode::kConflict);
  ExpectRows(AllKeys());
  slow->store->SetHook(nullptr);
  ASSERT_TRUE(Compact(*slow).ok());
  ExpectRows(AllKeys());
}

// What was left out would be missing.
TEST_F(CompactionAdoptionTest, ARollbackInBetweenBeginsAnew) {
  DieAfterSegment(3);
  auto other = OpenHandle();
  uint64_t before_deletion = 0;
  for (uint64_t version = ReadHead().version; version > 0 && before_deletion == 0; --version) {
    Options past = options_;
    past.create.reset();
    past.as_of_version = version;
    auto old = Open(store_, past);
    if (old.ok() && (*old)->Stats().rows == kRows) before_deletion = version;
  }
  ASSERT_TRUE(other->collection->Rollback(before_deletion).ok());
  ASSERT_EQ(Records().size(), 1U);
  auto next = OpenHandle();
  ASSERT_TRUE(Compact(*next).ok());
  EXPECT_EQ(next->collection->Stats().compactions_resumed, 0U);
  ExpectRows(KeyRange(0, kRows));
}

TEST_F(CompactionAdoptionTest, ARecordThatIsDamagedOrOfAnotherBuildIsNone) {
  for (int damage = 0; damage < 3; ++damage) {
    Begin();
    DieAfterSegment(3);
    const std::string name = Records().at(0);
    ReadRequest request{name, {}, {}};
    std::string bytes = store_->Read({}, {&request, 1})[0].data;
    if (damage == 0) bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    auto record = DecodeBuildRecord(bytes);
    ASSERT_EQ(record.ok(), damage != 0);
    if (damage == 1) record->collection[0] ^= 1;
    if (damage == 2) record->builds.push_back({1, 2});
    if (record.ok()) bytes = EncodeBuildRecord(*record);
    ASSERT_TRUE(store_->Put({}, name, bytes).ok());
    auto next = OpenHandle();
    ASSERT_TRUE(Compact(*next).ok());
    EXPECT_EQ(next->collection->Stats().compactions_resumed, 0U) << damage;
    ExpectRows(AllKeys());
  }
}

// Rows that were left out as expired count as there until this clock says the same.
TEST_F(CompactionAdoptionTest, ByAClockThatIsBehindItIsBegunAnew) {
  Row expiring = NumberedRow(kRows);
  expiring.expires_at_ms = clock_->WallMs() + kHourMs;
  Commit(*OpenHandle()->collection, WriteBatch(), {expiring});
  clock_->AdvanceWallMs(2 * kHourMs);
  DieAfterSegment(3);
  clock_->AdvanceWallMs(-2 * kHourMs);
  auto next = OpenHandle();
  ASSERT_TRUE(Compact(*next).ok());
  EXPECT_EQ(next->collection->Stats().compactions_resumed, 0U);
  EXPECT_TRUE(next->collection->Get(kRows).ok());
  // The same died after it was later than that by every clock.
  Begin();
  Commit(*OpenHandle()->collection, WriteBatch(), {expiring});
  clock_->AdvanceWallMs(2 * kHourMs);
  DieAfterSegment(3);
  clock_->AdvanceWallMs(1);
  next = OpenHandle();
  ASSERT_TRUE(Compact(*next).ok());
  EXPECT_EQ(next->collection->Stats().compactions_resumed, 1U);
  ExpectRows(AllKeys());
}

// Whatever is under the name of an object: if it is not what would be written, it is written.
TEST_F(CompactionAdoptionTest, AnObjectThatIsNotTheSameIsWrittenAnew) {
  for (bool is_short : {false, true}) {
    Begin();
    const std::vector<std::string> before = ObjectNames(*store_);
    DieAfterSegment(3);
    std::string changed;
    for (const std::string& name : ObjectNames(*store_)) {
      if (name.starts_with("segment-") && std::find(before.begin(), before.end(), name) == before.end()) changed = name;
    }
    ASSERT_FALSE(changed.empty());
    ReadRequest request{changed, {}, {}};
    std::string bytes = store_->Read({}, {&request, 1})[0].data;
    if (is_short) bytes.resize(bytes.size() / 2);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    ASSERT_TRUE(store_->Put({}, changed, bytes).ok());
    auto next = OpenHandle();
    Status status = CompactAndNote(*next);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(SegmentsPut(*next) + 2, next->collection->Stats().segments.size());
    EXPECT_EQ(CountObjects(*store_, changed), 0U) << "removed when it is known that nobody needs it";
    ExpectRows(AllKeys());
  }
}

// Between looking what there is and comparing it. Somebody removes one object by hand, or gives the compaction up.
TEST_F(CompactionAdoptionTest, AnObjectThatGoesMeanwhileIsWrittenAnewAndPublishedByWhoIsStillRegistered) {
  for (bool given_up : {false, true}) {
    SCOPED_TRACE(given_up ? "given up" : "by hand");
    Begin();
    const std::vector<std::string> before = ObjectNames(*store_);
    DieAfterSegment(3);
    auto next = OpenHandle();
    auto keeper = OpenHandle();
    std::string found;
    bool gone = false;
    next->store->SetHook([&](uint64_t, RequestKind kind, std::string_view name) {
      if (kind == RequestKind::kPut) next->put.emplace_back(name);
      if (kind != RequestKind::kGet || !name.starts_with("segment-") || Among({std::string(name)}, before) > 0) {
        return Fault{};
      }
      if (found.empty()) {
        found = name;
      } else if (found == name && !std::exchange(gone, true)) {
        if (given_up) {
          const Key erased(uint64_t{7});
          auto report = keeper->collection->Erase({&erased, 1});
          EXPECT_TRUE(report.ok() && report->complete) << report.status();
          EXPECT_EQ(CountObjects(*store_, found), 0U);
        } else {
          EXPECT_TRUE(store_->Delete({}, found).ok());
        }
      }
      return Fault{};
    });
    Status status = Compact(*next);
    next->store->SetHook(nullptr);  // its notes go before it is closed
    ASSERT_TRUE(gone);
    std::vector<uint64_t> expected = AllKeys();
    if (given_up) {
      EXPECT_EQ(status.code(), StatusCode::kConflict) << status;
      std::erase(expected, 7U);
    } else {
      ASSERT_TRUE(status.ok()) << status;
      EXPECT_EQ(SegmentsPut(*next) + 2, next->collection->Stats().segments.size());
    }
    ExpectRows(expected);
  }
}

TEST_F(CompactionAdoptionTest, InTheBackgroundOneIsGoneOnWithWhenItsTimeIsOver) {
  options_.compaction = compact_;
  compact_.scope = CompactScope::kPolicy;
  DieAfterSegment(3);
  options_.background_compaction = true;
  auto handle = OpenHandle();
  Commit(*handle->collection, WriteBatch(), {NumberedRow(kRows)});
  EXPECT_EQ(handle->collection->Stats().compactions, 0U) << "it may be alive";
  clock_->AdvanceWallMs(kHourMs);
  Commit(*handle->collection, WriteBatch(), {NumberedRow(kRows + 1)});
  while (handle->collection->Stats().compactions == 0) std::this_thread::yield();
  EXPECT_EQ(handle->collection->Stats().compactions_resumed, 1U);
  EXPECT_GT(handle->collection->Stats().compaction_bytes_resumed, 0U);
  handle.reset();
  std::vector<uint64_t> expected = KeyRange(0, kRows + 2);
  expected.erase(expected.begin() + 5);
  ExpectRows(expected);
}

}  // namespace
}  // namespace isotherm
