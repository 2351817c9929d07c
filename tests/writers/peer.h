// A process of writer_process.cc that a test talks with, a line at a time. To be used from the main thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/base/temp_directory.h"
#include "tests/servers/child_process.h"

namespace isotherm::testing_support {

class Peer {
 public:
  explicit Peer(std::vector<std::string> arguments);
  // Ends its input, which ends the process, and waits for it.
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // Nothing happens when the process is gone.
  void Tell(const std::string& line);
  // Waits for its next line. Nothing: it ended.
  std::optional<std::string> Hear();
  // The next line, without `word` and a blank before it; a line that does not begin so fails the test.
  std::string Expect(const std::string& word);

  void Kill();
  void Signal(int signal);

 private:
  TempDirectory directory_;
  std::unique_ptr<ChildProcess> process_;
  int input_ = -1;
  int output_ = -1;
  std::string heard_;
};

}  // namespace isotherm::testing_support
