#include "base/context_check.h"

#include <algorithm>
#include <string>

namespace isotherm {

Status CheckContext(const Context& context, Clock& clock, std::string_view what) {
  if (context.cancel != nullptr && context.cancel->cancelled()) {
    return Status::Cancelled(std::string(what) + " was cancelled");
  }
  if (context.deadline_ns != Context::kNoDeadline && clock.NowNs() >= context.deadline_ns) {
    return Status::DeadlineExceeded(std::string(what) + " ran past its deadline");
  }
  return Status::Ok();
}

Status PauseUntil(const Context& context, Clock& clock, int64_t until_ns, std::string_view what) {
  // How long a cancelled call may sleep on.
  constexpr int64_t kCancelCheckNs = 10'000'000;
  for (int64_t now_ns = clock.NowNs(); now_ns < until_ns; now_ns = clock.NowNs()) {
    clock.SleepUntilNs(context.cancel == nullptr ? until_ns : std::min(until_ns, now_ns + kCancelCheckNs));
    if (context.cancel != nullptr && context.cancel->cancelled()) break;
  }
  return CheckContext(context, clock, what);
}

}  // namespace isotherm
