// What travels with every call: until when, whether it is still wanted, and who pays.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>

namespace isotherm {

class Meter;  // metering.h

// Set from any thread, at most once; a call that was given it returns kCancelled soon after.
class CancelToken {
 public:
  void Cancel() { cancelled_.store(true, std::memory_order_release); }
  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }

 private:
  std::atomic<bool> cancelled_{false};
};

// A plain value; copy it freely. The pointers must outlive the calls that were given the context.
struct Context {
  static constexpr int64_t kNoDeadline = std::numeric_limits<int64_t>::max();

  // On the monotonic clock (std::chrono::steady_clock's, unless an environment was injected).
  int64_t deadline_ns = kNoDeadline;
  const CancelToken* cancel = nullptr;
  // Every request to a store made on behalf of this call is recorded here too. May be null.
  Meter* meter = nullptr;

  static Context WithTimeout(std::chrono::nanoseconds timeout) {
    Context context;
    context.deadline_ns = (std::chrono::steady_clock::now().time_since_epoch() + timeout) / std::chrono::nanoseconds(1);
    return context;
  }
};

}  // namespace isotherm
