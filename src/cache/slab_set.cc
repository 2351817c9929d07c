#include "cache/slab_set.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/crc32c.h"
#include "base/macros.h"
#include "base/planted.h"

namespace isotherm {

namespace {

constexpr uint64_t kSlabBytes = 4 << 20;
// Far below the 1,024 descriptors that a process may have by default.
constexpr size_t kMaxOpenFiles = 256;
constexpr std::string_view kSuffix = ".slab";
constexpr size_t kIdDigits = 16;
constexpr size_t kReadPieceBytes = 128 << 10;

// The number in "00000000000000a7.slab"; absent for any other name.
std::optional<uint64_t> IdOf(std::string_view name) {
  if (name.size() != kIdDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  uint64_t id = 0;
  for (char c : name.substr(0, kIdDigits)) {
    bool decimal = c >= '0' && c <= '9';
    if (!decimal && !(c >= 'a' && c <= 'f')) return std::nullopt;
    id = id << 4 | static_cast<uint64_t>(decimal ? c - '0' : c - 'a' + 10);
  }
  return id;
}

}  // namespace

SlabSet::SlabSet(std::string directory, uint64_t capacity_bytes, Environment* env)
    : directory_(std::move(directory)),
      capacity_(capacity_bytes),
      slab_bytes_(std::min(kSlabBytes, capacity_bytes / 4)),
      env_(env) {}

std::string SlabSet::PathOf(uint64_t id) const {
  char digits[kIdDigits + 1];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(id));
  return directory_ + "/" + digits + std::string(kSuffix);
}

Status SlabSet::Load() {
  struct Found {
    uint64_t id;
    uint64_t size;
    SlabContents contents;
    Status status;
  };
  std::vector<Found> found;
  ASSIGN_OR_RETURN(std::vector<FileInfo> files, env_->file_system->ListDirectory(directory_));
  for (const FileInfo& file : files) {
    std::optional<uint64_t> id = IdOf(file.name);
    if (id.has_value() && !file.is_directory) found.push_back({*id, file.size, {}, {}});
  }
  env_->executor->ParallelFor(found.size(), [&](size_t i) {
    auto file = env_->file_system->Open(PathOf(found[i].id), OpenMode::kRead);
    auto contents = file.ok() ? ReadSlab(**file, found[i].size) : file.status();
    found[i].status = contents.status();
    if (contents.ok()) found[i].contents = std::move(*contents);
  });
  for (Found& each : found) {
    next_id_ = each.id + 1;
    bool malformed = each.status.code() == StatusCode::kCorruption || each.status.code() == StatusCode::kUnsupported;
    if (malformed && env_->file_system->Remove(PathOf(each.id)).ok()) continue;
    // One that could not be read or removed now counts, until its turn to be evicted.
    auto slab = std::make_shared<Slab>(each.id);
    slab->entries_end = each.contents.entries_end;
    slab->bytes = std::max(each.size, each.contents.entries_end + kSlabTrailerBytes +
                                          each.contents.entries.size() * kSlabEntryHeaderBytes);
    slab->entries = std::move(each.contents.entries);
    // Only the newest takes more, so that of two entries of one key the later slab's is the newer; and only if it ends
    // with its last entry: new entries written over a torn tail could line up with what is left of it.
    bool takes_more = each.status.ok() && !each.contents.sealed && each.size == slab->entries_end;
    open_slab_ = takes_more ? slab : nullptr;
    used_ += slab->bytes;
    slabs_.push_back(std::move(slab));
  }
  return Status::Ok();
}

Status SlabSet::Trim() {
  std::vector<std::shared_ptr<Slab>> evicted;
  return MakeRoom(0, &evicted);
}

std::vector<SlabSet::PlacedEntry> SlabSet::Entries() const {
  std::vector<PlacedEntry> placed;
  for (const auto& slab : slabs_) {
    uint64_t at = kSlabFileHeaderBytes;
    for (const SlabEntry& entry : slab->entries) {
      at += kSlabEntryHeaderBytes;
      placed.push_back({entry.key, {slab, at, entry.length, entry.crc32c}});
      at += entry.length;
    }
  }
  return placed;
}

Result<SlabLocation> SlabSet::Append(const SlabEntry& entry, std::string_view bytes,
                                     std::vector<std::shared_ptr<Slab>>* evicted) {
  RETURN_IF_ERROR(MakeRoom(CostOf(entry.length) + kEmptySlabBytes, evicted));
  if (open_slab_ != nullptr && !HasRoom(*open_slab_, entry.length)) RETURN_IF_ERROR(SealOpenSlab());
  if (open_slab_ == nullptr) RETURN_IF_ERROR(CreateOpenSlab());
  if (open_file_ == nullptr) {
    ASSIGN_OR_RETURN(open_file_, env_->file_system->Open(PathOf(open_slab_->id), OpenMode::kReadWrite));
  }
  SlabLocation location{open_slab_, open_slab_->entries_end + kSlabEntryHeaderBytes, entry.length, entry.crc32c};
  RETURN_IF_ERROR(WriteEntry(entry, bytes));
  if (!HasRoom(*open_slab_, 0)) RETURN_IF_ERROR(SealOpenSlab());
  return location;
}

// An empty slab takes any extent: one that is larger than a slab gets a file of its own size.
bool SlabSet::HasRoom(const Slab& slab, uint64_t length) const {
  uint64_t sealed_bytes = slab.entries_end + slab.entries.size() * kSlabEntryHeaderBytes + kSlabTrailerBytes;
  return slab.entries.empty() || sealed_bytes + CostOf(length) <= slab_bytes_;
}

Status SlabSet::MakeRoom(uint64_t bytes, std::vector<std::shared_ptr<Slab>>* evicted) {
  while (used_bytes() + bytes > capacity_) {
    if (slabs_.empty()) return Status::ResourceExhausted("an extent larger than the disk cache " + directory_);
    RETURN_IF_ERROR(EvictOldest(evicted));
  }
  return Status::Ok();
}

Status SlabSet::EvictOldest(std::vector<std::shared_ptr<Slab>>* evicted) {
  std::shared_ptr<Slab> oldest = slabs_.front();
  Status removed = env_->file_system->Remove(PathOf(oldest->id));
  if (!removed.ok() && removed.code() != StatusCode::kNotFound) return removed;
  if (oldest == open_slab_) {
    open_slab_ = nullptr;
    open_file_ = nullptr;
  }
  slabs_.pop_front();
  used_ -= oldest->bytes;
  ++evicted_;
  {
    std::lock_guard lock(files_mutex_);
    oldest->file = nullptr;
  }
  evicted->push_back(std::move(oldest));
  return Status::Ok();
}

Status SlabSet::Clear() {
  std::vector<std::shared_ptr<Slab>> evicted;
  while (!slabs_.empty()) RETURN_IF_ERROR(EvictOldest(&evicted));
  return Status::Ok();
}

Status SlabSet::CreateOpenSlab() {
  auto slab = std::make_shared<Slab>(next_id_);
  ASSIGN_OR_RETURN(std::shared_ptr<File> file, env_->file_system->Open(PathOf(slab->id), OpenMode::kCreateNew));
  ++next_id_;
  used_ += slab->bytes;
  slabs_.push_back(slab);
  RETURN_IF_ERROR(file->Write(0, EncodeSlabFileHeader()));
  KeepOpen(slab, file);
  open_slab_ = std::move(slab);
  open_file_ = std::move(file);
  return Status::Ok();
}

Status SlabSet::WriteEntry(const SlabEntry& entry, std::string_view bytes) {
  Slab& slab = *open_slab_;
  // Counted first: a write that fails may have filled a part.
  uint64_t end = slab.entries_end + kSlabEntryHeaderBytes + bytes.size();
  uint64_t sealed_bytes = end + (slab.entries.size() + 1) * kSlabEntryHeaderBytes + kSlabTrailerBytes;
  if (sealed_bytes > slab.bytes) {
    used_ += sealed_bytes - slab.bytes;
    slab.bytes = sealed_bytes;
  }
  RETURN_IF_ERROR(open_file_->Write(slab.entries_end, EncodeSlabEntryHeader(entry)));
  RETURN_IF_ERROR(open_file_->Write(slab.entries_end + kSlabEntryHeaderBytes, bytes));
  slab.entries.push_back(entry);
  slab.entries_end = end;
  return Status::Ok();
}

Status SlabSet::SealOpenSlab() {
  if (open_file_ == nullptr) {
    ASSIGN_OR_RETURN(open_file_, env_->file_system->Open(PathOf(open_slab_->id), OpenMode::kReadWrite));
  }
  RETURN_IF_ERROR(open_file_->Write(open_slab_->entries_end, EncodeSlabFooter(open_slab_->entries)));
  open_slab_ = nullptr;
  open_file_ = nullptr;
  return Status::Ok();
}

Status SlabSet::Read(const SlabLocation& location, std::span<char> out) {
  ASSIGN_OR_RETURN(std::shared_ptr<File> file, FileOf(location.slab));
  uint32_t crc = 0;
  // In pieces, so that the checksum finds the bytes where reading has left them: in the core's own cache.
  for (size_t at = 0; at < out.size(); at += kReadPieceBytes) {
    std::span<char> piece = out.subspan(at, std::min(kReadPieceBytes, out.size() - at));
    ASSIGN_OR_RETURN(size_t got, file->Read(location.offset + at, piece));
    if (got < piece.size()) return Status::Corruption("the slab " + PathOf(location.slab->id) + " is cut off");
    crc = ExtendCrc32c(crc, {piece.data(), piece.size()});
  }
  if (crc == location.crc32c || Planted(Bug::kTrustedDiskCache)) return Status::Ok();
  return Status::Corruption("the slab " + PathOf(location.slab->id) + " is damaged at byte " +
                            std::to_string(location.offset));
}

Result<std::shared_ptr<File>> SlabSet::FileOf(const std::shared_ptr<Slab>& slab) {
  {
    std::lock_guard lock(files_mutex_);
    if (slab->file != nullptr) return slab->file;
  }
  ASSIGN_OR_RETURN(std::shared_ptr<File> file, env_->file_system->Open(PathOf(slab->id), OpenMode::kRead));
  KeepOpen(slab, file);
  return file;
}

void SlabSet::KeepOpen(const std::shared_ptr<Slab>& slab, std::shared_ptr<File> file) {
  std::lock_guard lock(files_mutex_);
  if (slab->file != nullptr) return;
  slab->file = std::move(file);
  slabs_with_file_.push_back(slab);
  if (slabs_with_file_.size() <= kMaxOpenFiles) return;
  if (std::shared_ptr<Slab> first = slabs_with_file_.front().lock(); first != nullptr) first->file = nullptr;
  slabs_with_file_.pop_front();
}

}  // namespace isotherm
