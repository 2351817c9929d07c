// The format of a slab: one file of the disk cache.
//
//   file header  12 bytes   magic, version, crc of both
//   entry        32 bytes   magic, key (16), length, crc of the bytes, crc of this header; then the extent's bytes
//   …                       entries follow one another without gaps
//   footer       only in a sealed slab: all entries' headers again, so that opening reads one run of bytes;
//                then 8 bytes: magic, number of entries
//
// All numbers are little-endian, all checksums CRC-32C. Nothing is synced: after a loss of power any part may be
// missing or old, which the checksums tell.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "cache/block_cache.h"
#include "isotherm/status.h"

namespace isotherm {

struct SlabEntry {
  BlockKey key;
  uint32_t length = 0;
  uint32_t crc32c = 0;
};

inline constexpr uint64_t kSlabFileHeaderBytes = 12;
inline constexpr uint64_t kSlabEntryHeaderBytes = 32;
inline constexpr uint64_t kSlabTrailerBytes = 8;
// What an entry takes beside its bytes: its header, and that again in the footer.
inline constexpr uint64_t kSlabEntryOverhead = 2 * kSlabEntryHeaderBytes;
inline constexpr uint64_t kEmptySlabBytes = kSlabFileHeaderBytes + kSlabTrailerBytes;

std::string EncodeSlabFileHeader();
std::string EncodeSlabEntryHeader(const SlabEntry& entry);
std::string EncodeSlabFooter(const std::vector<SlabEntry>& entries);

struct SlabContents {
  std::vector<SlabEntry> entries;               // the first begins after the file header
  uint64_t entries_end = kSlabFileHeaderBytes;  // where the last one ends, and the next would begin
  bool sealed = false;
};

// What a slab of `size` bytes holds, by its footer or, without a good one, by its entries' headers up to the first that
// is not good. Does not read the extents. kCorruption when it is no slab, kUnsupported when of another version.
Result<SlabContents> ReadSlab(File& file, uint64_t size);

}  // namespace isotherm
