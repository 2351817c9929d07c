#include "tools/commands/idle_executor.h"

namespace isotherm::tool {

void IdleExecutor::Schedule(std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    ++undone_;
  }
  below_->Schedule([this, task = std::move(task)] {
    task();
    std::lock_guard lock(mutex_);
    --undone_;
    changed_.notify_all();
  });
}

void IdleExecutor::WaitIdle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return undone_ == 0; });
}

std::shared_ptr<Environment> IdleExecutor::Over(std::shared_ptr<IdleExecutor>& executor) {
  auto environment = std::make_shared<Environment>(*Environment::Default());
  executor = std::make_shared<IdleExecutor>(environment->executor);
  environment->executor = executor;
  environment->background = nullptr;
  return environment;
}

}  // namespace isotherm::tool
