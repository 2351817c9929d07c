// A directory that goes away with its test.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>

namespace isotherm {

class TempDirectory {
 public:
  TempDirectory() {
    path_ = testing::TempDir() + "isotherm-XXXXXX";
    EXPECT_NE(::mkdtemp(path_.data()), nullptr) << path_;
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  // Without '/' behind it.
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace isotherm
