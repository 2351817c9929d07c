// What a real S3 server refuses, as a collection says it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blob/s3_store.h"
#include "tests/engine/commits.h"
#include "tests/servers/s3_test_server.h"

namespace isotherm {
namespace {

using namespace testing_support;
using testing::HasSubstr;

class S3Errors : public testing::Test {
 protected:
  void SetUp() override {
    ISOTHERM_NEEDS_SERVERS();
    auto server = S3TestServer::Start();
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = std::move(server).value();
  }

  // One attempt a request: what stands here is about errors, not about patience.
  std::shared_ptr<BlobStore> StoreWith(const std::function<void(S3Options&)>& change = {}) {
    S3Options options = server_->Options("collection");
    if (change) change(options);
    auto store = OpenS3Store(options, Environment::Default());
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *store : nullptr;
  }

  void ExpectRefused(const std::shared_ptr<BlobStore>& store, StatusCode code, const std::string& named) {
    for (const Options& options : {Options(), CreatingSmall()}) {
      Status status = Open(store, options).status();
      EXPECT_EQ(status.code(), code) << status;
      EXPECT_THAT(status.message(), HasSubstr(named));
    }
  }

  std::unique_ptr<S3TestServer> server_;
};

TEST_F(S3Errors, AWrongSecretKeyIsAccessDenied) {
  ExpectRefused(StoreWith([](S3Options& o) { o.secret_key = "something-else"; }), StatusCode::kAccessDenied,
                "secret key");
}

TEST_F(S3Errors, AnUnknownAccessKeyIsAccessDenied) {
  ExpectRefused(StoreWith([](S3Options& o) { o.access_key = "nobody"; }), StatusCode::kAccessDenied, "access key");
}

TEST_F(S3Errors, AMissingBucketIsNotFoundAndIsNotCreated) {
  auto store = StoreWith([](S3Options& o) { o.bucket = "no-such-bucket"; });
  ExpectRefused(store, StatusCode::kNotFound, "no-such-bucket");
  EXPECT_EQ(store->List({}, "").status().code(), StatusCode::kNotFound);
}

TEST_F(S3Errors, AnEmptyPrefixIsNoCollection) {
  Status status = Open(StoreWith()).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("no collection at s3://"));
}

TEST_F(S3Errors, AServerThatIsGoneIsUnavailableAndTheHandleWorksWhenItIsBack) {
  auto collection = MustOpen(StoreWith(), CreatingSmall());
  ASSERT_NE(collection, nullptr);
  ASSERT_TRUE(collection->InsertBatch(NumberedRows(0, 10)).ok());
  ASSERT_TRUE(collection->Commit().ok());
  ASSERT_TRUE(collection->InsertBatch(NumberedRows(10, 10)).ok());
  server_->Kill();
  Status committed = collection->Commit();
  // The version before was not archived yet, so the head was not touched.
  EXPECT_EQ(committed.code(), StatusCode::kUnavailable) << committed;
  EXPECT_EQ(collection->Refresh().code(), StatusCode::kUnavailable);
  EXPECT_EQ(Open(StoreWith()).status().code(), StatusCode::kUnavailable);
  ASSERT_TRUE(server_->Restart().ok());
  committed = collection->Commit();
  EXPECT_TRUE(committed.ok()) << committed;
  EXPECT_EQ(ScanKeys(*collection), KeyRange(0, 20));
  ExpectClean(*collection);
}

}  // namespace
}  // namespace isotherm
