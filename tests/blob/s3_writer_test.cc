// Multipart uploads against a real server, and over a network that fails.
#include "blob/s3_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>

#include "base/environment.h"
#include "blob/s3_store.h"
#include "tests/blob/conformance.h"
#include "tests/servers/s3_test_server.h"
#include "tests/servers/tcp_proxy.h"

namespace isotherm {
namespace {

using std::chrono::milliseconds;

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kPart = 5 * kMiB;

class S3WriterTest : public testing::Test {
 protected:
  void SetUp() override {
    ISOTHERM_NEEDS_SERVERS();
    auto server = S3TestServer::Shared();
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *server;
    auto proxy = TcpProxy::Start(server_->port());
    ASSERT_TRUE(proxy.ok()) << proxy.status();
    proxy_ = std::move(*proxy);
    static std::atomic<int> tests{0};
    S3Options options = server_->Options("writer/" + std::to_string(++tests));
    options.endpoint = "http://127.0.0.1:" + std::to_string(proxy_->port());
    options.multipart_part_bytes = kPart;
    options.writer_retry = {.max_attempts = 3, .first_backoff = milliseconds(1), .max_backoff = milliseconds(1)};
    auto store = OpenS3Store(options, Environment::Default());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *store;
  }

  std::unique_ptr<BlobWriter> MustCreate(const std::string& name, const Context& context) {
    auto writer = store_->CreateWriter(context, name);
    EXPECT_TRUE(writer.ok()) << writer.status();
    return writer.ok() ? std::move(*writer) : nullptr;
  }

  // One writer that is fed `bytes` in pieces of 3 MB.
  Result<std::string> Write(const std::string& name, std::string_view bytes) {
    Context context;
    auto writer = MustCreate(name, context);
    for (size_t at = 0; at < bytes.size(); at += 3'000'000) {
      Status appended = writer->Append(bytes.substr(at, 3'000'000));
      if (!appended.ok()) return appended;
    }
    return writer->Finish();
  }

  ReadResult ReadOne(const std::string& name) {
    ReadRequest request{.name = name, .range = {}, .if_match = {}};
    return std::move(store_->Read({}, {&request, 1}).front());
  }

  // Uploads that were begun and neither completed nor aborted.
  bool HasOpenUploads() {
    HttpResponse response = server_->Request("GET", std::string("/") + S3TestServer::kBucket, {{"uploads", ""}});
    EXPECT_EQ(response.status, 200) << response.body;
    return response.body.find("<UploadId>") != std::string::npos;
  }

  void Replace(std::string_view method, int status, std::string_view code, int times = 1) {
    for (int i = 0; i < times; ++i) {
      proxy_->Inject({.kind = ProxyFaultKind::kReplaceAnswer,
                      .method = std::string(method),
                      .answer = HttpAnswer(status, "<Error><Code>" + std::string(code) + "</Code></Error>")});
    }
  }

  // Until the server has done what `answers` of the proxy's faults hold the answers to.
  void AwaitHeld(size_t answers) {
    Clock& clock = *Environment::Default()->clock;
    const int64_t limit_ns = clock.NowNs() + 30'000'000'000;
    while (proxy_->held() < answers && clock.NowNs() < limit_ns) clock.SleepUntilNs(clock.NowNs() + 1'000'000);
    ASSERT_EQ(proxy_->held(), answers);
  }

