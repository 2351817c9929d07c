#include "blob/s3_signer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace isotherm {
namespace {

// The examples of the S3 API reference, "Signature Calculations for the Authorization Header: Transferring Payload in a
// Single Chunk": 2013-05-24T00:00:00Z, bucket examplebucket in us-east-1.
constexpr int64_t kWallMs = 1369353600LL * 1000;

class S3SignerTest : public testing::Test {
 protected:
  std::string Signature(std::string_view method, std::string_view path, const NameValues& query, std::string_view body,
                        NameValues more_headers = {}) {
    NameValues headers = std::move(more_headers);
    headers.emplace_back("host", "examplebucket.s3.amazonaws.com");
    signer_.Sign(method, path, CanonicalQuery(query), body, kWallMs, headers);
    authorization_ = headers.back().second;
    EXPECT_EQ(headers.back().first, "authorization");
    return authorization_.substr(authorization_.find("Signature=") + 10);
  }

  const S3Signer signer_{{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", {}}, "us-east-1"};
  std::string authorization_;
};

TEST_F(S3SignerTest, SignsTheReferencesGetObject) {
  EXPECT_EQ(Signature("GET", "/test.txt", {}, "", {{"range", "bytes=0-9"}}),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  EXPECT_EQ(authorization_,
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST_F(S3SignerTest, SignsTheReferencesPutObject) {
  EXPECT_EQ(Signature("PUT", UriEncode("/test$file.text", true), {}, "Welcome to Amazon S3.",
                      {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}}),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST_F(S3SignerTest, SignsTheReferencesQueryParameterWithoutAValue) {
  EXPECT_EQ(Signature("GET", "/", {{"lifecycle", ""}}, ""),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST_F(S3SignerTest, SignsTheReferencesListInAnyOrderOfParameters) {
  constexpr char kSignature[] = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
  EXPECT_EQ(Signature("GET", "/", {{"max-keys", "2"}, {"prefix", "J"}}, ""), kSignature);
  EXPECT_EQ(Signature("GET", "/", {{"prefix", "J"}, {"max-keys", "2"}}, ""), kSignature);
}

TEST_F(S3SignerTest, BlanksAroundAndInsideAHeaderValueDoNotMatter) {
  EXPECT_EQ(Signature("GET", "/", {}, "", {{"x-amz-meta-a", "  b   c "}}),
            Signature("GET", "/", {}, "", {{"x-amz-meta-a", "b c"}}));
}

TEST_F(S3SignerTest, EveryInputChangesTheSignature) {
  const std::string base = Signature("GET", "/key", {{"a", "b"}}, "body", {{"if-match", "\"1\""}});
  EXPECT_NE(base, Signature("PUT", "/key", {{"a", "b"}}, "body", {{"if-match", "\"1\""}}));
  EXPECT_NE(base, Signature("GET", "/kez", {{"a", "b"}}, "body", {{"if-match", "\"1\""}}));
  EXPECT_NE(base, Signature("GET", "/key", {{"a", "c"}}, "body", {{"if-match", "\"1\""}}));
  EXPECT_NE(base, Signature("GET", "/key", {{"a", "b"}}, "bodz", {{"if-match", "\"1\""}}));
  EXPECT_NE(base, Signature("GET", "/key", {{"a", "b"}}, "body", {{"if-match", "\"2\""}}));
}

TEST(S3Signer, SignsTheSessionToken) {
  S3Signer signer({"key", "secret", "token"}, "eu-west-1");
  NameValues headers = {{"host", "h"}};
  signer.Sign("GET", "/", "", "", kWallMs, headers);
  EXPECT_NE(
      std::find(headers.begin(), headers.end(), std::pair<std::string, std::string>("x-amz-security-token", "token")),
      headers.end());
  EXPECT_NE(headers.back().second.find("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"),
            std::string::npos);
}

TEST(S3Signer, AKeyOfAnotherDayIsDerivedAnew) {
  S3Signer signer({"key", "secret", {}}, "eu-west-1");
  auto sign = [](const S3Signer& with, int64_t wall_ms) {
    NameValues headers = {{"host", "h"}};
    with.Sign("GET", "/", "", "", wall_ms, headers);
    return headers.back().second;
  };
  const int64_t next_day = kWallMs + 86'400'000;
  const std::string today = sign(signer, kWallMs);
  const std::string tomorrow = sign(signer, next_day);
  EXPECT_NE(today, tomorrow);
  EXPECT_EQ(sign(S3Signer({"key", "secret", {}}, "eu-west-1"), next_day), tomorrow);
  EXPECT_EQ(sign(signer, kWallMs), today);
}

TEST(UriEncode, KeepsOnlyUnreservedBytes) {
  EXPECT_EQ(UriEncode("AZaz09-._~", false), "AZaz09-._~");
  EXPECT_EQ(UriEncode("a/b c+d%", false), "a%2Fb%20c%2Bd%25");
  EXPECT_EQ(UriEncode("a/b", true), "a/b");
  EXPECT_EQ(UriEncode("\xC3\xA9", true), "%C3%A9");
}

TEST(CanonicalQuery, SortsByWhatIsSent) {
  EXPECT_EQ(CanonicalQuery({}), "");
  // By encoded bytes: "%C3…" stands before "a".
  EXPECT_EQ(CanonicalQuery({{"b", ""}, {"a", "2"}, {"a", "1"}, {"\xC3\xA9", "x"}}), "%C3%A9=x&a=1&a=2&b=");
}

}  // namespace
}  // namespace isotherm
