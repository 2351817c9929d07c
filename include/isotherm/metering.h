// Counts the requests that a store was asked, and from their own times the dependent waves.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "isotherm/status.h"

namespace isotherm {

enum class RequestKind : uint8_t { kGet = 0, kPut = 1, kDelete = 2, kList = 3 };
inline constexpr int kRequestKinds = 4;

// One request as it went to the store. A multipart upload is several.
struct RequestRecord {
  RequestKind kind = RequestKind::kGet;
  int64_t start_ns = 0;  // monotonic clock
  int64_t end_ns = 0;
  uint64_t bytes = 0;  // body received (get, list) or sent (put)
  StatusCode code = StatusCode::kOk;
};

struct MeterSummary {
  uint64_t requests[kRequestKinds] = {0, 0, 0, 0};  // by RequestKind
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;
  // The largest number of requests of which no two overlap in time: round trips that had to be waited for.
  uint64_t waves = 0;
  int64_t span_ns = 0;  // first start to last end

  uint64_t gets() const { return requests[static_cast<int>(RequestKind::kGet)]; }
  uint64_t puts() const { return requests[static_cast<int>(RequestKind::kPut)]; }
  uint64_t lists() const { return requests[static_cast<int>(RequestKind::kList)]; }
};

// List prices of S3 Standard, us-east-1, in US dollars (aws.amazon.com/s3/pricing, read 2026-11): transfer inside the
// region is free.
struct RequestPrices {
  double per_thousand_writes = 0.005;  // PUT, LIST
  double per_thousand_reads = 0.0004;  // GET
};
double PriceUsd(const MeterSummary& summary, const RequestPrices& prices = {});

// Thread-safe. Keeps every record until Reset: meant for one call or one test, not for a process's lifetime.
class Meter {
 public:
  void Add(const RequestRecord& record);
  void Reset();
  MeterSummary Summary() const;
  std::vector<RequestRecord> Records() const;

 private:
  mutable std::mutex mutex_;
  std::vector<RequestRecord> records_;
};

}  // namespace isotherm
