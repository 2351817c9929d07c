#include "blob/local_files.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/context_check.h"
#include "base/crc32c.h"
#include "base/macros.h"
#include "base/sha256.h"
#include "blob/request_check.h"

namespace isotherm {

namespace {

constexpr size_t kMaxPartBytes = 255;  // NAME_MAX of the usual file systems
// So many that names rarely share one, so few that the files don't matter.
constexpr uint32_t kNameLocks = 64;
// No writer takes so long; wall clocks of machines that share a directory differ by less.
constexpr int64_t kLeftoverAgeMs = int64_t{24} * 60 * 60 * 1000;
// Between two looks at the deadline.
constexpr size_t kReadPieceBytes = size_t{16} << 20;

std::string HexOf(uint64_t value) {
  char digits[16];
  auto [end, error] = std::to_chars(digits, digits + sizeof(digits), value, 16);
  return {digits, end};
}

Status ExistsAlready(std::string_view name) {
  return Status::Conflict(std::string(name) + ": the object exists already");
}

std::string WithoutTrailingSlashes(std::string path) {
  if (path.empty()) return ".";
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string Join(const std::string& directory, std::string_view name) {
  std::string path = directory;
  if (path != "/") path.push_back('/');
  return path.append(name);
}

std::string DirectoryOf(const std::string& path) { return path.substr(0, std::max<size_t>(path.rfind('/'), 1)); }

}  // namespace

TempFile::TempFile(std::shared_ptr<FileSystem> file_system, std::string path, std::unique_ptr<File> file)
    : file_system_(std::move(file_system)), path_(std::move(path)), file_(std::move(file)) {}

TempFile::~TempFile() {
  // One that stays is removed a day later by another handle.
  if (!released_) static_cast<void>(file_system_->Remove(path_));
}

Status TempFile::Append(std::string_view bytes) {
  RETURN_IF_ERROR(file_->Write(size_, bytes));
  hash_.Update(bytes);
  size_ += bytes.size();
  return Status::Ok();
}

LocalFiles::LocalFiles(std::string root, std::shared_ptr<Environment> environment)
    : root_(WithoutTrailingSlashes(std::move(root))),
      environment_(std::move(environment)),
      file_system_(environment_->file_system),
      temp_directory_(Join(root_, kTempDirectory)) {}

Status LocalFiles::CheckName(std::string_view name) const {
  for (std::string_view rest = name; !rest.empty();) {
    std::string_view part = rest.substr(0, rest.find('/'));
    if (part.size() > kMaxPartBytes) {
      return Status::InvalidArgument("the object name \"" + std::string(name) + "\" has a part of " +
                                     std::to_string(part.size()) + " bytes, but a local store takes at most 255");
    }
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
  }
  if (name.substr(0, name.find('/')) == kTempDirectory) {
    return Status::InvalidArgument("the object name \"" + std::string(name) +
                                   "\" begins with \".tmp\", which a local store keeps for itself");
  }
  return Status::Ok();
}

std::string LocalFiles::PathOf(std::string_view name) const { return Join(root_, name); }

Status LocalFiles::MakeDurable(const std::string& directory) {
  {
    std::lock_guard lock(mutex_);
    if (durable_.contains(directory)) return Status::Ok();
  }
  RETURN_IF_ERROR(file_system_->CreateDirectories(directory));
  std::lock_guard lock(mutex_);
  durable_.insert(directory);
  return Status::Ok();
}

// Makes the directory again if somebody removed it since it was last seen.
Status LocalFiles::InDurableDirectory(const std::string& directory, const std::function<Status()>& operation) {
  RETURN_IF_ERROR(MakeDurable(directory));
  Status status = operation();
  if (status.code() != StatusCode::kNotFound) return status;
  {
    std::lock_guard lock(mutex_);
    durable_.erase(directory);
  }
  RETURN_IF_ERROR(MakeDurable(directory));
  status = operation();
  if (status.code() != StatusCode::kNotFound) return status;
  return Status::IoError(status.message() + " (its directory or temporary file keeps vanishing)");
}

Result<std::unique_ptr<TempFile>> LocalFiles::CreateTempFile() {
  std::string name =
      HexOf(static_cast<uint64_t>(environment_->clock->WallMs())) + "-" + HexOf(environment_->random->Next());
  std::string path = Join(temp_directory_, name);
  std::unique_ptr<File> file;
  RETURN_IF_ERROR(InDurableDirectory(temp_directory_, [&] {
    Result<std::unique_ptr<File>> opened = file_system_->Open(path, OpenMode::kCreateNew);
    if (opened.ok()) file = std::move(opened).value();
    return opened.status();
  }));
  if (!leftovers_removed_.exchange(true)) RemoveLeftovers();
  return std::make_unique<TempFile>(file_system_, std::move(path), std::move(file));
}

// What processes that died left behind. Nothing depends on it but disk space, so errors are of no interest.
void LocalFiles::RemoveLeftovers() {
  Result<std::vector<FileInfo>> files = file_system_->ListDirectory(temp_directory_);
  if (!files.ok()) return;
  int64_t now_ms = environment_->clock->WallMs();
  for (const FileInfo& file : *files) {
    const char* end = file.name.data() + file.name.size();
    int64_t created_ms = 0;
    auto [stop, error] = std::from_chars(file.name.data(), end, created_ms, 16);
    if (error != std::errc() || stop == end || *stop != '-') continue;
    if (now_ms - created_ms > kLeftoverAgeMs) static_cast<void>(file_system_->Remove(Join(temp_directory_, file.name)));
  }
}

Result<std::unique_ptr<FileLock>> LocalFiles::LockName(std::string_view name) {
  std::string path = Join(temp_directory_, "lock-" + HexOf(Crc32c(name) % kNameLocks));
  std::unique_ptr<FileLock> lock;
  RETURN_IF_ERROR(InDurableDirectory(temp_directory_, [&] {
    Result<std::unique_ptr<FileLock>> locked = file_system_->Lock(path);
    if (locked.ok()) lock = std::move(locked).value();
    return locked.status();
  }));
  if (!locks_work_) {
    Result<std::unique_ptr<FileLock>> second = file_system_->TryLock(path);
    if (second.ok()) {
      return Status::Unsupported(
          "the file system of " + root_ +
          " gives the same lock twice: without a working flock(2) writers would undo each other");
    }
    if (second.status().code() != StatusCode::kConflict) return second.status();
    locks_work_ = true;
  }
  return lock;
}

Status LocalFiles::CheckCondition(std::string_view name, const PutCondition& condition) {
  if (condition.mode == PutMode::kOverwrite) return Status::Ok();
  Result<std::unique_ptr<File>> file = file_system_->Open(PathOf(name), OpenMode::kRead);
  bool exists = file.status().code() != StatusCode::kNotFound;
  if (exists && !file.ok()) return file.status();
  if (condition.mode == PutMode::kIfAbsent) {
    return exists ? ExistsAlready(name) : Status::Ok();
  }
  if (!exists) return EtagMismatch(name, condition.etag, "no object");
  ASSIGN_OR_RETURN(uint64_t size, (*file)->Size());
  ASSIGN_OR_RETURN(std::string bytes, ReadBytes({}, *environment_->clock, **file, name, {0, size}));
  std::string etag = ContentEtag(bytes);
  return etag == condition.etag ? Status::Ok() : EtagMismatch(name, condition.etag, etag);
}

Result<std::string> LocalFiles::Publish(TempFile& file, std::string_view name, const PutCondition& condition) {
  RETURN_IF_ERROR(file.Sync());
  std::string path = PathOf(name);
  std::string directory = DirectoryOf(path);
  std::unique_ptr<FileLock> lock;
  if (condition.mode == PutMode::kIfAbsent) {
    Status linked = InDurableDirectory(directory, [&] { return file_system_->Link(file.path(), path); });
    if (linked.code() == StatusCode::kAlreadyExists) return ExistsAlready(name);
    RETURN_IF_ERROR(linked);
  } else {
    ASSIGN_OR_RETURN(lock, LockName(name));
    RETURN_IF_ERROR(CheckCondition(name, condition));
    RETURN_IF_ERROR(InDurableDirectory(directory, [&] { return file_system_->Rename(file.path(), path); }));
    file.Release();
  }
  Status synced = SyncParent(path);
  if (!synced.ok())
    return Status::Unknown(std::string(name) + ": written, but perhaps not durable: " + synced.message());
  return file.Etag();
}

Status LocalFiles::SyncParent(const std::string& path) {
  const std::string directory = DirectoryOf(path);
  Status synced = file_system_->SyncDirectory(directory);
  std::lock_guard lock(mutex_);
  if (synced.ok()) {
    std::erase_if(in_doubt_, [&](const std::string& other) { return DirectoryOf(other) == directory; });
  } else {
    in_doubt_.insert(path);
  }
  any_in_doubt_ = !in_doubt_.empty();
  return synced;
}

Status LocalFiles::MakeNameDurable(std::string_view name) {
  if (!any_in_doubt_) return Status::Ok();
  const std::string path = PathOf(name);
  {
    std::lock_guard lock(mutex_);
    if (!in_doubt_.contains(path)) return Status::Ok();
  }
  return SyncParent(path).WithContext(std::string(name) + ": its last write is not durable yet");
}

Status LocalFiles::Remove(std::string_view name) {
  std::string path = PathOf(name);
  ASSIGN_OR_RETURN(std::unique_ptr<FileLock> lock, LockName(name));
  Status removed = file_system_->Remove(path);
  if (removed.code() == StatusCode::kNotFound) return Status::Ok();
  RETURN_IF_ERROR(removed);
  Status synced = file_system_->SyncDirectory(DirectoryOf(path));
  if (synced.ok()) return synced;
  return Status::Unknown(std::string(name) + ": removed, but perhaps not durably: " + synced.message());
}

Result<std::string> ReadBytes(const Context& context, Clock& clock, File& file, std::string_view name,
                              ByteRange range) {
  std::string bytes(range.length, '\0');
  for (size_t done = 0; done < bytes.size();) {
    RETURN_IF_ERROR(CheckContext(context, clock, "read of " + std::string(name)));
    size_t piece = std::min(bytes.size() - done, kReadPieceBytes);
    ASSIGN_OR_RETURN(size_t got, file.Read(range.offset + done, {bytes.data() + done, piece}));
    if (got < piece) {
      return Status::IoError(std::string(name) + ": the file was cut short at " +
                             std::to_string(range.offset + done + got) + " while it was read");
    }
    done += piece;
  }
  return bytes;
}

}  // namespace isotherm
