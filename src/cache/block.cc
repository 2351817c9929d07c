#include "cache/block.h"

#include <cstring>
#include <new>
#include <utility>

namespace isotherm {

// Aligned by hand and not by the allocator: glibc's aligned allocation (before 2.38) asks for more than it keeps and so
// cannot reuse the hole that a freed block of the same size leaves.
BlockHeader* AllocateBlock(size_t size) {
  constexpr size_t kMaxPadding = kBlockAlignment - alignof(std::max_align_t);
  char* start = static_cast<char*>(::operator new(sizeof(BlockHeader) + size + kMaxPadding));
  size_t padding = -reinterpret_cast<uintptr_t>(start) % kBlockAlignment;
  auto* block = new (start + padding) BlockHeader;
  block->padding = static_cast<uint8_t>(padding);
  block->size = size;
  return block;
}

void DropReference(BlockHeader* block) {
  if (block->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  char* start = reinterpret_cast<char*>(block) - block->padding;
  block->~BlockHeader();
  ::operator delete(start);
}

PinnedBlock::PinnedBlock(PinnedBlock&& other) noexcept : header_(std::exchange(other.header_, nullptr)) {}

PinnedBlock& PinnedBlock::operator=(PinnedBlock&& other) noexcept {
  if (this != &other) {
    if (header_ != nullptr) DropReference(header_);
    header_ = std::exchange(other.header_, nullptr);
  }
  return *this;
}

PinnedBlock::PinnedBlock(const PinnedBlock& other) : header_(other.header_) {
  if (header_ != nullptr) AddReference(header_);
}

PinnedBlock& PinnedBlock::operator=(const PinnedBlock& other) {
  if (other.header_ != nullptr) AddReference(other.header_);
  if (header_ != nullptr) DropReference(header_);
  header_ = other.header_;
  return *this;
}

PinnedBlock::~PinnedBlock() {
  if (header_ != nullptr) DropReference(header_);
}

PinnedBlock PinnedBlock::Copy(std::string_view bytes) {
  BlockHeader* block = AllocateBlock(bytes.size());
  if (!bytes.empty()) std::memcpy(block->data(), bytes.data(), bytes.size());
  return PinnedBlock(block);
}

PinnedBlock PinnedBlock::ForFilling(size_t size, std::span<char>* bytes) {
  BlockHeader* block = AllocateBlock(size);
  *bytes = {block->data(), size};
  return PinnedBlock(block);
}

std::string_view PinnedBlock::bytes() const {
  if (header_ == nullptr) return {};
  return {header_->data(), header_->size};
}

}  // namespace isotherm
