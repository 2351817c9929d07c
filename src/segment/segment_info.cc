#include "segment/segment_info.h"

#include <algorithm>

#include "base/crc32c.h"
#include "isotherm/blob_store.h"
#include "segment/key_pages.h"

namespace isotherm {

namespace {

void PutSection(std::string& out, const Section& section) {
  PutFixed<uint64_t>(out, section.offset);
  PutFixed<uint64_t>(out, section.length);
}

// Fails unless the section lies inside an object of `bytes`.
Section GetSection(Decoder& in, uint64_t bytes) {
  Section section;
  section.offset = in.Fixed<uint64_t>();
  section.length = in.Fixed<uint64_t>();
  if (section.offset > bytes || section.length > bytes - section.offset) in.Fail();
  return section;
}

// The directory of blocks, where there is one, tells of as many bytes and rows as the segment.
bool BlocksFit(const SegmentInfo& info) {
  if (info.kind == SegmentKind::kCells && info.blocks.empty()) return true;  // it stands in the routing object
  uint64_t bytes = 0;
  uint64_t rows = 0;
  uint64_t entries = 0;
  for (const BlockInfo& block : info.blocks) {
    bytes += block.length;
    rows += block.primary_rows;
    entries += block.rows;
  }
  return bytes == info.codes.length && rows == info.rows && entries == info.entries;
}

bool FitsTogether(const SegmentInfo& info, uint32_t dimension) {
  constexpr uint64_t kMaxOrdinals = uint64_t{1} << 32;
  if (info.kind != SegmentKind::kFlat && info.kind != SegmentKind::kCells) return false;
  if (info.rows > kMaxOrdinals - info.first_ordinal) return false;
  if (info.vectors.length != info.rows * VectorBytes(dimension)) return false;
  if (info.keys.length == 0 || info.keys.length % kKeyPageBytes != 0) return false;
  if (info.keys.length / kKeyPageBytes > UINT32_MAX || info.filter.length > UINT32_MAX) return false;
  return BlocksFit(info) && ValidateObjectName(info.name).ok();
}

}  // namespace

void ExpirySpan::Add(int64_t expires_at_ms) {
  first_ms = rows == 0 ? expires_at_ms : std::min(first_ms, expires_at_ms);
  last_ms = rows == 0 ? expires_at_ms : std::max(last_ms, expires_at_ms);
  ++rows;
}

uint32_t SegmentInfo::key_pages() const { return static_cast<uint32_t>(keys.length / kKeyPageBytes); }

Section SegmentInfo::VectorOf(uint32_t ordinal, uint32_t dimension) const {
  uint64_t length = VectorBytes(dimension);
  return {vectors.offset + (ordinal - first_ordinal) * length, length};
}

uint32_t VectorCrc(std::string_view floats, uint32_t ordinal) {
  return ExtendCrc32c(Crc32c(floats), {reinterpret_cast<const char*>(&ordinal), sizeof(ordinal)});
}

void PutBlockInfos(std::string& out, const std::vector<BlockInfo>& blocks) {
  PutFixed<uint32_t>(out, static_cast<uint32_t>(blocks.size()));
  for (const BlockInfo& block : blocks) {
    PutFixed<uint32_t>(out, block.length);
    PutFixed<uint32_t>(out, block.rows);
    PutFixed<uint32_t>(out, block.primary_rows);
    PutFixed<uint32_t>(out, block.crc32c);
  }
}

std::vector<BlockInfo> GetBlockInfos(Decoder& in) {
  auto count = in.Fixed<uint32_t>();
  if (uint64_t{count} * 16 > in.remaining()) in.Fail();
  std::vector<BlockInfo> blocks;
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    BlockInfo block;
    block.length = in.Fixed<uint32_t>();
    block.rows = in.Fixed<uint32_t>();
    block.primary_rows = in.Fixed<uint32_t>();
    block.crc32c = in.Fixed<uint32_t>();
    blocks.push_back(block);
  }
  return blocks;
}

void PutSegmentInfo(std::string& out, const SegmentInfo& info) {
  PutBytes(out, info.name);
  PutFixed(out, info.kind);
  PutFixed<uint64_t>(out, info.bytes);
  PutFixed<uint64_t>(out, info.rows);
  PutFixed<uint64_t>(out, info.entries);
  PutFixed<uint32_t>(out, info.first_ordinal);
  PutFixed<uint32_t>(out, info.first_cell);
  PutFixed<uint32_t>(out, info.cell_count);
  for (const Section* section : {&info.codes, &info.vectors, &info.documents, &info.keys, &info.filter, &info.tail}) {
    PutSection(out, *section);
  }
  PutFixed<uint32_t>(out, info.filter_crc32c);
  PutFixed<uint32_t>(out, info.tail_crc32c);
  PutBlockInfos(out, info.blocks);
}

SegmentInfo GetSegmentInfo(Decoder& in, uint32_t dimension) {
  SegmentInfo info;
  info.name = in.Bytes();
  info.kind = in.Fixed<SegmentKind>();
  info.bytes = in.Fixed<uint64_t>();
  info.rows = in.Fixed<uint64_t>();
  info.entries = in.Fixed<uint64_t>();
  info.first_ordinal = in.Fixed<uint32_t>();
  info.first_cell = in.Fixed<uint32_t>();
  info.cell_count = in.Fixed<uint32_t>();
  for (Section* section : {&info.codes, &info.vectors, &info.documents, &info.keys, &info.filter, &info.tail}) {
    *section = GetSection(in, info.bytes);
  }
  info.filter_crc32c = in.Fixed<uint32_t>();
  info.tail_crc32c = in.Fixed<uint32_t>();
  info.blocks = GetBlockInfos(in);
  if (in.ok() && !FitsTogether(info, dimension)) in.Fail();
  return info;
}

}  // namespace isotherm
