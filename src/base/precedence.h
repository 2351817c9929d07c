// Work that somebody waits for goes before work that nobody waits for. A lower priority alone does not see to that: a
// thread that runs already keeps its core for milliseconds, and those that are ready crowd the other cores meanwhile.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/environment.h"

namespace isotherm {

// Counts who is at work. Thread-safe.
class Precedence {
 public:
  // `threads`: how many the machine can run at once.
  explicit Precedence(size_t threads) : threads_(threads) {}
  Precedence(const Precedence&) = delete;
  Precedence& operator=(const Precedence&) = delete;

  // Of the calling thread: somebody waits for what it does while this lives. Not for where it waits itself, as for a
  // store. Of no Precedence (null) it does nothing.
  class First {
   public:
    explicit First(Precedence* of) : of_(of) {
      if (of_ != nullptr) of_->first_.fetch_add(1, std::memory_order_relaxed);
    }
    ~First() {
      if (of_ != nullptr) of_->first_.fetch_sub(1, std::memory_order_relaxed);
    }
    First(const First&) = delete;
    First& operator=(const First&) = delete;

   private:
    Precedence* const of_;
  };

  // Of the calling thread: nobody waits for what it does.
  class Later {
   public:
    // Both must outlive this; without `of` (null) nobody goes before it.
    Later(Precedence* of, Clock& clock) : of_(of), clock_(clock) {
      if (of_ != nullptr) of_->later_.fetch_add(1, std::memory_order_relaxed);
    }
    ~Later() {
      if (of_ != nullptr) of_->later_.fetch_sub(1, std::memory_order_relaxed);
    }
    Later(const Later&) = delete;
    Later& operator=(const Later&) = delete;

    // To be called between short pieces of work. Stands still while the machine has no thread to spare for what goes
    // before it, for 10 ms at most, and then not again before it has worked as long as it stood still.
    void GiveWay();

   private:
    Precedence* const of_;
    Clock& clock_;
    int64_t own_until_ns_ = 0;
  };

 private:
  bool Crowded() const {
    const size_t first = first_.load(std::memory_order_relaxed);
    return first > 0 && first + later_.load(std::memory_order_relaxed) >= threads_;
  }

  const size_t threads_;
  std::atomic<size_t> first_{0};
  std::atomic<size_t> later_{0};
};

}  // namespace isotherm
