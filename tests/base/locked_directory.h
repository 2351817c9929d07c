// A directory into which the calling thread may not go, even when it runs as root.
#pragma once

#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>

namespace isotherm {

class LockedDirectory {
 public:
  explicit LockedDirectory(std::string path) : path_(std::move(path)) {
    EXPECT_EQ(::chmod(path_.c_str(), 0), 0) << path_;
    if (::geteuid() == 0) ::setfsuid(kNobody);
  }
  ~LockedDirectory() {
    if (::geteuid() == 0) ::setfsuid(0);
    EXPECT_EQ(::chmod(path_.c_str(), 0755), 0) << path_;
  }
  LockedDirectory(const LockedDirectory&) = delete;
  LockedDirectory& operator=(const LockedDirectory&) = delete;

 private:
  static constexpr uid_t kNobody = 65534;
  const std::string path_;
};

}  // namespace isotherm
