#include "blob/retry_store.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "base/random.h"

namespace isotherm {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kMs = 1'000'000;

// Time passes only when somebody sleeps.
class ManualClock : public Clock {
 public:
  int64_t NowNs() override { return now_ns_; }
  int64_t WallMs() override { return now_ns_ / kMs; }
  void SleepUntilNs(int64_t monotonic_ns) override {
    sleeps_ns.push_back(monotonic_ns - now_ns_);
    now_ns_ = monotonic_ns;
    if (on_sleep) on_sleep();
  }

  std::vector<int64_t> sleeps_ns;
  std::function<void()> on_sleep;

 private:
  int64_t now_ns_ = 0;
};

// Answers from a script, then with ok.
class ScriptedStore : public BlobStore {
 public:
  std::vector<ReadResult> Read(const Context&, std::span<const ReadRequest> requests) override {
    ++calls;
    std::vector<ReadResult> results;
    for (const ReadRequest& request : requests) {
      ReadResult result;
      reads.push_back(request.name);
      result.status = Next();
      if (result.status.ok()) result.data = request.name;
      results.push_back(std::move(result));
    }
    return results;
  }
  Result<std::string> Put(const Context&, std::string_view, std::string_view, const PutCondition&) override {
    ++calls;
    Status status = Next();
    if (!status.ok()) return status;
    return std::string("etag");
  }
  Result<std::unique_ptr<BlobWriter>> CreateWriter(const Context&, std::string_view) override {
    ++calls;
    return Next().WithContext("writer");
  }
  Status Delete(const Context&, std::string_view) override {
    ++calls;
    return Next();
  }
  Result<ListPage> List(const Context&, std::string_view, std::string_view, size_t) override {
    ++calls;
    Status status = Next();
    if (!status.ok()) return status;
    return ListPage{};
  }
  std::string Describe() const override { return "scripted:"; }

  std::deque<Status> script;
  std::vector<std::string> reads;
  int calls = 0;

 private:
  Status Next() {
    if (script.empty()) return Status::Ok();
    Status status = script.front();
    script.pop_front();
    return status;
  }
};

Status Failure(StatusCode code) { return {code, "scripted"}; }
const Status kUnavailable = Failure(StatusCode::kUnavailable);
const Status kUnknown = Failure(StatusCode::kUnknown);
const Status kConflict = Failure(StatusCode::kConflict);
const Status kDenied = Failure(StatusCode::kAccessDenied);

class RetryBlobStoreTest : public testing::Test {
 protected:
  RetryBlobStore Make(RetryOptions options = {}) { return RetryBlobStore(scripted_, environment_, options); }

  // Of a Put that meets `script`.
  StatusCode PutCode(std::deque<Status> script, const PutCondition& condition, RetryOptions options = {}) {
    scripted_->script = std::move(script);
    return RetryBlobStore(scripted_, environment_, options).Put({}, "a", "b", condition).status().code();
  }

