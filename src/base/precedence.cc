#include "base/precedence.h"

#include <thread>

namespace isotherm {

void Precedence::Later::GiveWay() {
  if (of_ == nullptr) return;
  // Linux lets a thread that became ready wait for the next tick (4 ms) or the next call into the system.
  std::this_thread::yield();
  if (!of_->Crowded()) return;
  constexpr int64_t kLongestNs = 10'000'000;
  constexpr int64_t kStepNs = 100'000;
  const int64_t begin_ns = clock_.NowNs();
  if (begin_ns < own_until_ns_) return;
  int64_t now_ns = begin_ns;
  while (of_->Crowded() && now_ns < begin_ns + kLongestNs) {
    clock_.SleepUntilNs(now_ns + kStepNs);
    now_ns = clock_.NowNs();
  }
  own_until_ns_ = now_ns + (now_ns - begin_ns);
}

}  // namespace isotherm
