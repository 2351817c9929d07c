#include "blob/s3_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace isotherm {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kVariables[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                                      "AWS_REGION",        "AWS_DEFAULT_REGION",    "AWS_ENDPOINT_URL"};

class S3OptionsTest : public testing::Test {
 protected:
  S3OptionsTest() {
    for (const char* variable : kVariables) unsetenv(variable);
  }
  ~S3OptionsTest() override {
    for (const char* variable : kVariables) unsetenv(variable);
  }

  static S3Options Complete() {
    S3Options options;
    options.bucket = "bucket";
    options.region = "eu-central-1";
    options.access_key = "AK";
    options.secret_key = "SECRETSECRET";
    return options;
  }

  static Status Refusal(const S3Options& options) {
    Result<S3Options> resolved = ResolveS3Options(options);
    if (!resolved.ok()) return resolved.status();
    return AddressOf(*resolved).status();
  }
};

TEST_F(S3OptionsTest, EmptyFieldsComeFromTheEnvironment) {
  setenv("AWS_ACCESS_KEY_ID", "env-key", 1);
  setenv("AWS_SECRET_ACCESS_KEY", "env-secret", 1);
  setenv("AWS_SESSION_TOKEN", "env-token", 1);
  setenv("AWS_DEFAULT_REGION", "env-region", 1);
  setenv("AWS_ENDPOINT_URL", "http://localhost:9000", 1);
  S3Options options;
  options.bucket = "bucket";
  auto resolved = ResolveS3Options(options);
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->access_key, "env-key");
  EXPECT_EQ(resolved->secret_key, "env-secret");
  EXPECT_EQ(resolved->session_token, "env-token");
  EXPECT_EQ(resolved->region, "env-region");
  EXPECT_EQ(resolved->endpoint, "http://localhost:9000");
  setenv("AWS_REGION", "first-region", 1);
  EXPECT_EQ(ResolveS3Options(options)->region, "first-region");
}

TEST_F(S3OptionsTest, GivenFieldsWin) {
  setenv("AWS_ACCESS_KEY_ID", "env-key", 1);
  setenv("AWS_SESSION_TOKEN", "env-token", 1);
  setenv("AWS_REGION", "env-region", 1);
  auto resolved = ResolveS3Options(Complete());
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->access_key, "AK");
  EXPECT_EQ(resolved->region, "eu-central-1");
  // A token of the environment does not belong to keys that were given.
  EXPECT_EQ(resolved->session_token, "");
}

TEST_F(S3OptionsTest, WhatIsMissingIsNamedWithItsVariable) {
  struct Case {
    std::string S3Options::*field;
    const char* words;
  };
  const Case cases[] = {{&S3Options::region, "AWS_REGION"},
                        {&S3Options::access_key, "AWS_ACCESS_KEY_ID"},
                        {&S3Options::secret_key, "AWS_SECRET_ACCESS_KEY"},
                        {&S3Options::bucket, "bucket"}};
  for (const Case& c : cases) {
    S3Options options = Complete();
    (options.*c.field).clear();
    Status status = Refusal(options);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr(c.words));
  }
}

TEST_F(S3OptionsTest, RefusesWhatCannotBeRight) {
  auto refused = [](auto change) {
    S3Options options = Complete();
    change(options);
    Status status = Refusal(options);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(status.message(), Not(HasSubstr("SECRETSECRET")));
    return status.message();
  };
  refused([](S3Options& o) { o.bucket = "a/b"; });
  refused([](S3Options& o) { o.bucket = "a b"; });
  refused([](S3Options& o) { o.prefix = "/a"; });
  refused([](S3Options& o) { o.prefix = "a/../b"; });
  refused([](S3Options& o) { o.region = "us-east-1\r\nx: y"; });
  refused([](S3Options& o) { o.secret_key += "\n"; });
  refused([](S3Options& o) { o.session_token = "a b"; });
  refused([](S3Options& o) { o.max_connections = 0; });
  refused([](S3Options& o) { o.multipart_part_bytes = 1 << 20; });
  refused([](S3Options& o) { o.request_timeout = std::chrono::milliseconds(0); });
  refused([](S3Options& o) { o.writer_retry.max_attempts = 0; });
  for (const char* endpoint :
       {"ftp://host", "host:9000", "http://", "http://host/path", "http://host?q=1", "nonsense"}) {
    EXPECT_THAT(refused([&](S3Options& o) { o.endpoint = endpoint; }), HasSubstr("endpoint"));
  }
  EXPECT_THAT(refused([](S3Options& o) { o.endpoint = "http://user:SECRETSECRET@host"; }), HasSubstr("access_key"));
}

TEST_F(S3OptionsTest, AddressesFollowTheStyle) {
  struct Case {
    const char* endpoint;
    const char* bucket;
    S3Addressing addressing;
    const char* url;
  };
  const Case cases[] = {
      {"", "bucket", S3Addressing::kAuto, "https://bucket.s3.eu-central-1.amazonaws.com"},
      {"", "dotted.bucket", S3Addressing::kAuto, "https://s3.eu-central-1.amazonaws.com/dotted.bucket"},
      {"", "bucket", S3Addressing::kPath, "https://s3.eu-central-1.amazonaws.com/bucket"},
      {"http://127.0.0.1:9000", "bucket", S3Addressing::kAuto, "http://127.0.0.1:9000/bucket"},
      {"http://s3.test:9000/", "bucket", S3Addressing::kVirtualHost, "http://bucket.s3.test:9000"},
      {"https://host:443", "bucket", S3Addressing::kPath, "https://host/bucket"},
      {"http://host:80", "bucket", S3Addressing::kPath, "http://host/bucket"},
      {"http://[::1]:9000", "bucket", S3Addressing::kPath, "http://[::1]:9000/bucket"},
  };
  for (const Case& c : cases) {
    S3Options options = Complete();
    options.endpoint = c.endpoint;
    options.bucket = c.bucket;
    options.addressing = c.addressing;
    auto resolved = ResolveS3Options(options);
    ASSERT_TRUE(resolved.ok()) << resolved.status();
    auto address = AddressOf(*resolved);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->scheme + "://" + address->host + address->path_prefix, c.url);
  }
}

TEST_F(S3OptionsTest, DescribeNamesBucketAndPrefixOnly) {
  S3Options options = Complete();
  options.prefix = "a/b";
  auto store = OpenS3Store(options, Environment::Default());
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->Describe(), "s3://bucket/a/b");
}

}  // namespace
}  // namespace isotherm
