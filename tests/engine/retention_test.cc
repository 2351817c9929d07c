// What a vacuum keeps, and what is said of what it did not keep.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>

#include "blob/fault_store.h"
#include "blob/memory_store.h"
#include "engine/commit_log.h"
#include "engine/object_names.h"
#include "tests/base/manual_clock.h"
#include "tests/engine/commits.h"

namespace isotherm {
namespace {

using namespace testing_support;

class RetentionTest : public testing::Test {
 protected:
  // Each a second after the one before; returns the newest version.
  uint64_t CommitOften(Collection& collection, uint64_t times) {
    for (uint64_t i = 0; i < times; ++i) {
      clock_->AdvanceWallMs(1000);
      EXPECT_TRUE(collection.Insert(NumberedRow(next_key_++)).ok());
      EXPECT_TRUE(collection.Commit().ok());
    }
    return collection.Stats().version;
  }

  std::unique_ptr<Collection> OpenWriter() {
    Options options = CreatingSmall();
    options.env = environment_;
    return MustOpen(store_, options);
  }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<Environment> environment_ = EnvironmentWithClock(clock_);
  std::shared_ptr<BlobStore> store_ = std::make_shared<MemoryBlobStore>(environment_);
  uint64_t next_key_ = 0;
};

TEST_F(RetentionTest, KeepsAsManyVersionsWhetherTheNewestWasArchivedInAdvanceOrNot) {
  for (bool archived : {false, true}) {
    store_ = std::make_shared<MemoryBlobStore>(environment_);
    auto writer = OpenWriter();
    const uint64_t newest = CommitOften(*writer, 6);
    if (archived) {
      ASSERT_TRUE(writer->Close().ok());
      writer = OpenWriter();
    }
    VacuumOptions keep_three;
    keep_three.keep_versions = 3;
    auto report = writer->Vacuum(keep_three);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->oldest_version, newest - 2) << archived;
  }
}

// Does something once, when versions have been listed the second time.
class ListHookStore : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  Result<ListPage> List(const Context& context, std::string_view prefix, std::string_view start_after,
                        size_t limit) override {
    auto page = store_->List(context, prefix, start_after, limit);
    if (prefix == "version-" && ++lists_ == 2 && meanwhile) meanwhile();
    return page;
  }
  std::function<void()> meanwhile;

 private:
  int lists_ = 0;
};

// The version that is rolled back to is gone when the first vacuum comes to it, and what it named is in use again.
TEST_F(RetentionTest, WhatARollbackBroughtBackStaysWhenTwoVacuumsOverlap) {
  Options options = CreatingSmall();
  options.env = environment_;
  options.inline_bytes = 0;
  auto other = MustOpen(store_, options);
  const uint64_t old = CommitOften(*other, 1);
  CompactOptions compact;
  compact.min_rows_for_cells = 1;
  ASSERT_TRUE(other->Compact(compact).ok());
  auto hooked = std::make_shared<ListHookStore>(store_);
  auto slow = MustOpen(hooked, options);
  hooked->meanwhile = [&] {
    ASSERT_TRUE(other->Refresh().ok());
    Status back = other->Rollback(old);
    ASSERT_TRUE(back.ok()) << back;
    VacuumOptions newest;
    newest.keep_versions = 1;
    auto report = other->Vacuum(newest);
    ASSERT_TRUE(report.ok()) << report.status();
  };
  auto report = slow->Vacuum();
  ASSERT_TRUE(report.ok()) << report.status();
  auto reader = MustOpen(store_, options);
  EXPECT_EQ(ScanKeys(*reader), KeyRange(0, 1));
  ExpectClean(*reader);
}

// Whoever takes the head of another branch along has loaded one, and does not know what became of its swap.
TEST_F(RetentionTest, AVacuumGoesOnWithTheHeadThatABranchHasByNow) {
  const std::string object = BranchPrefix("side") + kHeadObject;
  std::string first_head;
  auto writer = OpenWriter();
  const auto commit_aside = [&](uint64_t key) {
    Options aside = CreatingSmall();
    aside.create.reset();
    aside.env = environment_;
    aside.branch = "side";
    auto side = MustOpen(store_, aside);
    ASSERT_TRUE(side->Insert(NumberedRow(key)).ok());
    ASSERT_TRUE(side->Commit().ok());
  };
  const auto make_again = [&](uint64_t version) {
    ASSERT_TRUE(writer->DeleteBranch("side").ok());
    Status made = writer->CreateBranch("side", version);
    ASSERT_TRUE(made.ok()) << made;
  };
  const uint64_t version = CommitOften(*writer, 4);
  const std::map<std::string, std::function<void()>> cases = {
      {"made again", [&] { make_again(version); }},
      {"made again of an older version", [&] { make_again(version - 1); }},
      {"made again of a newer version",
       [&] {
         const uint64_t newest = CommitOften(*writer, 4);
         make_again(newest);
       }},
      {"put again by a late request",
       [&] {
         ASSERT_TRUE(store_->Delete({}, object).ok());
         ASSERT_TRUE(store_->Put({}, object, first_head).ok());
       }},
      {"committed to after an hour",
       [&] {
         clock_->AdvanceWallMs(2 * 3'600'000);
         commit_aside(next_key_++);
       }},
  };
  for (const auto& [name, meanwhile] : cases) {
    for (FaultKind kind : {FaultKind::kNone, FaultKind::kLoseAnswer}) {
      SCOPED_TRACE(name + (kind == FaultKind::kNone ? "" : ", the answer is lost"));
      ASSERT_TRUE(writer->CreateBranch("side", version).ok());
      ReadRequest request{object, {}, {}};
      first_head = store_->Read({}, {&request, 1})[0].data;
      commit_aside(next_key_++);
      auto slow = std::make_shared<FaultBlobStore>(store_, environment_);
      int puts = 0;
      slow->SetHook([&](uint64_t, RequestKind request_kind, std::string_view put) {
        if (request_kind != RequestKind::kPut || put != object || ++puts > 1) return Fault{};
        meanwhile();
        return Fault{kind};
      });
      const CommitLog side(store_, environment_, BranchPrefix("side"));
      const uint64_t epoch = side.Load({})->head.gc_epoch;
      Options options = CreatingSmall();
      options.env = environment_;
      auto report = MustOpen(slow, options)->Vacuum();
      EXPECT_TRUE(report.ok()) << report.status();
      EXPECT_GE(puts, 2);
      auto head = side.Load({});
      ASSERT_TRUE(head.ok()) << head.status();
      EXPECT_EQ(head->head.operation.operation, Operation::kVacuum);
      EXPECT_GT(head->head.gc_epoch, epoch);
      ASSERT_TRUE(writer->Refresh().ok());
      ASSERT_TRUE(writer->DeleteBranch("side").ok());
    }
  }
}

