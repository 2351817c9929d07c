// An environment that a test holds in its hand: simulated files, a clock that stands still, and an executor that runs
// tasks when told.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/environment.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "tests/base/manual_clock.h"
#include "tests/base/simulated_file_system.h"

namespace isotherm::test {

// Scheduled tasks wait for RunAll; loops run where they are.
class ManualExecutor : public Executor {
 public:
  void Schedule(std::function<void()> task) override {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  void ParallelFor(size_t n, const std::function<void(size_t)>& body) override {
    for (size_t i = 0; i < n; ++i) body(i);
  }
  size_t Concurrency() const override { return 1; }

  void RunAll() {
    for (;;) {
      std::function<void()> task;
      {
        std::lock_guard lock(mutex_);
        if (tasks_.empty()) return;
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      task();
    }
  }

 private:
  std::mutex mutex_;
  std::deque<std::function<void()>> tasks_;
};

// The parts of an Environment, by their own types.
struct FakeEnvironment {
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  std::shared_ptr<ManualExecutor> executor = std::make_shared<ManualExecutor>();
  std::shared_ptr<SimulatedFileSystem> files = std::make_shared<SimulatedFileSystem>();

  std::shared_ptr<Environment> Get() const { return With(executor); }
  std::shared_ptr<Environment> WithThreads(size_t threads) const { return With(std::make_shared<ThreadPool>(threads)); }
  std::shared_ptr<Environment> With(std::shared_ptr<Executor> by) const {
    return std::make_shared<Environment>(Environment{
        .clock = clock, .random = std::make_shared<SeededRandom>(1), .executor = std::move(by), .file_system = files});
  }
};

using Contents = std::map<std::string, std::string>;  // by file name

inline Contents ReadDirectory(FileSystem& files, const std::string& directory) {
  Contents contents;
  auto listed = files.ListDirectory(directory);
  EXPECT_TRUE(listed.ok()) << listed.status();
  for (const FileInfo& info : *listed) {
    std::string& bytes = contents[info.name];
    bytes.resize(info.size);
    auto file = files.Open(directory + "/" + info.name, OpenMode::kRead);
    EXPECT_TRUE(file.ok() && (*file)->Read(0, bytes).ok()) << info.name;
  }
  return contents;
}

inline void WriteFile(FileSystem& files, const std::string& path, const std::string& bytes) {
  Status removed = files.Remove(path);
  EXPECT_TRUE(removed.ok() || removed.code() == StatusCode::kNotFound) << removed;
  auto file = files.Open(path, OpenMode::kCreateNew);
  EXPECT_TRUE(file.ok() && (*file)->Write(0, bytes).ok()) << path;
}

// Makes the directory hold this and nothing else.
inline void WriteDirectory(FileSystem& files, const std::string& directory, const Contents& contents) {
  EXPECT_TRUE(files.CreateDirectories(directory).ok());
  auto listed = files.ListDirectory(directory);
  EXPECT_TRUE(listed.ok()) << listed.status();
  for (const FileInfo& info : *listed) EXPECT_TRUE(files.Remove(directory + "/" + info.name).ok());
  for (const auto& [name, bytes] : contents) WriteFile(files, directory + "/" + name, bytes);
}

inline uint64_t TotalBytes(const Contents& contents) {
  uint64_t total = 0;
  for (const auto& [name, bytes] : contents) total += bytes.size();
  return total;
}

}  // namespace isotherm::test
