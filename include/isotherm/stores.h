// The stores that come with the library, by their address, and one that behaves in time like a distant one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "isotherm/blob_store.h"
#include "isotherm/status.h"

namespace isotherm {

struct Environment;

// "file:///absolute/dir" or a plain path, "s3://bucket/prefix?endpoint=URL&region=NAME", "memory:" (a new, empty one).
// Sends nothing and creates nothing. Credentials for S3 come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and
// AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL). `env` null: the machine's own.
Result<std::shared_ptr<BlobStore>> OpenBlobStore(std::string_view uri, std::shared_ptr<Environment> env = nullptr);

// `store` with the times of a distant one. Profiles: "s3" (GET p50 63 ms and p99 78 ms, PUT 100 and 195 ms, log-normal,
// 100 MB/s a connection: measured against S3 Standard inside a region), "fixed20" (20 ms each), "none" (returns
// `store`). `seed` 0: other delays each time.
Result<std::shared_ptr<BlobStore>> SimulateLatency(std::shared_ptr<BlobStore> store, std::string_view profile,
                                                   uint64_t seed = 0, std::shared_ptr<Environment> env = nullptr);
// A line that says what the profile is, to be printed with every figure.
Result<std::string> DescribeLatency(std::string_view profile);

}  // namespace isotherm
