#include "tests/servers/tcp_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <utility>

namespace isotherm {

namespace {

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

bool SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

// The number behind "content-length:" in a head; 0 when there is none.
size_t ContentLength(std::string head) {
  std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
  size_t at = head.find("\r\ncontent-length:");
  return at == std::string::npos ? 0 : std::stoull(head.substr(at + std::strlen("\r\ncontent-length:")));
}

}  // namespace

struct TcpProxy::Connection {
  ~Connection() {
    if (client >= 0) close(client);
    if (server >= 0) close(server);
  }

  int client = -1;
  int server = -1;
  std::string head;      // of the request that is coming, until it is whole
  size_t body_left = 0;  // of that request
  std::unique_ptr<ProxyFault> fault;
  size_t answer_bytes = 0;  // passed on of the answer to it
  bool done = false;
  std::thread thread;
};

std::string HttpAnswer(int status, std::string_view body, std::string_view more_headers) {
  std::string answer = "HTTP/1.1 " + std::to_string(status) + " Status\r\n";
  answer.append(more_headers);
  answer += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  return answer.append(body);
}

Result<std::unique_ptr<TcpProxy>> TcpProxy::Start(uint16_t target_port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd, 128) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    Status status = Status::IoError(std::string("the proxy cannot listen: ") + std::strerror(errno));
    if (fd >= 0) close(fd);
    return status;
  }
  return std::unique_ptr<TcpProxy>(new TcpProxy(fd, ntohs(address.sin_port), target_port));
}

TcpProxy::TcpProxy(int listener, uint16_t port, uint16_t target_port)
    : listener_(listener), port_(port), target_port_(target_port), acceptor_([this] { AcceptLoop(); }) {}

TcpProxy::~TcpProxy() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    released_.notify_all();
    for (Connection& connection : open_) {
      shutdown(connection.client, SHUT_RDWR);
      shutdown(connection.server, SHUT_RDWR);
    }
  }
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (Connection& connection : open_) connection.thread.join();
  close(listener_);
}

void TcpProxy::Inject(ProxyFault fault) {
  std::lock_guard lock(mutex_);
  faults_.push_back(std::move(fault));
}

void TcpProxy::Release() {
  std::lock_guard lock(mutex_);
  release_ = true;
  released_.notify_all();
}

size_t TcpProxy::requests(std::string_view method) const {
  std::lock_guard lock(mutex_);
  size_t count = 0;
  for (const auto& [name, seen] : requests_) count += method.empty() || name == method ? seen : 0;
  return count;
}

size_t TcpProxy::faults_left() const {
  std::lock_guard lock(mutex_);
  return faults_.size();
}

void TcpProxy::AcceptLoop() {
  while (true) {
    int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0 && errno == EINTR) continue;
    if (client < 0) return;
    ++connections_;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = Loopback(target_port_);
    if (connect(server, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      close(server);
      close(client);
      continue;
    }
    int on = 1;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    std::lock_guard lock(mutex_);
    open_.remove_if([](Connection& connection) {
      if (connection.done) connection.thread.join();
      return connection.done;
    });
    Connection& connection = open_.emplace_back();
    connection.client = client;
    connection.server = server;
    if (stopping_) {
      shutdown(client, SHUT_RDWR);
      shutdown(server, SHUT_RDWR);
    }
    connection.thread = std::thread([this, &connection] { Serve(connection); });
  }
}

void TcpProxy::Serve(Connection& connection) {
  std::string buffer(64 * 1024, '\0');
  while (true) {
    pollfd fds[2] = {{connection.client, POLLIN, 0}, {connection.server, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0) {
      if (errno == EINTR) continue;
      break;
    }
    const bool from_client = fds[0].revents != 0;
    ssize_t size = recv(fds[from_client ? 0 : 1].fd, buffer.data(), buffer.size(), 0);
    if (size <= 0) break;
    std::string_view bytes(buffer.data(), static_cast<size_t>(size));
    if (from_client ? !FromClient(connection, bytes) : !FromServer(connection, bytes)) break;
  }
  shutdown(connection.client, SHUT_RDWR);
  shutdown(connection.server, SHUT_RDWR);
  std::lock_guard lock(mutex_);
  connection.done = true;
}

std::unique_ptr<ProxyFault> TcpProxy::TakeFault(std::string_view head) {
  std::string_view method = head.substr(0, head.find(' '));
  std::lock_guard lock(mutex_);
  ++requests_[std::string(method)];
  auto fault = std::find_if(faults_.begin(), faults_.end(),
                            [&](const ProxyFault& f) { return f.method.empty() || f.method == method; });
  if (fault == faults_.end()) return nullptr;
  auto taken = std::make_unique<ProxyFault>(std::move(*fault));
  faults_.erase(fault);
  return taken;
}

bool TcpProxy::FromClient(Connection& connection, std::string_view bytes) {
  while (!bytes.empty()) {
    std::string_view to_pass;
    std::string head;
    if (connection.body_left == 0) {
      connection.head.append(bytes);
      bytes = {};
      size_t end = connection.head.find("\r\n\r\n");
      if (end == std::string::npos) return true;
      head = std::exchange(connection.head, {});
      connection.fault = TakeFault(head);
      connection.answer_bytes = 0;
      connection.body_left = ContentLength(head.substr(0, end + 2));
      connection.body_left -= std::min(connection.body_left, head.size() - (end + 4));
      to_pass = head;
    } else {
      to_pass = bytes.substr(0, connection.body_left);
      bytes.remove_prefix(to_pass.size());
      connection.body_left -= to_pass.size();
    }
    if (connection.fault != nullptr && connection.fault->kind == ProxyFaultKind::kRefuse) return false;
    const bool replaced =
        connection.fault != nullptr && (connection.fault->kind == ProxyFaultKind::kReplaceAnswer ||
                                        connection.fault->kind == ProxyFaultKind::kReplaceAnswerAndClose);
    if (replaced) {
      if (connection.body_left > 0) continue;
      if (!SendAll(connection.client, connection.fault->answer)) return false;
      if (connection.fault->kind == ProxyFaultKind::kReplaceAnswerAndClose) return false;
    } else if (!SendAll(connection.server, to_pass)) {
      return false;
    }
  }
  return true;
}

bool TcpProxy::FromServer(Connection& connection, std::string_view bytes) {
  const ProxyFault* fault = connection.fault.get();
  if (fault != nullptr && fault->kind == ProxyFaultKind::kLoseAnswer) return false;
  if (fault != nullptr && fault->kind == ProxyFaultKind::kHoldAnswer) {
    std::unique_lock lock(mutex_);
    ++held_;
    released_.wait(lock, [this] { return release_ || stopping_; });
  }
  if (fault != nullptr && fault->kind == ProxyFaultKind::kTruncateAnswer) {
    size_t left = fault->bytes - std::min(fault->bytes, connection.answer_bytes);
    connection.answer_bytes += bytes.size();
    return SendAll(connection.client, bytes.substr(0, left)) && bytes.size() < left;
  }
  return SendAll(connection.client, bytes);
}

}  // namespace isotherm
