#include "blob/s3_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace isotherm {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string ErrorBody(std::string_view code, std::string_view more = {}) {
  return "<Error><Code>" + std::string(code) + "</Code><Message>why</Message>" + std::string(more) + "</Error>";
}

HttpResponse Answer(int status, std::string body = {}) {
  HttpResponse response;
  response.outcome = HttpOutcome::kAnswered;
  response.status = status;
  response.body = std::move(body);
  return response;
}

HttpResponse NoAnswer(HttpOutcome outcome) {
  HttpResponse response;
  response.outcome = outcome;
  response.error = "reason";
  return response;
}

Status Plain(const HttpResponse& response) { return StatusOf(response, "GET s3://b/k"); }
Status Conditional(const HttpResponse& response) {
  return StatusOf(response, "PUT s3://b/k", S3Effect::kConditionalPut);
}

TEST(S3Error, EveryAnswerHasItsCode) {
  struct Case {
    int status;
    const char* code;
    StatusCode plain;
    StatusCode conditional;
  };
  const Case cases[] = {
      {404, "NoSuchKey", StatusCode::kNotFound, StatusCode::kConflict},
      {404, "", StatusCode::kNotFound, StatusCode::kConflict},
      {404, "NoSuchBucket", StatusCode::kNotFound, StatusCode::kNotFound},
      {404, "XAdminUserNotFound", StatusCode::kAccessDenied, StatusCode::kAccessDenied},
      {412, "PreconditionFailed", StatusCode::kConflict, StatusCode::kConflict},
      {409, "ConditionalRequestConflict", StatusCode::kUnavailable, StatusCode::kUnavailable},
      {409, "OperationAborted", StatusCode::kUnavailable, StatusCode::kUnavailable},
      {403, "AccessDenied", StatusCode::kAccessDenied, StatusCode::kAccessDenied},
      {403, "InvalidAccessKeyId", StatusCode::kAccessDenied, StatusCode::kAccessDenied},
      {403, "", StatusCode::kAccessDenied, StatusCode::kAccessDenied},
      {400, "ExpiredToken", StatusCode::kAccessDenied, StatusCode::kAccessDenied},
      {400, "InvalidToken", StatusCode::kAccessDenied, StatusCode::kAccessDenied},
      {401, "", StatusCode::kAccessDenied, StatusCode::kAccessDenied},
      {416, "InvalidRange", StatusCode::kInvalidArgument, StatusCode::kInvalidArgument},
      {400, "InvalidArgument", StatusCode::kInvalidArgument, StatusCode::kInvalidArgument},
      {400, "AuthorizationHeaderMalformed", StatusCode::kInvalidArgument, StatusCode::kInvalidArgument},
      {405, "MethodNotAllowed", StatusCode::kInvalidArgument, StatusCode::kInvalidArgument},
      {301, "PermanentRedirect", StatusCode::kInvalidArgument, StatusCode::kInvalidArgument},
      {307, "TemporaryRedirect", StatusCode::kInvalidArgument, StatusCode::kInvalidArgument},
      {400, "RequestTimeout", StatusCode::kUnavailable, StatusCode::kUnavailable},
      {429, "TooManyRequests", StatusCode::kUnavailable, StatusCode::kUnavailable},
      {408, "", StatusCode::kUnavailable, StatusCode::kUnavailable},
      {501, "NotImplemented", StatusCode::kUnsupported, StatusCode::kUnsupported},
      {500, "InternalError", StatusCode::kUnavailable, StatusCode::kUnknown},
      {502, "", StatusCode::kUnavailable, StatusCode::kUnknown},
      {503, "SlowDown", StatusCode::kUnavailable, StatusCode::kUnknown},
      {504, "", StatusCode::kUnavailable, StatusCode::kUnknown},
  };
  for (const Case& c : cases) {
    HttpResponse answer = Answer(c.status, *c.code == 0 ? "" : ErrorBody(c.code));
    EXPECT_EQ(Plain(answer).code(), c.plain) << c.status << " " << c.code << ": " << Plain(answer);
    EXPECT_EQ(Conditional(answer).code(), c.conditional) << c.status << " " << c.code << ": " << Conditional(answer);
    EXPECT_THAT(Plain(answer).message(), HasSubstr("GET s3://b/k: HTTP " + std::to_string(c.status)));
    EXPECT_THAT(Plain(answer).message(), HasSubstr(c.code));
  }
  for (int status : {200, 204, 206}) EXPECT_TRUE(Plain(Answer(status)).ok());
}

TEST(S3Error, NoAnswerIsWeighedByWhatMayHaveHappened) {
  EXPECT_EQ(Plain(NoAnswer(HttpOutcome::kNotSent)).code(), StatusCode::kUnavailable);
  EXPECT_EQ(Conditional(NoAnswer(HttpOutcome::kNotSent)).code(), StatusCode::kUnavailable);
  EXPECT_EQ(Plain(NoAnswer(HttpOutcome::kLost)).code(), StatusCode::kUnavailable);
  EXPECT_EQ(Conditional(NoAnswer(HttpOutcome::kLost)).code(), StatusCode::kUnknown);
  EXPECT_EQ(Conditional(NoAnswer(HttpOutcome::kDeadline)).code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Conditional(NoAnswer(HttpOutcome::kCancelled)).code(), StatusCode::kCancelled);
  Status untrusted = Plain(NoAnswer(HttpOutcome::kUntrusted));
  EXPECT_EQ(untrusted.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(untrusted.message(), HasSubstr("ca_file"));
  EXPECT_THAT(untrusted.message(), HasSubstr("reason"));
}

TEST(S3Error, RefusalsAreToldApart) {
  auto message = [](const char* code) { return Plain(Answer(403, ErrorBody(code))).message(); };
  EXPECT_THAT(message("InvalidAccessKeyId"), HasSubstr("does not know this access key"));
  EXPECT_THAT(message("SignatureDoesNotMatch"), HasSubstr("secret key does not go with"));
  EXPECT_THAT(message("RequestTimeTooSkewed"), HasSubstr("clock"));
  EXPECT_THAT(message("ExpiredToken"), HasSubstr("session token"));
  EXPECT_THAT(message("AccessDenied"), HasSubstr("don't allow this"));
}

TEST(S3Error, AMissingBucketIsNamedAsSuch) {
  EXPECT_THAT(Plain(Answer(404, ErrorBody("NoSuchBucket"))).message(), HasSubstr("bucket does not exist"));
  EXPECT_THAT(Plain(Answer(404, ErrorBody("NoSuchKey"))).message(), Not(HasSubstr("bucket does not exist")));
}

TEST(S3Error, TheRightRegionIsNamed) {
  HttpResponse moved = Answer(301, ErrorBody("PermanentRedirect", "<Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint>"));
  moved.bucket_region = "eu-west-1";
  EXPECT_THAT(Plain(moved).message(), HasSubstr("region 'eu-west-1'"));
  EXPECT_THAT(Plain(moved).message(), HasSubstr("b.s3.eu-west-1.amazonaws.com"));
  HttpResponse malformed = Answer(400, ErrorBody("AuthorizationHeaderMalformed", "<Region>ap-south-1</Region>"));
  EXPECT_THAT(Plain(malformed).message(), HasSubstr("region 'ap-south-1'"));
}

TEST(S3Error, ForeignBodiesStayOnOneBoundedLine) {
  HttpResponse answer = Answer(400, ErrorBody("Strange", "<Message>a\nb" + std::string(10'000, 'x') + "</Message>"));
  EXPECT_LT(Plain(answer).message().size(), 600u);
  EXPECT_THAT(Plain(answer).message(), Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace isotherm
