// Status and Result<T>: how every call that can fail says so. Isotherm throws no exceptions of its own.
#pragma once

#include <cassert>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace isotherm {

// Grouped by what the caller should do. docs/errors.md lists which case gives which code.
enum class StatusCode {
  kOk = 0,

  // The request is wrong; the same call will fail again.
  kInvalidArgument,  // a value outside its documented range
  kNotFound,         // the collection, bucket, object or key does not exist
  kAlreadyExists,    // an inserted key, or a collection to be created, exists
  kReadOnly,         // a write on a read-only handle
  kUnsupported,      // future format version or feature; a store that lacks what is needed
  kAccessDenied,     // the credentials are refused, or don't allow this
  kClosed,           // the handle was closed

  // Another writer was faster; reload and try again.
  kConflict,  // the head moved, or a precondition failed
  kFenced,    // this writer's slot was taken over by a newer epoch

  // May work later; nothing was changed.
  kUnavailable,        // network or store failure, after retries
  kResourceExhausted,  // disk full, over the memory budget, over a limit
  kDeadlineExceeded,
  kCancelled,

  // Needs a person.
  kCorruption,  // bytes don't match their checksum or are malformed; names object and offset
  kIoError,     // the operating system refused
  kUnknown,     // a commit whose outcome could not be settled: it may or may not have happened
  kInternal,    // a bug in Isotherm
};

// "InvalidArgument", "NotFound", … ; never null.
const char* StatusCodeName(StatusCode code);

// A code and a message that says what was wrong, with which value, and what would be right.
// Copyable, movable; thread-compatible.
class [[nodiscard]] Status {
 public:
  Status() = default;  // ok
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  static Status Ok() { return {}; }
  static Status InvalidArgument(std::string m) { return {StatusCode::kInvalidArgument, std::move(m)}; }
  static Status NotFound(std::string m) { return {StatusCode::kNotFound, std::move(m)}; }
  static Status AlreadyExists(std::string m) { return {StatusCode::kAlreadyExists, std::move(m)}; }
  static Status ReadOnly(std::string m) { return {StatusCode::kReadOnly, std::move(m)}; }
  static Status Unsupported(std::string m) { return {StatusCode::kUnsupported, std::move(m)}; }
  static Status AccessDenied(std::string m) { return {StatusCode::kAccessDenied, std::move(m)}; }
  static Status Closed(std::string m) { return {StatusCode::kClosed, std::move(m)}; }
  static Status Conflict(std::string m) { return {StatusCode::kConflict, std::move(m)}; }
  static Status Fenced(std::string m) { return {StatusCode::kFenced, std::move(m)}; }
  static Status Unavailable(std::string m) { return {StatusCode::kUnavailable, std::move(m)}; }
  static Status ResourceExhausted(std::string m) { return {StatusCode::kResourceExhausted, std::move(m)}; }
  static Status DeadlineExceeded(std::string m) { return {StatusCode::kDeadlineExceeded, std::move(m)}; }
  static Status Cancelled(std::string m) { return {StatusCode::kCancelled, std::move(m)}; }
  static Status Corruption(std::string m) { return {StatusCode::kCorruption, std::move(m)}; }
  static Status IoError(std::string m) { return {StatusCode::kIoError, std::move(m)}; }
  static Status Unknown(std::string m) { return {StatusCode::kUnknown, std::move(m)}; }
  static Status Internal(std::string m) { return {StatusCode::kInternal, std::move(m)}; }

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }
  // "Corruption: segment-3f…: extent at 4096: …"
  std::string ToString() const;
  // The same code with `context` and ": " before the message; ok stays ok.
  Status WithContext(std::string_view context) const;

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline std::ostream& operator<<(std::ostream& out, const Status& s) { return out << s.ToString(); }

// A T, or the Status that says why there is none. Never holds an ok Status.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    assert(!status_.ok());
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  // Require ok().
  T& value() & {
    assert(ok());
    return *value_;
  }
  const T& value() const& {
    assert(ok());
    return *value_;
  }
  T&& value() && {
    assert(ok());
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace isotherm
