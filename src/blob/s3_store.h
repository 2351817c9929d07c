// A BlobStore in a bucket of Amazon S3 or of a server that speaks its protocol (MinIO, versitygw, …).
//
// The bucket must keep conditional writes: PutObject with If-None-Match and If-Match. Names become keys as
// "<prefix>/<name>". No HTTP HEAD is ever sent, and ListObjectsV2 only by List.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/environment.h"
#include "blob/retry_store.h"
#include "isotherm/blob_store.h"
#include "isotherm/status.h"

namespace isotherm {

enum class S3Addressing : uint8_t {
  kAuto,         // virtual host on AWS when the bucket's name has no dot, else path
  kPath,         // https://host/bucket/key
  kVirtualHost,  // https://bucket.host/key
};

// An empty field takes the first environment variable named beside it that is set and not empty.
struct S3Options {
  std::string bucket;
  std::string prefix;         // without '/' at its ends; empty: names are keys
  std::string endpoint;       // AWS_ENDPOINT_URL, else https://s3.<region>.amazonaws.com
  std::string region;         // AWS_REGION, AWS_DEFAULT_REGION
  std::string access_key;     // AWS_ACCESS_KEY_ID
  std::string secret_key;     // AWS_SECRET_ACCESS_KEY
  std::string session_token;  // AWS_SESSION_TOKEN, only when access_key comes from the environment too
  S3Addressing addressing = S3Addressing::kAuto;

  std::chrono::milliseconds connect_timeout{5'000};
  // Without a byte sent or received. Until when a call may take as a whole is its Context's to say.
  std::chrono::milliseconds request_timeout{30'000};
  // Of the whole store, however many threads use it. A request over it waits for its turn.
  size_t max_connections = 64;
  // Of a BlobWriter: S3 wants 5 MiB to 5 GiB, and at most 10,000 parts. A writer holds up to five of them in memory.
  size_t multipart_part_bytes = size_t{8} << 20;
  // How a BlobWriter repeats its own requests, which no decorator can do for it.
  RetryOptions writer_retry;

  std::string ca_file;               // PEM; empty: the system's certificates
  std::vector<std::string> resolve;  // "host:port:address", instead of asking the name service
};

// Checks the options (kInvalidArgument names the field and the variable) and sends nothing. The store sends from one
// thread of its own, which ends with it; writers may outlive the store. HTTP/1.1, connections are kept and shared by
// all threads.
//
// It makes one attempt per request; wrap it in a RetryBlobStore with `unavailable_is_definite` set, for which this
// store tells apart: a conditional Put whose answer was lost, or that got a 5xx, is kUnknown; kUnavailable of a
// conditional Put means that it certainly was not executed.
Result<std::shared_ptr<BlobStore>> OpenS3Store(const S3Options& options, std::shared_ptr<Environment> environment);

}  // namespace isotherm
