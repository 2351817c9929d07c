// An environment that a test holds in its hand: files in memory that fail on demand, a clock that stands still, and an
// executor that runs tasks when told.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/environment.h"
#include "base/random.h"
#include "base/thread_pool.h"

namespace isotherm::test {

class ManualClock : public Clock {
 public:
  int64_t NowNs() override { return now_; }
  int64_t WallMs() override { return now_ / 1'000'000; }
  void SleepUntilNs(int64_t monotonic_ns) override { now_ = std::max(now_.load(), monotonic_ns); }
  void Advance(int64_t ns) { now_ += ns; }

 private:
  std::atomic<int64_t> now_{1'000'000'000};
};

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

// Files by their path; directories are whatever paths have in front. A file that was removed lives on in its handles.
class MemoryFiles : public FileSystem {
 public:
  // Asked before each operation ("open", "read", "write", "remove", "rename", "list", "mkdir", "lock"); its error is
  // the operation's. A write that fails has written the first half.
  std::function<Status(const std::string& operation, const std::string& path)> fault;

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    std::lock_guard lock(shared_->mutex);
    if (Status status = Ask("open", path); !status.ok()) return status;
    auto found = files_.find(path);
    if (found == files_.end() && mode == OpenMode::kRead) return Status::NotFound("no file " + path);
    if (found != files_.end() && mode == OpenMode::kCreateNew) return Status::AlreadyExists("there is " + path);
    if (found == files_.end()) found = files_.emplace(path, std::make_shared<std::string>()).first;
    ++opened_;
    return std::unique_ptr<File>(std::make_unique<Handle>(*this, path, found->second));
  }

  Status Rename(const std::string& from, const std::string& to) override {
    std::lock_guard lock(shared_->mutex);
    if (Status status = Ask("rename", from); !status.ok()) return status;
    auto node = files_.extract(from);
    if (node.empty()) return Status::NotFound("no file " + from);
    files_[to] = node.mapped();
    return Status::Ok();
  }

  Status Link(const std::string& from, const std::string&) override { return Status::Unsupported("link " + from); }

  Status Remove(const std::string& path) override {
    std::lock_guard lock(shared_->mutex);
    if (Status status = Ask("remove", path); !status.ok()) return status;
    return files_.erase(path) == 1 ? Status::Ok() : Status::NotFound("no file " + path);
  }

  Status CreateDirectories(const std::string& path) override {
    std::lock_guard lock(shared_->mutex);
    return Ask("mkdir", path);
  }

  Status SyncDirectory(const std::string&) override { return Status::Ok(); }

  Result<std::vector<FileInfo>> ListDirectory(const std::string& path) override {
    std::lock_guard lock(shared_->mutex);
    if (Status status = Ask("list", path); !status.ok()) return status;
    std::vector<FileInfo> files;
    for (const auto& [name, bytes] : files_) {
      if (name.starts_with(path + "/")) files.push_back({name.substr(path.size() + 1), bytes->size(), false});
    }
    return files;
  }

  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override { return TryLock(path); }

  Result<std::unique_ptr<FileLock>> TryLock(const std::string& path) override {
    std::lock_guard lock(shared_->mutex);
    if (Status status = Ask("lock", path); !status.ok()) return status;
    if (!shared_->locked.insert(path).second) return Status::Conflict("somebody holds " + path);
    files_.try_emplace(path, std::make_shared<std::string>());
    return std::unique_ptr<FileLock>(std::make_unique<Held>(shared_, path));
  }

  std::map<std::string, std::string> Contents() {
    std::lock_guard lock(shared_->mutex);
    std::map<std::string, std::string> contents;
    for (const auto& [name, bytes] : files_) contents[name] = *bytes;
    return contents;
  }
  void SetContents(const std::map<std::string, std::string>& contents) {
    std::lock_guard lock(shared_->mutex);
    files_.clear();
    for (const auto& [name, bytes] : contents) files_[name] = std::make_shared<std::string>(bytes);
  }
  uint64_t TotalBytes() {
    std::lock_guard lock(shared_->mutex);
    uint64_t total = 0;
    for (const auto& [name, bytes] : files_) total += bytes->size();
    return total;
  }
  int open_handles() const { return opened_; }

 private:
  struct Shared {
    std::mutex mutex;
    std::set<std::string> locked;
  };

  class Held : public FileLock {
   public:
    Held(std::shared_ptr<Shared> shared, std::string path) : shared_(std::move(shared)), path_(std::move(path)) {}
    ~Held() override {
      std::lock_guard lock(shared_->mutex);
      shared_->locked.erase(path_);
    }

   private:
    std::shared_ptr<Shared> shared_;
    std::string path_;
  };

  class Handle : public File {
   public:
    Handle(MemoryFiles& files, std::string path, std::shared_ptr<std::string> bytes)
        : files_(files), path_(std::move(path)), bytes_(std::move(bytes)) {}
    ~Handle() override { --files_.opened_; }

    Result<size_t> Read(uint64_t offset, std::span<char> out) override {
      std::lock_guard lock(files_.shared_->mutex);
      if (Status status = files_.Ask("read", path_); !status.ok()) return status;
      if (offset >= bytes_->size()) return size_t{0};
      size_t n = std::min<size_t>(out.size(), bytes_->size() - offset);
      std::memcpy(out.data(), bytes_->data() + offset, n);
      return n;
    }
    Status Write(uint64_t offset, std::string_view bytes) override {
      std::lock_guard lock(files_.shared_->mutex);
      Status status = files_.Ask("write", path_);
      if (!status.ok()) bytes = bytes.substr(0, bytes.size() / 2);
      if (bytes_->size() < offset + bytes.size()) bytes_->resize(offset + bytes.size());
      std::memcpy(bytes_->data() + offset, bytes.data(), bytes.size());
      return status;
    }
    Status Sync() override { return Status::Ok(); }
    Result<uint64_t> Size() override {
      std::lock_guard lock(files_.shared_->mutex);
      return static_cast<uint64_t>(bytes_->size());
    }

   private:
    MemoryFiles& files_;
    const std::string path_;
    const std::shared_ptr<std::string> bytes_;
  };

  Status Ask(const char* operation, const std::string& path) {
    return fault == nullptr ? Status::Ok() : fault(operation, path);
  }

  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::map<std::string, std::shared_ptr<std::string>> files_;
  std::atomic<int> opened_{0};
};

// The parts of an Environment, by their own types.
struct FakeEnvironment {
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  std::shared_ptr<ManualExecutor> executor = std::make_shared<ManualExecutor>();
  std::shared_ptr<MemoryFiles> files = std::make_shared<MemoryFiles>();

  std::shared_ptr<Environment> Get() const {
    return std::make_shared<Environment>(Environment{
        .clock = clock, .random = std::make_shared<SeededRandom>(1), .executor = executor, .file_system = files});
  }
  std::shared_ptr<Environment> WithThreads(size_t threads) const {
    return std::make_shared<Environment>(Environment{.clock = clock,
                                                     .random = std::make_shared<SeededRandom>(1),
                                                     .executor = std::make_shared<ThreadPool>(threads),
                                                     .file_system = files});
  }
};

}  // namespace isotherm::test
