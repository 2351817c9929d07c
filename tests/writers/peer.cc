#include "tests/writers/peer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace isotherm::testing_support {

namespace {

// Opens a FIFO for reading without waiting for a writer; reads from it wait.
int OpenForReading(const std::string& path) {
  EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0) << path;
  int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  EXPECT_GE(fd, 0) << path;
  EXPECT_EQ(::fcntl(fd, F_SETFL, 0), 0);
  return fd;
}

}  // namespace

Peer::Peer(std::vector<std::string> arguments) {
  // A process that is gone is noticed by what it does not say.
  ::signal(SIGPIPE, SIG_IGN);
  const std::string input = directory_.path() + "/in";
  const std::string output = directory_.path() + "/out";
  EXPECT_EQ(::mkfifo(input.c_str(), 0600), 0) << input;
  output_ = OpenForReading(output);
  arguments.insert(arguments.begin(), ISOTHERM_WRITER_PROCESS);
  arguments.push_back(input);
  auto started = ChildProcess::Start(arguments, output);
  EXPECT_TRUE(started.ok()) << started.status();
  if (!started.ok()) return;
  process_ = std::move(started).value();
  input_.open(input);
}

Peer::~Peer() {
  input_.close();
  while (Hear()) {
  }
  if (process_ != nullptr) process_->Kill();
  ::close(output_);
}

void Peer::Tell(const std::string& line) { input_ << line << std::endl; }

std::optional<std::string> Peer::Hear() {
  while (true) {
    if (size_t end = heard_.find('\n'); end != std::string::npos) {
      std::string line = heard_.substr(0, end);
      heard_.erase(0, end + 1);
      return line;
    }
    char piece[4096];
    ssize_t got = ::read(output_, piece, sizeof(piece));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    heard_.append(piece, static_cast<size_t>(got));
  }
}

std::string Peer::Expect(const std::string& word) {
  std::string line = Hear().value_or("(it ended)");
  if (line == word) return {};
  if (!line.starts_with(word + " ")) {
    ADD_FAILURE() << "expected was '" << word << " …', but a writer said: " << line;
    return {};
  }
  return line.substr(word.size() + 1);
}

void Peer::Kill() {
  if (process_ != nullptr) process_->Kill();
}

void Peer::Signal(int signal) { process_->Signal(signal); }

void Say(const std::string& line) {
  std::string text = line + "\n";
  if (::write(STDOUT_FILENO, text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::abort();
}

}  // namespace isotherm::testing_support
