#include "index/graph_scratch.h"

namespace isotherm {

GraphScratchPool::Lease GraphScratchPool::Take() {
  std::lock_guard lock(mutex_);
  if (free_.empty()) return {std::make_unique<GraphScratch>().release(), GiveBack{this}};
  GraphScratch* scratch = free_.back().release();
  free_.pop_back();
  return {scratch, GiveBack{this}};
}

void GraphScratchPool::Put(GraphScratch* scratch) {
  std::unique_ptr<GraphScratch> owned(scratch);
  std::lock_guard lock(mutex_);
  free_.push_back(std::move(owned));
}

}  // namespace isotherm
