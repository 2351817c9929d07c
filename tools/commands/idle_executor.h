// Tells when nothing is left to be done of what was given to an executor.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "base/environment.h"

namespace isotherm::tool {

// Thread-safe.
class IdleExecutor : public Executor {
 public:
  explicit IdleExecutor(std::shared_ptr<Executor> below) : below_(std::move(below)) {}

  void Schedule(std::function<void()> task) override;
  void ParallelFor(size_t n, const std::function<void(size_t)>& body) override { below_->ParallelFor(n, body); }
  size_t Concurrency() const override { return below_->Concurrency(); }

  // Until no task runs or waits.
  void WaitIdle();

  // The machine's environment with such an executor.
  static std::shared_ptr<Environment> Over(std::shared_ptr<IdleExecutor>& executor);

 private:
  const std::shared_ptr<Executor> below_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t undone_ = 0;
};

}  // namespace isotherm::tool
