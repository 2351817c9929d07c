#include "blob/latency_store.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <utility>

#include "base/context_check.h"
#include "base/macros.h"
#include "base/sync.h"

namespace isotherm {

namespace {

constexpr double kNormalP99 = 2.3263478740408408;  // the 99th percentile of the standard normal distribution
constexpr size_t kPartBytes = size_t{8} << 20;
// How late a cancellation may be noticed.
constexpr int64_t kCancelCheckNs = 1'000'000;

struct Interval {
  int64_t start_ns;
  int64_t end_ns;
};

double StandardNormal(Random& random) {
  double radius = std::sqrt(-2 * std::log(1 - UniformDouble(random)));  // Box and Muller, 1958
  return radius * std::cos(2 * std::numbers::pi * UniformDouble(random));
}

// Requests that the store below refused to send took no time.
bool WasSent(StatusCode code) { return code != StatusCode::kCancelled && code != StatusCode::kDeadlineExceeded; }

}  // namespace

LatencyProfile LatencyProfile::Fixed(std::chrono::nanoseconds delay) {
  double ms = std::chrono::duration<double, std::milli>(delay).count();
  return {"fixed", ms, ms, ms, ms, 0};
}

std::string LatencyProfile::Describe() const {
  char text[200];
  std::snprintf(text, sizeof(text), "%s: GET p50 %g ms, p99 %g ms; PUT p50 %g ms, p99 %g ms; ", name.c_str(),
                get_p50_ms, get_p99_ms, put_p50_ms, put_p99_ms);
  std::string result = text;
  if (mb_per_s == 0) return result + "no limit on bytes";
  std::snprintf(text, sizeof(text), "%g MB/s a connection", mb_per_s);
  return result + text;
}

// Thread-safe.
class LatencyBlobStore::Model {
 public:
  Model(std::shared_ptr<Environment> environment, const LatencyOptions& options)
      : environment_(std::move(environment)),
        profile_(options.profile),
        random_(options.seed),
        free_at_ns_(std::max<size_t>(options.max_connections, 1), 0) {}

  int64_t NowNs() { return environment_->clock->NowNs(); }

  Interval Get(int64_t now_ns, uint64_t bytes) {
    return Occupy(now_ns, DrawNs(profile_.get_p50_ms, profile_.get_p99_ms, bytes));
  }

  Interval Put(int64_t now_ns, uint64_t bytes) {
    return Occupy(now_ns, DrawNs(profile_.put_p50_ms, profile_.put_p99_ms, bytes));
  }

  // Create, all parts side by side, complete.
  Interval MultipartPut(int64_t now_ns, uint64_t bytes) {
    if (bytes <= kPartBytes) return Put(now_ns, bytes);
    Interval whole = Put(now_ns, 0);
    int64_t created_ns = whole.end_ns;
    for (uint64_t sent = 0; sent < bytes; sent += kPartBytes) {
      whole.end_ns = std::max(whole.end_ns, Put(created_ns, std::min<uint64_t>(kPartBytes, bytes - sent)).end_ns);
    }
    whole.end_ns = Put(whole.end_ns, 0).end_ns;
    return whole;
  }

  // ok at `until_ns`; why not, when the context ended before.
  Status Sleep(const Context& context, int64_t until_ns) {
    Clock& clock = *environment_->clock;
    for (int64_t now_ns = clock.NowNs(); now_ns < until_ns; now_ns = clock.NowNs()) {
      RETURN_IF_ERROR(CheckContext(context, clock, "request"));
      int64_t wake_ns = std::min(until_ns, context.deadline_ns);
      if (context.cancel != nullptr) wake_ns = std::min(wake_ns, now_ns + kCancelCheckNs);
      clock.SleepUntilNs(wake_ns);
    }
    return Status::Ok();
  }

 private:
  int64_t DrawNs(double p50_ms, double p99_ms, uint64_t bytes) {
    double ms = p50_ms;
    if (p99_ms > p50_ms) ms *= std::exp(StandardNormal(random_) * std::log(p99_ms / p50_ms) / kNormalP99);
    if (profile_.mb_per_s > 0) ms += static_cast<double>(bytes) / (profile_.mb_per_s * 1e3);
    return std::llround(ms * 1e6);
  }

  // On the connection that is free first.
  Interval Occupy(int64_t now_ns, int64_t duration_ns) {
    std::lock_guard lock(mutex_);
    auto first = std::min_element(free_at_ns_.begin(), free_at_ns_.end());
    int64_t start_ns = std::max(now_ns, *first);
    *first = start_ns + duration_ns;
    return {start_ns, *first};
  }

  const std::shared_ptr<Environment> environment_;
  const LatencyProfile profile_;
  SeededRandom random_;
  Mutex mutex_;
  std::vector<int64_t> free_at_ns_;  // by connection
};

class LatencyBlobStore::Writer : public BlobWriter {
 public:
  Writer(const Context& context, std::unique_ptr<BlobWriter> writer, std::shared_ptr<Model> model)
      : context_(context), writer_(std::move(writer)), model_(std::move(model)) {}

