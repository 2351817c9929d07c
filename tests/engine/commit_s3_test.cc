// Commits to a real S3 server over a network that loses answers.
#include <gtest/gtest.h>

#include <chrono>

#include "blob/retry_store.h"
#include "tests/engine/commits.h"
#include "tests/servers/s3_test_server.h"
#include "tests/servers/tcp_proxy.h"

namespace isotherm {
namespace {

using namespace testing_support;

class CommitOverS3 : public testing::TestWithParam<uint64_t> {
 protected:
  void SetUp() override {
    ISOTHERM_NEEDS_SERVERS();
    auto server = S3TestServer::Shared();
    ASSERT_TRUE(server.ok()) << server.status();
    auto proxy = TcpProxy::Start((*server)->port());
    ASSERT_TRUE(proxy.ok()) << proxy.status();
    proxy_ = std::move(proxy).value();
    S3Options options = (*server)->Options(UniqueName("commit"));
    direct_ = Store(options);
    options.endpoint = "http://127.0.0.1:" + std::to_string(proxy_->port());
    options_ = CreatingSmall();
    options_.inline_bytes = GetParam();
    writer_ = MustOpen(Store(options), options_);
    ASSERT_NE(writer_, nullptr);
  }

  static std::shared_ptr<BlobStore> Store(S3Options options) {
    RetryOptions retry;
    retry.first_backoff = std::chrono::milliseconds(1);
    options.writer_retry = retry;
    auto store = OpenS3Store(options, Environment::Default());
    EXPECT_TRUE(store.ok()) << store.status();
    retry.unavailable_is_definite = true;
    return std::make_shared<RetryBlobStore>(std::move(store).value(), Environment::Default(), retry);
  }

  void Commit(uint64_t key) {
    ASSERT_TRUE(writer_->Insert(NumberedRow(key)).ok());
    Status status = writer_->Commit();
    EXPECT_TRUE(status.ok()) << status;
    auto reader = MustOpen(direct_);
    EXPECT_EQ(ScanKeys(*reader), KeyRange(0, key + 1));
    EXPECT_EQ(reader->Stats().version, key + 2);
    ExpectClean(*reader);
  }

  std::unique_ptr<TcpProxy> proxy_;
  std::shared_ptr<BlobStore> direct_;
  Options options_;
  std::unique_ptr<Collection> writer_;
};

// D4. The first faults befall the segment or the archived version, whose put is given up after six attempts.
TEST_P(CommitOverS3, IsReportedOnceHoweverManyAnswersAreLost) {
  uint64_t key = 0;
  for (ProxyFaultKind kind : {ProxyFaultKind::kLoseAnswer, ProxyFaultKind::kRefuse, ProxyFaultKind::kTruncateAnswer}) {
    for (int faults : {1, 2, 4, 5}) {
      for (int i = 0; i < faults; ++i) proxy_->Inject({.kind = kind, .method = "PUT", .bytes = 20, .answer = {}});
      Commit(key++);
      while (proxy_->faults_left() > 0) Commit(key++);
    }
  }
}

// The request that was given up is executed all the same.
TEST_P(CommitOverS3, WhoseAnswerComesAfterTheDeadlineIsSettledByTheNext) {
  ASSERT_TRUE(writer_->Insert(NumberedRow(0)).ok());
  size_t before = proxy_->requests("PUT");
  // The first answer is the segment's or the archived version's: then nothing was committed, and the code says so.
  proxy_->Inject({.kind = ProxyFaultKind::kHoldAnswer, .method = "PUT", .bytes = 0, .answer = {}});
  Status status = writer_->Commit(Context::WithTimeout(std::chrono::milliseconds(300)));
  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded) << status;
  bool has_segment = GetParam() == 0;
  EXPECT_EQ(proxy_->requests("PUT"), before + (has_segment ? 2 : 1));
  proxy_->Release();
  status = writer_->Commit();
  EXPECT_TRUE(status.ok()) << status;
  auto reader = MustOpen(direct_);
  EXPECT_EQ(ScanKeys(*reader), KeyRange(0, 1));
  EXPECT_EQ(reader->Stats().version, 2U);
  ExpectClean(*reader);
}

INSTANTIATE_TEST_SUITE_P(InlineBytes, CommitOverS3, testing::Values(0, 1 << 20));

}  // namespace
}  // namespace isotherm
