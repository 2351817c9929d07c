#include "engine/code_blocks.h"

namespace isotherm {

PinnedBlock CodeBlocks::Keep(std::string_view bytes, MemoryUse use) const {
  auto memory = ReserveMemory(budget_, use, PinnedBlock::MemoryOf(bytes.size()));
  if (!memory.ok()) return {};
  PinnedBlock kept = PinnedBlock::Copy(bytes);
  kept.Charge(std::move(memory).value());
  return kept;
}

void CodeBlocks::BeginSegment() {
  unplaced_.clear();
  unplaced_bytes_ = 0;
  unplaced_keys_ = {};
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
  unplaced_.back() = Keep(bytes, use_);
  complete_ = complete_ && unplaced_.back().valid();
  if (unplaced_.back().valid()) unplaced_bytes_ += bytes.size();
}

// Whoever commits next needs the filter, and reading it back takes as much memory as keeping it.
void CodeBlocks::AddKeys(std::string_view pages, std::string_view filter) {
  constexpr size_t kSmallFilterBytes = 64 << 10;
  if (pages.empty()) return;
  if (keys_bytes_ + pages.size() + filter.size() <= limit_bytes_ / 4) {
    unplaced_keys_.pages = Keep(pages, MemoryUse::kBlockCache);
    unplaced_keys_.filter = Keep(filter, MemoryUse::kBlockCache);
  }
  if (!unplaced_keys_.filter.valid() && filter.size() <= kSmallFilterBytes) {
    unplaced_keys_.filter = PinnedBlock::Copy(filter);
  }
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
  if (unplaced_keys_.filter.valid()) {
    unplaced_keys_.segment = segment.name;
    keys_bytes_ += unplaced_keys_.pages.bytes().size() + unplaced_keys_.filter.bytes().size();
    keys_.push_back(std::move(unplaced_keys_));
  }
  BeginSegment();
}

void CodeBlocks::Add(const SegmentInfo& segment, std::string_view bytes) {
  BeginSegment();
  uint64_t offset = segment.codes.offset;
  for (const BlockInfo& block : segment.blocks) {
    AddBlock(bytes.substr(offset, block.length));
    offset += block.length;
  }
  AddKeys(bytes.substr(segment.keys.offset, segment.keys.length),
          bytes.substr(segment.filter.offset, segment.filter.length));
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
