// Locks and conditions that a simulator can take the place of: under it a thread that would have to wait hands over to
// another one instead, so that one seed decides who runs when.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <shared_mutex>

#include "base/environment.h"

namespace isotherm {

// How the calling thread waits, where that is not the operating system's business. What is waited for is known by its
// address.
class Blocking {
 public:
  // Null, but for a simulator's threads.
  static Blocking* OfThisThread() { return of_this_thread; }
  static void SetOfThisThread(Blocking* blocking) { of_this_thread = blocking; }

  virtual ~Blocking() = default;
  // Others may run now: the caller is about to take the lock `what`, free or not.
  virtual void MayYield(const void* what) = 0;
  // Until Wake(what), but no longer than until `deadline_ns`; may return earlier.
  virtual void Wait(const void* what, int64_t deadline_ns) = 0;
  // One or all of those that wait may go on. Others do not run before the caller waits or may yield.
  virtual void WakeOne(const void* what) = 0;
  virtual void WakeAll(const void* what) = 0;

 private:
  static inline constinit thread_local Blocking* of_this_thread = nullptr;
};

namespace sync_internal {

inline constexpr int64_t kForever = INT64_MAX;

// `try_lock` until it succeeds.
template <typename TryLock>
void LockSimulated(Blocking& blocking, const void* what, const TryLock& try_lock) {
  blocking.MayYield(what);
  while (!try_lock()) blocking.Wait(what, kForever);
}

inline void AfterUnlock(const void* what) {
  if (Blocking* blocking = Blocking::OfThisThread(); blocking != nullptr) [[unlikely]] {
    blocking->WakeAll(what);
  }
}

}  // namespace sync_internal

// For std::lock_guard, std::unique_lock and std::scoped_lock.
class Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() {
    if (Blocking* blocking = Blocking::OfThisThread(); blocking != nullptr) [[unlikely]] {
      sync_internal::LockSimulated(*blocking, this, [this] { return mutex_.try_lock(); });
    } else {
      mutex_.lock();
    }
  }
  bool try_lock() { return mutex_.try_lock(); }
  void unlock() {
    mutex_.unlock();
    sync_internal::AfterUnlock(this);
  }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

// For std::shared_lock too.
class SharedMutex {
 public:
  SharedMutex() = default;
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  void lock() {
    if (Blocking* blocking = Blocking::OfThisThread(); blocking != nullptr) [[unlikely]] {
      sync_internal::LockSimulated(*blocking, this, [this] { return mutex_.try_lock(); });
    } else {
      mutex_.lock();
    }
  }
  bool try_lock() { return mutex_.try_lock(); }
  void unlock() {
    mutex_.unlock();
    sync_internal::AfterUnlock(this);
  }

  void lock_shared() {
    if (Blocking* blocking = Blocking::OfThisThread(); blocking != nullptr) [[unlikely]] {
      sync_internal::LockSimulated(*blocking, this, [this] { return mutex_.try_lock_shared(); });
    } else {
      mutex_.lock_shared();
    }
  }
  bool try_lock_shared() { return mutex_.try_lock_shared(); }
  void unlock_shared() {
    mutex_.unlock_shared();
    sync_internal::AfterUnlock(this);
  }

 private:
  std::shared_mutex mutex_;
};

class CondVar {
 public:
  CondVar() = default;
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  void NotifyOne();
  void NotifyAll();

  // Until notified; may return earlier.
  void Wait(std::unique_lock<Mutex>& lock);
  template <typename Predicate>
  void Wait(std::unique_lock<Mutex>& lock, const Predicate& done) {
    while (!done()) Wait(lock);
  }

  // Until notified or until `clock` shows `deadline_ns` (Context::kNoDeadline: forever); may return earlier. A clock
  // that is not the machine's can't wake anybody: then it returns after a few milliseconds, to be called again.
  void WaitUntilNs(std::unique_lock<Mutex>& lock, Clock& clock, int64_t deadline_ns);
  // False when the deadline came first.
  template <typename Predicate>
  bool WaitUntilNs(std::unique_lock<Mutex>& lock, Clock& clock, int64_t deadline_ns, const Predicate& done) {
    while (!done()) {
      if (clock.NowNs() >= deadline_ns) return false;
      WaitUntilNs(lock, clock, deadline_ns);
    }
    return true;
  }

 private:
  std::condition_variable condition_;
};

}  // namespace isotherm
