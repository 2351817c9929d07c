// The lease of an open collection (Options::lease_ms). A lease object is never written again: renewing it is taking
// another one and removing it. So a vacuum that removes one that has lapsed can never remove one that was renewed.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "base/sync.h"

namespace isotherm {

// Thread-safe.
class HeldLease {
 public:
  // Empty: none yet.
  std::string name() const {
    std::lock_guard lock(mutex_);
    return name_;
  }
  // The name, when it is of that version.
  std::string Of(uint64_t version) const {
    std::lock_guard lock(mutex_);
    return version_ == version ? name_ : std::string();
  }
  void Hold(const std::string& name, uint64_t version) {
    std::lock_guard lock(mutex_);
    name_ = name;
    version_ = version;
  }

  // True: it is older than that, and the caller is to renew it, alone, and calls EndRenewal. A clock that was set back
  // can't tell how old it is.
  bool BeginRenewal(int64_t now_ms, int64_t age_ms) {
    const int64_t begun_ms = begun_ms_.load();
    if (now_ms >= begun_ms && now_ms - begun_ms < age_ms) return false;
    return !renewing_.exchange(true);
  }
  // `begun_ms`: what its age counts from; 0: whoever comes next tries again.
  void EndRenewal(int64_t begun_ms) {
    begun_ms_.store(begun_ms);
    renewing_.store(false);
  }

 private:
  mutable Mutex mutex_;
  std::string name_;
  uint64_t version_ = 0;
  std::atomic<int64_t> begun_ms_{0};
  std::atomic<bool> renewing_{false};
};

}  // namespace isotherm
