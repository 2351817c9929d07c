// The executor of a build: leaves threads to others, and does nothing more when the build is cancelled.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>

#include "base/environment.h"
#include "base/precedence.h"
#include "isotherm/context.h"

namespace isotherm {

// Once `cancel` is set, bodies are left out: what they should have made is no good, and whoever uses this looks at the
// token before believing any of it.
class BuildExecutor : public Executor {
 public:
  // On the threads of `env`: those of its background where the build `yields`. `width` ≥ 1 bodies at once at most.
  // `cancel` (may be null) must outlive this.
  BuildExecutor(const Environment& env, bool yields, size_t width, const CancelToken* cancel)
      : executor_(yields ? env.BackgroundExecutor() : env.executor),
        clock_(env.clock),
        precedence_(yields ? env.precedence : nullptr),
        width_(std::min(width, executor_->Concurrency())),
        cancel_(cancel) {}

  void Schedule(std::function<void()> task) override { executor_->Schedule(std::move(task)); }
  void ParallelFor(size_t n, const std::function<void(size_t)>& body) override {
    const size_t lanes = std::min(width_, n);
    auto lane = [&](size_t first) {
      Precedence::Later building(precedence_.get(), *clock_);
      for (size_t i = first; i < n && !(cancel_ != nullptr && cancel_->cancelled()); i += lanes) {
        building.GiveWay();
        body(i);
      }
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
  const std::shared_ptr<Clock> clock_;
  const std::shared_ptr<Precedence> precedence_;  // null: it goes before nobody, and nobody before it
  const size_t width_;
  const CancelToken* const cancel_;
};

}  // namespace isotherm
