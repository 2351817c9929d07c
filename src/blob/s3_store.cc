#include "blob/s3_store.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "base/macros.h"
#include "blob/request_check.h"
#include "blob/s3_client.h"
#include "blob/s3_error.h"
#include "blob/s3_writer.h"
#include "blob/s3_xml.h"

namespace isotherm {

namespace {

constexpr size_t kMaxKeysOfPage = 1000;           // S3's
constexpr size_t kMaxPutBytes = size_t{5} << 30;  // S3's, of one PutObject
constexpr size_t kMaxKeyBytes = 1024;             // S3's, prefix included

struct ContentRange {
  uint64_t first = 0;
  uint64_t last = 0;
  uint64_t object_size = 0;
};

// "bytes 0-9/100"
std::optional<ContentRange> ParseContentRange(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  if (!text.starts_with(kUnit)) return std::nullopt;
  const char* at = text.data() + kUnit.size();
  const char* end = text.data() + text.size();
  ContentRange range;
  auto number = [&](uint64_t& value, char separator) {
    auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc()) return false;
    at = next;
    if (separator == 0) return at == end;
    return at != end && *at++ == separator;
  };
  bool ok = number(range.first, '-') && number(range.last, '/') && number(range.object_size, 0);
  if (!ok || range.last < range.first || range.last >= range.object_size) return std::nullopt;
  return range;
}

// Fills `result` from the answer to a read of `range`, which S3 gave with 206.
Status TakeRange(HttpResponse& response, const ByteRange& range, const std::string& what, ReadResult& result) {
  std::optional<ContentRange> got = ParseContentRange(response.content_range);
  uint64_t expected = got ? std::min(range.length, got->object_size - std::min(range.offset, got->object_size)) : 0;
  if (!got || got->first != range.offset || got->last - got->first + 1 != expected ||
      response.body.size() != expected) {
    return Status::Unavailable(what + ": asked for " + std::to_string(range.length) + " bytes at " +
                               std::to_string(range.offset) + ", got " + std::to_string(response.body.size()) +
                               " bytes as Content-Range '" + response.content_range + "'");
  }
  result.object_size = got->object_size;
  result.data = std::move(response.body);
  return Status::Ok();
}

// The same of the whole object, which is also what a server that ignores Range answers.
Status TakeWhole(HttpResponse& response, const std::optional<ByteRange>& range, std::string_view name,
                 ReadResult& result) {
  result.object_size = response.body.size();
  result.data = std::move(response.body);
  if (!range) return Status::Ok();
  ASSIGN_OR_RETURN(ByteRange clipped, ClipRange(*range, result.object_size, name));
  result.data = result.data.substr(clipped.offset, clipped.length);
  return Status::Ok();
}

class S3Store : public BlobStore {
 public:
  explicit S3Store(std::shared_ptr<S3Client> client) : client_(std::move(client)) {}

  std::vector<ReadResult> Read(const Context& context, std::span<const ReadRequest> requests) override;
  Result<std::string> Put(const Context& context, std::string_view name, std::string_view bytes,
                          const PutCondition& condition) override;
  std::vector<PutResult> PutAll(const Context& context, std::span<const PutRequest> requests) override;
  Result<std::unique_ptr<BlobWriter>> CreateWriter(const Context& context, std::string_view name) override;
  Status Delete(const Context& context, std::string_view name) override;
  Result<ListPage> List(const Context& context, std::string_view prefix, std::string_view start_after,
                        size_t limit) override;
  std::string Describe() const override { return client_->Describe({}); }

 private:
  Clock& clock() const { return *client_->environment().clock; }
  Status Check(const Context& context, std::string_view operation, std::string_view name) const;
  S3Call ReadCall(const ReadRequest& request) const;
  Result<S3Call> PutCall(const Context& context, std::string_view name, std::string_view bytes,
                         const PutCondition& condition) const;
  Result<std::string> PutAnswer(const HttpResponse& response, std::string_view name, bool conditional) const;
  void TakeAnswer(HttpResponse response, const ReadRequest& request, ReadResult& result) const;
  // One ListObjectsV2.
  Result<S3ListAnswer> ListOnce(const Context& context, NameValues query);

