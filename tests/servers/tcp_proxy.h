// A proxy between a client of HTTP and a server, both on loopback, that does to single requests what networks do.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "isotherm/status.h"

namespace isotherm {

enum class ProxyFaultKind : uint8_t {
  kRefuse,          // the connection is closed when the request's head has come; the server never sees it
  kLoseAnswer,      // the server executes the request; the connection is closed instead of passing its answer on
  kTruncateAnswer,  // only the first `bytes` of the answer (head included) pass, then the connection is closed
  kHoldAnswer,      // the answer passes only after Release
  kReplaceAnswer,   // the server never sees the request; `answer` is sent
  kReplaceAnswerAndClose,
};

struct ProxyFault {
  ProxyFaultKind kind = ProxyFaultKind::kRefuse;
  std::string method;  // of the requests that it may befall; empty: any
  size_t bytes = 0;
  std::string answer;
};

// "HTTP/1.1 503 Slow Down", with its Content-Length.
std::string HttpAnswer(int status, std::string_view body, std::string_view more_headers = {});

// Thread-safe. Bytes pass unchanged, so signatures stay valid. Knows requests that carry Content-Length, one at a time.
class TcpProxy {
 public:
  static Result<std::unique_ptr<TcpProxy>> Start(uint16_t target_port);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  uint16_t port() const { return port_; }
  // Befalls one request, the next that it may; faults are used in the order in which they were given.
  void Inject(ProxyFault fault);
  // Lets answers pass that are held, and those that will be.
  void Release();

  size_t connections() const { return connections_; }  // accepted so far
  // Requests seen so far, of one method or all.
  size_t requests(std::string_view method = {}) const;
  size_t faults_left() const;
  size_t held() const { return held_; }  // answers that have come and wait for Release, or did

 private:
  struct Connection;

  TcpProxy(int listener, uint16_t port, uint16_t target_port);
  void AcceptLoop();
  void Serve(Connection& connection);
  // What befalls the request that begins with this head.
  std::unique_ptr<ProxyFault> TakeFault(std::string_view head);
  // Passes what the client sent; false: close.
  bool FromClient(Connection& connection, std::string_view bytes);
  bool FromServer(Connection& connection, std::string_view bytes);

  const int listener_;
  const uint16_t port_;
  const uint16_t target_port_;
  std::atomic<size_t> connections_{0};
  std::atomic<size_t> held_{0};
  mutable std::mutex mutex_;
  std::condition_variable released_;
  bool release_ = false;
  bool stopping_ = false;
  std::deque<ProxyFault> faults_;
  std::map<std::string, size_t, std::less<>> requests_;
  std::list<Connection> open_;
  std::thread acceptor_;
};

}  // namespace isotherm
