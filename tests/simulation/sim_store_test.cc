// What the way to the store does to requests, and what each fault means for who sent them.
#include "tests/simulation/sim_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace isotherm::simulation {
namespace {

using testing::HasSubstr;

// A process with a way to a cloud, and faults of chosen kinds only.
class SimStoreTest : public testing::Test {
 protected:
  // Runs `body` as the process' task, and then until everything on its way has arrived.
  void Run(const std::function<void()>& body) {
    process_.Spawn("main", [&] {
      body();
      scheduler_.SleepUntilNs(scheduler_.now_ns() + 600'000'000'000);
    });
    ASSERT_EQ(scheduler_.Run(), "");
  }
  std::string Content(const std::string& name) {
    auto found = cloud_.objects().find(name);
    return found == cloud_.objects().end() ? "(none)" : *found->second.bytes;
  }
  ReadResult ReadOne(const std::string& name, const Context& context = {}) {
    ReadRequest request{name, {}, {}};
    return std::move(store_.Read(context, {&request, 1})[0]);
  }

  Trace trace_{nullptr};
  Scheduler scheduler_{{.seed = 1}, trace_};
  Faults faults_{Faults::None()};
  Cloud cloud_{false};
  Machine machine_{.name = "machine"};
  Process process_{"process", machine_, scheduler_, faults_, 1};
  SimStore store_{process_, cloud_, {.client = 1}};
};

TEST_F(SimStoreTest, KeepsTheContractOfPutAndRead) {
  Run([&] {
    auto first = store_.Put({}, "object", "one", PutCondition::IfAbsent());
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_EQ(store_.Put({}, "object", "two", PutCondition::IfAbsent()).status().code(), StatusCode::kConflict);
    EXPECT_EQ(store_.Put({}, "other", "two", PutCondition::IfMatch(*first)).status().code(), StatusCode::kConflict);
    auto second = store_.Put({}, "object", "two", PutCondition::IfMatch(*first));
    ASSERT_TRUE(second.ok()) << second.status();
    EXPECT_EQ(store_.Put({}, "object", "three", PutCondition::IfMatch(*first)).status().code(), StatusCode::kConflict);
    ReadResult read = ReadOne("object");
    EXPECT_EQ(read.data, "two");
    EXPECT_EQ(read.etag, *second);
    EXPECT_LT(read.start_ns, read.end_ns);
    EXPECT_EQ(ReadOne("absent").status.code(), StatusCode::kNotFound);
    ASSERT_TRUE(store_.Delete({}, "object").ok());
    EXPECT_EQ(ReadOne("object").status.code(), StatusCode::kNotFound);
    EXPECT_TRUE(store_.Delete({}, "object").ok());
  });
  EXPECT_EQ(store_.failures(), 0U);
}

TEST_F(SimStoreTest, AWriterShowsNothingBeforeItIsFinished) {
  Run([&] {
    {
      auto abandoned = store_.CreateWriter({}, "abandoned");
      ASSERT_TRUE(abandoned.ok());
      ASSERT_TRUE((*abandoned)->Append("bytes").ok());
    }
    auto writer = store_.CreateWriter({}, "object");
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->Append("some ").ok());
    ASSERT_TRUE((*writer)->Append("bytes").ok());
    EXPECT_EQ(Content("object"), "(none)");
    EXPECT_TRUE((*writer)->Finish().ok());
  });
  EXPECT_EQ(Content("object"), "some bytes");
  EXPECT_EQ(Content("abandoned"), "(none)");
}

TEST_F(SimStoreTest, ListsByPrefixAndInPages) {
  Run([&] {
    for (const char* name : {"a1", "a2", "a3", "b1"}) ASSERT_TRUE(store_.Put({}, name, "x").ok());
    auto page = store_.List({}, "a", "", 2);
    ASSERT_TRUE(page.ok());
    EXPECT_TRUE(page->more);
    ASSERT_EQ(page->entries.size(), 2U);
    page = store_.List({}, "a", page->entries.back().name, 2);
    ASSERT_TRUE(page.ok());
    EXPECT_FALSE(page->more);
    ASSERT_EQ(page->entries.size(), 1U);
    EXPECT_EQ(page->entries[0].name, "a3");
  });
}

TEST_F(SimStoreTest, WhatIsRefusedDidNotHappen) {
  faults_.Always(Fault::kRefused);
  Run([&] {
    EXPECT_EQ(store_.Put({}, "object", "x").status().code(), StatusCode::kUnavailable);
    EXPECT_EQ(ReadOne("object").status.code(), StatusCode::kUnavailable);
  });
  EXPECT_EQ(Content("object"), "(none)");
  EXPECT_EQ(store_.failures(), 2U);
  EXPECT_EQ(faults_.counts()[static_cast<size_t>(Fault::kRefused)], 2U);
}

TEST_F(SimStoreTest, WhoseAnswerIsLostHappened) {
  faults_.Always(Fault::kLostAnswer);
  Run([&] {
    EXPECT_EQ(store_.Put({}, "object", "x", PutCondition::IfAbsent()).status().code(), StatusCode::kUnknown);
    EXPECT_EQ(store_.Put({}, "other", "x").status().code(), StatusCode::kUnavailable);
    EXPECT_EQ(ReadOne("object").status.code(), StatusCode::kUnavailable);
  });
  EXPECT_EQ(Content("object"), "x");
}

TEST_F(SimStoreTest, ALateWriteComesAfterOthersAndItsConditionIsHeldAgainstThem) {
  Run([&] {
    auto etag = store_.Put({}, "object", "first");
    ASSERT_TRUE(etag.ok());
    faults_.Always(Fault::kLate);
    EXPECT_EQ(store_.Put({}, "object", "late", PutCondition::IfMatch(*etag)).status().code(), StatusCode::kUnknown);
    EXPECT_EQ(store_.Put({}, "free", "late").status().code(), StatusCode::kUnavailable);
    faults_.Stop();
    ASSERT_TRUE(store_.Put({}, "object", "second").ok());
    ASSERT_TRUE(store_.Put({}, "free", "second").ok());
  });
  // The one without a condition may come last.
  EXPECT_THAT(Content("object"), testing::AnyOf("second", "late"));
  EXPECT_THAT(Content("free"), testing::AnyOf("second", "late"));
}

TEST_F(SimStoreTest, AWriteThatIsDeliveredTwiceUndoesWhatCameBetween) {
  int undone = 0;
  Run([&] {
    for (int i = 0; i < 20; ++i) {
      std::string name = "object" + std::to_string(i);
      faults_.Always(Fault::kDuplicate);
      ASSERT_TRUE(store_.Put({}, name, "first").ok());
      faults_.Never(Fault::kDuplicate);
      ASSERT_TRUE(store_.Put({}, name, "second").ok());
    }
  });
  for (int i = 0; i < 20; ++i) undone += Content("object" + std::to_string(i)) == "first" ? 1 : 0;
  EXPECT_GT(undone, 0);
}

TEST_F(SimStoreTest, ADamagedReadIsCountedAndTheObjectStaysWhole) {
  Run([&] {
    ASSERT_TRUE(store_.Put({}, "object", std::string(100, 'x')).ok());
    faults_.Always(Fault::kDamagedRead);
    EXPECT_NE(ReadOne("object").data, std::string(100, 'x'));
    faults_.Stop();
    EXPECT_EQ(ReadOne("object").data, std::string(100, 'x'));
  });
  EXPECT_EQ(store_.damaged_reads(), 1U);
}

TEST_F(SimStoreTest, ADeadlineEndsTheWaitingAndNotTheRequest) {
  Run([&] {
    Context context;
    context.deadline_ns = scheduler_.now_ns() + 1'000;
    EXPECT_EQ(store_.Put(context, "object", "x").status().code(), StatusCode::kDeadlineExceeded);
    EXPECT_EQ(Content("object"), "(none)");
  });
  EXPECT_EQ(Content("object"), "x");
}

TEST_F(SimStoreTest, AProcessThatDiesLeavesWhatItSentAndSendsNothingMore) {
  Process other("other", machine_, scheduler_, faults_, 2);
  Status of_dead;
  process_.Spawn("main", [&] {
    of_dead = store_.Put({}, "sent", "x").status();
    EXPECT_EQ(store_.Put({}, "after", "x").status().code(), StatusCode::kUnavailable);
  });
  other.Spawn("killer", [&] {
    scheduler_.SleepUntilNs(scheduler_.now_ns() + 10'000);
    process_.Kill();
    scheduler_.SleepUntilNs(scheduler_.now_ns() + 600'000'000'000);
  });
  ASSERT_EQ(scheduler_.Run(), "");
  EXPECT_THAT(of_dead.message(), HasSubstr("dead"));
  EXPECT_EQ(Content("sent"), "x");
  EXPECT_EQ(Content("after"), "(none)");
}

TEST_F(SimStoreTest, TheLocksAndWritesOfADeadProcessAreGone) {
  Process other("other", machine_, scheduler_, faults_, 2);
  Run([&] {
    FileSystem& files = *process_.environment()->file_system;
    ASSERT_TRUE(files.CreateDirectories("folder").ok());
    auto lock = files.TryLock("folder/lock");
    ASSERT_TRUE(lock.ok());
    auto file = files.Open("folder/file", OpenMode::kCreateNew);
    ASSERT_TRUE(file.ok());
    FileSystem& of_other = *other.environment()->file_system;
    EXPECT_EQ(of_other.TryLock("folder/lock").status().code(), StatusCode::kConflict);
    process_.Kill();
    EXPECT_EQ((*file)->Write(0, "bytes").code(), StatusCode::kIoError);
    auto taken_over = of_other.TryLock("folder/lock");
    EXPECT_TRUE(taken_over.ok());
    // The dead one lets go of a lock that is another's by now.
    *lock = nullptr;
    EXPECT_EQ(of_other.TryLock("folder/lock").status().code(), StatusCode::kConflict);
    auto seen = of_other.Open("folder/file", OpenMode::kRead);
    ASSERT_TRUE(seen.ok());
    EXPECT_EQ(*(*seen)->Size(), 0U);
  });
}

}  // namespace
}  // namespace isotherm::simulation
