#include "segment/segment_info.h"

#include "base/crc32c.h"
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

}  // namespace

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

SegmentInfo GetSegmentInfo(Decoder& in) {
  SegmentInfo info;
  info.name = in.Bytes();
  info.kind = in.Fixed<SegmentKind>();
  if (info.kind != SegmentKind::kFlat && info.kind != SegmentKind::kCells) in.Fail();
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
  return info;
}

}  // namespace isotherm
