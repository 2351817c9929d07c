#include "blob/s3_signer.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <ctime>

#include "base/sha256.h"

namespace isotherm {

namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

std::string HmacSha256(std::string_view key, std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), digest, &size);
  return {reinterpret_cast<const char*>(digest), size};
}

std::string HexSha256(std::string_view bytes) {
  Sha256Digest digest = Sha256(bytes);
  return ToHex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

// "20130524T000000Z"
std::string FormatTime(int64_t wall_ms) {
  auto seconds = static_cast<std::time_t>(wall_ms / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  size_t size = std::strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &utc);
  return {text, size};
}

// Without spaces at the ends, and runs of them as one.
std::string CanonicalHeaderValue(std::string_view value) {
  std::string canonical;
  for (char c : value) {
    if (c == ' ' && (canonical.empty() || canonical.back() == ' ')) continue;
    canonical.push_back(c);
  }
  if (!canonical.empty() && canonical.back() == ' ') canonical.pop_back();
  return canonical;
}

}  // namespace

std::string UriEncode(std::string_view text, bool keep_slash) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (char c : text) {
    bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                 c == '_' || c == '~' || (c == '/' && keep_slash);
    if (plain) {
      encoded.push_back(c);
    } else {
      auto byte = static_cast<unsigned char>(c);
      encoded.push_back('%');
      encoded.push_back(kDigits[byte >> 4]);
      encoded.push_back(kDigits[byte & 15]);
    }
  }
  return encoded;
}

std::string CanonicalQuery(const NameValues& query) {
  NameValues encoded;
  for (const auto& [name, value] : query) encoded.emplace_back(UriEncode(name, false), UriEncode(value, false));
  std::sort(encoded.begin(), encoded.end());
  std::string text;
  for (const auto& [name, value] : encoded) {
    if (!text.empty()) text.push_back('&');
    text.append(name).append("=").append(value);
  }
  return text;
}

S3Signer::S3Signer(S3Credentials credentials, std::string region)
    : credentials_(std::move(credentials)), region_(std::move(region)) {}

void S3Signer::Sign(std::string_view method, std::string_view encoded_path, std::string_view canonical_query,
                    std::string_view body, int64_t wall_ms, NameValues& headers) const {
  const std::string time = FormatTime(wall_ms);
  const std::string day = time.substr(0, 8);
  const std::string body_hash = HexSha256(body);
  headers.emplace_back("x-amz-content-sha256", body_hash);
  headers.emplace_back("x-amz-date", time);
  if (!credentials_.session_token.empty()) headers.emplace_back("x-amz-security-token", credentials_.session_token);

  NameValues sorted = headers;
  std::sort(sorted.begin(), sorted.end());
  std::string header_lines;
  std::string signed_names;
  for (const auto& [name, value] : sorted) {
    header_lines.append(name).append(":").append(CanonicalHeaderValue(value)).append("\n");
    if (!signed_names.empty()) signed_names.push_back(';');
    signed_names.append(name);
  }

  std::string request;
  request.append(method).append("\n").append(encoded_path).append("\n").append(canonical_query).append("\n");
  request.append(header_lines).append("\n").append(signed_names).append("\n").append(body_hash);

  const std::string scope = day + "/" + region_ + "/s3/aws4_request";
  std::string to_sign(kAlgorithm);
  to_sign.append("\n").append(time).append("\n").append(scope).append("\n").append(HexSha256(request));
  const std::string signature = ToHex(HmacSha256(SigningKey(day), to_sign));

  std::string authorization(kAlgorithm);
  authorization.append(" Credential=").append(credentials_.access_key).append("/").append(scope);
  authorization.append(",SignedHeaders=").append(signed_names).append(",Signature=").append(signature);
  headers.emplace_back("authorization", std::move(authorization));
}

std::string S3Signer::SigningKey(const std::string& day) const {
  std::lock_guard lock(mutex_);
  if (key_day_ != day) {
    std::string key = HmacSha256("AWS4" + credentials_.secret_key, day);
    key = HmacSha256(key, region_);
    key = HmacSha256(key, "s3");
    key_ = HmacSha256(key, "aws4_request");
    key_day_ = day;
  }
  return key_;
}

}  // namespace isotherm
