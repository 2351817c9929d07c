#include "blob/s3_http.h"

#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace isotherm {

namespace {

// How soon deadlines, cancellation and stalls are noticed while a request is under way.
constexpr int kCheckMs = 20;
// An idle loop sleeps until it is woken.
constexpr int kIdleMs = 60'000;
constexpr long kBufferBytes = 128 * 1024;
// No answer's length is believed further than this before its bytes are there.
constexpr uint64_t kMaxReserveBytes = uint64_t{64} << 20;

// curl_global_init once in the process, before the first handle. Never undone: other users of curl may remain.
void InitialiseCurl() {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)initialised;
}

std::string HeaderOf(CURL* easy, const char* name) {
  curl_header* header = nullptr;
  if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK) return {};
  return header->value;
}

}  // namespace

struct HttpClient::Transfer {
  const HttpRequest* request = nullptr;
  HttpResponse* response = nullptr;
  HttpBatch::State* batch = nullptr;
  Clock* clock = nullptr;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  size_t sent = 0;         // of the body
  bool head_done = false;  // the answer's, up to its empty line
  bool given_up = false;   // an alternative has a good answer
  int64_t last_progress_ns = 0;
  char error[CURL_ERROR_SIZE] = "";
};

struct HttpBatch::State {
  Context context;
  std::vector<HttpRequest> requests;
  std::vector<HttpResponse> responses;
  std::vector<HttpClient::Transfer> transfers;
  std::atomic<bool> abandoned{false};

  std::mutex mutex;
  std::condition_variable done;
  size_t pending = 0;
  // The loop's own reference, dropped with the last answer: a batch's owner may be gone before the loop has let go.
  std::shared_ptr<State> keep_alive;
};

// Everything that touches curl. All but Push and Stop runs on its thread.
class HttpClient::Loop {
 public:
  Loop(HttpClientOptions options, std::shared_ptr<Environment> environment)
      : options_(std::move(options)), environment_(std::move(environment)), clock_(*environment_->clock) {
    InitialiseCurl();
    multi_ = curl_multi_init();
    const long connections = static_cast<long>(options_.max_connections);
    curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, connections);
    curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    for (const std::string& entry : options_.resolve) resolve_ = curl_slist_append(resolve_, entry.c_str());
    thread_ = std::thread([this] { Run(); });
  }

  ~Loop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    curl_multi_wakeup(multi_);
    thread_.join();
    for (CURL* easy : idle_) curl_easy_cleanup(easy);
    curl_multi_cleanup(multi_);
    curl_slist_free_all(resolve_);
  }

  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void Push(HttpBatch::State& batch) {
    {
      std::lock_guard lock(mutex_);
      for (Transfer& transfer : batch.transfers) queue_.push_back(&transfer);
    }
    curl_multi_wakeup(multi_);
  }

  Clock& clock() { return clock_; }

 private:
  void Run();
  // Moves queued requests to curl while there are connections for them.
  void Admit();
  void Configure(Transfer& transfer);
  // Completes what curl is done with; whether there was any.
  bool Reap();
  // Gives up what is the same request.
  static void GiveUpAlternatives(const Transfer& answered);
  // Ends what ran past its deadline, was cancelled, or stalled.
  void Sweep();
  HttpOutcome OutcomeOf(const Transfer& transfer, CURLcode code);
  // Whether what curl calls a success is a whole answer: it takes a connection that is closed within the head for the
  // end of an answer, and one that is closed within a body of unknown length too.
  static bool IsWhole(const Transfer& transfer);
  void Complete(Transfer& transfer, HttpOutcome outcome, std::string error);
  // Frees its handle, and takes it out of active_.
  void Detach(Transfer& transfer);

  static size_t OnHead(char* bytes, size_t size, size_t count, void* user);
  static size_t OnBody(char* bytes, size_t size, size_t count, void* user);
  static size_t OnSend(char* buffer, size_t size, size_t count, void* user);
  static int OnRewind(void* user, curl_off_t offset, int origin);

  const HttpClientOptions options_;
  const std::shared_ptr<Environment> environment_;
  Clock& clock_;
  CURLM* multi_ = nullptr;
  curl_slist* resolve_ = nullptr;

  std::mutex mutex_;
  std::deque<Transfer*> queue_;
  bool stopping_ = false;

  // The thread's own.
  std::deque<Transfer*> waiting_;
  std::vector<Transfer*> active_;
  std::vector<CURL*> idle_;
  std::thread thread_;
};

void HttpClient::Loop::Run() {
  // A peer that is gone is an error code here, never a signal.
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  while (true) {
    {
      std::lock_guard lock(mutex_);
      waiting_.insert(waiting_.end(), queue_.begin(), queue_.end());
      queue_.clear();
      if (stopping_ && waiting_.empty() && active_.empty()) return;
    }
    Admit();
    int running = 0;
    curl_multi_perform(multi_, &running);
    bool progress = Reap();
    Sweep();
    if (progress && !waiting_.empty()) continue;
    curl_multi_poll(multi_, nullptr, 0, active_.empty() && waiting_.empty() ? kIdleMs : kCheckMs, nullptr);
  }
}

