// Makes a near store behave in time like a distant one.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/environment.h"
#include "base/random.h"
#include "isotherm/blob_store.h"

namespace isotherm {

// Until the first byte a request takes a log-normal time of the given median and 99th percentile; then its bytes flow.
struct LatencyProfile {
  std::string name = "s3";
  double get_p50_ms = 63;  // reads and lists
  double get_p99_ms = 78;
  double put_p50_ms = 100;  // puts and deletes
  double put_p99_ms = 195;
  double mb_per_s = 100;  // of one connection, 10^6 bytes; 0: any number of bytes takes no time

  // Measured against S3 Standard from a machine of the same region.
  static LatencyProfile S3() { return {}; }
  // Every request takes `delay`, whatever its size.
  static LatencyProfile Fixed(std::chrono::nanoseconds delay);

  // "s3: GET p50 63 ms, p99 78 ms; PUT p50 100 ms, p99 195 ms; 100 MB/s a connection"
  std::string Describe() const;
};

struct LatencyOptions {
  LatencyProfile profile;
  uint64_t seed = 1;
  // Of the whole store. A request over it waits for the first one that is free. ≥ 1.
  size_t max_connections = 64;
};

// Asks `store` at once and answers when the modelled time is over; what the store itself took counts inside it. Each
// request of a batch has a time of its own, which its result tells, and the batch takes as long as its slowest. A
// request that the context ends before its time is kDeadlineExceeded or kCancelled: a put has then happened.
// Sleeps on the environment's clock. An object written in pieces is modelled as S3's multipart upload in pieces of
// 8 MiB, all of it at Finish.
class LatencyBlobStore : public BlobStore {
 public:
  LatencyBlobStore(std::shared_ptr<BlobStore> store, std::shared_ptr<Environment> environment, LatencyOptions options);

  std::vector<ReadResult> Read(const Context& context, std::span<const ReadRequest> requests) override;
  Result<std::string> Put(const Context& context, std::string_view name, std::string_view bytes,
                          const PutCondition& condition = {}) override;
  std::vector<PutResult> PutAll(const Context& context, std::span<const PutRequest> requests) override;
  Result<std::unique_ptr<BlobWriter>> CreateWriter(const Context& context, std::string_view name) override;
  Status Delete(const Context& context, std::string_view name) override;
  Result<ListPage> List(const Context& context, std::string_view prefix, std::string_view start_after = {},
                        size_t limit = 1000) override;
  std::string Describe() const override { return store_->Describe(); }

 private:
  class Model;
  class Writer;

  const std::shared_ptr<BlobStore> store_;
  const std::shared_ptr<Model> model_;  // shared with writers, which may outlive the store
};

}  // namespace isotherm
