#include "blob/s3_options.h"

#include <curl/curl.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <utility>

#include "base/macros.h"

namespace isotherm {

namespace {

constexpr size_t kMinPartBytes = size_t{5} << 20;
constexpr size_t kMaxPartBytes = size_t{5} << 30;
constexpr size_t kMaxConnections = 10'000;

// The first of `variables` that is set, when `value` is empty.
void FillFromEnvironment(std::string& value, std::initializer_list<const char*> variables) {
  for (const char* variable : variables) {
    if (!value.empty()) return;
    if (const char* text = std::getenv(variable); text != nullptr) value = text;
  }
}

bool IsAlphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool HasOnly(std::string_view text, std::string_view punctuation) {
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return IsAlphanumeric(c) || punctuation.find(c) != std::string_view::npos; });
}

// What may stand in a header: a line break in a credential would forge one.
bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

Status Missing(std::string_view what, std::string_view field, std::string_view variables) {
  std::string message("S3: no ");
  message.append(what).append(": set S3Options::").append(field);
  if (field == "region") message.append(", '?region=NAME' in the URI");
  message.append(" or the environment variable ");
  return Status::InvalidArgument(message.append(variables));
}

Status CheckNames(const S3Options& options) {
  if (options.bucket.empty()) return Status::InvalidArgument("S3: no bucket was named");
  if (options.bucket.size() > 255 || !HasOnly(options.bucket, ".-_")) {
    return Status::InvalidArgument("S3: '" + options.bucket +
                                   "' is no bucket's name: letters, digits, '.', '-' and '_', at most 255");
  }
  if (!options.prefix.empty()) {
    RETURN_IF_ERROR(ValidateObjectName(options.prefix).WithContext("S3: the prefix is not a valid name"));
  }
  if (options.region.empty()) return Missing("region", "region", "AWS_REGION or AWS_DEFAULT_REGION");
  if (!HasOnly(options.region, "-_")) {
    return Status::InvalidArgument("S3: '" + options.region + "' is no region's name, such as 'us-east-1'");
  }
  return Status::Ok();
}

Status CheckCredentials(const S3Options& options) {
  if (options.access_key.empty()) return Missing("access key", "access_key", "AWS_ACCESS_KEY_ID");
  if (options.secret_key.empty()) return Missing("secret key", "secret_key", "AWS_SECRET_ACCESS_KEY");
  if (!IsPrintable(options.access_key) || !IsPrintable(options.secret_key) || !IsPrintable(options.session_token)) {
    return Status::InvalidArgument(
        "S3: the access key, secret key or session token has a blank, line break or other character that is none of "
        "its own: was it read with the end of its line?");
  }
  return Status::Ok();
}

Status CheckLimits(const S3Options& options) {
  if (options.connect_timeout.count() <= 0 || options.request_timeout.count() <= 0) {
    return Status::InvalidArgument("S3: connect_timeout and request_timeout must be positive");
  }
  if (options.max_connections < 1 || options.max_connections > kMaxConnections) {
    return Status::InvalidArgument("S3: max_connections is " + std::to_string(options.max_connections) +
                                   ", but must be 1 to " + std::to_string(kMaxConnections));
  }
  if (options.multipart_part_bytes < kMinPartBytes || options.multipart_part_bytes > kMaxPartBytes) {
    return Status::InvalidArgument("S3: multipart_part_bytes is " + std::to_string(options.multipart_part_bytes) +
                                   ", but S3 takes parts of 5 MiB to 5 GiB");
  }
  if (options.writer_retry.max_attempts < 1) return Status::InvalidArgument("S3: max_attempts must be at least 1");
  return Status::Ok();
}

// The part of a parsed URL, empty when it has none.
std::string UrlPart(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

}  // namespace

Result<S3Options> ResolveS3Options(S3Options options) {
  if (options.access_key.empty() && options.secret_key.empty()) {
    FillFromEnvironment(options.session_token, {"AWS_SESSION_TOKEN"});
  }
  FillFromEnvironment(options.access_key, {"AWS_ACCESS_KEY_ID"});
  FillFromEnvironment(options.secret_key, {"AWS_SECRET_ACCESS_KEY"});
  FillFromEnvironment(options.region, {"AWS_REGION", "AWS_DEFAULT_REGION"});
  FillFromEnvironment(options.endpoint, {"AWS_ENDPOINT_URL"});
  RETURN_IF_ERROR(CheckNames(options));
  RETURN_IF_ERROR(CheckCredentials(options));
  RETURN_IF_ERROR(CheckLimits(options));

  const bool aws = options.endpoint.empty();
  if (aws) options.endpoint = "https://s3." + options.region + ".amazonaws.com";
  if (options.addressing == S3Addressing::kAuto) {
    // A certificate for *.s3.region.amazonaws.com covers one label only.
    bool one_label = options.bucket.find_first_of("._") == std::string::npos;
    options.addressing = aws && one_label ? S3Addressing::kVirtualHost : S3Addressing::kPath;
  }
  return options;
}

Result<S3Address> AddressOf(const S3Options& options) {
  std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), &curl_url_cleanup);
  S3Address address;
  bool parsed = curl_url_set(url.get(), CURLUPART_URL, options.endpoint.c_str(), CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;
  if (parsed) {
    address.scheme = UrlPart(url.get(), CURLUPART_SCHEME);
    address.host = UrlPart(url.get(), CURLUPART_HOST);
  }
  // The endpoint is repeated in messages: one with a password in it is refused before that.
  if (parsed && !UrlPart(url.get(), CURLUPART_USER).empty()) {
    return Status::InvalidArgument("S3: the endpoint holds a user name; credentials go into access_key and secret_key");
  }
  std::string path = UrlPart(url.get(), CURLUPART_PATH);
  bool plain = (path.empty() || path == "/") && UrlPart(url.get(), CURLUPART_QUERY).empty() &&
               UrlPart(url.get(), CURLUPART_FRAGMENT).empty();
  if (!parsed || address.host.empty() || !plain || (address.scheme != "http" && address.scheme != "https")) {
    return Status::InvalidArgument(
        "S3: the endpoint '" + options.endpoint +
        "' is not of the form http[s]://host[:port] (S3Options::endpoint, AWS_ENDPOINT_URL)");
  }
  std::string port = UrlPart(url.get(), CURLUPART_PORT);
  if (!port.empty() && port != (address.scheme == "https" ? "443" : "80")) address.host += ":" + port;
  if (options.addressing == S3Addressing::kVirtualHost) {
    address.host = options.bucket + "." + address.host;
  } else {
    address.path_prefix = "/" + options.bucket;
  }
  return address;
}

}  // namespace isotherm
