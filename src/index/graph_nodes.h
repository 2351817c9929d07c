// Where a memtable's graph keeps its rows: one record a row, found by slot, each on cache lines of its own.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/arena.h"
#include "base/sync.h"
#include "index/graph_beam.h"
#include "index/graph_codec.h"
#include "index/graph_links.h"

namespace isotherm {

// What stands behind a row's code: code, factors and level-0 links are one run of bytes.
struct GraphNode {
  CodeFactors factors;
  std::atomic<uint32_t> next_duplicate{kNoSlot};  // the next of the rows with this code; only the first has links
  uint32_t level = 0;                             // the highest on which the row has links
  std::byte* upper = nullptr;                     // its lists above level 0, one behind the other
  LinkList base;                                  // last: its links stand behind it
};

// Thread-safe. A slot may be looked at by whoever has seen it in a link, or made it.
class GraphNodes {
 public:
  // `m` links a row on the upper levels, twice as many on level 0.
  GraphNodes(uint32_t dimension, uint32_t m, Arena* arena);

  // Makes the node of a slot that has none yet, with room for links up to `level`; its code is zeros. On error there is
  // none. The same slot is never made twice at once.
  Result<GraphNode*> Make(uint32_t slot, uint32_t level);

  GraphNode& node(uint32_t slot) { return *reinterpret_cast<GraphNode*>(Record(slot) + code_bytes_); }
  const GraphNode& node(uint32_t slot) const { return *reinterpret_cast<const GraphNode*>(Record(slot) + code_bytes_); }
  int8_t* code(GraphNode& node) const { return reinterpret_cast<int8_t*>(&node) - code_bytes_; }
  const int8_t* code(const GraphNode& node) const { return reinterpret_cast<const int8_t*>(&node) - code_bytes_; }

  // `level` ≤ node.level.
  LinkList& links(GraphNode& node, uint32_t level) const {
    if (level == 0) return node.base;
    return *reinterpret_cast<LinkList*>(node.upper + (level - 1) * upper_list_bytes_);
  }
  const LinkList& links(const GraphNode& node, uint32_t level) const {
    if (level == 0) return node.base;
    return *reinterpret_cast<const LinkList*>(node.upper + (level - 1) * upper_list_bytes_);
  }
  size_t capacity(uint32_t level) const { return level == 0 ? size_t{2} * m_ : m_; }

  // What a distance from this row reads. Of a long code the processor foresees the rest.
  void PrefetchCode(const GraphNode& node) const {
    const int8_t* begin = code(node);
    for (size_t i = 0; i < std::min<size_t>(code_bytes_, 1024); i += kLine) __builtin_prefetch(begin + i);
    __builtin_prefetch(&node);
  }
  void PrefetchLinks(const GraphNode& node, uint32_t level) const {
    const auto* begin = reinterpret_cast<const std::byte*>(&links(node, level));
    for (size_t i = 0; i < LinkList::Bytes(capacity(level)); i += kLine) __builtin_prefetch(begin + i);
  }

 private:
  static constexpr size_t kLine = 64;
  static constexpr size_t kDirectories = 32;

  // Blocks of 2^block_shift_ records are numbered from 1 on; directory d holds the addresses of blocks 2^d to 2^(d+1) -
  // 1, so that all stay where they are as the graph grows.
  std::byte* Record(uint32_t slot) const {
    const uint32_t block = (slot >> block_shift_) + 1;
    const auto d = static_cast<uint32_t>(std::bit_width(block)) - 1;
    const std::atomic<std::byte*>* directory = directories_[d].load(std::memory_order_acquire);
    std::byte* begin = directory[block - (uint32_t{1} << d)].load(std::memory_order_acquire);
    return begin + size_t{slot & ((uint32_t{1} << block_shift_) - 1)} * record_bytes_;
  }
  // Makes the block where it is missing.
  Status AddBlock(uint32_t block);

  const uint32_t m_;
  const size_t code_bytes_;
  const size_t record_bytes_;
  const size_t upper_list_bytes_;
  const uint32_t block_shift_;
  Arena* const arena_;
  Mutex growing_;
  std::array<std::atomic<std::atomic<std::byte*>*>, kDirectories> directories_{};
};

}  // namespace isotherm
