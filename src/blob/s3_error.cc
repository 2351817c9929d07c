#include "blob/s3_error.h"

#include <algorithm>
#include <initializer_list>

#include "blob/s3_xml.h"

namespace isotherm {

namespace {

// The answer's code and message, as far as they fit a line: the body may come from anything that listens there.
std::string Describe(const HttpResponse& response, const S3ErrorAnswer& answer) {
  constexpr size_t kMaxWords = 400;
  std::string text = "HTTP " + std::to_string(response.status);
  if (!answer.code.empty()) text += " " + answer.code;
  if (!answer.message.empty()) text += ": " + answer.message;
  if (text.size() > kMaxWords) text.resize(kMaxWords);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  if (!answer.request_id.empty()) text += " (request " + answer.request_id.substr(0, 64) + ")";
  return text;
}

bool IsOneOf(std::string_view code, std::initializer_list<std::string_view> codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

// The second is versitygw's word for it, with a 404.
bool IsUnknownKey(std::string_view code) { return IsOneOf(code, {"InvalidAccessKeyId", "XAdminUserNotFound"}); }

std::string_view DeniedHint(std::string_view code) {
  if (IsUnknownKey(code)) return "; the server does not know this access key";
  if (code == "SignatureDoesNotMatch") return "; the secret key does not go with this access key";
  if (code == "RequestTimeTooSkewed") return "; this machine's clock is wrong: set it, for instance by NTP";
  if (IsOneOf(code, {"ExpiredToken", "InvalidToken", "TokenRefreshRequired"})) {
    return "; get a new session token, with the keys that belong to it";
  }
  if (code == "AccessDenied") {
    return "; the credentials are valid but don't allow this (nor tell whether the object exists without "
           "s3:ListBucket)";
  }
  return "; the credentials are refused";
}

Status WrongRegion(const std::string& message, const HttpResponse& response, const S3ErrorAnswer& answer) {
  std::string region = !response.bucket_region.empty() ? response.bucket_region : answer.region;
  std::string hint = "; the bucket is in another region or behind another endpoint";
  if (!region.empty()) {
    hint =
        "; the bucket is in region '" + region + "': name it by '?region=" + region + "' in the URI or by AWS_REGION";
  }
  if (!answer.endpoint.empty()) hint += " (endpoint " + answer.endpoint + ")";
  return Status::InvalidArgument(message + hint);
}

Status OfTransport(const HttpResponse& response, const std::string& what, S3Effect effect) {
  switch (response.outcome) {
    case HttpOutcome::kUntrusted:
      return Status::InvalidArgument(what + ": the server's certificate is not trusted: " + response.error +
                                     "; S3Options::ca_file names further authorities");
    case HttpOutcome::kDeadline: return Status::DeadlineExceeded(what + ": " + response.error);
    case HttpOutcome::kCancelled: return Status::Cancelled(what + ": " + response.error);
    case HttpOutcome::kLost:
      if (effect == S3Effect::kConditionalPut) {
        return Status::Unknown(what + ": sent, but the answer was lost: " + response.error);
      }
      return Status::Unavailable(what + ": the answer was lost: " + response.error);
    case HttpOutcome::kNotSent:
    case HttpOutcome::kAnswered: break;
  }
  return Status::Unavailable(what + ": no connection: " + response.error);
}

Status OfClientError(const HttpResponse& response, const S3ErrorAnswer& answer, const std::string& message,
                     S3Effect effect) {
  const std::string& code = answer.code;
  if (IsUnknownKey(code) || IsOneOf(code, {"ExpiredToken", "InvalidToken", "TokenRefreshRequired",
                                           "SignatureDoesNotMatch", "RequestTimeTooSkewed"})) {
    return Status::AccessDenied(message + std::string(DeniedHint(code)));
  }
  switch (response.status) {
    case 401:
    case 403: return Status::AccessDenied(message + std::string(DeniedHint(code)));
    case 404:
      if (code == "NoSuchBucket") return Status::NotFound(message + "; the bucket does not exist");
      if (effect == S3Effect::kConditionalPut && (code == "NoSuchKey" || code.empty())) {
        return Status::Conflict(message + "; the object that should be replaced does not exist");
      }
      return Status::NotFound(message);
    case 408:
    case 425:
    case 429: return Status::Unavailable(message);
    case 409:
      return Status::Unavailable(message +
                                 "; another request on the object was in progress, this one was not executed");
    case 412: return Status::Conflict(message + "; the object is not the one that was expected");
    default: break;
  }
  if (code == "AuthorizationHeaderMalformed") return WrongRegion(message, response, answer);
  if (code == "RequestTimeout" || code == "SlowDown") return Status::Unavailable(message);
  return Status::InvalidArgument(message);
}

}  // namespace

Status StatusOf(const HttpResponse& response, std::string_view what, S3Effect effect) {
  if (response.outcome != HttpOutcome::kAnswered) return OfTransport(response, std::string(what), effect);
  if (response.status >= 200 && response.status < 300) return Status::Ok();
  const S3ErrorAnswer answer = ParseS3Error(response.body);
  const std::string message = std::string(what) + ": " + Describe(response, answer);
  if (response.status >= 500) {
    if (response.status == 501) return Status::Unsupported(message + "; the server lacks what is needed");
    // Even a 503 may come from a gateway that had passed the request on.
    return effect == S3Effect::kConditionalPut ? Status::Unknown(message) : Status::Unavailable(message);
  }
  if (response.status >= 400) return OfClientError(response, answer, message, effect);
  return WrongRegion(message, response, answer);
}

}  // namespace isotherm