  Status Append(std::string_view bytes) override {
    bytes_ += bytes.size();
    return writer_->Append(bytes);
  }

  Result<std::string> Finish() override {
    int64_t now_ns = model_->NowNs();
    Result<std::string> etag = writer_->Finish();
    if (!WasSent(etag.status().code())) return etag;
    RETURN_IF_ERROR(model_->Sleep(context_, model_->MultipartPut(now_ns, bytes_).end_ns));
    return etag;
  }

 private:
  const Context context_;
  const std::unique_ptr<BlobWriter> writer_;
  const std::shared_ptr<Model> model_;
  uint64_t bytes_ = 0;
};

LatencyBlobStore::LatencyBlobStore(std::shared_ptr<BlobStore> store, std::shared_ptr<Environment> environment,
                                   LatencyOptions options)
    : store_(std::move(store)), model_(std::make_shared<Model>(std::move(environment), options)) {}

std::vector<ReadResult> LatencyBlobStore::Read(const Context& context, std::span<const ReadRequest> requests) {
  int64_t now_ns = model_->NowNs();
  std::vector<ReadResult> results = store_->Read(context, requests);
  int64_t last_ns = now_ns;
  for (ReadResult& result : results) {
    if (!WasSent(result.status.code())) continue;
    Interval modelled = model_->Get(now_ns, result.data.size());
    result.start_ns = modelled.start_ns;
    result.end_ns = std::max(modelled.end_ns, result.end_ns);
    last_ns = std::max(last_ns, result.end_ns);
  }
  Status ended = model_->Sleep(context, last_ns);
  if (ended.ok()) return results;
  now_ns = model_->NowNs();
  for (ReadResult& result : results) {
    if (result.end_ns <= now_ns) continue;
    int64_t start_ns = std::min(result.start_ns, now_ns);
    result = ReadResult{.status = ended, .data = {}, .etag = {}, .start_ns = start_ns, .end_ns = now_ns};
  }
  return results;
}

Result<std::string> LatencyBlobStore::Put(const Context& context, std::string_view name, std::string_view bytes,
                                          const PutCondition& condition) {
  int64_t now_ns = model_->NowNs();
  Result<std::string> etag = store_->Put(context, name, bytes, condition);
  if (!WasSent(etag.status().code())) return etag;
  RETURN_IF_ERROR(model_->Sleep(context, model_->Put(now_ns, bytes.size()).end_ns));
  return etag;
}

std::vector<PutResult> LatencyBlobStore::PutAll(const Context& context, std::span<const PutRequest> requests) {
  const int64_t now_ns = model_->NowNs();
  std::vector<PutResult> results = store_->PutAll(context, requests);
  int64_t last_ns = now_ns;
  for (size_t i = 0; i < results.size(); ++i) {
    PutResult& result = results[i];
    if (!WasSent(result.status.code())) continue;
    Interval modelled = model_->Put(now_ns, requests[i].bytes.size());
    for (result.requests = 1; result.requests < requests[i].copies; ++result.requests) {
      const Interval other = model_->Put(now_ns, requests[i].bytes.size());
      if (other.end_ns < modelled.end_ns) modelled = other;
    }
    result.start_ns = modelled.start_ns;
    result.end_ns = std::max(modelled.end_ns, result.end_ns);
    last_ns = std::max(last_ns, result.end_ns);
  }
  const Status ended = model_->Sleep(context, last_ns);
  if (ended.ok()) return results;
  const int64_t ended_ns = model_->NowNs();
  for (PutResult& result : results) {
    if (result.end_ns <= ended_ns) continue;
    result = {.status = ended,
              .etag = {},
              .start_ns = std::min(result.start_ns, ended_ns),
              .end_ns = ended_ns,
              .requests = result.requests};
  }
  return results;
}

Result<std::unique_ptr<BlobWriter>> LatencyBlobStore::CreateWriter(const Context& context, std::string_view name) {
  ASSIGN_OR_RETURN(std::unique_ptr<BlobWriter> writer, store_->CreateWriter(context, name));
  return std::unique_ptr<BlobWriter>(std::make_unique<Writer>(context, std::move(writer), model_));
}

Status LatencyBlobStore::Delete(const Context& context, std::string_view name) {
  int64_t now_ns = model_->NowNs();
  Status status = store_->Delete(context, name);
  if (!WasSent(status.code())) return status;
  RETURN_IF_ERROR(model_->Sleep(context, model_->Put(now_ns, 0).end_ns));
  return status;
}

Result<ListPage> LatencyBlobStore::List(const Context& context, std::string_view prefix, std::string_view start_after,
                                        size_t limit) {
  int64_t now_ns = model_->NowNs();
  Result<ListPage> page = store_->List(context, prefix, start_after, limit);
  if (!WasSent(page.status().code())) return page;
  RETURN_IF_ERROR(model_->Sleep(context, model_->Get(now_ns, 0).end_ns));
  return page;
}

}  // namespace isotherm