  // The same by PutAll.
  StatusCode PutAllCode(std::deque<Status> script, const PutCondition& condition, RetryOptions options = {}) {
    scripted_->script = std::move(script);
    const PutRequest request{"a", "b", 1, condition};
    return RetryBlobStore(scripted_, environment_, options).PutAll({}, {&request, 1})[0].status.code();
  }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<Environment> environment_ =
      std::make_shared<Environment>(Environment{clock_, std::make_shared<SeededRandom>(1), nullptr, nullptr});
  std::shared_ptr<ScriptedStore> scripted_ = std::make_shared<ScriptedStore>();
};

TEST_F(RetryBlobStoreTest, OnlyFailedReadsOfABatchAreRepeatedAndAnswersKeepTheirPlaces) {
  RetryBlobStore store = Make();
  scripted_->script = {Status::Ok(), kUnavailable, Failure(StatusCode::kNotFound), kUnavailable, kUnavailable};
  std::vector<ReadRequest> requests;
  for (const char* name : {"a", "b", "c", "d"}) requests.push_back({.name = name, .range = {}, .if_match = {}});
  auto results = store.Read({}, requests);
  EXPECT_EQ(scripted_->reads, (std::vector<std::string>{"a", "b", "c", "d", "b", "d", "b"}));
  EXPECT_EQ(results[0].data, "a");
  EXPECT_EQ(results[1].data, "b");
  EXPECT_EQ(results[2].status.code(), StatusCode::kNotFound);
  EXPECT_EQ(results[3].data, "d");
  EXPECT_EQ(store.Counts().retries[static_cast<int>(RequestKind::kGet)], 3u);
  EXPECT_EQ(store.Counts().after_unavailable, 3u);
}

TEST_F(RetryBlobStoreTest, OnlyTransientFailuresAreRepeated) {
  for (StatusCode code : {StatusCode::kInvalidArgument, StatusCode::kNotFound, StatusCode::kAccessDenied,
                          StatusCode::kConflict, StatusCode::kCancelled, StatusCode::kDeadlineExceeded,
                          StatusCode::kCorruption, StatusCode::kUnsupported, StatusCode::kInternal}) {
    RetryBlobStore store = Make();
    scripted_->calls = 0;
    scripted_->script.assign(4, Failure(code));
    ReadRequest request{.name = "a", .range = {}, .if_match = {}};
    EXPECT_EQ(store.Read({}, {&request, 1})[0].status.code(), code);
    EXPECT_EQ(store.Put({}, "a", "b").status().code(), code);
    EXPECT_EQ(store.Delete({}, "a").code(), code);
    EXPECT_EQ(store.List({}, "").status().code(), code);
    EXPECT_EQ(scripted_->calls, 4);
  }
  EXPECT_TRUE(clock_->sleeps_ns.empty());
}

TEST_F(RetryBlobStoreTest, EveryKindOfRequestIsRepeatedAndCounted) {
  RetryBlobStore store = Make();
  ReadRequest request{.name = "a", .range = {}, .if_match = {}};
  scripted_->script = {kUnavailable};
  EXPECT_TRUE(store.Read({}, {&request, 1})[0].status.ok());
  scripted_->script = {kUnavailable, kUnknown};
  EXPECT_TRUE(store.Put({}, "a", "b").ok());
  scripted_->script = {kUnavailable};
  EXPECT_TRUE(store.Delete({}, "a").ok());
  scripted_->script = {kUnavailable};
  EXPECT_TRUE(store.List({}, "").ok());
  RetryCounts counts = store.Counts();
  EXPECT_EQ(counts.retries[static_cast<int>(RequestKind::kGet)], 1u);
  EXPECT_EQ(counts.retries[static_cast<int>(RequestKind::kPut)], 2u);
  EXPECT_EQ(counts.retries[static_cast<int>(RequestKind::kDelete)], 1u);
  EXPECT_EQ(counts.retries[static_cast<int>(RequestKind::kList)], 1u);
  EXPECT_EQ(counts.after_unavailable, 4u);
  EXPECT_EQ(counts.after_unknown, 1u);
  EXPECT_EQ(counts.gave_up, 0u);
}

TEST_F(RetryBlobStoreTest, GivesUpAfterItsAttemptsWithTheLastReason) {
  RetryBlobStore store = Make({.max_attempts = 3});
  scripted_->script.assign(10, kUnavailable);
  Status status = store.Delete({}, "a");
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("after 3 attempts"), std::string::npos) << status;
  EXPECT_EQ(scripted_->calls, 3);
  EXPECT_EQ(store.Counts().gave_up, 1u);

  scripted_->script.assign(10, kUnavailable);
  std::vector<ReadRequest> requests(2, {.name = "a", .range = {}, .if_match = {}});
  for (const ReadResult& result : store.Read({}, requests)) {
    EXPECT_EQ(result.status.code(), StatusCode::kUnavailable);
  }
  EXPECT_EQ(store.Counts().gave_up, 3u);
}

TEST_F(RetryBlobStoreTest, PausesGrowToTheirLimitAndAreSpreadOverAllOfIt) {
  const std::vector<int64_t> limits_ms = {10, 20, 40, 80, 100, 100, 100};
  std::vector<int64_t> longest_ns(limits_ms.size(), 0);
  std::vector<int64_t> shortest_ns(limits_ms.size(), 1'000 * kMs);
  for (int round = 0; round < 200; ++round) {
    clock_->sleeps_ns.clear();
    scripted_->script.assign(limits_ms.size(), kUnavailable);
    RetryBlobStore store =
        Make({.max_attempts = 100, .first_backoff = milliseconds(10), .max_backoff = milliseconds(100)});
    ASSERT_TRUE(store.Delete({}, "a").ok());
    ASSERT_EQ(clock_->sleeps_ns.size(), limits_ms.size());
    for (size_t i = 0; i < limits_ms.size(); ++i) {
      ASSERT_LE(clock_->sleeps_ns[i], limits_ms[i] * kMs);
      longest_ns[i] = std::max(longest_ns[i], clock_->sleeps_ns[i]);
      shortest_ns[i] = std::min(shortest_ns[i], clock_->sleeps_ns[i]);
    }
  }
  for (size_t i = 0; i < limits_ms.size(); ++i) {
    EXPECT_GT(longest_ns[i], limits_ms[i] * kMs * 9 / 10);
    EXPECT_LT(shortest_ns[i], limits_ms[i] * kMs / 10);
  }
}

TEST_F(RetryBlobStoreTest, StopsAtOnceWhenTheDeadlineLeavesNoTime) {
  RetryBlobStore store =
      Make({.max_attempts = 1000, .first_backoff = milliseconds(10), .max_backoff = milliseconds(10)});
  scripted_->script.assign(1000, kUnavailable);
  Context context;
  context.deadline_ns = 100 * kMs;
  Status status = store.Delete(context, "a");
  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded) << status;
  EXPECT_NE(status.message().find("scripted"), std::string::npos) << status;
  EXPECT_LT(clock_->NowNs(), context.deadline_ns);
  EXPECT_GT(scripted_->calls, 3);
}

