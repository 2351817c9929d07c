// Histories of clients, and the checker that judges them (checker/main.go, which says what a line of a history is).
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/servers/child_process.h"

namespace isotherm::testing_support {

struct HistoryLine {
  uint64_t client = 0;
  std::string key, operation, argument, value, call;
  std::string returned = "-1", outcome = "unknown", found = "0";

  std::string ToString() const {
    return std::to_string(client) + " " + key + " " + operation + " " + argument + " " + value + " " + call + " " +
           returned + " " + outcome + " " + found;
  }
};

// What a client's log says; a read that nobody was told the outcome of is left out, as it changed nothing.
inline void AddHistoryOf(const std::string& log, uint64_t client, std::vector<HistoryLine>& history) {
  std::ifstream file(log);
  bool begun = false;
  HistoryLine line;
  auto add = [&] {
    if (begun && !(line.operation == "read" && line.returned == "-1")) history.push_back(line);
    begun = false;
  };
  for (std::string text; std::getline(file, text);) {
    std::istringstream words(text);
    std::string word;
    words >> word;
    if (word == "begin") {
      add();
      line = {.client = client, .key = {}, .operation = {}, .argument = {}, .value = {}, .call = {}};
      words >> line.key >> line.operation >> line.argument >> line.value >> line.call;
      begun = true;
    } else if (word == "end") {
      words >> line.returned >> line.outcome >> line.found;
    } else {
      ADD_FAILURE() << "a client said: " << text;
    }
  }
  add();
}

// The checker is $ISOTHERM_CHECK_HISTORY, or check_history where scripts/test_servers.sh puts it.
inline std::string CheckerProgram() {
  auto variable = [](const char* name) {
    const char* text = std::getenv(name);
    return std::string(text == nullptr ? "" : text);
  };
  if (std::string program = variable("ISOTHERM_CHECK_HISTORY"); !program.empty()) return program;
  std::string cache = variable("ISOTHERM_CACHE");
  if (cache.empty()) cache = variable("HOME") + "/.cache/isotherm";
  return cache + "/bin/check_history";
}

enum class Verdict : uint8_t { kLinearizable, kNot, kNoVerdict };

inline Verdict Check(const std::vector<HistoryLine>& history, const std::string& directory, std::string* says) {
  const std::string path = directory + "/history";
  const std::string log = directory + "/verdict";
  ::unlink(log.c_str());
  std::ofstream file(path);
  for (const HistoryLine& line : history) file << line.ToString() << "\n";
  file.close();
  auto process = ChildProcess::Start({CheckerProgram(), path}, log);
  EXPECT_TRUE(process.ok()) << process.status();
  if (!process.ok()) return Verdict::kNoVerdict;
  const int status = (*process)->Wait();
  std::ifstream verdict(log);
  std::getline(verdict, *says);
  if (!WIFEXITED(status)) return Verdict::kNoVerdict;
  if (WEXITSTATUS(status) == 0) return Verdict::kLinearizable;
  return WEXITSTATUS(status) == 1 ? Verdict::kNot : Verdict::kNoVerdict;
}

}  // namespace isotherm::testing_support
