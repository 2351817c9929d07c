// AWS Signature Version 4 in the Authorization header, as S3 wants it ("Signature Calculations for the Authorization
// Header" in the S3 API reference): the path is encoded once, and the body's SHA-256 is always signed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/sync.h"

namespace isotherm {

using NameValues = std::vector<std::pair<std::string, std::string>>;

// Every byte but A-Z a-z 0-9 - . _ ~ as %XX; '/' stays when `keep_slash`.
std::string UriEncode(std::string_view text, bool keep_slash);

// "a=1&b=", names and values encoded, ascending by encoded name and value.
std::string CanonicalQuery(const NameValues& query);

struct S3Credentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token;  // may be empty
};

// Thread-safe.
class S3Signer {
 public:
  S3Signer(S3Credentials credentials, std::string region);

  // Adds x-amz-content-sha256, x-amz-date, x-amz-security-token and authorization to `headers`, whose names are lower
  // case and hold "host". All of them are signed.
  void Sign(std::string_view method, std::string_view encoded_path, std::string_view canonical_query,
            std::string_view body, int64_t wall_ms, NameValues& headers) const;

 private:
  // The key that a day's requests are signed with.
  std::string SigningKey(const std::string& day) const;

  const S3Credentials credentials_;
  const std::string region_;
  mutable Mutex mutex_;
  mutable std::string key_day_;
  mutable std::string key_;
};

}  // namespace isotherm
