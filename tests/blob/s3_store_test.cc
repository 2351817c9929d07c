// The S3 store against a real server.
#include "blob/s3_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/environment.h"
#include "blob/retry_store.h"
#include "tests/blob/conformance.h"
#include "tests/servers/s3_test_server.h"

namespace isotherm {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::shared_ptr<BlobStore> MustOpen(const S3Options& options) {
  auto store = OpenS3Store(options, Environment::Default());
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *store : nullptr;
}

// A store of its own for each test: a prefix that was not used before.
std::shared_ptr<BlobStore> NewStore() {
  if (ServersAreSkipped()) return nullptr;
  static std::atomic<int> stores{0};
  auto server = S3TestServer::Shared();
  EXPECT_TRUE(server.ok()) << server.status();
  return server.ok() ? MustOpen((*server)->Options("store/" + std::to_string(++stores))) : nullptr;
}

// versitygw looks up the etag before it opens the file.
INSTANTIATE_TEST_SUITE_P(S3, BlobStoreConformance,
                         testing::Values(StoreFactory{
                             .name = "s3", .make_store = NewStore, .race_rounds = 20, .etag_may_lag = true}),
                         StoreFactoryName);

class S3StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    ISOTHERM_NEEDS_SERVERS();
    auto server = S3TestServer::Shared();
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *server;
  }

  S3TestServer* server_ = nullptr;
};

// What every call says to a store that cannot be used.
std::vector<Status> AllCalls(BlobStore& store) {
  std::vector<Status> statuses;
  ReadRequest request{.name = "object", .range = {}, .if_match = {}};
  statuses.push_back(store.Read({}, {&request, 1}).front().status);
  statuses.push_back(store.Put({}, "object", "bytes").status());
  statuses.push_back(store.Put({}, "object", "bytes", PutCondition::IfAbsent()).status());
  statuses.push_back(store.Put({}, "object", "bytes", PutCondition::IfMatch("\"1\"")).status());
  statuses.push_back(store.Delete({}, "object"));
  statuses.push_back(store.List({}, "").status());
  Context context;
  auto writer = store.CreateWriter(context, "object");
  statuses.push_back(writer.ok() ? (*writer)->Finish().status() : writer.status());
  return statuses;
}

TEST_F(S3StoreTest, VirtualHostStyleReachesTheSameObjects) {
  S3Options options = server_->Options("virtual-host");
  auto by_path = MustOpen(options);
  ASSERT_TRUE(by_path->Put({}, "a b/\xC3\xA9", "content").ok());

  const std::string port = std::to_string(server_->port());
  const std::string host = std::string(S3TestServer::kBucket) + "." + S3TestServer::kDomain;
  options.endpoint = std::string("http://") + S3TestServer::kDomain + ":" + port;
  options.addressing = S3Addressing::kVirtualHost;
  options.resolve = {host + ":" + port + ":127.0.0.1"};
  auto by_host = MustOpen(options);
  ReadRequest request{.name = "a b/\xC3\xA9", .range = ByteRange{3, 4}, .if_match = {}};
  ReadResult result = by_host->Read({}, {&request, 1}).front();
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.data, "tent");
  EXPECT_EQ(by_host->List({}, "a b/")->entries.size(), 1u);
  EXPECT_TRUE(by_host->Delete({}, "a b/\xC3\xA9").ok());
  EXPECT_EQ(by_path->Read({}, {&request, 1}).front().status.code(), StatusCode::kNotFound);
}

TEST_F(S3StoreTest, AWrongSecretIsDeniedAndNotPrinted) {
  S3Options options = server_->Options();
  options.secret_key = "NOT-THE-SECRET";
  auto store = MustOpen(options);
  for (const Status& status : AllCalls(*store)) {
    EXPECT_EQ(status.code(), StatusCode::kAccessDenied) << status;
    EXPECT_THAT(status.message(), AllOf(HasSubstr("SignatureDoesNotMatch"), HasSubstr("secret key")));
    EXPECT_THAT(status.message(), AllOf(Not(HasSubstr("NOT-THE-SECRET")), Not(HasSubstr(S3TestServer::kSecretKey))));
  }
}

