#include "isotherm/events.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/sync.h"

namespace isotherm {
namespace {

Event MakeEvent(EventKind kind, uint64_t version, std::string cause = "") {
  Event event;
  event.kind = kind;
  event.version = version;
  event.cause = std::move(cause);
  return event;
}

std::vector<uint64_t> Versions(const std::vector<Event>& events) {
  std::vector<uint64_t> versions;
  for (const Event& event : events) versions.push_back(event.version);
  return versions;
}

TEST(EventLogTest, KeepsTheLastEventsInOrder) {
  EventLog log(3);
  EXPECT_TRUE(log.After().empty());
  for (uint64_t version = 1; version <= 5; ++version) log.Add(MakeEvent(EventKind::kCommit, version * 10));
  EXPECT_EQ(Versions(log.After()), (std::vector<uint64_t>{30, 40, 50}));
  EXPECT_EQ(log.last_sequence(), 5u);
  EXPECT_EQ(log.After().front().sequence, 3u);
  EXPECT_EQ(Versions(log.After(4)), std::vector<uint64_t>{50});
  EXPECT_TRUE(log.After(5).empty());
}

TEST(EventLogTest, OfNoCapacityStillTellsItsSubscriber) {
  std::vector<Event> told;
  EventLog log(0, [&](const Event& event) { told.push_back(event); });
  log.Add(MakeEvent(EventKind::kFlush, 7));
  EXPECT_TRUE(log.After().empty());
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].sequence, 1u);
  EXPECT_EQ(told[0].version, 7u);
}

TEST(EventLogTest, ASubscriberMayUseTheLog) {
  EventLog* handle = nullptr;
  size_t seen = 0;
  EventLog log(10, [&](const Event& event) {
    seen = handle->After().size();
    if (event.kind == EventKind::kFlush) handle->Add(MakeEvent(EventKind::kCommit, 2));
  });
  handle = &log;
  log.Add(MakeEvent(EventKind::kFlush, 1));
  EXPECT_EQ(seen, 2u);
  EXPECT_EQ(Versions(log.After()), (std::vector<uint64_t>{1, 2}));
}

TEST(EventLogTest, ManyThreadsGetNumbersWithoutGaps) {
  constexpr uint64_t kThreads = 4;
  constexpr uint64_t kEach = 500;
  Mutex mutex;
  std::set<uint64_t> told;
  EventLog log(100, [&](const Event& event) {
    std::lock_guard lock(mutex);
    EXPECT_TRUE(told.insert(event.sequence).second);
  });
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (uint64_t i = 0; i < kEach; ++i) {
        log.Add(MakeEvent(EventKind::kCommit, i, "Commit called"));
        std::vector<Event> events = log.After();
        for (size_t n = 1; n < events.size(); ++n) EXPECT_EQ(events[n].sequence, events[n - 1].sequence + 1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(told.size(), kThreads * kEach);
  EXPECT_EQ(*told.rbegin(), kThreads * kEach);
  EXPECT_EQ(log.After().size(), 100u);
}

TEST(EventTest, AsAJsonLine) {
  Event event = MakeEvent(EventKind::kCompaction, 12, "4 segments of one size,\n\"tier\" 2");
  event.sequence = 9;
  event.wall_ms = 1'763'770'849'123;
  event.details = {{"bytes_read", int64_t{1} << 40}, {"share", 0.5}, {"segments", Value::Array{"a", "b"}}};
  EXPECT_EQ(event.ToJsonLine(),
            "{\"sequence\":9,\"time\":\"2025-11-22T00:20:49.123Z\",\"kind\":\"compaction\",\"version\":12,"
            "\"cause\":\"4 segments of one size,\\u000a\\\"tier\\\" 2\","
            "\"details\":{\"bytes_read\":1099511627776,\"segments\":[\"a\",\"b\"],\"share\":0.5}}");
  Event before = MakeEvent(EventKind::kError, 0);
  before.wall_ms = -1;
  EXPECT_EQ(before.ToJsonLine(),
            "{\"sequence\":0,\"time\":\"1969-12-31T23:59:59.999Z\",\"kind\":\"error\",\"version\":0,\"cause\":\"\","
            "\"details\":{}}");
}

TEST(EventTest, EveryKindHasANameOfItsOwn) {
  std::set<std::string> names;
  for (int kind = 0; kind <= static_cast<int>(EventKind::kError); ++kind) {
    EXPECT_TRUE(names.insert(EventKindName(static_cast<EventKind>(kind))).second);
  }
  EXPECT_FALSE(names.contains("?"));
}

}  // namespace
}  // namespace isotherm
