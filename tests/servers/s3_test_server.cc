#include "tests/servers/s3_test_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>
#include <vector>

#include "base/macros.h"
#include "tests/servers/tls_certificate.h"

namespace isotherm {

namespace {

constexpr int64_t kStartLimitNs = 60'000'000'000;
constexpr int64_t kPollNs = 10'000'000;
constexpr int kStartAttempts = 5;

std::string EnvironmentVariable(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? std::string() : std::string(text);
}

Result<std::string> FindProgram() {
  std::string program = EnvironmentVariable("ISOTHERM_VERSITYGW");
  if (program.empty()) {
    std::string cache = EnvironmentVariable("ISOTHERM_CACHE");
    if (cache.empty()) cache = EnvironmentVariable("HOME") + "/.cache/isotherm";
    program = cache + "/bin/versitygw";
  }
  if (access(program.c_str(), X_OK) == 0) return program;
  return Status::NotFound("no S3 server at " + program +
                          ": run scripts/test_servers.sh, name one in ISOTHERM_VERSITYGW, or set "
                          "ISOTHERM_SKIP_SERVERS=1 to go without these tests");
}

// Free when asked; another program may take it before the server does, which then ends at once.
Result<uint16_t> FreePort() {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Status::IoError(std::string("socket: ") + std::strerror(errno));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  bool ok = bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
            getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(fd);
  if (!ok) return Status::IoError("cannot bind a port on 127.0.0.1");
  return ntohs(address.sin_port);
}

std::string Tail(const std::string& path) {
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  return text.size() > 2000 ? text.substr(text.size() - 2000) : text;
}

}  // namespace

bool ServersAreSkipped() { return EnvironmentVariable("ISOTHERM_SKIP_SERVERS") == "1"; }

S3TestServer::S3TestServer(std::string program, std::string folder, std::string ca_file)
    : program_(std::move(program)),
      folder_(std::move(folder)),
      ca_file_(std::move(ca_file)),
      http_({.ca_file = ca_file_, .resolve = {}}, environment_) {}

S3TestServer::~S3TestServer() {
  if (process_ != nullptr) process_->Kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

Result<std::unique_ptr<S3TestServer>> S3TestServer::Start(Transport transport) {
  ASSIGN_OR_RETURN(std::string program, FindProgram());
  std::string folder = (std::filesystem::temp_directory_path() / "isotherm-s3-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    return Status::IoError("cannot make " + folder + ": " + std::strerror(errno));
  }
  const std::string ca_file = transport == Transport::kTls ? folder + "/certificate.pem" : std::string();
  std::unique_ptr<S3TestServer> server(new S3TestServer(std::move(program), folder, ca_file));
  if (!ca_file.empty()) RETURN_IF_ERROR(WriteLoopbackCertificate(ca_file, folder + "/key.pem"));
  std::error_code error;
  if (!std::filesystem::create_directory(folder + "/objects", error)) return Status::IoError(error.message());
  Status started;
  for (int attempt = 0; attempt < kStartAttempts; ++attempt) {
    ASSIGN_OR_RETURN(server->port_, FreePort());
    started = server->StartProcess();
    if (started.ok()) break;
  }
  RETURN_IF_ERROR(started);
  RETURN_IF_ERROR(server->CreateBucket(kBucket));
  return server;
}

Result<S3TestServer*> S3TestServer::Shared() {
  static const Result<std::unique_ptr<S3TestServer>> server = Start();
  if (!server.ok()) return server.status();
  return server->get();
}

Status S3TestServer::StartProcess() {
  const std::string log = folder_ + "/server.log";
  std::vector<std::string> arguments = {program_,   "--port",           Host(),     "--access",
                                        kAccessKey, "--secret",         kSecretKey, "--region",
                                        kRegion,    "--virtual-domain", kDomain,    "--keep-alive"};
  if (!ca_file_.empty()) arguments.insert(arguments.end(), {"--cert", ca_file_, "--key", folder_ + "/key.pem"});
  arguments.insert(arguments.end(), {"posix", folder_ + "/objects"});
  ASSIGN_OR_RETURN(process_, ChildProcess::Start(arguments, log));
  Status ready = AwaitReady();
  return ready.ok() ? ready : Status(ready.code(), ready.message() + "\n" + Tail(log));
}

Status S3TestServer::AwaitReady() {
  Clock& clock = *environment_->clock;
  const int64_t limit_ns = clock.NowNs() + kStartLimitNs;
  while (clock.NowNs() < limit_ns) {
    if (!process_->IsRunning()) return Status::Unavailable(program_ + " ended right after its start");
    if (Request("GET", "/").status == 200) return Status::Ok();
    clock.SleepUntilNs(clock.NowNs() + kPollNs);
  }
  return Status::Unavailable(program_ + " runs, but lists no buckets");
}

Status S3TestServer::Restart() {
  Kill();
  return StartProcess();
}

S3Options S3TestServer::Options(std::string prefix) const {
  S3Options options;
  options.bucket = kBucket;
  options.prefix = std::move(prefix);
  options.endpoint = Endpoint();
  options.ca_file = ca_file_;
  options.region = kRegion;
  options.access_key = kAccessKey;
  options.secret_key = kSecretKey;
  return options;
}

Status S3TestServer::CreateBucket(std::string_view name) {
  HttpResponse response = Request("PUT", std::string("/").append(name));
  if (response.status == 200) return Status::Ok();
  return Status::Unavailable("creating bucket " + std::string(name) + ": HTTP " + std::to_string(response.status) +
                             " " + response.error + response.body);
}

HttpResponse S3TestServer::Request(std::string_view method, std::string_view path, const NameValues& query,
                                   std::string_view body) {
  const std::string canonical_query = CanonicalQuery(query);
  NameValues headers = {{"host", Host()}};
  signer_.Sign(method, path, canonical_query, body, environment_->clock->WallMs(), headers);
  std::vector<HttpRequest> requests(1);
  requests[0].method = method;
  requests[0].url = Endpoint().append(path);
  if (!canonical_query.empty()) requests[0].url.append("?").append(canonical_query);
  for (const auto& [name, value] : headers) requests[0].headers.push_back(name + ": " + value);
  requests[0].body = body;
  return std::move(http_.Start({}, std::move(requests))->Wait().front());
}

}  // namespace isotherm