TEST_F(S3StoreTest, AnUnknownAccessKeyIsDeniedAsThat) {
  S3Options options = server_->Options();
  options.access_key = "nobody";
  auto store = MustOpen(options);
  for (const Status& status : AllCalls(*store)) {
    EXPECT_EQ(status.code(), StatusCode::kAccessDenied) << status;
    EXPECT_THAT(status.message(), HasSubstr("does not know this access key"));
  }
}

TEST_F(S3StoreTest, AMissingBucketIsNotFoundByName) {
  S3Options options = server_->Options();
  options.bucket = "no-such-bucket";
  auto store = MustOpen(options);
  for (const Status& status : AllCalls(*store)) {
    EXPECT_EQ(status.code(), StatusCode::kNotFound) << status;
    EXPECT_THAT(status.message(), AllOf(HasSubstr("s3://no-such-bucket"), HasSubstr("bucket does not exist")));
  }
}

TEST_F(S3StoreTest, AnotherRegionIsAnInvalidArgument) {
  S3Options options = server_->Options();
  options.region = "eu-west-1";
  auto store = MustOpen(options);
  for (const Status& status : AllCalls(*store)) {
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(status.message(), HasSubstr(S3TestServer::kRegion));
  }
}

TEST_F(S3StoreTest, TlsIsUsedAndTheCertificateChecked) {
  auto started = S3TestServer::Start(S3TestServer::Transport::kTls);
  ASSERT_TRUE(started.ok()) << started.status();
  S3Options options = (*started)->Options("tls");
  ASSERT_THAT(options.endpoint, HasSubstr("https://"));
  auto store = MustOpen(options);
  const std::string bytes = RandomBytes(3'000'000, 4);
  ASSERT_TRUE(store->Put({}, "object", bytes).ok());
  std::vector<ReadRequest> requests(20, {.name = "object", .range = ByteRange{17, 2'500'000}, .if_match = {}});
  for (const ReadResult& result : store->Read({}, requests)) {
    ASSERT_TRUE(result.status.ok()) << result.status;
    EXPECT_TRUE(result.data == bytes.substr(17, 2'500'000));
  }

  options.ca_file.clear();  // the system's authorities do not know a certificate of our own
  auto distrustful = MustOpen(options);
  for (const Status& status : AllCalls(*distrustful)) {
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(status.message(), AllOf(HasSubstr("certificate"), HasSubstr("ca_file")));
  }
}

TEST_F(S3StoreTest, KeysThatAreNoNamesAreNotListed) {
  auto store = MustOpen(server_->Options("odd"));
  ASSERT_TRUE(store->Put({}, "name", "x").ok());
  ASSERT_EQ(server_->Request("PUT", std::string("/") + S3TestServer::kBucket + "/odd/folder/").status, 200);
  ASSERT_EQ(server_->Request("PUT", std::string("/") + S3TestServer::kBucket + "/odder").status, 200);
  auto page = store->List({}, "");
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->entries.size(), 1u);
  EXPECT_EQ(page->entries[0].name, "name");
  // Pages that hold nothing but such keys are passed over.
  page = store->List({}, "", {}, 1);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->entries.size(), 1u);
  EXPECT_EQ(page->entries[0].name, "name");
}

TEST_F(S3StoreTest, AKeyLongerThanS3TakesIsInvalid) {
  auto store = MustOpen(server_->Options(std::string(100, 'p')));
  EXPECT_EQ(store->Put({}, std::string(1000, 'n'), "x").status().code(), StatusCode::kInvalidArgument);
}

TEST_F(S3StoreTest, ManyThreadsShareAStoreAndItsConnections) {
  S3Options options = server_->Options("threads");
  options.max_connections = 4;
  auto store = MustOpen(options);
  constexpr int kThreads = 12;
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const std::string name = "object-" + std::to_string(t);
      const std::string bytes = RandomBytes(50'000, static_cast<uint64_t>(t));
      if (!store->Put({}, name, bytes).ok()) return;
      std::vector<ReadRequest> requests;
      for (uint64_t i = 0; i < 20; ++i) {
        requests.push_back({.name = name, .range = ByteRange{i * 1000, 1500}, .if_match = {}});
      }
      std::vector<ReadResult> results = store->Read({}, requests);
      for (size_t i = 0; i < results.size(); ++i) good += results[i].data == bytes.substr(i * 1000, 1500) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, kThreads * 20);
}

