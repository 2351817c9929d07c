#include "engine/compaction_control.h"

#include <algorithm>
#include <mutex>

namespace isotherm {

namespace {

constexpr int64_t kFirstDelayNs = 1'000'000'000;
constexpr int64_t kLongestDelayNs = 600 * kFirstDelayNs;
constexpr uint32_t kMostDoublings = 10;

// What is over without being a failure: there is another one to be made, or nobody wants it any more.
bool MayGoOn(StatusCode code) {
  return code == StatusCode::kOk || code == StatusCode::kConflict || code == StatusCode::kCancelled;
}

}  // namespace

std::shared_ptr<const CancelToken> CompactionControl::TryBegin() {
  std::lock_guard lock(mutex_);
  if (running_ != nullptr || pauses_ > 0 || env_->clock->NowNs() < not_before_ns_) return nullptr;
  running_ = std::make_shared<CancelToken>();
  return running_;
}

void CompactionControl::End(const Status& status) {
  std::lock_guard lock(mutex_);
  running_ = nullptr;
  if (MayGoOn(status.code())) {
    failures_ = 0;
  } else {
    not_before_ns_ = env_->clock->NowNs() + std::min(kLongestDelayNs, kFirstDelayNs << failures_);
    failures_ = std::min(failures_ + 1, kMostDoublings);
  }
  ended_.NotifyAll();
}

CompactionControl::Pause::Pause(CompactionControl& control) : control_(control) {
  std::unique_lock lock(control_.mutex_);
  ++control_.pauses_;
  if (control_.running_ != nullptr) control_.running_->Cancel();
  control_.ended_.Wait(lock, [&] { return control_.running_ == nullptr; });
}

CompactionControl::Pause::~Pause() {
  std::lock_guard lock(control_.mutex_);
  --control_.pauses_;
}

void CompactionControl::Count(const CompactionCounts& more) {
  std::lock_guard lock(mutex_);
  counts_.published += more.published;
  counts_.lost += more.lost;
  counts_.failed += more.failed;
  counts_.resumed += more.resumed;
  counts_.bytes_read += more.bytes_read;
  counts_.bytes_written += more.bytes_written;
  counts_.bytes_resumed += more.bytes_resumed;
  counts_.commit_bytes += more.commit_bytes;
  counts_.row_bytes += more.row_bytes;
}

CompactionCounts CompactionControl::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace isotherm
