#include "node_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <system_error>
#include <vector>

namespace cloud_tiered {

namespace {

struct FreeLine {
  void operator()(char* line) const { std::free(line); }
};

[[noreturn]] void ThrowSystemError(const char* what, int code) {
  throw std::system_error(code, std::generic_category(), what);
}

// Neither end lives on in another node that is started meanwhile.
void MakePipe(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) != 0) ThrowSystemError("pipe", errno);
}

}  // namespace

NodeProcess::NodeProcess(const NodeOptions& options) : begin_(std::chrono::steady_clock::now()) {
  int input[2], output[2];
  MakePipe(input);
  to_node_.reset(fdopen(input[1], "w"));
  MakePipe(output);
  from_node_.reset(fdopen(output[0], "r"));

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  std::vector<std::string> words = {"cloud_tiered", "node", "--store", options.store, "--profile", options.profile};
  if (!options.cache_dir.empty()) words.insert(words.end(), {"--cache-dir", options.cache_dir});
  std::vector<char*> arguments(words.size() + 1);  // a null pointer ends them
  std::transform(words.begin(), words.end(), arguments.begin(), [](std::string& word) { return word.data(); });
  int code = posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(input[0]);
  close(output[1]);
  if (code != 0) ThrowSystemError("cannot start a search node", code);
}

NodeProcess::~NodeProcess() {
  if (pid_ > 0) Wait();
}

int NodeProcess::Wait() {
  to_node_.reset();
  from_node_.reset();
  int state = 0;
  while (waitpid(pid_, &state, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return state;
}

void NodeProcess::Finish() {
  int state = Wait();
  if (!WIFEXITED(state) || WEXITSTATUS(state) != 0) throw std::runtime_error("a search node did not end well");
}

void NodeProcess::Send(const Request& request) {
  std::string line = Message(request).dump() + "\n";
  std::fwrite(line.data(), 1, line.size(), to_node_.get());
  // A node that is gone says why when its answer is missed.
  std::fflush(to_node_.get());
}

Message NodeProcess::ReadLine() {
  char* buffer = nullptr;
  size_t capacity = 0;
  ssize_t length = getline(&buffer, &capacity, from_node_.get());
  std::unique_ptr<char, FreeLine> line(buffer);
  if (length < 0) throw std::runtime_error("a search node ended without an answer");
  return Message::parse(line.get(), line.get() + length);
}

int64_t NodeProcess::ns_since_start() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin_).count();
}

}  // namespace cloud_tiered
