#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "base/file_system.h"
#include "base/macros.h"

namespace isotherm {

namespace {

StatusCode CodeOf(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR: return StatusCode::kNotFound;
    case EEXIST: return StatusCode::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS: return StatusCode::kAccessDenied;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOLCK: return StatusCode::kResourceExhausted;
    default: return StatusCode::kIoError;
  }
}

// Of the call that just failed; `action` as in "cannot <action> <path>".
Status SystemError(const char* action, const std::string& path) {
  int error = errno;
  return {CodeOf(error), std::string("cannot ") + action + " " + path + ": " + std::generic_category().message(error)};
}

template <typename Call>
auto RetryOnSignal(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Descriptor OpenDescriptor(const std::string& path, int flags) {
  constexpr mode_t kMode = 0666;
  return Descriptor(RetryOnSignal([&] { return ::open(path.c_str(), flags | O_CLOEXEC, kMode); }));
}

class PosixFile : public File {
 public:
  PosixFile(std::string path, Descriptor fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  Result<size_t> Read(uint64_t offset, std::span<char> out) override {
    size_t got = 0;
    while (got < out.size()) {
      ssize_t n = RetryOnSignal(
          [&] { return ::pread(fd_.get(), out.data() + got, out.size() - got, static_cast<off_t>(offset + got)); });
      if (n < 0) return SystemError("read", path_);
      if (n == 0) break;
      got += static_cast<size_t>(n);
    }
    return got;
  }

  Status Write(uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      ssize_t n =
          RetryOnSignal([&] { return ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
      if (n < 0) return SystemError("write", path_);
      offset += static_cast<uint64_t>(n);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return Status::Ok();
  }

  Status Sync() override {
    if (RetryOnSignal([&] { return ::fsync(fd_.get()); }) != 0) return SystemError("sync", path_);
    return Status::Ok();
  }

  Result<uint64_t> Size() override {
    struct stat info;
    if (::fstat(fd_.get(), &info) != 0) return SystemError("ask for the size of", path_);
    return static_cast<uint64_t>(info.st_size);
  }

 private:
  const std::string path_;
  const Descriptor fd_;
};

// flock(2) locks belong to the open file, not to the process: two handles of one process exclude each other, and the
// system frees the lock however the process ends.
class PosixFileLock : public FileLock {
 public:
  explicit PosixFileLock(Descriptor fd) : fd_(std::move(fd)) {}

 private:
  const Descriptor fd_;
};

std::string ParentOf(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

class PosixFileSystem : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    int flags = O_RDONLY;
    if (mode == OpenMode::kReadWrite) flags = O_RDWR | O_CREAT;
    if (mode == OpenMode::kCreateNew) flags = O_RDWR | O_CREAT | O_EXCL;
    Descriptor fd = OpenDescriptor(path, flags);
    if (fd.get() < 0) return SystemError("open", path);
    struct stat info;
    if (::fstat(fd.get(), &info) != 0) return SystemError("open", path);
    if (S_ISDIR(info.st_mode)) return Status::NotFound("cannot open " + path + ": it is a directory, not a file");
    return std::unique_ptr<File>(std::make_unique<PosixFile>(path, std::move(fd)));
  }

  Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return SystemError("rename", from + " to " + to);
    return Status::Ok();
  }

  Status Link(const std::string& from, const std::string& to) override {
    if (::link(from.c_str(), to.c_str()) != 0) return SystemError("link", from + " as " + to);
    return Status::Ok();
  }

  Status Remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return SystemError("remove", path);
    return Status::Ok();
  }

  // Every creator syncs the parent before it goes one level deeper. So a directory that has children is durable, and of
  // those that are there already only the deepest may still miss its sync.
  Status CreateDirectories(const std::string& path) override {
    std::string parent = ParentOf(path);
    struct stat info;
    if (::stat(path.c_str(), &info) == 0) {
      if (!S_ISDIR(info.st_mode)) return Status::IoError(path + " is to be a directory, but there is a file");
      // A parent that may not be read is not one that a process with our rights created something in.
      Status synced = SyncDirectory(parent);
      return synced.code() == StatusCode::kAccessDenied ? Status::Ok() : synced;
    }
    if (errno == ENOTDIR) return Status::IoError("cannot create the directory " + path + ": a parent is a file");
    if (errno != ENOENT) return SystemError("create the directory", path);
    RETURN_IF_ERROR(CreateDirectories(parent));
    constexpr mode_t kMode = 0777;
    if (::mkdir(path.c_str(), kMode) != 0 && errno != EEXIST) return SystemError("create the directory", path);
    return SyncDirectory(parent);
  }

  Status SyncDirectory(const std::string& path) override {
    Descriptor fd = OpenDescriptor(path, O_RDONLY | O_DIRECTORY);
    if (fd.get() < 0) return SystemError("open the directory", path);
    if (RetryOnSignal([&] { return ::fsync(fd.get()); }) != 0) return SystemError("sync the directory", path);
    return Status::Ok();
  }

  Result<std::vector<FileInfo>> ListDirectory(const std::string& path) override {
    std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (directory == nullptr) return SystemError("list", path);
    std::vector<FileInfo> files;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(directory.get());
      if (entry == nullptr) {
        if (errno != 0) return SystemError("list", path);
        break;
      }
      std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      struct stat info;
      if (::fstatat(::dirfd(directory.get()), entry->d_name, &info, 0) != 0) {
        if (errno == ENOENT) continue;  // removed meanwhile, or a link that leads nowhere
        return SystemError("list", path + "/" + name);
      }
      files.push_back({std::move(name), static_cast<uint64_t>(info.st_size), S_ISDIR(info.st_mode)});
    }
    std::sort(files.begin(), files.end(), [](const FileInfo& a, const FileInfo& b) { return a.name < b.name; });
    return files;
  }

  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override { return LockFile(path, LOCK_EX); }

  Result<std::unique_ptr<FileLock>> TryLock(const std::string& path) override {
    return LockFile(path, LOCK_EX | LOCK_NB);
  }

 private:
  Result<std::unique_ptr<FileLock>> LockFile(const std::string& path, int operation) {
    Descriptor fd = OpenDescriptor(path, O_RDWR | O_CREAT);
    if (fd.get() < 0) return SystemError("open the lock file", path);
    if (RetryOnSignal([&] { return ::flock(fd.get(), operation); }) != 0) {
      if (errno == EWOULDBLOCK) return Status::Conflict("another process or handle holds the lock " + path);
      return SystemError("lock", path);
    }
    return std::unique_ptr<FileLock>(std::make_unique<PosixFileLock>(std::move(fd)));
  }
};

}  // namespace

std::shared_ptr<FileSystem> FileSystem::Posix() { return std::make_shared<PosixFileSystem>(); }

}  // namespace isotherm