TEST_F(RetryBlobStoreTest, ACancelledCallSleepsNoFurther) {
  RetryBlobStore store =
      Make({.max_attempts = 1000, .first_backoff = std::chrono::hours(1), .max_backoff = std::chrono::hours(1)});
  scripted_->script.assign(1000, kUnavailable);
  CancelToken cancel;
  Context context;
  context.cancel = &cancel;
  clock_->on_sleep = [&] {
    if (clock_->sleeps_ns.size() == 3) cancel.Cancel();
  };
  EXPECT_EQ(store.Delete(context, "a").code(), StatusCode::kCancelled);
  EXPECT_EQ(clock_->sleeps_ns.size(), 3u);
  EXPECT_LT(clock_->NowNs(), 1'000 * kMs);
}

TEST_F(RetryBlobStoreTest, AConflictAfterALostAnswerIsUnknown) {
  for (const PutCondition& condition : {PutCondition::IfAbsent(), PutCondition::IfMatch("e")}) {
    EXPECT_EQ(PutCode({kConflict}, condition), StatusCode::kConflict);
    EXPECT_EQ(PutCode({kUnknown, kConflict}, condition), StatusCode::kUnknown);
    EXPECT_EQ(PutCode({kUnavailable, kConflict}, condition), StatusCode::kUnknown);
    EXPECT_EQ(PutCode({kUnavailable, kUnknown, kUnavailable, kConflict}, condition), StatusCode::kUnknown);
    EXPECT_EQ(PutCode({kUnknown}, condition), StatusCode::kOk);
  }
}

TEST_F(RetryBlobStoreTest, AConditionalPutOfABatchIsToldOfAsOneAlone) {
  const RetryOptions definite{.unavailable_is_definite = true};
  const std::vector<std::deque<Status>> scripts = {{},
                                                   {kConflict},
                                                   {kDenied},
                                                   {kUnknown, kConflict},
                                                   {kUnavailable, kConflict},
                                                   {kUnavailable, kUnavailable, kConflict},
                                                   {kUnavailable, kUnknown, kConflict},
                                                   {kUnknown, kUnavailable, kConflict},
                                                   {kUnknown, kDenied},
                                                   {kUnknown}};
  for (const RetryOptions& options : {RetryOptions(), definite}) {
    for (const PutCondition& condition : {PutCondition::IfAbsent(), PutCondition::IfMatch("e")}) {
      for (size_t i = 0; i < scripts.size(); ++i) {
        EXPECT_EQ(PutAllCode(scripts[i], condition, options), PutCode(scripts[i], condition, options)) << i;
      }
    }
  }
}

TEST_F(RetryBlobStoreTest, AConflictAfterDefiniteFailuresIsAConflict) {
  const RetryOptions definite{.unavailable_is_definite = true};
  EXPECT_EQ(PutCode({kUnavailable, kUnavailable, kConflict}, PutCondition::IfAbsent(), definite),
            StatusCode::kConflict);
  EXPECT_EQ(PutCode({kUnavailable, kUnknown, kConflict}, PutCondition::IfAbsent(), definite), StatusCode::kUnknown);
  EXPECT_EQ(PutCode({kUnknown, kUnavailable, kConflict}, PutCondition::IfAbsent(), definite), StatusCode::kUnknown);
}

TEST_F(RetryBlobStoreTest, AfterALostAnswerNoFailureSaysThatThePutDidNotHappen) {
  RetryOptions options{.max_attempts = 3, .unavailable_is_definite = true};
  EXPECT_EQ(PutCode({kUnknown, kDenied}, PutCondition::IfAbsent(), options), StatusCode::kUnknown);
  EXPECT_EQ(PutCode({kUnknown, kUnavailable, kUnavailable}, PutCondition::IfAbsent(), options), StatusCode::kUnknown);
  EXPECT_EQ(PutCode({kUnknown, Failure(StatusCode::kCancelled)}, PutCondition::IfAbsent(), options),
            StatusCode::kCancelled);
  EXPECT_EQ(PutCode({kUnavailable, kUnavailable, kUnavailable}, PutCondition::IfAbsent(), options),
            StatusCode::kUnavailable);
  EXPECT_EQ(PutCode({kUnavailable, kDenied}, PutCondition::Overwrite(), options), StatusCode::kUnknown);
  EXPECT_EQ(PutCode({kUnavailable, kUnavailable, kUnavailable}, PutCondition::Overwrite(), options),
            StatusCode::kUnavailable);
}

TEST_F(RetryBlobStoreTest, AWriterComesFromTheStoreBelow) {
  RetryBlobStore store = Make();
  scripted_->script = {kUnavailable};
  EXPECT_EQ(store.CreateWriter({}, "a").status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(scripted_->calls, 1);
  EXPECT_EQ(store.Describe(), "scripted:");
}

}  // namespace
}  // namespace isotherm
