// The executor of a build: leaves threads to others, and does nothing more when the build is cancelled.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>

#include "base/environment.h"
#include "isotherm/context.h"

namespace isotherm {

// Once `cancel` is set, bodies are left out: what they should have made is no good, and whoever uses this looks at the
// token before believing any of it.
class BuildExecutor : public Executor {
 public:
  // `width` ≥ 1 bodies at once at most. `cancel` (may be null) must outlive this.
  BuildExecutor(std::shared_ptr<Executor> executor, size_t width, const CancelToken* cancel)
      : executor_(std::move(executor)), width_(std::min(width, executor_->Concurrency())), cancel_(cancel) {}

  void Schedule(std::function<void()> task) override { executor_->Schedule(std::move(task)); }
  void ParallelFor(size_t n, const std::function<void(size_t)>& body) override {
    const size_t lanes = std::min(width_, n);
    auto lane = [&](size_t first) {
      for (size_t i = first; i < n && !(cancel_ != nullptr && cancel_->cancelled()); i += lanes) body(i);
    };
    if (lanes == 1) {
      lane(0);
    } else {
      executor_->ParallelFor(lanes, lane);
    }
  }
  size_t Concurrency() const override { return width_; }

 private:
  const std::shared_ptr<Executor> executor_;
  const size_t width_;
  const CancelToken* const cancel_;
};

}  // namespace isotherm
