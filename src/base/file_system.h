// The local files, as little of them as the project needs. Injected, so that tests can lose power and fill the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isotherm/status.h"

namespace isotherm {

// An open file. Read and Write may be called from several threads at once.
class File {
 public:
  virtual ~File() = default;
  // Fills `out` from `offset` on; returns how many bytes there were (less only at the end of the file).
  virtual Result<size_t> Read(uint64_t offset, std::span<char> out) = 0;
  virtual Status Write(uint64_t offset, std::string_view bytes) = 0;
  // fsync: contents and size are on the disk when it returns ok.
  virtual Status Sync() = 0;
  virtual Result<uint64_t> Size() = 0;
};

// An exclusive advisory lock, held until destroyed, between processes and between handles of one process.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class OpenMode : uint8_t {
  kRead,       // kNotFound when missing or a directory
  kReadWrite,  // created when missing
  kCreateNew,  // kAlreadyExists when there
};

struct FileInfo {
  std::string name;  // relative to the directory that was listed
  uint64_t size = 0;
  bool is_directory = false;
};

// Thread-safe. Paths are the operating system's. Errors: kNotFound, kAlreadyExists, kAccessDenied, kResourceExhausted
// (no space, quota, too many open files), else kIoError, each naming the path and the system's reason.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  // Atomic; replaces `to`. Durable after SyncDirectory of the parent.
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  // Atomic hard link: kAlreadyExists when `to` is there.
  virtual Status Link(const std::string& from, const std::string& to) = 0;
  virtual Status Remove(const std::string& path) = 0;  // a file; kNotFound when missing
  // With every missing parent; ok when there. Durable when it returns, whoever created it, as long as every creator
  // came through here.
  virtual Status CreateDirectories(const std::string& path) = 0;
  virtual Status SyncDirectory(const std::string& path) = 0;
  virtual Result<std::vector<FileInfo>> ListDirectory(const std::string& path) = 0;  // ascending by name
  // Blocks until it is free. Creates the file, but not its directory.
  virtual Result<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
  // The same, but kConflict when it is not free.
  virtual Result<std::unique_ptr<FileLock>> TryLock(const std::string& path) = 0;

  static std::shared_ptr<FileSystem> Posix();
};

}  // namespace isotherm
