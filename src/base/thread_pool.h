// The executor of a real machine: a fixed number of threads and one queue.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/environment.h"

namespace isotherm {

enum class ThreadPriority : uint8_t {
  kNormal,
  kBackground,  // other threads of the machine come first; where the system has no such thing, as kNormal
};

// Thread-safe. A task may schedule others and may call ParallelFor, to any depth: whoever calls ParallelFor works on it
// too, so that it ends even when every thread of the pool is busy. Not fork-safe.
class ThreadPool : public Executor {
 public:
  // `width` ≥ 1 threads.
  explicit ThreadPool(size_t width, ThreadPriority priority = ThreadPriority::kNormal);
  // Runs what was scheduled before, then ends the threads.
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  void Schedule(std::function<void()> task) override;
  void ParallelFor(size_t n, const std::function<void(size_t)>& body) override;
  size_t Concurrency() const override { return width_; }

 private:
  void RunTasks();

  const size_t width_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace isotherm
