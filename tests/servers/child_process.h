// A program that a test starts, and that never outlives the test.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "isotherm/status.h"

namespace isotherm {

// The kernel kills the program when the thread that started it ends, however it ends: start it from the main thread.
class ChildProcess {
 public:
  // `arguments` begin with the program's path. What it prints goes to `log_path`.
  static Result<std::unique_ptr<ChildProcess>> Start(const std::vector<std::string>& arguments,
                                                     const std::string& log_path);
  ~ChildProcess() { Kill(); }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // SIGKILL, and waits until it is gone. Nothing when it was.
  void Kill();
  // Nothing when it is gone.
  void Signal(int signal);
  bool IsRunning();
  // Until it ends by itself; returns the status as waitpid gives it. Once only, and not after Kill.
  int Wait();

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}

  pid_t pid_;  // 0: gone
};

}  // namespace isotherm