void HttpClient::Loop::Admit() {
  while (!waiting_.empty() && active_.size() < options_.max_connections) {
    Transfer& transfer = *waiting_.front();
    waiting_.pop_front();
    transfer.response->start_ns = clock_.NowNs();
    transfer.last_progress_ns = transfer.response->start_ns;
    if (idle_.empty()) {
      transfer.easy = curl_easy_init();
    } else {
      transfer.easy = idle_.back();
      idle_.pop_back();
    }
    Configure(transfer);
    active_.push_back(&transfer);
    curl_multi_add_handle(multi_, transfer.easy);
  }
}

void HttpClient::Loop::Configure(Transfer& transfer) {
  const HttpRequest& request = *transfer.request;
  CURL* easy = transfer.easy;
  for (const std::string& header : request.headers) {
    transfer.headers = curl_slist_append(transfer.headers, header.c_str());
  }
  // Sends a body at once instead of asking first: a refused one costs bandwidth, an accepted one saves a round trip.
  transfer.headers = curl_slist_append(transfer.headers, "Expect:");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.headers);
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, kBufferBytes);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer.error);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Loop::OnHead);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Loop::OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  if (!options_.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
  if (resolve_ != nullptr) curl_easy_setopt(easy, CURLOPT_RESOLVE, resolve_);
  if (request.method == "PUT" || request.method == "POST") {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, kBufferBytes);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, &Loop::OnSend);
    curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, &Loop::OnRewind);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, &transfer);
    // curl repeats a request on its own when a kept connection dies before the answer, and asks OnRewind only if it has
    // sent some of the body. Nothing of an empty one: such a request gets a connection of its own, which is never
    // repeated.
    if (!request.repeatable && request.body.empty()) curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

size_t HttpClient::Loop::OnHead(char* bytes, size_t size, size_t count, void* user) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  // Once a line. Interim answers (1xx) have heads of their own, before the answer's.
  std::string_view line(bytes, size * count);
  transfer.head_done = line == "\r\n" || line == "\n";
  transfer.last_progress_ns = transfer.clock->NowNs();
  return size * count;
}

size_t HttpClient::Loop::OnBody(char* bytes, size_t size, size_t count, void* user) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  std::string& body = transfer.response->body;
  if (body.empty()) {
    curl_off_t length = 0;
    curl_easy_getinfo(transfer.easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (length > 0) body.reserve(std::min(static_cast<uint64_t>(length), kMaxReserveBytes));
  }
  body.append(bytes, size * count);
  transfer.last_progress_ns = transfer.clock->NowNs();
  return size * count;
}

size_t HttpClient::Loop::OnSend(char* buffer, size_t size, size_t count, void* user) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  std::string_view rest = transfer.request->body.substr(transfer.sent);
  size_t bytes = std::min(size * count, rest.size());
  std::memcpy(buffer, rest.data(), bytes);
  transfer.sent += bytes;
  transfer.last_progress_ns = transfer.clock->NowNs();
  return bytes;
}

int HttpClient::Loop::OnRewind(void* user, curl_off_t offset, int origin) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  if (!transfer.request->repeatable || offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_FAIL;
  transfer.sent = 0;
  return CURL_SEEKFUNC_OK;
}

bool HttpClient::Loop::Reap() {
  bool any = false;
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    any = true;
    CURLcode code = message->data.result;
    char* user = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &user);
    Transfer& transfer = *reinterpret_cast<Transfer*>(user);
    HttpOutcome outcome = OutcomeOf(transfer, code);
    if (outcome == HttpOutcome::kAnswered && !IsWhole(transfer)) outcome = HttpOutcome::kLost;
    std::string error;
    if (outcome == HttpOutcome::kAnswered) {
      long status = 0;
      curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
      transfer.response->status = static_cast<int>(status);
      transfer.response->etag = HeaderOf(transfer.easy, "ETag");
      transfer.response->content_range = HeaderOf(transfer.easy, "Content-Range");
      transfer.response->bucket_region = HeaderOf(transfer.easy, "x-amz-bucket-region");
      if (status / 100 == 2) GiveUpAlternatives(transfer);
    } else if (code == CURLE_OK) {
      error = "the connection was closed within the answer";
    } else if (code == CURLE_SEND_FAIL_REWIND) {  // OnRewind refused
      error = "the server closed the kept connection before it answered";
    } else {
      error = transfer.error[0] != 0 ? transfer.error : curl_easy_strerror(code);
    }
    Complete(transfer, outcome, std::move(error));
  }
  return any;
}

void HttpClient::Loop::GiveUpAlternatives(const Transfer& answered) {
  if (answered.request->alternative == 0) return;
  for (Transfer& other : answered.batch->transfers) {
    if (other.request->alternative == answered.request->alternative) other.given_up = true;
  }
}

