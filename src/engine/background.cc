#include "engine/background.h"

#include <mutex>
#include <utility>

namespace isotherm {

bool Background::StartOn(Executor& executor, std::function<void(const Context&)> task) {
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return false;
    ++running_;
  }
  executor.Schedule([this, task = std::move(task)] {
    Context context;
    context.cancel = &cancel_;
    task(context);
    std::lock_guard lock(mutex_);
    --running_;
    changed_.NotifyAll();
  });
  return true;
}

void Background::WaitIdle() {
  std::unique_lock lock(mutex_);
  changed_.Wait(lock, [this] { return running_ == 0; });
}

void Background::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  cancel_.Cancel();
  WaitIdle();
}

}  // namespace isotherm
