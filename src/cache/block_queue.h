// A queue of blocks, linked through their headers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cache/block.h"

namespace isotherm {

// Not thread-safe. Holds no references of its own.
class BlockQueue {
 public:
  BlockHeader* oldest() const { return oldest_; }
  uint64_t bytes() const { return bytes_; }  // of the blocks' footprints
  size_t size() const { return size_; }

  void PushNewest(BlockHeader* block) {
    block->newer = nullptr;
    block->older = newest_;
    (newest_ != nullptr ? newest_->newer : oldest_) = block;
    newest_ = block;
    bytes_ += BlockFootprint(block->size);
    ++size_;
  }

  void Remove(BlockHeader* block) {
    (block->newer != nullptr ? block->newer->older : newest_) = block->older;
    (block->older != nullptr ? block->older->newer : oldest_) = block->newer;
    block->newer = block->older = nullptr;
    bytes_ -= BlockFootprint(block->size);
    --size_;
  }

 private:
  BlockHeader* newest_ = nullptr;
  BlockHeader* oldest_ = nullptr;
  uint64_t bytes_ = 0;
  size_t size_ = 0;
};

}  // namespace isotherm
