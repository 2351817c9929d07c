// Everything that a run depends on beside its input: time, chance, threads and files. Production code reads them from
// here only, so that a simulator can run the same code from one seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/file_system.h"

namespace isotherm {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Monotonic, arbitrary origin; Context::deadline_ns is on this clock.
  virtual int64_t NowNs() = 0;
  // Milliseconds since 1970-01-01 UTC. May jump; nothing may rely on its order.
  virtual int64_t WallMs() = 0;
  virtual void SleepUntilNs(int64_t monotonic_ns) = 0;
  // Whether NowNs is std::chrono::steady_clock's, so that the operating system can wake a waiter by it.
  virtual bool IsSteadyClock() const { return false; }
};

// Thread-safe. Not for secrets: names, jitter, sampling.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t Next() = 0;
};

// Thread-safe.
class Executor {
 public:
  virtual ~Executor() = default;
  // Runs `task` some time on some thread, never before Schedule returns on the calling one.
  virtual void Schedule(std::function<void()> task) = 0;
  // Runs body(0) … body(n - 1), on several threads where there are some, and returns when all are done. The order is
  // not defined; a body may not wait for another.
  virtual void ParallelFor(size_t n, const std::function<void(size_t)>& body) = 0;
  // How many bodies of a ParallelFor can run at once; ≥ 1.
  virtual size_t Concurrency() const = 0;
};

class Precedence;

struct Environment {
  std::shared_ptr<Clock> clock;
  std::shared_ptr<Random> random;
  std::shared_ptr<Executor> executor;
  std::shared_ptr<FileSystem> file_system;
  // For work that nobody waits for: where the machine is busy, its threads stand back. Null: `executor` does it.
  std::shared_ptr<Executor> background = nullptr;
  // Of what is done in `background` and what is not. Null: none.
  std::shared_ptr<Precedence> precedence = nullptr;

  const std::shared_ptr<Executor>& BackgroundExecutor() const { return background != nullptr ? background : executor; }

  // The machine's own clock, a randomly seeded generator, thread pools as wide as the machine, and its files. One per
  // process, made at the first call. After fork() a child must not use it.
  static std::shared_ptr<Environment> Default();
};

}  // namespace isotherm
