#include "index/graph_nodes.h"

#include <algorithm>
#include <memory>
#include <mutex>

#include "base/macros.h"

namespace isotherm {

namespace {

// Blocks of records are as large as the least waste at a chunk's end allows.
constexpr size_t kBlockBytes = 64 << 10;

size_t RoundUp(size_t n, size_t step) { return (n + step - 1) / step * step; }

}  // namespace

// A node of 32 bytes at a multiple of 32 lies in one cache line.
static_assert(sizeof(GraphNode) == 32);

GraphNodes::GraphNodes(uint32_t dimension, uint32_t m, Arena* arena)
    : m_(m),
      code_bytes_(RoundUp(dimension, sizeof(GraphNode))),
      record_bytes_(
          RoundUp(code_bytes_ + sizeof(GraphNode) - sizeof(LinkList) + LinkList::Bytes(size_t{2} * m), kLine)),
      upper_list_bytes_(RoundUp(LinkList::Bytes(m), alignof(LinkList))),
      block_shift_(static_cast<uint32_t>(std::bit_width(std::max<size_t>(kBlockBytes / record_bytes_, 1))) - 1),
      arena_(arena) {}

Result<GraphNode*> GraphNodes::Make(uint32_t slot, uint32_t level) {
  RETURN_IF_ERROR(AddBlock((slot >> block_shift_) + 1));
  std::byte* upper = nullptr;
  if (level > 0) {
    ASSIGN_OR_RETURN(upper, arena_->Allocate(level * upper_list_bytes_, kLine));
    for (uint32_t l = 0; l < level; ++l) LinkList::Create(upper + l * upper_list_bytes_, m_);
  }
  GraphNode* made = std::construct_at(&node(slot));
  LinkList::Create(reinterpret_cast<std::byte*>(&made->base), capacity(0));
  made->level = level;
  made->upper = upper;
  return made;
}

Status GraphNodes::AddBlock(uint32_t block) {
  const auto d = static_cast<uint32_t>(std::bit_width(block)) - 1;
  const uint32_t first = uint32_t{1} << d;
  const std::atomic<std::byte*>* known = directories_[d].load(std::memory_order_acquire);
  if (known != nullptr && known[block - first].load(std::memory_order_acquire) != nullptr) return Status::Ok();

  std::lock_guard lock(growing_);
  std::atomic<std::byte*>* directory = directories_[d].load(std::memory_order_relaxed);
  if (directory == nullptr) {
    ASSIGN_OR_RETURN(std::byte * memory,
                     arena_->Allocate(first * sizeof(std::atomic<std::byte*>), alignof(std::atomic<std::byte*>)));
    directory = reinterpret_cast<std::atomic<std::byte*>*>(memory);
    std::uninitialized_value_construct_n(directory, first);
    directories_[d].store(directory, std::memory_order_release);
  }
  if (directory[block - first].load(std::memory_order_relaxed) == nullptr) {
    ASSIGN_OR_RETURN(std::byte * memory, arena_->Allocate(record_bytes_ << block_shift_, kLine));
    directory[block - first].store(memory, std::memory_order_release);
  }
  return Status::Ok();
}

}  // namespace isotherm
