#include "cache/slab_file.h"

#include <algorithm>
#include <utility>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/macros.h"

namespace isotherm {

namespace {

constexpr uint32_t kFileMagic = 0x4c534f49;    // "IOSL"
constexpr uint32_t kEntryMagic = 0x45534f49;   // "IOSE"
constexpr uint32_t kFooterMagic = 0x46534f49;  // "IOSF"
constexpr uint32_t kVersion = 1;

// `n` bytes, or fewer at the file's end.
Result<std::string> ReadAt(File& file, uint64_t offset, uint64_t n) {
  std::string bytes(n, '\0');
  ASSIGN_OR_RETURN(size_t got, file.Read(offset, bytes));
  bytes.resize(got);
  return bytes;
}

bool DecodeEntryHeader(std::string_view bytes, SlabEntry* entry) {
  if (bytes.size() != kSlabEntryHeaderBytes) return false;
  Decoder decoder(bytes);
  if (decoder.Fixed<uint32_t>() != kEntryMagic) return false;
  entry->key.high = decoder.Fixed<uint64_t>();
  entry->key.low = decoder.Fixed<uint64_t>();
  entry->length = decoder.Fixed<uint32_t>();
  entry->crc32c = decoder.Fixed<uint32_t>();
  return Crc32c(bytes.substr(0, bytes.size() - 4)) == decoder.Fixed<uint32_t>();
}

Status CheckFileHeader(File& file) {
  char buffer[kSlabFileHeaderBytes] = {};
  ASSIGN_OR_RETURN(size_t got, file.Read(0, buffer));
  std::string_view bytes(buffer, got);
  Decoder decoder(bytes);
  uint32_t magic = decoder.Fixed<uint32_t>();
  uint32_t version = decoder.Fixed<uint32_t>();
  uint32_t crc = decoder.Fixed<uint32_t>();
  if (!decoder.done() || magic != kFileMagic || crc != Crc32c(bytes.substr(0, 8))) {
    return Status::Corruption("the file header is not a slab's");
  }
  if (version != kVersion) {
    return Status::Unsupported("slab of version " + std::to_string(version) + ", this is version " +
                               std::to_string(kVersion));
  }
  return Status::Ok();
}

// False when there is no footer, or not all of it is good. Its number of entries is right when that many good headers
// account for every byte of the file.
Result<bool> ReadFooter(File& file, uint64_t size, SlabContents* contents) {
  constexpr uint64_t kFirstRead = 4096;  // the footer of some 120 extents
  uint64_t tail_bytes = std::min(size, kFirstRead);
  ASSIGN_OR_RETURN(std::string tail, ReadAt(file, size - tail_bytes, tail_bytes));
  if (tail.size() != tail_bytes || tail.size() < kSlabTrailerBytes) return false;
  Decoder trailer(std::string_view(tail).substr(tail.size() - kSlabTrailerBytes));
  uint32_t magic = trailer.Fixed<uint32_t>();
  uint64_t count = trailer.Fixed<uint32_t>();
  uint64_t footer_bytes = count * kSlabEntryHeaderBytes + kSlabTrailerBytes;
  if (magic != kFooterMagic || footer_bytes + kSlabFileHeaderBytes > size) return false;
  if (footer_bytes > tail.size()) {
    ASSIGN_OR_RETURN(tail, ReadAt(file, size - footer_bytes, footer_bytes));
  }
  if (tail.size() < footer_bytes) return false;
  std::string_view footer = std::string_view(tail).substr(tail.size() - footer_bytes);
  SlabContents found;
  for (uint64_t i = 0; i < count; ++i) {
    SlabEntry entry;
    if (!DecodeEntryHeader(footer.substr(i * kSlabEntryHeaderBytes, kSlabEntryHeaderBytes), &entry)) return false;
    found.entries.push_back(entry);
    found.entries_end += kSlabEntryHeaderBytes + entry.length;
  }
  if (found.entries_end + footer_bytes != size) return false;
  found.sealed = true;
  *contents = std::move(found);
  return true;
}

}  // namespace

std::string EncodeSlabFileHeader() {
  std::string out;
  PutFixed(out, kFileMagic);
  PutFixed(out, kVersion);
  PutFixed(out, Crc32c(out));
  return out;
}

std::string EncodeSlabEntryHeader(const SlabEntry& entry) {
  std::string out;
  PutFixed(out, kEntryMagic);
  PutFixed(out, entry.key.high);
  PutFixed(out, entry.key.low);
  PutFixed(out, entry.length);
  PutFixed(out, entry.crc32c);
  PutFixed(out, Crc32c(out));
  return out;
}

std::string EncodeSlabFooter(const std::vector<SlabEntry>& entries) {
  std::string out;
  for (const SlabEntry& entry : entries) out += EncodeSlabEntryHeader(entry);
  PutFixed(out, kFooterMagic);
  PutFixed(out, static_cast<uint32_t>(entries.size()));
  return out;
}

Result<SlabContents> ReadSlab(File& file, uint64_t size) {
  RETURN_IF_ERROR(CheckFileHeader(file));
  SlabContents contents;
  ASSIGN_OR_RETURN(bool sealed, ReadFooter(file, size, &contents));
  while (!sealed) {
    ASSIGN_OR_RETURN(std::string header, ReadAt(file, contents.entries_end, kSlabEntryHeaderBytes));
    SlabEntry entry;
    if (!DecodeEntryHeader(header, &entry)) break;
    uint64_t end = contents.entries_end + kSlabEntryHeaderBytes + entry.length;
    if (end > size) break;
    contents.entries.push_back(entry);
    contents.entries_end = end;
  }
  return contents;
}

}  // namespace isotherm
