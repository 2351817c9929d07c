// Work that a handle does beside its calls.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "base/environment.h"
#include "base/sync.h"
#include "isotherm/context.h"

namespace isotherm {

// Thread-safe. Its owner calls Stop before it goes.
class Background {
 public:
  explicit Background(std::shared_ptr<Environment> env) : env_(std::move(env)) {}

  // Runs `task`. It is told by its context when it should end early. False: nothing happens after Stop.
  bool Start(std::function<void(const Context&)> task) { return StartOn(*env_->executor, std::move(task)); }
  // The same of a task that takes long and that nobody waits for.
  bool StartLong(std::function<void(const Context&)> task) {
    return StartOn(*env_->BackgroundExecutor(), std::move(task));
  }
  // Until no task runs.
  void WaitIdle();
  // Asks all tasks to end and waits for them.
  void Stop();

 private:
  bool StartOn(Executor& executor, std::function<void(const Context&)> task);

  const std::shared_ptr<Environment> env_;
  CancelToken cancel_;
  Mutex mutex_;
  CondVar changed_;
  size_t running_ = 0;
  bool stopped_ = false;
};

}  // namespace isotherm