TEST(S3StoreOffline, AServerThatIsNotThereIsUnavailable) {
  S3Options options;
  options.bucket = "bucket";
  options.region = "us-east-1";
  options.access_key = "a";
  options.secret_key = "SECRETSECRET";
  options.endpoint = "http://127.0.0.1:1";  // reserved, and nothing of ours listens there
  options.writer_retry = {.max_attempts = 2, .first_backoff = std::chrono::milliseconds(1)};
  auto store = MustOpen(options);
  for (const Status& status : AllCalls(*store)) {
    // Also of conditional puts: it is certain that nothing was sent.
    EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status;
    EXPECT_THAT(status.message(), Not(HasSubstr("SECRETSECRET")));
  }
}

TEST(S3StoreOffline, AHostWithoutAnAddressIsUnavailable) {
  S3Options options;
  options.bucket = "bucket";
  options.region = "us-east-1";
  options.access_key = "a";
  options.secret_key = "b";
  options.endpoint = "http://host.invalid";
  auto store = MustOpen(options);
  EXPECT_EQ(store->Put({}, "a", "b", PutCondition::IfAbsent()).status().code(), StatusCode::kUnavailable);
}

// The test's own server, since it is killed.
TEST_F(S3StoreTest, AHandleWorksAgainAfterItsServerWasKilledInTheMiddleOfABatch) {
  auto started = S3TestServer::Start();
  ASSERT_TRUE(started.ok()) << started.status();
  S3TestServer& server = **started;
  S3Options options = server.Options("killed");
  options.max_connections = 4;
  auto store = MustOpen(options);
  const std::string bytes = RandomBytes(1 << 20, 1);
  ASSERT_TRUE(store->Put({}, "object", bytes).ok());

  std::vector<ReadRequest> requests(400, {.name = "object", .range = {}, .if_match = {}});
  std::vector<ReadResult> results;
  std::thread reader([&] { results = store->Read({}, requests); });
  server.Kill();
  reader.join();
  int failed = 0;
  for (const ReadResult& result : results) {
    if (result.status.ok()) {
      EXPECT_TRUE(result.data == bytes);
    } else {
      EXPECT_EQ(result.status.code(), StatusCode::kUnavailable) << result.status;
      EXPECT_EQ(result.data, "");
      ++failed;
    }
  }
  EXPECT_GT(failed, 0);

  Status restarted = server.Restart();
  ASSERT_TRUE(restarted.ok()) << restarted;
  for (const ReadResult& result : store->Read({}, std::span(requests).first(10))) {
    ASSERT_TRUE(result.status.ok()) << result.status;
    EXPECT_TRUE(result.data == bytes);
  }
  EXPECT_TRUE(
      store->Put({}, "object", "new", PutCondition::IfMatch(store->Read({}, {requests.data(), 1})[0].etag)).ok());
}

TEST_F(S3StoreTest, RetriesOutlastARestartOfTheServer) {
  auto started = S3TestServer::Start();
  ASSERT_TRUE(started.ok()) << started.status();
  S3TestServer& server = **started;
  auto plain = MustOpen(server.Options("restarted"));
  RetryBlobStore store(plain, Environment::Default(),
                       {.max_attempts = 1000,
                        .first_backoff = std::chrono::milliseconds(20),
                        .max_backoff = std::chrono::milliseconds(20),
                        .unavailable_is_definite = true});
  ASSERT_TRUE(store.Put({}, "object", "content").ok());
  server.Kill();
  ReadRequest request{.name = "object", .range = {}, .if_match = {}};
  ReadResult result;
  Status put;
  std::thread reader([&] { result = store.Read({}, {&request, 1}).front(); });
  std::thread writer([&] { put = store.Put({}, "new", "x", PutCondition::IfAbsent()).status(); });
  Status restarted = server.Restart();
  reader.join();
  writer.join();
  ASSERT_TRUE(restarted.ok()) << restarted;
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.data, "content");
  EXPECT_TRUE(put.ok()) << put;
}

}  // namespace
}  // namespace isotherm
