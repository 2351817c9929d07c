// The S3 store over a network that fails: a proxy between it and a real server cuts, holds and forges single answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/environment.h"
#include "blob/retry_store.h"
#include "blob/s3_store.h"
#include "tests/blob/conformance.h"
#include "tests/servers/s3_test_server.h"
#include "tests/servers/tcp_proxy.h"

namespace isotherm {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

std::string ErrorBody(std::string_view code) {
  return "<Error><Code>" + std::string(code) + "</Code><Message>why</Message></Error>";
}

class S3WireTest : public testing::Test {
 protected:
  void SetUp() override {
    ISOTHERM_NEEDS_SERVERS();
    auto server = S3TestServer::Shared();
    ASSERT_TRUE(server.ok()) << server.status();
    auto proxy = TcpProxy::Start((*server)->port());
    ASSERT_TRUE(proxy.ok()) << proxy.status();
    proxy_ = std::move(*proxy);
    static std::atomic<int> tests{0};
    options_ = (*server)->Options("wire/" + std::to_string(++tests));
    options_.writer_retry = {.max_attempts = 3, .first_backoff = milliseconds(1), .max_backoff = milliseconds(1)};
    direct_ = Open(options_);
    options_.endpoint = "http://127.0.0.1:" + std::to_string(proxy_->port());
    store_ = Open(options_);
  }

  static std::shared_ptr<BlobStore> Open(const S3Options& options) {
    auto store = OpenS3Store(options, Environment::Default());
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *store : nullptr;
  }

  // Over the proxied store.
  std::shared_ptr<RetryBlobStore> Retrying() {
    return std::make_shared<RetryBlobStore>(store_, Environment::Default(),
                                            RetryOptions{.max_attempts = 4,
                                                         .first_backoff = milliseconds(1),
                                                         .max_backoff = milliseconds(1),
                                                         .unavailable_is_definite = true});
  }

  ReadResult ReadOne(BlobStore& store, const std::string& name, const Context& context = {}) {
    ReadRequest request{.name = name, .range = {}, .if_match = {}};
    return std::move(store.Read(context, {&request, 1}).front());
  }

  // So that the next request finds a kept connection.
  void WarmUp() { ASSERT_TRUE(store_->Put({}, "warm-up", "x").ok()); }

