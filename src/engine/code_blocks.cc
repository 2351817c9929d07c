#include "engine/code_blocks.h"

namespace isotherm {

void CodeBlocks::BeginSegment() {
  unplaced_.clear();
  unplaced_bytes_ = 0;
}

void CodeBlocks::AddBlock(std::string_view bytes) {
  unplaced_.emplace_back();
  if (full_) return;
  if (bytes_ + unplaced_bytes_ + bytes.size() > limit_bytes_) {
    full_ = true;
    complete_ = false;
    unplaced_.assign(unplaced_.size(), {});
    blocks_.clear();
    bytes_ = unplaced_bytes_ = 0;
    return;
  }
  auto memory = ReserveMemory(budget_, use_, PinnedBlock::MemoryOf(bytes.size()));
  complete_ = complete_ && memory.ok();
  if (!memory.ok()) return;
  unplaced_bytes_ += bytes.size();
  unplaced_.back() = PinnedBlock::Copy(bytes);
  unplaced_.back().Charge(std::move(memory).value());
}

void CodeBlocks::EndSegment(const SegmentInfo& segment) {
  uint64_t offset = segment.codes.offset;
  for (size_t i = 0; i < unplaced_.size(); ++i) {
    const BlockInfo& block = segment.blocks[i];
    if (unplaced_[i].valid()) {
      blocks_.push_back({{segment.name, offset, block.length, block.crc32c}, std::move(unplaced_[i])});
    }
    offset += block.length;
  }
  bytes_ += unplaced_bytes_;
  BeginSegment();
}

void CodeBlocks::Add(const SegmentInfo& segment, std::string_view bytes) {
  BeginSegment();
  uint64_t offset = segment.codes.offset;
  for (const BlockInfo& block : segment.blocks) {
    AddBlock(bytes.substr(offset, block.length));
    offset += block.length;
  }
  EndSegment(segment);
}

void CodeBlocks::MoveInto(ExtentCache& cache, uint64_t clears) const {
  if (clears != clears_) return;
  for (const auto& [extent, block] : blocks_) cache.KeepInRam(extent, block);
}

PinnedBlock CodeBlocks::Find(const Extent& extent) const {
  for (const auto& [of, block] : blocks_) {
    if (of.offset == extent.offset && of.object == extent.object) return block;
  }
  return {};
}

}  // namespace isotherm
