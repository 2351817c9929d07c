#include "blob/request_check.h"

#include <algorithm>
#include <string>

#include "base/context_check.h"
#include "base/macros.h"

namespace isotherm {

Status CheckRequest(const Context& context, Clock& clock, std::string_view operation, std::string_view name) {
  RETURN_IF_ERROR(ValidateObjectName(name));
  std::string what(operation);
  what.append(" of ").append(name);
  return CheckContext(context, clock, what);
}

Status CheckList(const Context& context, Clock& clock, std::string_view prefix, size_t limit) {
  if (limit == 0) return Status::InvalidArgument("list: the limit is 0, but must be at least 1");
  return CheckContext(context, clock, "list of \"" + std::string(prefix) + "\"");
}

Result<ByteRange> ClipRange(const ByteRange& range, uint64_t object_size, std::string_view name) {
  std::string object(name);
  if (range.length == 0) return Status::InvalidArgument(object + ": a range of length 0; ask for at least one byte");
  if (range.offset >= object_size) {
    return Status::InvalidArgument(object + ": the range begins at " + std::to_string(range.offset) +
                                   ", but the object has " + std::to_string(object_size) + " bytes");
  }
  return ByteRange{range.offset, std::min(range.length, object_size - range.offset)};
}

Status EtagMismatch(std::string_view name, std::string_view expected, std::string_view actual) {
  std::string message(name);
  message.append(": expected the etag ").append(expected).append(", found ").append(actual);
  return Status::Conflict(std::move(message));
}

bool MayHaveHappened(StatusCode code) {
  return code == StatusCode::kUnavailable || code == StatusCode::kUnknown || code == StatusCode::kDeadlineExceeded ||
         code == StatusCode::kCancelled;
}

}  // namespace isotherm