  std::unique_ptr<TcpProxy> proxy_;
  S3Options options_;
  std::shared_ptr<BlobStore> store_;   // through the proxy
  std::shared_ptr<BlobStore> direct_;  // the same objects
};

TEST_F(S3WireTest, ABatchOfHundredUsesNoMoreConnectionsThanAllowedAndKeepsThem) {
  const std::string bytes = RandomBytes(100'000, 7);
  ASSERT_TRUE(direct_->Put({}, "object", bytes).ok());
  options_.max_connections = 8;
  auto store = Open(options_);
  std::vector<ReadRequest> requests;
  for (uint64_t i = 0; i < 100; ++i) {
    requests.push_back({.name = "object", .range = ByteRange{i * 1000, 1000}, .if_match = {}});
  }
  for (int round = 0; round < 3; ++round) {
    std::vector<ReadResult> results = store->Read({}, requests);
    for (size_t i = 0; i < results.size(); ++i) {
      ASSERT_TRUE(results[i].status.ok()) << results[i].status;
      EXPECT_TRUE(results[i].data == bytes.substr(i * 1000, 1000));
      EXPECT_EQ(results[i].object_size, bytes.size());
    }
    EXPECT_LE(proxy_->connections(), 8u) << "round " << round;
  }
  EXPECT_EQ(proxy_->requests("GET"), 300u);
  EXPECT_EQ(proxy_->requests(), 300u);
}

TEST_F(S3WireTest, RequestsOfOneBatchRunAtTheSameTime) {
  ASSERT_TRUE(direct_->Put({}, "object", "content").ok());
  for (int i = 0; i < 10; ++i) proxy_->Inject({.kind = ProxyFaultKind::kHoldAnswer, .method = "GET", .answer = {}});
  std::vector<ReadRequest> requests(10, {.name = "object", .range = {}, .if_match = {}});
  std::vector<ReadResult> results;
  std::thread reader([&] { results = store_->Read({}, requests); });
  Clock& clock = *Environment::Default()->clock;
  const int64_t limit_ns = clock.NowNs() + 10'000'000'000;
  // All ten are there though none was answered.
  while (proxy_->requests("GET") < 10 && clock.NowNs() < limit_ns) clock.SleepUntilNs(clock.NowNs() + 1'000'000);
  EXPECT_EQ(proxy_->requests("GET"), 10u);
  proxy_->Release();
  reader.join();
  int64_t last_start_ns = 0;
  int64_t first_end_ns = std::numeric_limits<int64_t>::max();
  for (const ReadResult& result : results) {
    EXPECT_TRUE(result.status.ok()) << result.status;
    last_start_ns = std::max(last_start_ns, result.start_ns);
    first_end_ns = std::min(first_end_ns, result.end_ns);
  }
  EXPECT_LT(last_start_ns, first_end_ns);
}

TEST_F(S3WireTest, ATruncatedBodyIsNeverAnAnswer) {
  const std::string bytes = RandomBytes(200'000, 8);
  ASSERT_TRUE(direct_->Put({}, "object", bytes).ok());
  for (size_t size : {size_t{1}, size_t{50}, size_t{1000}, size_t{100'000}, size_t{200'000}}) {
    proxy_->Inject({.kind = ProxyFaultKind::kTruncateAnswer, .method = "GET", .bytes = size, .answer = {}});
    ReadResult result = ReadOne(*store_, "object");
    EXPECT_EQ(result.status.code(), StatusCode::kUnavailable) << size << ": " << result.status;
    EXPECT_EQ(result.data, "");
  }
  EXPECT_EQ(proxy_->faults_left(), 0u);
  EXPECT_TRUE(ReadOne(*store_, "object").data == bytes);
}

TEST_F(S3WireTest, AnAnswerThatEndsInItsHeadIsNone) {
  ASSERT_TRUE(direct_->Put({}, "object", "").ok());
  const std::string answer = HttpAnswer(200, "", "ETag: \"e\"\r\nConnection: close\r\n");
  // The answer is the proxy's own, so that its length is known.
  for (size_t size = 0; size <= answer.size(); ++size) {
    for (const char* method : {"GET", "PUT"}) {
      proxy_->Inject(
          {.kind = ProxyFaultKind::kReplaceAnswerAndClose, .method = method, .answer = answer.substr(0, size)});
    }
    const bool whole = size == answer.size();
    Status get = ReadOne(*store_, "object").status;
    EXPECT_EQ(get.code(), whole ? StatusCode::kOk : StatusCode::kUnavailable) << size << ": " << get;
    Status put = store_->Put({}, "object", "x", PutCondition::IfAbsent()).status();
    EXPECT_EQ(put.code(), whole ? StatusCode::kOk : StatusCode::kUnknown) << size << ": " << put;
  }
}

TEST_F(S3WireTest, OnlyTheFailedReadsOfABatchAreRepeated) {
  ASSERT_TRUE(direct_->Put({}, "object", RandomBytes(10'000, 9)).ok());
  proxy_->Inject({.kind = ProxyFaultKind::kTruncateAnswer, .method = "GET", .bytes = 300, .answer = {}});
  proxy_->Inject(
      {.kind = ProxyFaultKind::kReplaceAnswer, .method = "GET", .answer = HttpAnswer(503, ErrorBody("SlowDown"))});
  auto store = Retrying();
  std::vector<ReadRequest> requests(20, {.name = "object", .range = ByteRange{5, 5000}, .if_match = {}});
  for (const ReadResult& result : store->Read({}, requests)) EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(proxy_->requests("GET"), 22u);
  EXPECT_EQ(store->Counts().retries[static_cast<int>(RequestKind::kGet)], 2u);
}

TEST_F(S3WireTest, AReadOverADeadKeptConnectionIsSentAgainAtOnce) {
  WarmUp();
  ASSERT_TRUE(direct_->Put({}, "object", "content").ok());
  proxy_->Inject({.kind = ProxyFaultKind::kRefuse, .method = "GET", .answer = {}});
  EXPECT_EQ(ReadOne(*store_, "object").data, "content");
}

// curl repeats requests on its own when a kept connection dies. Of a conditional put, that would turn an execution
// whose answer was lost into a false conflict.
TEST_F(S3WireTest, AConditionalPutIsNeverRepeatedBehindOurBack) {
  for (const std::string body : {"new content", ""}) {
    for (bool kept : {true, false}) {
      ASSERT_TRUE(direct_->Put({}, "head", "old").ok());
      const std::string etag = ReadOne(*direct_, "head").etag;
      if (kept) {
        WarmUp();
      } else {
        store_ = Open(options_);
      }
      const size_t before = proxy_->requests("PUT");
      proxy_->Inject({.kind = ProxyFaultKind::kLoseAnswer, .method = "PUT", .answer = {}});
      Status status = store_->Put({}, "head", body, PutCondition::IfMatch(etag)).status();
      EXPECT_EQ(status.code(), StatusCode::kUnknown) << status;
      EXPECT_EQ(proxy_->requests("PUT"), before + 1) << "body '" << body << "', kept " << kept;
      EXPECT_EQ(ReadOne(*direct_, "head").data, body);
    }
  }
}

TEST_F(S3WireTest, AConditionalPutThatLandedThoughItsAnswerWasLostIsNeverAConflict) {
  for (bool if_absent : {true, false}) {
    const std::string name = if_absent ? "absent" : "match";
    PutCondition condition = PutCondition::IfAbsent();
    if (!if_absent) condition = PutCondition::IfMatch(*direct_->Put({}, name, "old"));
    auto store = Retrying();
    WarmUp();
    proxy_->Inject({.kind = ProxyFaultKind::kLoseAnswer, .method = "PUT", .answer = {}});
    Status status = store->Put({}, name, "mine", condition).status();
    EXPECT_EQ(status.code(), StatusCode::kUnknown) << status;
    EXPECT_EQ(store->Counts().ambiguous_conflicts, 1u);
    EXPECT_EQ(ReadOne(*direct_, name).data, "mine");
  }
}

TEST_F(S3WireTest, AConditionalPutThatWasLostOnItsWaySucceedsWhenRepeated) {
  const std::string etag = *direct_->Put({}, "head", "old");
  auto store = Retrying();
  WarmUp();
  proxy_->Inject({.kind = ProxyFaultKind::kRefuse, .method = "PUT", .answer = {}});
  auto put = store->Put({}, "head", "mine", PutCondition::IfMatch(etag));
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(ReadOne(*direct_, "head").etag, *put);
}

TEST_F(S3WireTest, A409IsTriedAgainAndAConflictAfterItIsReal) {
  const std::string etag = *direct_->Put({}, "head", "old");
  const ProxyFault busy{.kind = ProxyFaultKind::kReplaceAnswer,
                        .method = "PUT",
                        .answer = HttpAnswer(409, ErrorBody("ConditionalRequestConflict"))};
  auto store = Retrying();
  proxy_->Inject(busy);
  EXPECT_EQ(store_->Put({}, "head", "x", PutCondition::IfMatch(etag)).status().code(), StatusCode::kUnavailable);

  proxy_->Inject(busy);
  auto put = store->Put({}, "head", "mine", PutCondition::IfMatch(etag));
  ASSERT_TRUE(put.ok()) << put.status();

  proxy_->Inject(busy);
  Status late = store->Put({}, "head", "again", PutCondition::IfMatch(etag)).status();
  EXPECT_EQ(late.code(), StatusCode::kConflict) << late;
  EXPECT_EQ(store->Counts().ambiguous_conflicts, 0u);
}

TEST_F(S3WireTest, AnUnconditionalPutIsRepeatedUntilItIsAnswered) {
  auto store = Retrying();
  WarmUp();
  proxy_->Inject({.kind = ProxyFaultKind::kLoseAnswer, .method = "PUT", .answer = {}});
  proxy_->Inject(
      {.kind = ProxyFaultKind::kReplaceAnswer, .method = "PUT", .answer = HttpAnswer(500, ErrorBody("InternalError"))});
  auto put = store->Put({}, "object", "content");
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(proxy_->faults_left(), 0u);
  EXPECT_EQ(ReadOne(*direct_, "object").data, "content");
}

TEST_F(S3WireTest, ADeadlineEndsACallThatWaitsForItsAnswer) {
  ASSERT_TRUE(direct_->Put({}, "object", "content").ok());
  proxy_->Inject({.kind = ProxyFaultKind::kHoldAnswer, .method = "GET", .answer = {}});
  EXPECT_EQ(ReadOne(*store_, "object", Context::WithTimeout(milliseconds(50))).status.code(),
            StatusCode::kDeadlineExceeded);
  proxy_->Inject({.kind = ProxyFaultKind::kHoldAnswer, .method = "PUT", .answer = {}});
  Context context = Context::WithTimeout(milliseconds(50));
  EXPECT_EQ(Retrying()->Put(context, "object", "new", PutCondition::IfAbsent()).status().code(),
            StatusCode::kDeadlineExceeded);
  proxy_->Release();
  EXPECT_EQ(ReadOne(*store_, "object").data, "content");
}

TEST_F(S3WireTest, ACancelledCallReturnsWhileItsAnswerIsHeld) {
  ASSERT_TRUE(direct_->Put({}, "object", "content").ok());
  proxy_->Inject({.kind = ProxyFaultKind::kHoldAnswer, .method = "GET", .answer = {}});
  CancelToken cancel;
  Context context;
  context.cancel = &cancel;
  ReadResult result;
  std::thread reader([&] { result = ReadOne(*store_, "object", context); });
  cancel.Cancel();
  reader.join();
  EXPECT_EQ(result.status.code(), StatusCode::kCancelled) << result.status;
}

TEST_F(S3WireTest, ARequestThatStallsIsUnavailable) {
  ASSERT_TRUE(direct_->Put({}, "object", "content").ok());
  options_.request_timeout = milliseconds(50);
  auto store = Open(options_);
  proxy_->Inject({.kind = ProxyFaultKind::kHoldAnswer, .method = "GET", .answer = {}});
  ReadResult result = ReadOne(*store, "object");
  EXPECT_EQ(result.status.code(), StatusCode::kUnavailable) << result.status;
  EXPECT_THAT(result.status.message(), HasSubstr("50 ms"));
}

TEST_F(S3WireTest, RequestsBeyondTheLastConnectionWaitAndHonourTheirDeadline) {
  ASSERT_TRUE(direct_->Put({}, "object", "content").ok());
  options_.max_connections = 1;
  auto store = Open(options_);
  proxy_->Inject({.kind = ProxyFaultKind::kHoldAnswer, .method = "GET", .answer = {}});
  std::vector<ReadRequest> requests(3, {.name = "object", .range = {}, .if_match = {}});
  for (const ReadResult& result : store->Read(Context::WithTimeout(milliseconds(60)), requests)) {
    EXPECT_EQ(result.status.code(), StatusCode::kDeadlineExceeded) << result.status;
  }
  EXPECT_EQ(proxy_->requests("GET"), 1u);
}

TEST_F(S3WireTest, AServerThatIgnoresRangesIsUnderstood) {
  const ProxyFault whole{.kind = ProxyFaultKind::kReplaceAnswer,
                         .method = "GET",
                         .answer = HttpAnswer(200, "0123456789", "ETag: \"e\"\r\n")};
  ReadRequest request{.name = "object", .range = ByteRange{3, 4}, .if_match = {}};
  proxy_->Inject(whole);
  ReadResult result = store_->Read({}, {&request, 1}).front();
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.data, "3456");
  EXPECT_EQ(result.object_size, 10u);
  proxy_->Inject(whole);
  request.range = ByteRange{10, 1};
  EXPECT_EQ(store_->Read({}, {&request, 1}).front().status.code(), StatusCode::kInvalidArgument);
}

TEST_F(S3WireTest, ARangeOtherThanTheOneAskedForIsRefused) {
  ReadRequest request{.name = "object", .range = ByteRange{3, 4}, .if_match = {}};
  for (const char* range : {"bytes 0-3/10", "bytes 3-5/10", "bytes 3-6/*", "bytes 3-6/5", "3-6/10", ""}) {
    proxy_->Inject({.kind = ProxyFaultKind::kReplaceAnswer,
                    .method = "GET",
                    .answer = HttpAnswer(206, "3456", std::string("Content-Range: ") + range + "\r\n")});
    ReadResult result = store_->Read({}, {&request, 1}).front();
    EXPECT_EQ(result.status.code(), StatusCode::kUnavailable) << range << ": " << result.status;
    EXPECT_EQ(result.data, "");
  }
}

TEST_F(S3WireTest, ARedirectIsNotFollowedButExplained) {
  proxy_->Inject({.kind = ProxyFaultKind::kReplaceAnswer,
                  .method = "GET",
                  .answer = HttpAnswer(301, ErrorBody("PermanentRedirect"),
                                       "x-amz-bucket-region: eu-west-1\r\nLocation: http://127.0.0.1:1/\r\n")});
  ReadResult result = ReadOne(*store_, "object");
  EXPECT_EQ(result.status.code(), StatusCode::kInvalidArgument) << result.status;
  EXPECT_THAT(result.status.message(), HasSubstr("'eu-west-1'"));
}

// One of the copies may be what others conflict with.
TEST_F(S3WireTest, OfCopiesOfAPutTheGoodAnswerCountsThenWhatLeavesItOpen) {
  const std::string good = HttpAnswer(200, "", "ETag: \"e\"\r\n");
  const std::string conflict = HttpAnswer(412, ErrorBody("PreconditionFailed"));
  const std::string busy = HttpAnswer(503, ErrorBody("SlowDown"));
  const std::string refused = HttpAnswer(403, ErrorBody("AccessDenied"));
  const std::string none;
  struct Case {
    std::vector<std::string> answers;
    StatusCode outcome;
    PutCondition condition = PutCondition::IfAbsent();
  };
  const Case cases[] = {
      {{good, conflict, conflict}, StatusCode::kOk},
      {{good, none, busy}, StatusCode::kOk},
      {{none, conflict, conflict}, StatusCode::kUnknown},
      {{none, conflict, busy}, StatusCode::kUnknown},
      {{none, refused, conflict}, StatusCode::kUnknown},
      {{busy, conflict, conflict}, StatusCode::kUnknown},
      {{busy, none, none}, StatusCode::kUnknown},
      {{conflict, conflict, conflict}, StatusCode::kConflict},
      {{busy, refused, refused}, StatusCode::kUnavailable, {}},
  };
  for (Case each : cases) {
    std::sort(each.answers.begin(), each.answers.end());
    do {
      auto proxy = TcpProxy::Start((*S3TestServer::Shared())->port());
      ASSERT_TRUE(proxy.ok()) << proxy.status();
      for (const std::string& answer : each.answers) {
        const auto kind = answer.empty() ? ProxyFaultKind::kRefuse : ProxyFaultKind::kReplaceAnswer;
        (*proxy)->Inject({.kind = kind, .method = "PUT", .answer = answer});
      }
      options_.endpoint = "http://127.0.0.1:" + std::to_string((*proxy)->port());
      const PutRequest request{"copied", "bytes", 3, each.condition};
      const PutResult result = Open(options_)->PutAll({}, {&request, 1}).front();
      EXPECT_EQ(result.status.code(), each.outcome) << result.status << "\n" << testing::PrintToString(each.answers);
    } while (std::next_permutation(each.answers.begin(), each.answers.end()));
  }
}

}  // namespace
}  // namespace isotherm
