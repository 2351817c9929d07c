// Starts writer_child (writer_child.cc) and hears what it said.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/base/temp_directory.h"
#include "tests/engine/store_argument.h"
#include "tests/servers/child_process.h"
#include "tests/servers/s3_test_server.h"

namespace isotherm::testing_support {

// To be used from the main thread.
class ChildWriter {
 public:
  // `log_path` must be a new file.
  ChildWriter(std::vector<std::string> arguments, std::string log_path) : log_path_(std::move(log_path)) {
    arguments.insert(arguments.begin(), ISOTHERM_WRITER_CHILD);
    auto started = ChildProcess::Start(arguments, log_path_);
    EXPECT_TRUE(started.ok()) << started.status();
    if (started.ok()) process_ = std::move(started).value();
  }

  int Wait() { return process_ == nullptr ? -1 : process_->Wait(); }

  // Of the last line "<word> <number>".
  std::optional<uint64_t> Last(const std::string& word) const {
    std::optional<uint64_t> last;
    for (const std::string& line : Lines()) {
      if (line.starts_with(word + " ")) last = std::stoull(line.substr(word.size() + 1));
    }
    return last;
  }
  std::string LastLine() const {
    std::vector<std::string> lines = Lines();
    return lines.empty() ? std::string() : lines.back();
  }

 private:
  std::vector<std::string> Lines() const {
    std::ifstream file(log_path_);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }

  const std::string log_path_;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace isotherm::testing_support
