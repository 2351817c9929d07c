#include "tests/writers/peer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

namespace isotherm::testing_support {

namespace {

// A FIFO's end that is opened without waiting for the other one. With O_RDWR both ends are there, so that writing to a
// process that is gone does no harm.
int OpenFifo(const std::string& path, int flags) {
  EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0) << path;
  int fd = ::open(path.c_str(), flags | O_NONBLOCK | O_CLOEXEC);
  EXPECT_GE(fd, 0) << path;
  EXPECT_EQ(::fcntl(fd, F_SETFL, 0), 0);
  return fd;
}

}  // namespace

Peer::Peer(std::vector<std::string> arguments) {
  const std::string input = directory_.path() + "/in";
  const std::string output = directory_.path() + "/out";
  input_ = OpenFifo(input, O_RDWR);
  output_ = OpenFifo(output, O_RDONLY);
  arguments.insert(arguments.begin(), ISOTHERM_WRITER_PROCESS);
  arguments.push_back(input);
  auto started = ChildProcess::Start(arguments, output);
  EXPECT_TRUE(started.ok()) << started.status();
  if (started.ok()) process_ = std::move(started).value();
}

Peer::~Peer() {
  ::close(input_);
  while (Hear()) {
  }
  if (process_ != nullptr) process_->Kill();
  ::close(output_);
}

void Peer::Tell(const std::string& line) {
  std::string text = line + "\n";
  EXPECT_EQ(::write(input_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

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

void Peer::Signal(int signal) {
  if (process_ != nullptr) process_->Signal(signal);
}

}  // namespace isotherm::testing_support
