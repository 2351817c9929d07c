#include "base/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <string>

#include "base/macros.h"

namespace isotherm {

namespace {

constexpr size_t kHugePageBytes = 2 << 20;

size_t RoundUp(size_t n, size_t step) { return (n + step - 1) / step * step; }

// How far `at` is from the next multiple of `alignment`, a power of two.
size_t Padding(const std::byte* at, size_t alignment) { return -reinterpret_cast<uintptr_t>(at) & (alignment - 1); }

}  // namespace

void Arena::Unmap::operator()(std::byte* memory) const { ::munmap(memory, bytes); }

std::unique_ptr<std::byte, Arena::Unmap> Arena::Map(size_t bytes) {
  const size_t mapped = bytes + kHugePageBytes;
  void* memory = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* begin = static_cast<std::byte*>(memory);
  const size_t before = Padding(begin, kHugePageBytes);
  std::byte* chunk = begin + before;
  if (before > 0) ::munmap(begin, before);
  if (before < kHugePageBytes) ::munmap(chunk + bytes, kHugePageBytes - before);
#ifdef MADV_HUGEPAGE
  (void)::madvise(chunk, bytes, MADV_HUGEPAGE);  // only faster with it
#endif
  return {chunk, Unmap{bytes}};
}

Result<std::byte*> Arena::Allocate(size_t bytes, size_t alignment) {
  if (bytes > SIZE_MAX / 2) {
    return Status::ResourceExhausted("arena: " + std::to_string(bytes) + " bytes are more than any machine has");
  }
  std::lock_guard lock(mutex_);
  const size_t padding = Padding(free_, alignment);
  std::byte* at;
  if (padding + bytes <= free_bytes_) {
    at = free_ + padding;
    free_ = at + bytes;
    free_bytes_ -= padding + bytes;
  } else {
    const size_t chunk_bytes = std::max(RoundUp(bytes, kChunkBytes), kChunkBytes);
    ASSIGN_OR_RETURN(at, AddChunk(chunk_bytes));
    if (chunk_bytes - bytes >= free_bytes_) {  // of two chunks that are not full, the emptier one serves on
      free_ = at + bytes;
      free_bytes_ = chunk_bytes - bytes;
    }
  }
  used_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  return at;
}

Result<std::byte*> Arena::AddChunk(size_t bytes) {
  Chunk chunk;
  if (source_ != nullptr) {
    ASSIGN_OR_RETURN(chunk.reservation, source_->Reserve(use_, bytes));
  }
  chunk.memory = Map(bytes);
  if (chunk.memory == nullptr) {
    return Status::ResourceExhausted("arena: the operating system has no " + std::to_string(bytes) +
                                     " bytes for another chunk");
  }
  chunks_.push_back(std::move(chunk));
  chunk_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  return chunks_.back().memory.get();
}

}  // namespace isotherm
