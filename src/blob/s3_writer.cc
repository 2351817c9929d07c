#include "blob/s3_writer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/macros.h"
#include "blob/request_check.h"
#include "blob/s3_xml.h"

namespace isotherm {

namespace {

constexpr size_t kParallelParts = 4;
constexpr size_t kMaxParts = 10'000;  // S3's

}  // namespace

S3Writer::S3Writer(const Context& context, std::string name, std::shared_ptr<S3Client> client)
    : context_(context), name_(std::move(name)), key_(client->KeyOf(name_)), client_(std::move(client)) {}

S3Writer::~S3Writer() {
  // A part that the server is still storing would outlive the abort. Those that were cancelled end without an answer.
  bool all_answered = true;
  for (auto& part : under_way_) {
    all_answered &= part->batch->Wait().front().outcome == HttpOutcome::kAnswered;
  }
  under_way_.clear();
  if (!upload_id_.empty() && !finished_) Abort(all_answered);
}

Status S3Writer::Append(std::string_view bytes) {
  if (finished_) return Status::Closed(client_->Describe(name_) + ": Append after Finish");
  RETURN_IF_ERROR(failure_);
  failure_ = CheckRequest(context_, *client_->environment().clock, "append", name_);
  const size_t part_bytes = client_->options().multipart_part_bytes;
  while (failure_.ok() && !bytes.empty()) {
    // A full buffer is sent only when more follows: what fits one part is one PutObject.
    if (buffer_.size() == part_bytes) failure_ = StartPart();
    if (!failure_.ok()) break;
    size_t count = std::min(bytes.size(), part_bytes - buffer_.size());
    buffer_.append(bytes.substr(0, count));
    bytes.remove_prefix(count);
  }
  return failure_;
}

Result<std::string> S3Writer::Finish() {
  if (finished_) return Status::Closed(client_->Describe(name_) + ": Finish was called before");
  RETURN_IF_ERROR(failure_);
  failure_ = CheckRequest(context_, *client_->environment().clock, "finish", name_);
  RETURN_IF_ERROR(failure_);
  Result<std::string> etag = upload_id_.empty() ? PutWhole() : Complete();
  finished_ = etag.ok();
  failure_ = etag.status();
  return etag;
}

Result<HttpResponse> S3Writer::SendWithRetries(const S3Call& call, std::string_view what) {
  Backoff backoff(client_->options().writer_retry, client_->environment());
  while (true) {
    HttpResponse response = client_->Send(context_, call);
    Status status = StatusOf(response, what);
    if (status.ok()) return response;
    if (!IsTransient(status.code())) return status;
    RETURN_IF_ERROR(backoff.Pause(context_, status));
  }
}

S3Call S3Writer::PartCall(const Part& part) const {
  return {.method = "PUT",
          .key = key_,
          .query = {{"partNumber", std::to_string(part.number)}, {"uploadId", upload_id_}},
          .headers = {},
          .body = part.bytes};
}

Status S3Writer::Begin() {
  const std::string what = "CreateMultipartUpload " + client_->Describe(name_);
  S3Call call{.method = "POST", .key = key_, .query = {{"uploads", ""}}, .headers = {}, .body = {}};
  ASSIGN_OR_RETURN(HttpResponse response, SendWithRetries(call, what));
  std::optional<std::string> id = ParseS3Field(response.body, "InitiateMultipartUploadResult", "UploadId");
  if (!id || id->empty()) return Status::Unsupported(what + ": the answer has no UploadId: is the endpoint S3's?");
  upload_id_ = std::move(*id);
  return Status::Ok();
}

Status S3Writer::StartPart() {
  if (upload_id_.empty()) RETURN_IF_ERROR(Begin());
  while (under_way_.size() >= kParallelParts) RETURN_IF_ERROR(FinishOldestPart());
  auto part = std::make_unique<Part>();
  part->number = etags_.size() + under_way_.size() + 1;
  if (part->number > kMaxParts) {
    return Status::ResourceExhausted(client_->Describe(name_) + ": more than 10,000 parts of " +
                                     std::to_string(client_->options().multipart_part_bytes) +
                                     " bytes: set S3Options::multipart_part_bytes higher");
  }
  part->bytes = std::exchange(buffer_, {});
  std::vector<HttpRequest> requests;
  requests.push_back(client_->Sign(PartCall(*part)));
  part->batch = client_->http().Start(context_, std::move(requests));
  under_way_.push_back(std::move(part));
  return Status::Ok();
}

Status S3Writer::FinishOldestPart() {
  std::unique_ptr<Part> part = std::move(under_way_.front());
  under_way_.pop_front();
  const std::string what = "UploadPart " + std::to_string(part->number) + " of " + client_->Describe(name_);
  HttpResponse response = std::move(part->batch->Wait().front());
  Status status = StatusOf(response, what);
  if (IsTransient(status.code())) {
    ASSIGN_OR_RETURN(response, SendWithRetries(PartCall(*part), what));
  } else {
    RETURN_IF_ERROR(status);
  }
  if (response.etag.empty()) return Status::Unsupported(what + ": the answer has no ETag: is the endpoint S3's?");
  etags_.push_back(response.etag);
  return Status::Ok();
}

Result<std::string> S3Writer::PutWhole() {
  const std::string what = "PUT " + client_->Describe(name_);
  S3Call call{.method = "PUT", .key = key_, .query = {}, .headers = {}, .body = buffer_};
  ASSIGN_OR_RETURN(HttpResponse response, SendWithRetries(call, what));
  return QuotedEtag(response.etag);
}

Result<std::string> S3Writer::Complete() {
  RETURN_IF_ERROR(StartPart());
  while (!under_way_.empty()) RETURN_IF_ERROR(FinishOldestPart());
  std::string body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (size_t i = 0; i < etags_.size(); ++i) {
    body +=
        "<Part><PartNumber>" + std::to_string(i + 1) + "</PartNumber><ETag>" + XmlEscape(etags_[i]) + "</ETag></Part>";
  }
  body += "</CompleteMultipartUpload>";

  const std::string what = "CompleteMultipartUpload " + client_->Describe(name_);
  S3Call call{.method = "POST", .key = key_, .query = {{"uploadId", upload_id_}}, .headers = {}, .body = body};
  Backoff backoff(client_->options().writer_retry, client_->environment());
  Status lost;  // not ok: an attempt before this one may have been executed
  while (true) {
    HttpResponse response = client_->Send(context_, call);
    // S3 may begin to answer 200 before it is done, and then fail.
    if (response.status == 200 && !ParseS3Error(response.body).code.empty()) response.status = 500;
    Status status = StatusOf(response, what);
    if (status.ok()) {
      std::optional<std::string> etag = ParseS3Field(response.body, "CompleteMultipartUploadResult", "ETag");
      if (etag) return QuotedEtag(*etag);
      status = Status::Unavailable(what + ": the answer is not a whole CompleteMultipartUploadResult");
    }
    if (status.code() == StatusCode::kNotFound && !lost.ok()) {
      return Status::Unknown(what + ": the upload is gone after an attempt that ended with '" + lost.ToString() +
                             "': the object may or may not have been published");
    }
    if (!IsTransient(status.code())) return status;
    lost = status;
    RETURN_IF_ERROR(backoff.Pause(context_, status));
  }
}

void S3Writer::Abort(bool all_answered) {
  // Also when the context has run out or was cancelled: this is then the reason to clean up.
  Clock& clock = *client_->environment().clock;
  Context context;
  context.deadline_ns = clock.NowNs() + std::chrono::nanoseconds(client_->options().request_timeout).count();
  const S3Call call{.method = "DELETE", .key = key_, .query = {{"uploadId", upload_id_}}, .headers = {}, .body = {}};
  Backoff backoff(client_->options().writer_retry, client_->environment());
  while (true) {
    Status status = StatusOf(client_->Send(context, call), "AbortMultipartUpload " + client_->Describe(name_));
    // A part that lands now makes the upload come back on some servers: until it is not found, it is aborted again.
    if (!status.ok() || all_answered || !backoff.Pause(context, status).ok()) return;
  }
}

}  // namespace isotherm
