#include "cache/block.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

namespace isotherm {

namespace {

// Where headers come from: chunks of one huge page, which are kept until the process ends, as blocks may outlive every
// cache. Thread-safe.
class HeaderPool {
 public:
  BlockHeader* New() {
    std::lock_guard lock(mutex_);
    if (free_ == nullptr) AddChunk();
    BlockHeader* header = free_;
    free_ = header->newer;
    return new (header) BlockHeader;
  }

  void Delete(BlockHeader* header) {
    header->~BlockHeader();
    std::lock_guard lock(mutex_);
    header = new (header) BlockHeader;
    header->newer = free_;
    free_ = header;
  }

 private:
  static constexpr size_t kChunkBytes = 2 << 20;

  void AddChunk() {
    void* chunk = std::aligned_alloc(kChunkBytes, kChunkBytes);
    if (chunk == nullptr) throw std::bad_alloc();
    (void)::madvise(chunk, kChunkBytes, MADV_HUGEPAGE);  // only faster with it
    auto* headers = static_cast<BlockHeader*>(chunk);
    for (size_t i = kChunkBytes / sizeof(BlockHeader); i-- > 0;) {
      auto* header = new (headers + i) BlockHeader;
      header->newer = free_;
      free_ = header;
    }
  }

  std::mutex mutex_;
  BlockHeader* free_ = nullptr;  // linked by `newer`
};

// Never destroyed: a block may be held by an object that lives as long as the process.
HeaderPool& Headers() {
  static auto* pool = new HeaderPool;
  return *pool;
}

}  // namespace

// Aligned by hand and not by the allocator: glibc's aligned allocation (before 2.38) asks for more than it keeps and so
// cannot reuse the hole that a freed block of the same size leaves.
BlockHeader* AllocateBlock(size_t size) {
  constexpr size_t kMaxPadding = kBlockAlignment - alignof(std::max_align_t);
  char* start = static_cast<char*>(::operator new(size + kMaxPadding));
  size_t padding = -reinterpret_cast<uintptr_t>(start) % kBlockAlignment;
  BlockHeader* block = Headers().New();
  block->padding = static_cast<uint8_t>(padding);
  block->size = size;
  block->bytes = start + padding;
  return block;
}

bool DropReference(BlockHeader* block) {
  if (block->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return false;
  // Given back last, when the memory is free.
  std::unique_ptr<MemoryReservation> charge(block->charge.load(std::memory_order_acquire));
  ::operator delete(block->bytes - block->padding);
  Headers().Delete(block);
  return true;
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
  if (this != &other) *this = PinnedBlock(other);
  return *this;
}

PinnedBlock::~PinnedBlock() {
  if (header_ != nullptr) DropReference(header_);
}

PinnedBlock PinnedBlock::Copy(std::string_view bytes) {
  BlockHeader* block = AllocateBlock(bytes.size());
  if (!bytes.empty()) std::memcpy(block->bytes, bytes.data(), bytes.size());
  return PinnedBlock(block);
}

PinnedBlock PinnedBlock::ForFilling(size_t size, std::span<char>* bytes) {
  BlockHeader* block = AllocateBlock(size);
  *bytes = {block->bytes, size};
  return PinnedBlock(block);
}

uint64_t PinnedBlock::MemoryOf(uint64_t size) {
  constexpr uint64_t kAllocatorOverhead = 16;
  return BlockFootprint(size) + sizeof(MemoryReservation) + kAllocatorOverhead;
}

void PinnedBlock::Charge(MemoryReservation reservation) const {
  if (header_ == nullptr || !reservation.counted()) return;
  auto charge = std::make_unique<MemoryReservation>(std::move(reservation));
  MemoryReservation* none = nullptr;
  if (header_->charge.compare_exchange_strong(none, charge.get(), std::memory_order_acq_rel)) (void)charge.release();
}

bool PinnedBlock::charged() const {
  return header_ != nullptr && header_->charge.load(std::memory_order_acquire) != nullptr;
}

std::string_view PinnedBlock::bytes() const {
  if (header_ == nullptr) return {};
  return {header_->bytes, header_->size};
}

}  // namespace isotherm
