// What the head knows of a segment, so that a reader needs neither its size nor its tail to be looked up. The segment's
// own tail holds the same, so that it can be understood alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/coding.h"
#include "isotherm/row.h"

namespace isotherm {

enum class SegmentKind : uint8_t {
  kFlat = 1,   // blocks with centroids of their own, read whole by every query
  kCells = 2,  // cells of the collection's partition
};

struct Section {
  uint64_t offset = 0;
  uint64_t length = 0;
};

// A block of a codes section; blocks lie one behind the other.
struct BlockInfo {
  uint32_t length = 0;
  uint32_t rows = 0;  // entries: primary rows and second copies
  uint32_t primary_rows = 0;
  uint32_t crc32c = 0;
};

// When rows expire: of those that do.
struct ExpirySpan {
  uint64_t rows = 0;
  int64_t first_ms = 0;
  int64_t last_ms = 0;

  void Add(int64_t expires_at_ms);
};

struct SegmentInfo {
  std::string name;
  SegmentKind kind = SegmentKind::kFlat;
  uint64_t bytes = 0;
  uint64_t rows = 0;
  uint64_t entries = 0;
  uint32_t first_ordinal = 0;  // cells: ordinals go on from one segment of the partition to the next
  uint32_t first_cell = 0;     // cells
  uint32_t cell_count = 0;     // cells
  // These stand in the head only.
  uint64_t version = 0;       // of the collection, whose commit wrote its rows, but for those that say themselves
  uint64_t hard_deleted = 0;  // of its rows
  uint64_t soft_deleted = 0;
  ExpirySpan expiry;
  Section codes;
  Section vectors;    // per row: f32[d], crc32c u32 of these bytes and the ordinal
  Section documents;  // per row: see row_codec.h
  Section keys;       // see key_pages.h
  Section filter;     // of keys
  uint32_t filter_crc32c = 0;
  Section tail;
  uint32_t tail_crc32c = 0;
  std::vector<BlockInfo> blocks;  // flat only; those of cells stand in the routing object

  uint64_t live_rows() const { return rows - hard_deleted - soft_deleted; }  // expired ones among them
  uint32_t key_pages() const;
  // The range of one row's raw vector.
  Section VectorOf(uint32_t ordinal, uint32_t dimension) const;
};

constexpr uint32_t VectorBytes(uint32_t dimension) { return dimension * 4 + 4; }
uint32_t VectorCrc(std::string_view floats, uint32_t ordinal);

void PutSegmentInfo(std::string& out, const SegmentInfo& info);
// Fails the decoder on anything malformed or that does not fit together: whatever it gives can be read by.
SegmentInfo GetSegmentInfo(Decoder& in, uint32_t dimension);
void PutBlockInfos(std::string& out, const std::vector<BlockInfo>& blocks);
std::vector<BlockInfo> GetBlockInfos(Decoder& in);

}  // namespace isotherm
