// A real S3 server (versitygw) for tests: on loopback, on a port that was free, with a folder of its own.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/environment.h"
#include "blob/s3_http.h"
#include "blob/s3_signer.h"
#include "blob/s3_store.h"
#include "isotherm/status.h"
#include "tests/servers/child_process.h"

namespace isotherm {

// The program is looked for as $ISOTHERM_VERSITYGW, then as $ISOTHERM_CACHE/bin/versitygw (ISOTHERM_CACHE is
// ~/.cache/isotherm unless set), where scripts/test_servers.sh puts it. It keeps its objects over a kill -9.
class S3TestServer {
 public:
  static constexpr char kBucket[] = "test-bucket";
  static constexpr char kRegion[] = "us-east-1";
  static constexpr char kAccessKey[] = "testaccess";
  static constexpr char kSecretKey[] = "testsecret12";
  static constexpr char kDomain[] = "s3.test";  // of virtual-host style

  enum class Transport : uint8_t { kPlain, kTls };

  // Started, ready, and with kBucket in it. To be called from the main thread (see ChildProcess).
  static Result<std::unique_ptr<S3TestServer>> Start(Transport transport = Transport::kPlain);
  // One for the whole process, started at the first call. A test that kills it must start it again.
  static Result<S3TestServer*> Shared();

  ~S3TestServer();
  S3TestServer(const S3TestServer&) = delete;
  S3TestServer& operator=(const S3TestServer&) = delete;

  uint16_t port() const { return port_; }
  // To kBucket by path style, for OpenS3Store; with the server's certificate as ca_file where it has one.
  S3Options Options(std::string prefix = {}) const;

  // kill -9.
  void Kill() { process_->Kill(); }
  // On the same folder and port; ready when ok.
  Status Restart();

  Status CreateBucket(std::string_view name);
  // Any signed request: `path` is encoded already, and begins with '/'.
  HttpResponse Request(std::string_view method, std::string_view path, const NameValues& query = {},
                       std::string_view body = {});

 private:
  S3TestServer(std::string program, std::string folder, std::string ca_file);

  Status StartProcess();
  Status AwaitReady();
  std::string Host() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string Endpoint() const { return (ca_file_.empty() ? "http://" : "https://") + Host(); }

  const std::string program_;
  const std::string folder_;
  const std::string ca_file_;  // empty: no TLS
  const std::shared_ptr<Environment> environment_ = Environment::Default();
  const S3Signer signer_{{kAccessKey, kSecretKey, {}}, kRegion};
  uint16_t port_ = 0;
  std::unique_ptr<ChildProcess> process_;
  HttpClient http_;
};

// Whether the user wants no tests that need a server.
bool ServersAreSkipped();

}  // namespace isotherm

// The first line of a test, or of a fixture's SetUp, that needs a server. A server that is missing is a failure; only
// who sets ISOTHERM_SKIP_SERVERS=1 does without.
#define ISOTHERM_NEEDS_SERVERS()                                                       \
  do {                                                                                 \
    if (::isotherm::ServersAreSkipped()) GTEST_SKIP() << "ISOTHERM_SKIP_SERVERS is 1"; \
  } while (false)
