// Deadlines and cancellation, asked at every step that may take long.
#pragma once

#include <string_view>

#include "base/environment.h"
#include "isotherm/context.h"
#include "isotherm/status.h"

namespace isotherm {

// ok, kCancelled or kDeadlineExceeded; `what` names the work for the message.
Status CheckContext(const Context& context, Clock& clock, std::string_view what);

// Sleeps until then on the clock; wakes soon after the context is cancelled. Then as CheckContext.
Status PauseUntil(const Context& context, Clock& clock, int64_t until_ns, std::string_view what);

}  // namespace isotherm
