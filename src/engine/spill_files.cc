#include "engine/spill_files.h"

#include <algorithm>

#include "base/crc32c.h"
#include "base/macros.h"
#include "engine/head.h"

namespace isotherm {

namespace {

constexpr size_t kPieceBytes = 1 << 20;
constexpr std::string_view kLockSuffix = ".lock";

}  // namespace

SpillFiles::SpillFiles(std::shared_ptr<Environment> env, std::string directory, uint64_t memory_bytes)
    : env_(std::move(env)), directory_(std::move(directory)), memory_bytes_(memory_bytes) {}

SpillFiles::~SpillFiles() {
  if (prefix_.empty()) return;
  for (uint32_t stream = 0; stream < streams_.size(); ++stream) Drop(stream);
  Status removed = env_->file_system->Remove(prefix_ + std::string(kLockSuffix));
  (void)removed;  // the next build that spills tries again
}

uint32_t SpillFiles::AddStream() {
  streams_.emplace_back();
  return static_cast<uint32_t>(streams_.size() - 1);
}

std::string SpillFiles::PathOf(uint32_t stream) const { return prefix_ + "-" + std::to_string(stream); }

Status SpillFiles::Append(uint32_t stream, std::string_view record) {
  Stream& to = streams_[stream];
  uint64_t grown = 0;
  if (to.pieces.empty() || to.pieces.back().size() + record.size() > kPieceBytes) {
    grown = sizeof(std::string);
    to.pieces.emplace_back();
  }
  std::string& piece = to.pieces.back();
  const size_t before = piece.capacity();
  piece += record;
  grown += piece.capacity() - before;
  to.memory_bytes += grown;
  bytes_in_memory_ += grown;
  if (bytes_in_memory_ <= memory_bytes_) return Status::Ok();
  return FlushLargest();
}

// Down to half of the limit, so that files are written in large pieces.
Status SpillFiles::FlushLargest() {
  if (prefix_.empty()) RETURN_IF_ERROR(Prepare());
  while (bytes_in_memory_ > memory_bytes_ / 2) {
    auto largest = std::max_element(streams_.begin(), streams_.end(),
                                    [](const Stream& a, const Stream& b) { return a.memory_bytes < b.memory_bytes; });
    RETURN_IF_ERROR(Flush(static_cast<uint32_t>(largest - streams_.begin())));
  }
  return Status::Ok();
}

Status SpillFiles::Flush(uint32_t stream) {
  Stream& from = streams_[stream];
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, env_->file_system->Open(PathOf(stream), OpenMode::kReadWrite));
  for (const std::string& piece : from.pieces) {
    RETURN_IF_ERROR(file->Write(from.file_bytes, piece).WithContext("spilling"));
    from.file_bytes += piece.size();
    from.piece_lengths.push_back(static_cast<uint32_t>(piece.size()));
    from.piece_crcs.push_back(Crc32c(piece));
    bytes_on_disk_ += piece.size();
  }
  bytes_in_memory_ -= from.memory_bytes;
  from.memory_bytes = 0;
  from.pieces = {};
  return Status::Ok();
}

Status SpillFiles::Read(uint32_t stream, const std::function<Status(std::string_view)>& visit) {
  const Stream& from = streams_[stream];
  if (from.file_bytes > 0) {
    ASSIGN_OR_RETURN(std::unique_ptr<File> file, env_->file_system->Open(PathOf(stream), OpenMode::kRead));
    uint64_t offset = 0;
    std::string piece;
    for (size_t p = 0; p < from.piece_lengths.size(); ++p) {
      piece.resize(from.piece_lengths[p]);
      ASSIGN_OR_RETURN(size_t read, file->Read(offset, piece));
      if (read != piece.size() || Crc32c(piece) != from.piece_crcs[p]) {
        return Status::IoError(PathOf(stream) + ": at " + std::to_string(offset) +
                               ": the disk gave other bytes than were written");
      }
      RETURN_IF_ERROR(visit(piece));
      offset += piece.size();
    }
  }
  for (const std::string& piece : from.pieces) RETURN_IF_ERROR(visit(piece));
  return Status::Ok();
}

void SpillFiles::Drop(uint32_t stream) {
  Stream& gone = streams_[stream];
  bytes_in_memory_ -= gone.memory_bytes;
  if (gone.file_bytes > 0) {
    Status removed = env_->file_system->Remove(PathOf(stream));
    (void)removed;  // the next build that spills tries again
  }
  gone = {};
}

Status SpillFiles::Prepare() {
  RETURN_IF_ERROR(env_->file_system->CreateDirectories(directory_).WithContext("spill directory"));
  RemoveLeftovers();
  std::string prefix = directory_ + "/" + NonceHex(MakeNonce(*env_->random));
  ASSIGN_OR_RETURN(lock_, env_->file_system->TryLock(prefix + std::string(kLockSuffix)));
  prefix_ = std::move(prefix);
  return Status::Ok();
}

// Nothing here is anybody's failure: what can't be removed now stays for the next one.
void SpillFiles::RemoveLeftovers() {
  auto files = env_->file_system->ListDirectory(directory_);
  if (!files.ok()) return;
  for (const FileInfo& info : *files) {
    if (!info.name.ends_with(kLockSuffix)) continue;
    auto lock = env_->file_system->TryLock(directory_ + "/" + info.name);
    if (!lock.ok()) continue;
    std::string build = info.name.substr(0, info.name.size() - kLockSuffix.size());
    Status removed;
    for (const FileInfo& other : *files) {
      if (other.name.starts_with(build + "-")) removed = env_->file_system->Remove(directory_ + "/" + other.name);
    }
    removed = env_->file_system->Remove(directory_ + "/" + info.name);
    (void)removed;
  }
}

}  // namespace isotherm
