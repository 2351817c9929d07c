#include "tools/formats/line_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>

#include "base/file_system.h"
#include "base/macros.h"

namespace isotherm::formats {

namespace {

constexpr unsigned kBufferBytes = 256 << 10;

Status Refused(const std::string& what, int reason) {
  std::string message = what + ": " + std::strerror(reason);
  if (reason == ENOENT) return Status::NotFound(message);
  if (reason == EACCES || reason == EPERM) return Status::AccessDenied(message);
  if (reason == ENOSPC || reason == EDQUOT) return Status::ResourceExhausted(message);
  return Status::IoError(message);
}

// What is there and no file, such as a device, is written to and never replaced.
bool IsReplaceable(const std::string& path) {
  std::error_code ignored;
  return !std::filesystem::exists(path, ignored) || std::filesystem::is_regular_file(path, ignored);
}

std::string FolderOf(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace

Result<std::unique_ptr<LineWriter>> LineWriter::Create(const std::string& path) {
  auto writer = std::make_unique<LineWriter>(path, IsReplaceable(path) ? path + ".part" : path);
  errno = 0;
  writer->file_.reset(gzopen(writer->unfinished_.c_str(), path.ends_with(".gz") ? "wb" : "wbT"));
  if (writer->file_ == nullptr) return Refused("cannot create " + writer->unfinished_, errno == 0 ? ENOMEM : errno);
  writer->incomplete_ = writer->unfinished_ != path;
  gzbuffer(writer->file_.get(), kBufferBytes);
  return writer;
}

LineWriter::~LineWriter() {
  if (!incomplete_) return;
  std::error_code ignored;
  std::filesystem::remove(unfinished_, ignored);
}

Status LineWriter::Append(std::string_view line) {
  RETURN_IF_ERROR(Write(line));
  return Write("\n");
}

Status LineWriter::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    size_t piece = std::min<size_t>(bytes.size(), std::numeric_limits<int>::max());
    errno = 0;
    if (gzwrite(file_.get(), bytes.data(), static_cast<unsigned>(piece)) <= 0) {
      return Refused("cannot write " + unfinished_, errno == 0 ? EIO : errno);
    }
    bytes.remove_prefix(piece);
  }
  return Status::Ok();
}

Result<uint64_t> LineWriter::Finish() {
  auto appended = static_cast<uint64_t>(gztell(file_.get()));
  errno = 0;
  if (gzclose(file_.release()) != Z_OK) return Refused("cannot write " + unfinished_, errno == 0 ? EIO : errno);
  if (unfinished_ == path_) return appended;
  auto files = FileSystem::Posix();
  ASSIGN_OR_RETURN(std::unique_ptr<File> written, files->Open(unfinished_, OpenMode::kReadWrite));
  RETURN_IF_ERROR(written->Sync());
  RETURN_IF_ERROR(files->Rename(unfinished_, path_));
  incomplete_ = false;
  RETURN_IF_ERROR(files->SyncDirectory(FolderOf(path_)));
  return written->Size();
}

}  // namespace isotherm::formats
