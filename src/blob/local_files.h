// How the local store keeps objects in a directory: where an object lies, and how a new one gets there durably.
//
//   <root>/<name>           an object; its file never changes after it got its name
//   <root>/.tmp/<time>-<n>  a file that is being written; <time> is its creation in ms since 1970, hexadecimal
//   <root>/.tmp/lock-<h>    held while an object whose name has the hash h is replaced or removed
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/environment.h"
#include "base/sync.h"
#include "blob/content_etag.h"
#include "isotherm/blob_store.h"
#include "isotherm/status.h"

namespace isotherm {

// Of the first part of a name: what lies there is no object.
inline constexpr std::string_view kTempDirectory = ".tmp";

// A file without a name as an object yet. Removed when destroyed. One thread at a time.
class TempFile {
 public:
  TempFile(std::shared_ptr<FileSystem> file_system, std::string path, std::unique_ptr<File> file);
  ~TempFile();
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  Status Append(std::string_view bytes);
  Status Sync() { return file_->Sync(); }
  std::string Etag() const { return hash_.Etag(); }
  const std::string& path() const { return path_; }
  // The path is not this file's any more.
  void Release() { released_ = true; }

 private:
  const std::shared_ptr<FileSystem> file_system_;
  const std::string path_;
  const std::unique_ptr<File> file_;
  uint64_t size_ = 0;
  ContentHash hash_;
  bool released_ = false;
};

// Thread-safe.
class LocalFiles {
 public:
  LocalFiles(std::string root, std::shared_ptr<Environment> environment);

  // Beside the general rules: no part is longer than a file's name may be, and the first one is not ".tmp".
  Status CheckName(std::string_view name) const;
  std::string PathOf(std::string_view name) const;
  const std::string& root() const { return root_; }
  const std::shared_ptr<Environment>& environment() const { return environment_; }

  Result<std::unique_ptr<TempFile>> CreateTempFile();
  // Syncs the file and gives it the object's name, if the condition holds; returns its etag. kUnknown when the name is
  // given, but could not be made durable.
  Result<std::string> Publish(TempFile& file, std::string_view name, const PutCondition& condition);
  // Before a read: makes the name durable if Publish could not. Who is told kUnknown looks at the object to learn what
  // became of it, and must not take for safe what a loss of power may still undo.
  Status MakeNameDurable(std::string_view name);
  // kConflict when it does not hold at this moment.
  Status CheckCondition(std::string_view name, const PutCondition& condition);
  Status Remove(std::string_view name);

 private:
  // Unsupported when the file system's locks don't exclude anybody.
  Result<std::unique_ptr<FileLock>> LockName(std::string_view name);
  Status InDurableDirectory(const std::string& directory, const std::function<Status()>& operation);
  Status MakeDurable(const std::string& directory);
  Status SyncParent(const std::string& path);
  void RemoveLeftovers();

  const std::string root_;
  const std::shared_ptr<Environment> environment_;
  const std::shared_ptr<FileSystem> file_system_;
  const std::string temp_directory_;
  Mutex mutex_;
  std::set<std::string> durable_;   // directories known to be there and to survive a loss of power
  std::set<std::string> in_doubt_;  // paths of objects whose directory could not be synced
  std::atomic<bool> any_in_doubt_{false};
  std::atomic<bool> leftovers_removed_{false};
  std::atomic<bool> locks_work_{false};  // seen once that a lock which is held is not given again
};

// All of the file's bytes from `offset` on, `length` of them. Gives up when the context ends.
Result<std::string> ReadBytes(const Context& context, Clock& clock, File& file, std::string_view name, ByteRange range);

}  // namespace isotherm