  S3TestServer* server_ = nullptr;
  std::unique_ptr<TcpProxy> proxy_;
  std::shared_ptr<BlobStore> store_;
};

TEST_F(S3WriterTest, ALargeObjectIsUploadedInParts) {
  const std::string bytes = RandomBytes(40 * kMiB + 17, 1);
  auto etag = Write("large", bytes);
  ASSERT_TRUE(etag.ok()) << etag.status();
  EXPECT_EQ(proxy_->requests("PUT"), 9u);
  EXPECT_EQ(proxy_->requests("POST"), 2u);
  EXPECT_LE(proxy_->connections(), 4u);
  ReadResult result = ReadOne("large");
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_TRUE(result.data == bytes);
  EXPECT_EQ(result.etag, *etag);
  EXPECT_FALSE(HasOpenUploads());
}

TEST_F(S3WriterTest, WhatFitsOnePartIsOneRequest) {
  for (size_t size : {size_t{0}, size_t{1}, kPart}) {
    const size_t before = proxy_->requests();
    const std::string bytes = RandomBytes(size, size);
    auto etag = Write("small", bytes);
    ASSERT_TRUE(etag.ok()) << etag.status();
    EXPECT_EQ(proxy_->requests(), before + 1) << size;
    EXPECT_TRUE(ReadOne("small").data == bytes);
  }
  ASSERT_TRUE(Write("small", RandomBytes(kPart + 1, 3)).ok());
  EXPECT_EQ(ReadOne("small").object_size, kPart + 1);
}

TEST_F(S3WriterTest, FailedRequestsAreRepeated) {
  const std::string bytes = RandomBytes(12 * kMiB, 2);
  Replace("POST", 503, "SlowDown");         // of CreateMultipartUpload
  Replace("PUT", 500, "InternalError", 2);  // of parts
  proxy_->Inject({.kind = ProxyFaultKind::kLoseAnswer, .method = "PUT", .answer = {}});
  auto etag = Write("object", bytes);
  ASSERT_TRUE(etag.ok()) << etag.status();
  EXPECT_EQ(proxy_->faults_left(), 0u);
  EXPECT_TRUE(ReadOne("object").data == bytes);
  EXPECT_FALSE(HasOpenUploads());
}

TEST_F(S3WriterTest, AFailureIn200IsAFailure) {
  const std::string bytes = RandomBytes(6 * kMiB, 3);
  Context context;
  auto writer = MustCreate("object", context);
  ASSERT_TRUE(writer->Append(bytes).ok());
  Replace("POST", 200, "InternalError");
  auto etag = writer->Finish();
  ASSERT_TRUE(etag.ok()) << etag.status();
  EXPECT_EQ(proxy_->requests("POST"), 3u);
  EXPECT_TRUE(ReadOne("object").data == bytes);
}

TEST_F(S3WriterTest, ALostAnswerToTheLastStepIsNotTakenForAFailure) {
  Context context;
  auto writer = MustCreate("object", context);
  ASSERT_TRUE(writer->Append(RandomBytes(6 * kMiB, 4)).ok());
  proxy_->Inject({.kind = ProxyFaultKind::kLoseAnswer, .method = "POST", .answer = {}});
  auto etag = writer->Finish();
  // Servers that remember completed uploads answer the repetition with the same etag, others no longer know it.
  if (etag.ok()) {
    EXPECT_EQ(ReadOne("object").etag, *etag);
  } else {
    EXPECT_EQ(etag.status().code(), StatusCode::kUnknown) << etag.status();
  }
}

TEST_F(S3WriterTest, APermanentFailureSticksAndTheUploadIsAborted) {
  const size_t deletes = proxy_->requests("DELETE");
  {
    Context context;
    auto writer = MustCreate("object", context);
    Replace("PUT", 403, "AccessDenied");
    Status status = writer->Append(RandomBytes(40 * kMiB, 5));
    EXPECT_EQ(status.code(), StatusCode::kAccessDenied) << status;
    EXPECT_EQ(writer->Append("more").code(), StatusCode::kAccessDenied);
    EXPECT_EQ(writer->Finish().status().code(), StatusCode::kAccessDenied);
  }
  EXPECT_EQ(proxy_->requests("DELETE"), deletes + 1);
  EXPECT_EQ(ReadOne("object").status.code(), StatusCode::kNotFound);
  EXPECT_FALSE(HasOpenUploads());
}

TEST_F(S3WriterTest, AnUploadWhoseContextRanOutIsAbortedAllTheSame) {
  CancelToken cancel;
  {
    Context context;
    context.cancel = &cancel;
    auto writer = MustCreate("object", context);
    for (int i = 0; i < 3; ++i) {
      proxy_->Inject({.kind = ProxyFaultKind::kHoldAnswer, .method = "PUT", .answer = {}});
    }
    ASSERT_TRUE(writer->Append(RandomBytes(16 * kMiB, 6)).ok());
    AwaitHeld(3);
    cancel.Cancel();
    EXPECT_EQ(writer->Append("more").code(), StatusCode::kCancelled);
    EXPECT_EQ(writer->Finish().status().code(), StatusCode::kCancelled);
  }
  EXPECT_EQ(ReadOne("object").status.code(), StatusCode::kNotFound);
  EXPECT_FALSE(HasOpenUploads());
}

TEST_F(S3WriterTest, AWriterIsDoneAfterFinish) {
  Context context;
  auto writer = MustCreate("object", context);
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(writer->Append("x").code(), StatusCode::kClosed);
  EXPECT_EQ(writer->Finish().status().code(), StatusCode::kClosed);
}

TEST_F(S3WriterTest, AWriterMayOutliveItsStore) {
  Context context;
  auto writer = MustCreate("object", context);
  store_.reset();
  ASSERT_TRUE(writer->Append(RandomBytes(6 * kMiB, 7)).ok());
  EXPECT_TRUE(writer->Finish().ok());
}

}  // namespace
}  // namespace isotherm
