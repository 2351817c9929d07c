// Tells a handle's metrics and event log what happens, where there are any.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/environment.h"
#include "engine/head.h"
#include "isotherm/events.h"
#include "isotherm/metrics.h"

namespace isotherm {

// Thread-safe.
class Observer {
 public:
  Observer(std::shared_ptr<Metrics> metrics, std::shared_ptr<EventLog> events, std::shared_ptr<Environment> env)
      : metrics_(std::move(metrics)), events_(std::move(events)), env_(std::move(env)) {}

  int64_t Now() const { return metrics_ != nullptr ? env_->clock->NowNs() : 0; }
  // A call that began at `begin_ns`, as Now gave it.
  void Took(MetricId histogram, int64_t begin_ns) const {
    if (metrics_ != nullptr) metrics_->Observe(histogram, env_->clock->NowNs() - begin_ns);
  }
  // Returns `status`.
  Status Ended(Status status) const {
    if (metrics_ != nullptr) metrics_->AddError(MetricId::kErrors, status.code());
    return status;
  }

  // A version that this handle made.
  void Landed(const Head& head) const;
  void Conflicted(uint64_t newest_version) const;
  void Fenced(uint64_t newest_version) const;
  void Vacuumed(uint64_t objects, uint64_t bytes) const;
  void Erased(bool complete) const;
  void Refreshed(uint64_t version) const;
  // A compaction that began at `begin_ns`, whatever came of it.
  void Compacted(int64_t begin_ns, uint64_t bytes_read, uint64_t bytes_written) const;
  void CommitWrote(uint64_t bytes, uint64_t row_bytes) const;
  void CompactionWrote(uint64_t bytes) const;
  // One that went on with another, and what of its objects it has taken.
  void CompactionResumed(uint64_t bytes) const;
  void CompactionFailed(const Status& status) const;  // in the background, where nobody is told

 private:
  void Record(EventKind kind, uint64_t version, std::string cause, Metadata details) const;

  const std::shared_ptr<Metrics> metrics_;  // may be null
  const std::shared_ptr<EventLog> events_;  // may be null
  const std::shared_ptr<Environment> env_;
};

}  // namespace isotherm