  const std::shared_ptr<S3Client> client_;
};

Status S3Store::Check(const Context& context, std::string_view operation, std::string_view name) const {
  RETURN_IF_ERROR(CheckRequest(context, clock(), operation, name));
  if (client_->KeyOf(name).size() <= kMaxKeyBytes) return Status::Ok();
  return Status::InvalidArgument(client_->Describe(name) + ": with the store's prefix the key has more than " +
                                 std::to_string(kMaxKeyBytes) + " bytes");
}

S3Call S3Store::ReadCall(const ReadRequest& request) const {
  S3Call call{.method = "GET", .key = client_->KeyOf(request.name), .query = {}, .headers = {}, .body = {}};
  if (request.range) {
    // Servers count in signed 64-bit numbers.
    constexpr uint64_t kLastByte = std::numeric_limits<int64_t>::max();
    const ByteRange& range = *request.range;
    uint64_t last = range.length - 1 > kLastByte - range.offset ? kLastByte : range.offset + range.length - 1;
    call.headers.emplace_back("range", "bytes=" + std::to_string(range.offset) + "-" + std::to_string(last));
  }
  if (!request.if_match.empty()) call.headers.emplace_back("if-match", request.if_match);
  return call;
}

void S3Store::TakeAnswer(HttpResponse response, const ReadRequest& request, ReadResult& result) const {
  const std::string what = "GET " + client_->Describe(request.name);
  result.start_ns = response.start_ns;
  result.end_ns = response.end_ns;
  result.status = StatusOf(response, what);
  if (!result.status.ok()) return;
  result.etag = response.etag.empty() ? std::string() : QuotedEtag(response.etag);
  result.status = request.range && response.status == 206 ? TakeRange(response, *request.range, what, result)
                                                          : TakeWhole(response, request.range, request.name, result);
  if (!result.status.ok()) result.data.clear();
}

std::vector<ReadResult> S3Store::Read(const Context& context, std::span<const ReadRequest> requests) {
  std::vector<ReadResult> results(requests.size());
  std::vector<HttpRequest> calls;
  std::vector<size_t> sent;
  for (size_t i = 0; i < requests.size(); ++i) {
    const ReadRequest& request = requests[i];
    ReadResult& result = results[i];
    result.start_ns = result.end_ns = clock().NowNs();
    result.status = Check(context, "read", request.name);
    constexpr uint64_t kMaxOffset = std::numeric_limits<int64_t>::max();
    if (result.status.ok() && request.range && (request.range->length == 0 || request.range->offset > kMaxOffset)) {
      result.status = ClipRange(*request.range, 0, request.name).status();
    }
    if (!result.status.ok()) continue;
    calls.push_back(client_->Sign(ReadCall(request)));
    sent.push_back(i);
  }
  std::vector<HttpResponse> answers = client_->http().Start(context, std::move(calls))->Wait();
  for (size_t i = 0; i < sent.size(); ++i) TakeAnswer(std::move(answers[i]), requests[sent[i]], results[sent[i]]);
  return results;
}

Result<S3Call> S3Store::PutCall(const Context& context, std::string_view name, std::string_view bytes,
                                const PutCondition& condition) const {
  RETURN_IF_ERROR(Check(context, "put", name));
  if (bytes.size() > kMaxPutBytes) {
    return Status::InvalidArgument(client_->Describe(name) + ": one PUT takes at most 5 GiB, not " +
                                   std::to_string(bytes.size()) + " bytes: use CreateWriter");
  }
  const bool conditional = condition.mode != PutMode::kOverwrite;
  S3Call call{.method = "PUT",
              .key = client_->KeyOf(name),
              .query = {},
              .headers = {},
              .body = bytes,
              .repeatable = !conditional};
  if (condition.mode == PutMode::kIfAbsent) call.headers.emplace_back("if-none-match", "*");
  if (condition.mode == PutMode::kIfMatch) call.headers.emplace_back("if-match", QuotedEtag(condition.etag));
  return call;
}

Result<std::string> S3Store::PutAnswer(const HttpResponse& response, std::string_view name, bool conditional) const {
  const std::string what = "PUT " + client_->Describe(name);
  RETURN_IF_ERROR(StatusOf(response, what, conditional ? S3Effect::kConditionalPut : S3Effect::kRepeatable));
  if (response.etag.empty()) return Status::Unknown(what + ": the answer has no ETag: is the endpoint S3's?");
  return QuotedEtag(response.etag);
}

Result<std::string> S3Store::Put(const Context& context, std::string_view name, std::string_view bytes,
                                 const PutCondition& condition) {
  ASSIGN_OR_RETURN(S3Call call, PutCall(context, name, bytes, condition));
  return PutAnswer(client_->Send(context, call), name, condition.mode != PutMode::kOverwrite);
}

// Of the answers to copies of one put the first good one counts, and without one what leaves open whether it happened.
bool TellsMore(const Status& answer, const Status& before) {
  auto rank = [](const Status& status) {
    if (status.ok()) return 3;
    if (status.code() == StatusCode::kUnknown) return 2;
    return MayHaveHappened(status.code()) ? 1 : 0;
  };
  return rank(answer) > rank(before);
}

std::vector<PutResult> S3Store::PutAll(const Context& context, std::span<const PutRequest> requests) {
  std::vector<PutResult> results(requests.size());
  std::vector<HttpRequest> calls;
  std::vector<size_t> sent;
  for (size_t i = 0; i < requests.size(); ++i) {
    results[i].start_ns = results[i].end_ns = clock().NowNs();
    Result<S3Call> call = PutCall(context, requests[i].name, requests[i].bytes, requests[i].condition);
    results[i].status = call.status();
    if (!call.ok()) continue;
    calls.push_back(client_->Sign(*call));
    calls.back().alternative = static_cast<uint32_t>(i) + 1;
    sent.push_back(i);
    results[i].requests = 1;
    for (; results[i].requests < requests[i].copies; ++results[i].requests) {
      calls.push_back(calls.back());
      sent.push_back(i);
    }
  }
  std::vector<HttpResponse> answers = client_->http().Start(context, std::move(calls))->Wait();
  for (size_t i = 0; i < sent.size(); ++i) {
    PutResult& result = results[sent[i]];
    const PutRequest& request = requests[sent[i]];
    Result<std::string> etag = PutAnswer(answers[i], request.name, request.condition.mode != PutMode::kOverwrite);
    const bool first = i == 0 || sent[i - 1] != sent[i];
    if (!first && !TellsMore(etag.status(), result.status)) continue;
    result.status = etag.status();
    if (etag.ok()) result.etag = std::move(etag).value();
    result.start_ns = answers[i].start_ns;
    result.end_ns = answers[i].end_ns;
  }
  return results;
}

Result<std::unique_ptr<BlobWriter>> S3Store::CreateWriter(const Context& context, std::string_view name) {
  RETURN_IF_ERROR(Check(context, "put", name));
  return std::unique_ptr<BlobWriter>(std::make_unique<S3Writer>(context, std::string(name), client_));
}

Status S3Store::Delete(const Context& context, std::string_view name) {
  RETURN_IF_ERROR(Check(context, "delete", name));
  HttpResponse response =
      client_->Send(context, {.method = "DELETE", .key = client_->KeyOf(name), .query = {}, .headers = {}, .body = {}});
  Status status = StatusOf(response, "DELETE " + client_->Describe(name));
  if (status.code() != StatusCode::kNotFound) return status;
  // S3 answers 204 for a missing object, other servers 404.
  const std::string code = ParseS3Error(response.body).code;
  return code == "NoSuchKey" || code.empty() ? Status::Ok() : status;
}

Result<S3ListAnswer> S3Store::ListOnce(const Context& context, NameValues query) {
  query.emplace_back("list-type", "2");
  HttpResponse response =
      client_->Send(context, {.method = "GET", .key = {}, .query = std::move(query), .headers = {}, .body = {}});
  const std::string what = "LIST " + client_->Describe({});
  RETURN_IF_ERROR(StatusOf(response, what));
  Result<S3ListAnswer> answer = ParseS3List(response.body);
  if (!answer.ok()) return answer.status().WithContext(what);
  return answer;
}

Result<ListPage> S3Store::List(const Context& context, std::string_view prefix, std::string_view start_after,
                               size_t limit) {
  RETURN_IF_ERROR(CheckList(context, clock(), prefix, limit));
  const std::string root = client_->KeyOf({});
  NameValues query = {{"prefix", root + std::string(prefix)},
                      {"max-keys", std::to_string(std::min(limit, kMaxKeysOfPage))}};
  NameValues first = query;
  if (!start_after.empty()) first.emplace_back("start-after", root + std::string(start_after));
  ASSIGN_OR_RETURN(S3ListAnswer answer, ListOnce(context, first));
  ListPage page;
  while (true) {
    for (ListEntry& entry : answer.entries) {
      if (!entry.name.starts_with(root)) continue;
      entry.name.erase(0, root.size());
      // Others may keep keys here that are no names, such as "folder/".
      if (ValidateObjectName(entry.name).ok()) page.entries.push_back(std::move(entry));
    }
    page.more = answer.truncated;
    // The caller continues behind the last entry: there must be one.
    if (!page.more || !page.entries.empty()) return page;
    NameValues next = query;
    next.emplace_back("continuation-token", answer.next_token);
    ASSIGN_OR_RETURN(answer, ListOnce(context, next));
  }
}

}  // namespace

Result<std::shared_ptr<BlobStore>> OpenS3Store(const S3Options& options, std::shared_ptr<Environment> environment) {
  ASSIGN_OR_RETURN(S3Options resolved, ResolveS3Options(options));
  ASSIGN_OR_RETURN(S3Address address, AddressOf(resolved));
  auto client = std::make_shared<S3Client>(resolved, std::move(address), std::move(environment));
  return std::shared_ptr<BlobStore>(std::make_shared<S3Store>(std::move(client)));
}

}  // namespace isotherm
