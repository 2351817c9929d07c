// HTTP/1.1 over libcurl: many requests at a time, from any thread, on a bounded number of kept connections.
//
// One thread drives one curl multi handle, so that all callers share its connections and the bound holds for all of
// them together (curl's own sharing of connections between handles is not thread-safe). Callers sign and hash on their
// own threads and sleep until their batch is answered.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/environment.h"
#include "isotherm/context.h"

namespace isotherm {

struct HttpRequest {
  std::string method;
  std::string url;                   // sent as it is: no dot segments are removed
  std::vector<std::string> headers;  // "name: value"
  std::string_view body;             // of PUT and POST; must stay until the batch is waited for
  // A kept connection may turn out dead only after the request was written to it. True: it is then sent again on a
  // fresh one. False: it is not, unless no byte of the body had left; the server may have executed it.
  bool repeatable = true;
  // Requests of one batch that are not 0 and the same: when one of them has a good answer the others are given up.
  uint32_t alternative = 0;
};

enum class HttpOutcome : uint8_t {
  kAnswered,   // status and body are there, whole as Content-Length says
  kNotSent,    // no connection: the server certainly has not seen it
  kUntrusted,  // nor here: the server's certificate was refused
  kLost,       // sent, at least in part, but no whole answer came
  kDeadline,   // the context's; it may have been sent
  kCancelled,  // by the context, by Abandon, or since an alternative was answered; it may have been sent
};

struct HttpResponse {
  HttpOutcome outcome = HttpOutcome::kNotSent;
  int status = 0;     // HTTP's
  std::string error;  // when not kAnswered: why, in words
  std::string body;
  std::string etag;
  std::string content_range;
  std::string bucket_region;  // x-amz-bucket-region
  int64_t start_ns = 0;       // handed to curl (which connects first where it must), after any wait for a connection
  int64_t end_ns = 0;
};

// Requests under way. Not thread-safe, but for Abandon.
class HttpBatch {
 public:
  ~HttpBatch();  // abandons what is not done, and waits for that
  HttpBatch(const HttpBatch&) = delete;
  HttpBatch& operator=(const HttpBatch&) = delete;

  // responses[i] answers requests[i]. To be called once.
  std::vector<HttpResponse> Wait();
  // Ends what is not done, soon, as kCancelled.
  void Abandon();

 private:
  friend class HttpClient;
  struct State;
  explicit HttpBatch(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

struct HttpClientOptions {
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds idle_timeout{30'000};  // without a byte sent or received
  size_t max_connections = 64;
  std::string ca_file;
  std::vector<std::string> resolve;  // as CURLOPT_RESOLVE takes them
};

// Thread-safe. A child of fork() must not use it.
class HttpClient {
 public:
  HttpClient(const HttpClientOptions& options, std::shared_ptr<Environment> environment);
  ~HttpClient();  // all batches are done
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // What `context` points at must stay until the batch is waited for.
  std::unique_ptr<HttpBatch> Start(const Context& context, std::vector<HttpRequest> requests);

 private:
  struct Transfer;
  class Loop;
  friend class HttpBatch;

  std::unique_ptr<Loop> loop_;
};

}  // namespace isotherm
