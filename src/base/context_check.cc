#include "base/context_check.h"

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

}  // namespace isotherm
