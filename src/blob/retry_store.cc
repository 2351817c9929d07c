#include "blob/retry_store.h"

#include <algorithm>
#include <utility>

#include "base/context_check.h"
#include "base/planted.h"
#include "blob/request_check.h"

namespace isotherm {

namespace {

// The final failure of a Put of which an earlier attempt may have been executed.
Status AfterLostAnswer(const Status& failure, const Status& lost, bool conditional) {
  bool unavailable = failure.code() == StatusCode::kUnavailable;
  if (MayHaveHappened(failure.code()) && !(unavailable && conditional)) return failure;
  return Status::Unknown("this put may or may not have happened: an earlier attempt ended with '" + lost.ToString() +
                         "', the last one with '" + failure.ToString() + "'");
}

}  // namespace

bool IsTransient(StatusCode code) { return code == StatusCode::kUnavailable || code == StatusCode::kUnknown; }

Status Backoff::Pause(const Context& context, const Status& failure) {
  if (attempts_ >= options_.max_attempts) {
    return attempts_ == 1 ? failure : failure.WithContext("after " + std::to_string(attempts_) + " attempts");
  }
  int64_t limit_ns = std::chrono::nanoseconds(options_.max_backoff).count();
  int64_t span_ns = std::chrono::nanoseconds(options_.first_backoff).count();
  for (int i = 1; i < attempts_; ++i) span_ns = span_ns > limit_ns / 2 ? limit_ns : span_ns * 2;
  span_ns = std::clamp<int64_t>(span_ns, 0, limit_ns);
  ++attempts_;

  Clock& clock = *environment_.clock;
  auto pause_ns = static_cast<int64_t>(environment_.random->Next() % (static_cast<uint64_t>(span_ns) + 1));
  const int64_t until_ns = clock.NowNs() + pause_ns;
  if (until_ns >= context.deadline_ns) {
    return Status::DeadlineExceeded("the deadline leaves no time to try again after '" + failure.ToString() + "'");
  }
  Status still_wanted = PauseUntil(context, clock, until_ns, "trying again");
  return still_wanted.ok()
             ? still_wanted
             : Status(still_wanted.code(), still_wanted.message() + " after '" + failure.ToString() + "'");
}

RetryBlobStore::RetryBlobStore(std::shared_ptr<BlobStore> store, std::shared_ptr<Environment> environment,
                               RetryOptions options)
    : store_(std::move(store)), environment_(std::move(environment)), options_(options) {}

Status RetryBlobStore::Pause(Backoff& backoff, const Context& context, const Status& failure, RequestKind kind,
                             size_t requests) {
  Status next = backoff.Pause(context, failure);
  if (!next.ok()) {
    gave_up_ += requests;
    return next;
  }
  retries_[static_cast<int>(kind)] += requests;
  (failure.code() == StatusCode::kUnavailable ? after_unavailable_ : after_unknown_) += requests;
  return next;
}

std::vector<ReadResult> RetryBlobStore::Read(const Context& context, std::span<const ReadRequest> requests) {
  std::vector<ReadResult> results = store_->Read(context, requests);
  Backoff backoff(options_, *environment_);
  while (true) {
    std::vector<size_t> failed;
    for (size_t i = 0; i < results.size(); ++i) {
      if (IsTransient(results[i].status.code())) failed.push_back(i);
    }
    if (failed.empty()) return results;
    Status next = Pause(backoff, context, results[failed.front()].status, RequestKind::kGet, failed.size());
    if (!next.ok()) {
      // Attempts used up: each keeps the reason of its own.
      if (IsTransient(next.code())) return results;
      for (size_t i : failed) results[i].status = next;
      return results;
    }
    std::vector<ReadRequest> again;
    again.reserve(failed.size());
    for (size_t i : failed) again.push_back(requests[i]);
    std::vector<ReadResult> answers = store_->Read(context, again);
    for (size_t i = 0; i < failed.size(); ++i) results[failed[i]] = std::move(answers[i]);
  }
}

Result<std::string> RetryBlobStore::Put(const Context& context, std::string_view name, std::string_view bytes,
                                        const PutCondition& condition) {
  const bool conditional = condition.mode != PutMode::kOverwrite;
  Backoff backoff(options_, *environment_);
  Status lost;  // not ok: the first attempt of this Put that may have been executed
  while (true) {
    Result<std::string> result = store_->Put(context, name, bytes, condition);
    if (result.ok()) return result;
    const Status failure = result.status();
    if (!IsTransient(failure.code())) {
      if (lost.ok()) return failure;
      if (failure.code() == StatusCode::kConflict) ++ambiguous_conflicts_;
      if (failure.code() == StatusCode::kConflict && Planted(Bug::kConflictIsSuccess)) return std::string("?");
      return AfterLostAnswer(failure, lost, conditional);
    }
    bool definite = conditional && options_.unavailable_is_definite && failure.code() == StatusCode::kUnavailable;
    if (!definite && lost.ok()) lost = failure;
    Status next = Pause(backoff, context, failure, RequestKind::kPut, 1);
    if (!next.ok()) return lost.ok() ? next : AfterLostAnswer(next, lost, conditional);
  }
}

// Those that failed are tried again one by one.
std::vector<PutResult> RetryBlobStore::PutAll(const Context& context, std::span<const PutRequest> requests) {
  std::vector<PutResult> results = store_->PutAll(context, requests);
  for (size_t i = 0; i < results.size(); ++i) {
    PutResult& result = results[i];
    if (!IsTransient(result.status.code())) continue;
    const bool conditional = requests[i].condition.mode != PutMode::kOverwrite;
    const bool definite =
        conditional && options_.unavailable_is_definite && result.status.code() == StatusCode::kUnavailable;
    Backoff backoff(options_, *environment_);
    const Status lost = result.status;
    result.status = Pause(backoff, context, lost, RequestKind::kPut, 1);
    if (result.status.ok()) {
      Result<std::string> etag = Put(context, requests[i].name, requests[i].bytes, requests[i].condition);
      result.status = etag.status();
      if (etag.ok()) result.etag = std::move(etag).value();
    }
    if (!result.status.ok() && !definite) result.status = AfterLostAnswer(result.status, lost, conditional);
    result.end_ns = environment_->clock->NowNs();
  }
  return results;
}

Result<std::unique_ptr<BlobWriter>> RetryBlobStore::CreateWriter(const Context& context, std::string_view name) {
  return store_->CreateWriter(context, name);
}

Status RetryBlobStore::Delete(const Context& context, std::string_view name) {
  Backoff backoff(options_, *environment_);
  while (true) {
    Status failure = store_->Delete(context, name);
    if (!IsTransient(failure.code())) return failure;
    if (Status next = Pause(backoff, context, failure, RequestKind::kDelete, 1); !next.ok()) return next;
  }
}

Result<ListPage> RetryBlobStore::List(const Context& context, std::string_view prefix, std::string_view start_after,
                                      size_t limit) {
  Backoff backoff(options_, *environment_);
  while (true) {
    Result<ListPage> page = store_->List(context, prefix, start_after, limit);
    if (!IsTransient(page.status().code())) return page;
    if (Status next = Pause(backoff, context, page.status(), RequestKind::kList, 1); !next.ok()) return next;
  }
}

RetryCounts RetryBlobStore::Counts() const {
  RetryCounts counts;
  for (int kind = 0; kind < kRequestKinds; ++kind) counts.retries[kind] = retries_[kind];
  counts.after_unavailable = after_unavailable_;
  counts.after_unknown = after_unknown_;
  counts.gave_up = gave_up_;
  counts.ambiguous_conflicts = ambiguous_conflicts_;
  return counts;
}

}  // namespace isotherm
