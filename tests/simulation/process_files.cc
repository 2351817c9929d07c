#include <utility>

#include "base/macros.h"
#include "tests/simulation/process.h"

namespace isotherm::simulation {

class ProcessFiles : public FileSystem {
 public:
  explicit ProcessFiles(Process& process) : process_(process), disk_(*process.machine_.disk) {}

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    RETURN_IF_ERROR(Begin("open", path));
    auto file = disk_.Open(path, mode);
    if (!file.ok()) return Noted(file.status());
    return std::unique_ptr<File>(std::make_unique<OpenFile>(*this, path, std::move(file).value()));
  }
  Status Rename(const std::string& from, const std::string& to) override {
    RETURN_IF_ERROR(Begin("rename", from));
    return Noted(disk_.Rename(from, to));
  }
  Status Link(const std::string& from, const std::string& to) override {
    RETURN_IF_ERROR(Begin("link", from));
    return Noted(disk_.Link(from, to));
  }
  Status Remove(const std::string& path) override {
    RETURN_IF_ERROR(Begin("remove", path));
    return Noted(disk_.Remove(path));
  }
  Status CreateDirectories(const std::string& path) override {
    RETURN_IF_ERROR(Begin("create", path));
    return Noted(disk_.CreateDirectories(path));
  }
  Status SyncDirectory(const std::string& path) override {
    RETURN_IF_ERROR(Begin("sync", path));
    return Noted(disk_.SyncDirectory(path));
  }
  Result<std::vector<FileInfo>> ListDirectory(const std::string& path) override {
    RETURN_IF_ERROR(Begin("list", path));
    return disk_.ListDirectory(path);
  }
  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    RETURN_IF_ERROR(Begin("lock", path));
    return Keep(disk_.Lock(path), path);
  }
  Result<std::unique_ptr<FileLock>> TryLock(const std::string& path) override {
    RETURN_IF_ERROR(Begin("lock", path));
    return Keep(disk_.TryLock(path), path);
  }

 private:
  class OpenFile : public File {
   public:
    OpenFile(ProcessFiles& files, std::string path, std::unique_ptr<File> file)
        : files_(files), path_(std::move(path)), file_(std::move(file)) {}

    Result<size_t> Read(uint64_t offset, std::span<char> out) override {
      RETURN_IF_ERROR(files_.Begin("read", path_));
      return file_->Read(offset, out);
    }
    // In two parts, between which the process may die.
    Status Write(uint64_t offset, std::string_view bytes) override {
      RETURN_IF_ERROR(files_.Begin("write", path_));
      size_t first = bytes.size() / 2;
      RETURN_IF_ERROR(files_.Noted(file_->Write(offset, bytes.substr(0, first))));
      if (files_.process_.faults_.Strikes(Fault::kTornWrite)) return files_.Fail(Fault::kTornWrite, "write", path_);
      files_.process_.scheduler_.MayYield(this);
      if (!files_.process_.alive_) return files_.Dead();
      return files_.Noted(file_->Write(offset + first, bytes.substr(first)));
    }
    Status Sync() override {
      RETURN_IF_ERROR(files_.Begin("sync", path_));
      return files_.Noted(file_->Sync());
    }
    Result<uint64_t> Size() override {
      RETURN_IF_ERROR(files_.Begin("size", path_));
      return file_->Size();
    }

   private:
    ProcessFiles& files_;
    const std::string path_;
    const std::unique_ptr<File> file_;
  };

  // Given back when its process dies, whoever still holds this.
  class HeldLock : public FileLock {
   public:
    HeldLock(Process& process, std::shared_ptr<std::unique_ptr<FileLock>> lock)
        : process_(process), number_(++process.last_lock_), lock_(std::move(lock)) {
      process_.locks_.emplace(number_, lock_);
    }
    ~HeldLock() override {
      process_.locks_.erase(number_);
      lock_->reset();
    }

   private:
    Process& process_;
    const uint64_t number_;
    const std::shared_ptr<std::unique_ptr<FileLock>> lock_;
  };

  static Status Dead() { return Status::IoError("the process is dead"); }

  Status Begin(const char* action, const std::string& path) {
    process_.scheduler_.MayYield(this);
    if (!process_.alive_) return Dead();
    if (process_.faults_.Strikes(Fault::kDiskError)) return Fail(Fault::kDiskError, action, path);
    return Status::Ok();
  }

  Status Fail(Fault fault, const char* action, const std::string& path) {
    process_.faults_.Hit(fault);
    ++process_.disk_failures_;
    process_.scheduler_.trace().Note(process_.scheduler_.now_ns(), process_.name(),
                                     std::string(FaultName(fault)) + ": " + action + " " + path);
    return Status::IoError(std::string("cannot ") + action + " " + path + ": " + FaultName(fault));
  }

  Status Noted(const Status& status) {
    if (status.code() == StatusCode::kResourceExhausted) {
      process_.faults_.Hit(Fault::kDiskFull);
      ++process_.disk_failures_;
    }
    return status;
  }

  Result<std::unique_ptr<FileLock>> Keep(Result<std::unique_ptr<FileLock>> lock, const std::string& path) {
    if (!lock.ok()) return lock;
    // It may have waited for the lock until after its death.
    if (!process_.alive_) return Dead();
    process_.scheduler_.trace().Note(process_.scheduler_.now_ns(), process_.name(), "locks " + path);
    auto kept = std::make_shared<std::unique_ptr<FileLock>>(std::move(lock).value());
    return std::unique_ptr<FileLock>(std::make_unique<HeldLock>(process_, std::move(kept)));
  }

  Process& process_;
  SimulatedFileSystem& disk_;
};

std::shared_ptr<FileSystem> MakeProcessFiles(Process& process) { return std::make_shared<ProcessFiles>(process); }

}  // namespace isotherm::simulation
