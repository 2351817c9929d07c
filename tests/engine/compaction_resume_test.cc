// Compactions that go on where another one died, or take it over.
#include "tests/engine/compaction_resume.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace isotherm {
namespace {

using namespace testing_support;

constexpr uint64_t kRows = kResumeRows;

class CompactionResumeTest : public CompactionResumption {};

TEST_F(CompactionResumeTest, ADeathAtAnyRequestIsGoneOnWithAndNothingIsDoneTwice) {
  auto whole = OpenHandle();
  ASSERT_TRUE(CompactAndNote(*whole).ok());
  const std::vector<std::string> shape = Shape();
  const size_t segments = SegmentsPut(*whole);
  ASSERT_GT(segments, 4U);
  size_t resumed = 0;
  size_t reused = 0;
  bool died = true;
  for (uint64_t n = 0; died; ++n) {
    for (bool happens : {false, true}) {
      SCOPED_TRACE((happens ? "after request " : "before request ") + std::to_string(n));
      Begin();
      died = CompactAndDie(n, happens);
      const bool recorded = !Records().empty();
      const std::vector<std::string> before = ObjectNames(*store_);
      auto next = OpenHandle();
      const bool published = next->collection->Stats().cells > 0;
      Status status = CompactAndNote(*next);
      ASSERT_TRUE(status.ok()) << status;
      ExpectRows(AllKeys());
      if (published) continue;
      EXPECT_EQ(Shape(), shape);
      for (const std::string& name : next->put) {
        const bool of_a_build = name.starts_with("segment-") || name.starts_with("build-");
        EXPECT_FALSE(of_a_build && Among({name}, before) > 0) << name << " is overwritten";
      }
      const CollectionStats stats = next->collection->Stats();
      EXPECT_EQ(stats.compactions_resumed, recorded ? 1U : 0U);
      EXPECT_EQ(next->stages.contains("clustering"), !recorded);
      if (!recorded) continue;
      ++resumed;
      const size_t kept = segments - SegmentsPut(*next);
      EXPECT_EQ(stats.compaction_bytes_resumed > 0, kept > 0);
      std::vector<std::string> published_names;
      for (const SegmentStats& segment : stats.segments) published_names.push_back(segment.name);
      EXPECT_EQ(Among(published_names, before), kept);
      reused += kept;
      EXPECT_EQ(CountObjects(*store_, "build-"), 0U) << "its record goes when it is published";
    }
    ASSERT_LT(n, 200U);
  }
  EXPECT_GT(resumed, 2 * segments);
  EXPECT_GT(reused, segments * segments / 2);
}

TEST_F(CompactionResumeTest, OneThatIsTakenOverLosesAndRemovesNothing) {
  for (StatusCode ends : {StatusCode::kConflict, StatusCode::kResourceExhausted, StatusCode::kCancelled}) {
    Begin();
    auto first = OpenHandle();
    auto second = OpenHandle();
    CancelToken cancel;
    int segments = 0;
    first->store->SetHook([&](uint64_t, RequestKind kind, std::string_view name) {
      if (kind != RequestKind::kPut || !name.starts_with("segment-") || ++segments != 3) return Fault{};
      EXPECT_TRUE(second->collection->Refresh().ok());
      Status status = CompactAndNote(*second);
      EXPECT_TRUE(status.ok()) << status;
      EXPECT_EQ(second->collection->Stats().compactions_resumed, 1U);
      EXPECT_GT(second->collection->Stats().compaction_bytes_resumed, 0U);
      if (ends == StatusCode::kCancelled) cancel.Cancel();
      if (ends != StatusCode::kResourceExhausted) return Fault{};
      return Fault{FaultKind::kFail, Status::ResourceExhausted("no room")};
    });
    Context context;
    context.cancel = &cancel;
    EXPECT_EQ(first->collection->Compact(compact_, {}, context).code(), ends);
    EXPECT_EQ(second->collection->Stats().compactions, 1U);
    ExpectRows(AllKeys());
    EXPECT_EQ(ScanKeys(*first->collection).size(), AllKeys().size());
  }
}

// The first one wakes up, and ends, while the second one is still at work.
TEST_F(CompactionResumeTest, OneThatLosesToOneThatIsAtWorkRemovesNothing) {
  for (bool fails : {false, true}) {
    Begin();
    auto first = OpenHandle();
    auto second = OpenHandle();
    std::atomic<bool> second_is_at_work{false};
    std::atomic<bool> first_has_ended{false};
    int second_segments = 0;
    second->store->SetHook([&](uint64_t, RequestKind kind, std::string_view name) {
      if (kind == RequestKind::kPut && name.starts_with("segment-") && ++second_segments == 2) {
        second_is_at_work = true;
        second_is_at_work.notify_all();
        first_has_ended.wait(false);
      }
      return Fault{};
    });
    std::thread other;
    int segments = 0;
    first->store->SetHook([&](uint64_t, RequestKind kind, std::string_view name) {
      if (kind != RequestKind::kPut || !name.starts_with("segment-") || ++segments != 3) return Fault{};
      other = std::thread([&] {
        EXPECT_TRUE(second->collection->Refresh().ok());
        Status status = Compact(*second);
        EXPECT_TRUE(status.ok()) << status;
      });
      second_is_at_work.wait(false);
      if (!fails) return Fault{};
      return Fault{FaultKind::kFail, Status::ResourceExhausted("no room")};
    });
    EXPECT_EQ(Compact(*first).code(), fails ? StatusCode::kResourceExhausted : StatusCode::kConflict);
    first_has_ended = true;
    first_has_ended.notify_all();
    other.join();
    EXPECT_GT(second->collection->Stats().compaction_bytes_resumed, 0U);
    ExpectRows(AllKeys());
  }
}

TEST_F(CompactionResumeTest, OneThatResumesMayDieToo) {
  auto whole = OpenHandle();
  ASSERT_TRUE(CompactAndNote(*whole).ok());
  const std::vector<std::string> shape = Shape();
  const size_t segments = SegmentsPut(*whole);
  Begin();
  DieAfterSegment(2);
  DieAfterSegment(1);
  DieAfterSegment(1);
  EXPECT_EQ(ReadHead().builds.size(), 1U);
  EXPECT_EQ(Records().size(), 1U);
  auto last = OpenHandle();
  ASSERT_TRUE(CompactAndNote(*last).ok());
  EXPECT_EQ(SegmentsPut(*last), segments - 4);
  EXPECT_EQ(Shape(), shape);
  EXPECT_FALSE(last->stages.contains("clustering"));
  ExpectRows(AllKeys());
}

TEST_F(CompactionResumeTest, OneThatResumesAndFailsRemovesWhatIsItsOwnByThen) {
  const std::vector<std::string> before = ObjectNames(*store_);
  DieAfterSegment(2);
  auto failing = OpenHandle();
  failing->store->SetHook([](uint64_t, RequestKind kind, std::string_view name) {
    const bool fails = kind == RequestKind::kPut && name.starts_with("routing-");
    return fails ? Fault{FaultKind::kFail, Status::ResourceExhausted("no room")} : Fault{};
  });
  EXPECT_EQ(Compact(*failing).code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(ReadHead().builds.empty());
  EXPECT_EQ(CountObjects(*store_, "segment-"), 2U);
  EXPECT_EQ(CountObjects(*store_, "build-"), 0U);
  ExpectRows(AllKeys());
}

TEST_F(CompactionResumeTest, ChangesThatCameInBetweenAreReBased) {
  compact_.scope = CompactScope::kPolicy;
  DieAfterSegment(3);
  auto other = OpenHandle();
  Commit(*other->collection, std::move(WriteBatch().Delete(uint64_t{7}).SoftDelete(uint64_t{8}).Upsert(NumberedRow(9))),
         {NumberedRow(kRows)});
  auto next = OpenHandle();
  ASSERT_TRUE(Compact(*next).ok());
  EXPECT_EQ(next->collection->Stats().compactions_resumed, 1U);
  EXPECT_GT(next->collection->Stats().compaction_bytes_resumed, 0U);
  std::vector<uint64_t> expected = KeyRange(0, kRows + 1);
  for (uint64_t key : {8, 7, 5}) expected.erase(expected.begin() + static_cast<ptrdiff_t>(key));
  ExpectRows(expected);
  EXPECT_EQ(next->collection->Stats().soft_deleted_rows, 1U);
  EXPECT_TRUE(next->collection->Restore(uint64_t{8}).ok());
}

// All rows are to be in one partition: one without the new ones would not do.
TEST_F(CompactionResumeTest, OfAllRowsItIsGoneOnWithOnlyWhenThereAreNoOthers) {
  DieAfterSegment(3);
  auto other = OpenHandle();
  Commit(*other->collection, std::move(WriteBatch().Delete(uint64_t{7})));
  auto same = OpenHandle();
  DieAfterSegment(2);
  EXPECT_EQ(Records().size(), 1U) << "deletions make no other segments";
  EXPECT_EQ(ReadHead().builds.size(), 1U);
  Commit(*other->collection, WriteBatch(), {NumberedRow(kRows)});
  auto next = OpenHandle();
  ASSERT_TRUE(Compact(*next).ok());
  EXPECT_EQ(next->collection->Stats().compactions_resumed, 0U);
  EXPECT_TRUE(next->stages.contains("clustering"));
  EXPECT_EQ(next->collection->Stats().rows, kRows - 1);
}

}  // namespace
}  // namespace isotherm