TEST_F(RetentionTest, AMomentWhoseVersionIsGoneIsNotAnsweredByAnOlderOneThatIsLeased) {
  auto writer = OpenWriter();
  const uint64_t leased = CommitOften(*writer, 1);
  Options past;
  past.env = environment_;
  past.as_of_version = leased;
  past.lease_ms = 3'600'000;
  auto reader = MustOpen(store_, past);
  CommitOften(*writer, 1);
  const int64_t between_ms = clock_->WallMs();
  CommitOften(*writer, 3);
  Options as_of;
  as_of.env = environment_;
  as_of.as_of_ms = between_ms;
  EXPECT_EQ(MustOpen(store_, as_of)->Stats().version, leased + 1);
  VacuumOptions keep_one;
  keep_one.keep_versions = 1;
  ASSERT_TRUE(writer->Vacuum(keep_one).ok());
  EXPECT_EQ(Open(store_, as_of).status().code(), StatusCode::kNotFound);
  past.lease_ms = 0;
  EXPECT_EQ(MustOpen(store_, past)->Stats().version, leased);
}

TEST_F(RetentionTest, ALeaseThatCannotBeReadStopsAVacuumBeforeItRemovesAnything) {
  auto writer = OpenWriter();
  CommitOften(*writer, 4);
  ASSERT_TRUE(store_->Put({}, "lease-0123", "torn").ok());
  VacuumOptions keep_one;
  keep_one.keep_versions = 1;
  auto report = writer->Vacuum(keep_one);
  EXPECT_EQ(report.status().code(), StatusCode::kCorruption);
  EXPECT_NE(report.status().message().find("lease-0123"), std::string::npos) << report.status();
  EXPECT_GE(CountObjects(*store_, "version-"), 4U);
  ASSERT_TRUE(store_->Delete({}, "lease-0123").ok());
  EXPECT_TRUE(writer->Vacuum(keep_one).ok());
}

// Its branches have no past then, instead of that of the other one.
TEST_F(RetentionTest, AnotherBranchOfTheNameOfTheOneThatOneBeganWithIsNotItsPast) {
  auto open = [&](const std::string& branch, uint64_t version) {
    Options options;
    options.env = environment_;
    options.branch = branch;
    options.as_of_version = version;
    return Open(store_, options);
  };
  auto commit_often_to = [&](const std::string& branch, uint64_t times) {
    auto opened = open(branch, 0);
    ASSERT_TRUE(opened.ok()) << opened.status();
    CommitOften(**opened, times);
  };
  auto writer = OpenWriter();
  const uint64_t fork = CommitOften(*writer, 5);
  ASSERT_TRUE(writer->CreateBranch("parent").ok());
  commit_often_to("parent", 3);
  ASSERT_TRUE((*open("parent", 0))->CreateBranch("child").ok());
  commit_often_to("child", 1);
  auto before = open("child", fork + 1);
  ASSERT_TRUE(before.ok()) << before.status();
  EXPECT_EQ(ScanKeys(**before), KeyRange(0, 6));
  for (uint64_t commits : {uint64_t{1}, uint64_t{2}, uint64_t{5}}) {
    SCOPED_TRACE(commits);
    ASSERT_TRUE(writer->DeleteBranch("parent").ok());
    ASSERT_TRUE(writer->CreateBranch("parent").ok());
    commit_often_to("parent", commits);
    EXPECT_EQ(open("child", fork + 1).status().code(), StatusCode::kNotFound);
    auto here = open("child", fork + 3);
    ASSERT_TRUE(here.ok()) << here.status();
    EXPECT_EQ(ScanKeys(**here), KeyRange(0, 8));
  }
}

}  // namespace
}  // namespace isotherm
