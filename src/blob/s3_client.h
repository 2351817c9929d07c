// Signed calls on one bucket: between the store, which speaks of names, and HTTP.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/environment.h"
#include "blob/s3_http.h"
#include "blob/s3_options.h"
#include "blob/s3_signer.h"
#include "isotherm/context.h"

namespace isotherm {

struct S3Call {
  std::string_view method;
  std::string key;         // empty: the bucket itself
  NameValues query;        // not encoded
  NameValues headers;      // names in lower case
  std::string_view body;   // must stay until the answer is there
  bool repeatable = true;  // HttpRequest::repeatable
};

// Thread-safe. Shared by a store and its writers.
class S3Client {
 public:
  // `options` are resolved, `address` is theirs.
  S3Client(const S3Options& options, S3Address address, std::shared_ptr<Environment> environment);

  // To be sent soon: S3 takes a signature for 15 minutes.
  HttpRequest Sign(const S3Call& call) const;
  HttpResponse Send(const Context& context, const S3Call& call);

  HttpClient& http() { return http_; }
  const S3Options& options() const { return options_; }
  Environment& environment() const { return *environment_; }

  std::string KeyOf(std::string_view name) const;
  // "s3://bucket/prefix/name"
  std::string Describe(std::string_view name) const;

 private:
  const S3Options options_;
  const S3Address address_;
  const std::shared_ptr<Environment> environment_;
  const S3Signer signer_;
  HttpClient http_;
};

// An entity tag as If-Match wants it: in quotes. Some servers leave them out in some answers.
std::string QuotedEtag(std::string_view etag);

}  // namespace isotherm
