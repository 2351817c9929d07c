#include "isotherm/status.h"

namespace isotherm {

const char* StatusCodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk: return "Ok";
    case StatusCode::kInvalidArgument: return "InvalidArgument";
    case StatusCode::kNotFound: return "NotFound";
    case StatusCode::kAlreadyExists: return "AlreadyExists";
    case StatusCode::kReadOnly: return "ReadOnly";
    case StatusCode::kUnsupported: return "Unsupported";
    case StatusCode::kAccessDenied: return "AccessDenied";
    case StatusCode::kClosed: return "Closed";
    case StatusCode::kConflict: return "Conflict";
    case StatusCode::kFenced: return "Fenced";
    case StatusCode::kUnavailable: return "Unavailable";
    case StatusCode::kResourceExhausted: return "ResourceExhausted";
    case StatusCode::kDeadlineExceeded: return "DeadlineExceeded";
    case StatusCode::kCancelled: return "Cancelled";
    case StatusCode::kCorruption: return "Corruption";
    case StatusCode::kIoError: return "IoError";
    case StatusCode::kUnknown: return "Unknown";
    case StatusCode::kInternal: return "Internal";
  }
  return "?";
}

std::string Status::ToString() const {
  std::string text = StatusCodeName(code_);
  if (!message_.empty()) text += ": " + message_;
  return text;
}

Status Status::WithContext(std::string_view context) const {
  if (ok()) return *this;
  return {code_, std::string(context) + ": " + message_};
}

}  // namespace isotherm
