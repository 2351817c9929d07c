// Repeats requests that failed for a reason which may pass.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.h"
#include "isotherm/blob_store.h"
#include "isotherm/metering.h"

namespace isotherm {

struct RetryOptions {
  int max_attempts = 6;  // of one request, the first included; ≥ 1
  // The n-th pause is uniform in [0, min(max_backoff, first_backoff * 2^(n-1))] ("full jitter").
  std::chrono::milliseconds first_backoff{50};
  std::chrono::milliseconds max_backoff{5'000};
  // The store below keeps kUnavailable of a conditional Put for requests that certainly were not executed, and says
  // kUnknown when an answer was lost (S3 does). False: kUnavailable means lost, as the contract of BlobStore allows.
  bool unavailable_is_definite = false;
};

// kUnavailable and kUnknown: the same request may succeed later.
bool IsTransient(StatusCode code);

// The pauses between the attempts of one request.
class Backoff {
 public:
  Backoff(const RetryOptions& options, Environment& environment) : options_(options), environment_(environment) {}

  // After a failed attempt. ok: paused, try again. Else why not, to be returned: `failure` when all attempts are used
  // up, kCancelled, or kDeadlineExceeded when the next attempt would begin after the deadline (at once, not then).
  Status Pause(const Context& context, const Status& failure);

 private:
  const RetryOptions options_;
  Environment& environment_;
  int attempts_ = 1;
};

// Since the store was made.
struct RetryCounts {
  uint64_t retries[kRequestKinds] = {0, 0, 0, 0};  // by RequestKind
  uint64_t after_unavailable = 0;                  // retries of those, by the class of the failure before
  uint64_t after_unknown = 0;
  uint64_t gave_up = 0;              // requests that were still failing transiently at the end
  uint64_t ambiguous_conflicts = 0;  // conflicts after a lost answer, reported as kUnknown
};

// Thread-safe. Read, Delete, List and unconditional Puts are repeated freely, of a batch only the reads that failed.
//
// A conditional Put whose answer was lost is repeated too, but what the repetition is told is weighed:
//   ok         this Put won: had the lost one been executed, its condition would no longer hold
//   kConflict  perhaps the lost attempt itself changed the object: kUnknown, never kConflict. The caller looks at the
//              object (the engine for its own sequence number) to settle it
//   other      kUnknown, unless it is a code that says "may have happened" anyhow
// So kConflict from here always means that another writer was faster. After a definite failure (see
// `unavailable_is_definite`) a conflict stays a conflict.
//
// A writer is passed through: the store below repeats the requests of its writers by itself.
class RetryBlobStore : public BlobStore {
 public:
  RetryBlobStore(std::shared_ptr<BlobStore> store, std::shared_ptr<Environment> environment, RetryOptions options = {});

  std::vector<ReadResult> Read(const Context& context, std::span<const ReadRequest> requests) override;
  Result<std::string> Put(const Context& context, std::string_view name, std::string_view bytes,
                          const PutCondition& condition = {}) override;
  std::vector<PutResult> PutAll(const Context& context, std::span<const PutRequest> requests) override;
  Result<std::unique_ptr<BlobWriter>> CreateWriter(const Context& context, std::string_view name) override;
  Status Delete(const Context& context, std::string_view name) override;
  Result<ListPage> List(const Context& context, std::string_view prefix, std::string_view start_after = {},
                        size_t limit = 1000) override;
  std::string Describe() const override { return store_->Describe(); }

  RetryCounts Counts() const;

 private:
  // Backoff::Pause, counted; `requests` are about to be repeated.
  Status Pause(Backoff& backoff, const Context& context, const Status& failure, RequestKind kind, size_t requests);

  const std::shared_ptr<BlobStore> store_;
  const std::shared_ptr<Environment> environment_;
  const RetryOptions options_;
  std::atomic<uint64_t> retries_[kRequestKinds] = {};
  std::atomic<uint64_t> after_unavailable_{0};
  std::atomic<uint64_t> after_unknown_{0};
  std::atomic<uint64_t> gave_up_{0};
  std::atomic<uint64_t> ambiguous_conflicts_{0};
};

}  // namespace isotherm
