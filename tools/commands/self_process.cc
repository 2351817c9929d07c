#include "tools/commands/self_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>

namespace isotherm::tool {

namespace {

constexpr char kThisProgram[] = "/proc/self/exe";

Status SystemError(const std::string& what, int code) {
  return Status::IoError(what + ": " + std::generic_category().message(code));
}

struct SpawnActions {
  SpawnActions() { posix_spawn_file_actions_init(&actions); }
  ~SpawnActions() { posix_spawn_file_actions_destroy(&actions); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  posix_spawn_file_actions_t actions{};
};

std::string ReadAll(int descriptor) {
  std::string out;
  char buffer[4096];
  while (true) {
    ssize_t count = read(descriptor, buffer, sizeof(buffer));
    if (count > 0) out.append(buffer, static_cast<size_t>(count));
    if (count == 0 || (count < 0 && errno != EINTR)) return out;
  }
}

}  // namespace

Result<SelfRun> RunSelf(const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {"isotherm"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return SystemError("cannot make a pipe", errno);
  SpawnActions spawn;
  posix_spawn_file_actions_adddup2(&spawn.actions, ends[1], STDOUT_FILENO);
  pid_t child = 0;
  int failed = posix_spawn(&child, kThisProgram, &spawn.actions, nullptr, argv.data(), environ);
  close(ends[1]);
  std::string output = failed == 0 ? ReadAll(ends[0]) : std::string();
  close(ends[0]);
  if (failed != 0) return SystemError("cannot start a new process", failed);
  int state = 0;
  while (waitpid(child, &state, 0) < 0) {
    if (errno != EINTR) return SystemError("cannot wait for a process", errno);
  }
  if (!WIFEXITED(state)) return Status::Internal("the new process ended by signal " + std::to_string(WTERMSIG(state)));
  return SelfRun{WEXITSTATUS(state), std::move(output)};
}

}  // namespace isotherm::tool