bool HttpClient::Loop::IsWhole(const Transfer& transfer) {
  if (!transfer.head_done) return false;
  curl_off_t length = -1;
  curl_easy_getinfo(transfer.easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  return length >= 0 || transfer.request->method != "GET" || !HeaderOf(transfer.easy, "Transfer-Encoding").empty();
}

HttpOutcome HttpClient::Loop::OutcomeOf(const Transfer& transfer, CURLcode code) {
  if (code == CURLE_OK) return HttpOutcome::kAnswered;
  if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) return HttpOutcome::kUntrusted;
  long bytes_sent = 0;  // heads included
  curl_easy_getinfo(transfer.easy, CURLINFO_REQUEST_SIZE, &bytes_sent);
  return bytes_sent == 0 ? HttpOutcome::kNotSent : HttpOutcome::kLost;
}

void HttpClient::Loop::Sweep() {
  const int64_t now_ns = clock_.NowNs();
  auto ended = [now_ns](const Transfer& transfer) {
    const Context& context = transfer.batch->context;
    if (transfer.given_up || transfer.batch->abandoned || (context.cancel != nullptr && context.cancel->cancelled())) {
      return HttpOutcome::kCancelled;
    }
    return now_ns >= context.deadline_ns ? HttpOutcome::kDeadline : HttpOutcome::kAnswered;
  };
  // Complete() takes elements out of active_: a copy is iterated.
  for (Transfer* transfer : std::vector<Transfer*>(active_)) {
    HttpOutcome outcome = ended(*transfer);
    if (outcome != HttpOutcome::kAnswered) {
      Complete(*transfer, outcome, outcome == HttpOutcome::kDeadline ? "the deadline passed" : "cancelled");
    } else if (now_ns - transfer->last_progress_ns > std::chrono::nanoseconds(options_.idle_timeout).count()) {
      Complete(*transfer, OutcomeOf(*transfer, CURLE_OPERATION_TIMEDOUT),
               "no byte came or went in " + std::to_string(options_.idle_timeout.count()) + " ms");
    }
  }
  std::deque<Transfer*> still_waiting;
  for (Transfer* transfer : std::exchange(waiting_, {})) {
    HttpOutcome outcome = ended(*transfer);
    if (outcome == HttpOutcome::kAnswered) {
      still_waiting.push_back(transfer);
    } else {
      transfer->response->start_ns = now_ns;
      Complete(*transfer, outcome, "the request was still waiting for a connection");
    }
  }
  waiting_ = std::move(still_waiting);
}

void HttpClient::Loop::Detach(Transfer& transfer) {
  if (transfer.easy == nullptr) return;
  // Closes the connection if the answer is not complete.
  curl_multi_remove_handle(multi_, transfer.easy);
  curl_easy_reset(transfer.easy);
  idle_.push_back(transfer.easy);
  transfer.easy = nullptr;
  curl_slist_free_all(transfer.headers);
  transfer.headers = nullptr;
  active_.erase(std::find(active_.begin(), active_.end(), &transfer));
}

void HttpClient::Loop::Complete(Transfer& transfer, HttpOutcome outcome, std::string error) {
  Detach(transfer);
  HttpResponse& response = *transfer.response;
  response.outcome = outcome;
  response.error = std::move(error);
  response.end_ns = clock_.NowNs();
  HttpBatch::State& batch = *transfer.batch;
  std::shared_ptr<HttpBatch::State> last;  // destroyed after the lock
  std::lock_guard lock(batch.mutex);
  if (--batch.pending == 0) {
    last = std::move(batch.keep_alive);
    batch.done.notify_all();
  }
}

HttpClient::HttpClient(const HttpClientOptions& options, std::shared_ptr<Environment> environment)
    : loop_(std::make_unique<Loop>(options, std::move(environment))) {}

HttpClient::~HttpClient() = default;

std::unique_ptr<HttpBatch> HttpClient::Start(const Context& context, std::vector<HttpRequest> requests) {
  auto state = std::make_shared<HttpBatch::State>();
  state->context = context;
  state->requests = std::move(requests);
  state->responses.resize(state->requests.size());
  state->transfers.resize(state->requests.size());
  for (size_t i = 0; i < state->requests.size(); ++i) {
    Transfer& transfer = state->transfers[i];
    transfer.request = &state->requests[i];
    transfer.response = &state->responses[i];
    transfer.batch = state.get();
    transfer.clock = &loop_->clock();
  }
  state->pending = state->requests.size();
  if (state->pending > 0) {
    state->keep_alive = state;
    loop_->Push(*state);
  }
  return std::unique_ptr<HttpBatch>(new HttpBatch(std::move(state)));
}

HttpBatch::~HttpBatch() {
  Abandon();
  Wait();
}

std::vector<HttpResponse> HttpBatch::Wait() {
  std::unique_lock lock(state_->mutex);
  state_->done.wait(lock, [this] { return state_->pending == 0; });
  return std::move(state_->responses);
}

void HttpBatch::Abandon() { state_->abandoned = true; }

}  // namespace isotherm
