// A clock that stands still until somebody sleeps on it or moves it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

#include "base/environment.h"

namespace isotherm {

// A sleep returns at once and leaves the clock at its end. Thread-safe.
class ManualClock : public Clock {
 public:
  explicit ManualClock(int64_t now_ns = 1'000'000'000, int64_t wall_ms = 1'700'000'000'000)
      : now_ns_(now_ns), wall_ms_(wall_ms) {}

  int64_t NowNs() override { return now_ns_; }
  int64_t WallMs() override { return wall_ms_; }
  void SleepUntilNs(int64_t monotonic_ns) override {
    int64_t now_ns = now_ns_;
    while (now_ns < monotonic_ns && !now_ns_.compare_exchange_weak(now_ns, monotonic_ns)) {
    }
  }

  void AdvanceNs(int64_t by_ns) { now_ns_ += by_ns; }
  void AdvanceWallMs(int64_t by_ms) { wall_ms_ += by_ms; }

 private:
  std::atomic<int64_t> now_ns_;
  std::atomic<int64_t> wall_ms_;
};

// The default environment but for the clock.
inline std::shared_ptr<Environment> EnvironmentWithClock(std::shared_ptr<Clock> clock) {
  auto environment = std::make_shared<Environment>(*Environment::Default());
  environment->clock = std::move(clock);
  return environment;
}

}  // namespace isotherm
