// Work that a handle does beside its calls.
#pragma once

#include <functional>
#include <memory>

#include "base/environment.h"
#include "base/sync.h"
#include "isotherm/context.h"

namespace isotherm {

// Thread-safe. Its owner calls Stop before it goes.
class Background {
 public:
  explicit Background(std::shared_ptr<Environment> env) : env_(std::move(env)) {}

  // Runs `task` on the executor. It is told by its context when it should end early. False: nothing happens after Stop.
  bool Start(std::function<void(const Context&)> task);
  // Until no task runs.
  void WaitIdle();
  // Asks all tasks to end and waits for them.
  void Stop();

 private:
  const std::shared_ptr<Environment> env_;
  CancelToken cancel_;
  Mutex mutex_;
  CondVar changed_;
  size_t running_ = 0;
  bool stopped_ = false;
};

}  // namespace isotherm
