#include "base/sync.h"

#include <chrono>

namespace isotherm {

namespace {

constexpr std::chrono::milliseconds kLookAgain(5);

// The standard's lock on what `lock` holds, for as long as a wait takes.
class Borrowed {
 public:
  explicit Borrowed(std::mutex& mutex) : lock_(mutex, std::adopt_lock) {}
  ~Borrowed() { lock_.release(); }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;

  std::unique_lock<std::mutex>& lock() { return lock_; }

 private:
  std::unique_lock<std::mutex> lock_;
};

void WaitSimulated(Blocking& blocking, const void* what, std::unique_lock<Mutex>& lock, int64_t deadline_ns) {
  lock.unlock();
  blocking.Wait(what, deadline_ns);
  lock.lock();
}

}  // namespace

void CondVar::NotifyOne() {
  condition_.notify_one();
  if (Blocking* blocking = Blocking::OfThisThread()) blocking->WakeOne(this);
}

void CondVar::NotifyAll() {
  condition_.notify_all();
  if (Blocking* blocking = Blocking::OfThisThread()) blocking->WakeAll(this);
}

void CondVar::Wait(std::unique_lock<Mutex>& lock) {
  if (Blocking* blocking = Blocking::OfThisThread()) {
    WaitSimulated(*blocking, this, lock, sync_internal::kForever);
    return;
  }
  Borrowed borrowed(lock.mutex()->mutex_);
  condition_.wait(borrowed.lock());
}

void CondVar::WaitUntilNs(std::unique_lock<Mutex>& lock, Clock& clock, int64_t deadline_ns) {
  if (deadline_ns == sync_internal::kForever && clock.IsSteadyClock()) {
    Wait(lock);
    return;
  }
  if (Blocking* blocking = Blocking::OfThisThread()) {
    WaitSimulated(*blocking, this, lock, deadline_ns);
    return;
  }
  Borrowed borrowed(lock.mutex()->mutex_);
  if (clock.IsSteadyClock()) {
    using TimePoint = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;
    condition_.wait_until(borrowed.lock(), TimePoint(std::chrono::nanoseconds(deadline_ns)));
  } else {
    condition_.wait_for(borrowed.lock(), kLookAgain);
  }
}

}  // namespace isotherm
