#include "index/memtable_graph.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <mutex>

#include "base/macros.h"
#include "base/splitmix.h"

namespace isotherm {

namespace {

constexpr uint32_t kMaxLevel = 24;

bool SameCode(const GraphNodes& nodes, const GraphNode& a, const GraphNode& b, uint32_t dimension) {
  return a.factors.weight == b.factors.weight && a.factors.bias == b.factors.bias &&
         std::memcmp(nodes.code(a), nodes.code(b), dimension) == 0;
}

}  // namespace

MemtableGraph::MemtableGraph(const MemtableGraphOptions& options, std::shared_ptr<MemorySource> source)
    : m_(options.m),
      ef_construction_(std::max(options.ef_construction, options.m)),
      seed_(options.seed),
      max_pinned_(std::max<size_t>(options.m / 2, 3)),
      codec_(options.metric, options.dimension, options.centre),
      arena_(std::move(source), MemoryUse::kMemtable),
      nodes_(options.dimension, options.m, &arena_) {
  assert(options.dimension >= 1 && options.dimension <= kMaxDimension);
  assert(options.m >= 2 && options.m <= 512);
}

std::optional<MemtableGraph::Entry> MemtableGraph::entry() const {
  const uint64_t packed = entry_.load(std::memory_order_acquire);
  if (packed == 0) return std::nullopt;
  return Entry{static_cast<uint32_t>(packed), static_cast<uint32_t>(packed >> 32) - 1};
}

void MemtableGraph::SetEntry(Entry entry) {
  entry_.store(uint64_t{entry.level + 1} << 32 | entry.slot, std::memory_order_release);
}

// By the slot alone, so that it does not matter which of several threads comes first.
uint32_t MemtableGraph::RandomLevel(uint32_t slot) const {
  SplitMix64 random(SplitMix64(seed_).Next() ^ slot);
  const double uniform = static_cast<double>((random.Next() >> 11) + 1) * 0x1p-53;  // in (0, 1]
  const double level = -std::log(uniform) / std::log(static_cast<double>(m_));
  return std::min(static_cast<uint32_t>(level), kMaxLevel);
}

Status MemtableGraph::Insert(uint32_t slot, std::span<const float> vector) {
  assert(slot < kMaxSlots);
  const GraphScratchPool::Lease scratch = scratches_.Take();
  codec_.Encode(vector, &scratch->query);
  ASSIGN_OR_RETURN(GraphNode * node, nodes_.Make(slot, RandomLevel(slot)));
  node->factors = scratch->query.factors;
  std::memcpy(nodes_.code(*node), scratch->query.code.data(), scratch->query.code.size());
  // Before the row can be met: a walk's set of visited rows goes up to the limit that it finds.
  uint32_t limit = slot_limit_.load(std::memory_order_relaxed);
  while (limit <= slot && !slot_limit_.compare_exchange_weak(limit, slot + 1)) {
  }
  InsertNode(slot, *node, *scratch);
  rows_.fetch_add(1, std::memory_order_relaxed);
  return Status::Ok();
}

void MemtableGraph::InsertNode(uint32_t slot, GraphNode& node, GraphScratch& scratch) {
  std::optional<Entry> top = entry();
  std::unique_lock lock(entry_mutex_, std::defer_lock);
  if (!top || node.level > top->level) {
    lock.lock();
    top = entry();
    if (!top) return SetEntry({slot, node.level});
    if (node.level <= top->level) lock.unlock();
  }
  const bool linked = LinkBelow(slot, node, *top, scratch);
  if (linked && node.level > top->level) SetEntry({slot, node.level});
}

bool MemtableGraph::LinkBelow(uint32_t slot, GraphNode& node, Entry top, GraphScratch& scratch) {
  Neighbour nearest = Descend(scratch.query, top, node.level, scratch);
  const uint32_t levels = std::min(node.level, top.level) + 1;
  if (scratch.selected_of.size() < levels) scratch.selected_of.resize(levels);
  std::vector<Neighbour>& near = scratch.near;
  for (uint32_t level = levels; level-- > 0;) {
    scratch.beam.Reset(ef_construction_);
    Walk(scratch.query, nearest, level, scratch.beam, scratch);
    scratch.beam.Finish(&near);
    nearest = near.front();
    scratch.selected_of[level].clear();
    Select(near, m_, &scratch.selected_of[level]);
  }
  if (HangOnEqual(slot, node, near)) return false;
  // From level 0 up: who meets the row above can go on below.
  for (uint32_t level = 0; level < levels; ++level) AddLinks(slot, node, level, scratch.selected_of[level], scratch);
  return true;
}

bool MemtableGraph::HangOnEqual(uint32_t slot, GraphNode& node, std::span<const Neighbour> near) {
  for (const Neighbour& row : near) {
    GraphNode& first = nodes_.node(row.slot);
    if (!SameCode(nodes_, first, node, codec_.dimension())) continue;
    std::lock_guard lock(LockOf(row.slot));
    node.next_duplicate.store(first.next_duplicate.load(std::memory_order_relaxed), std::memory_order_relaxed);
    first.next_duplicate.store(slot, std::memory_order_release);
    return true;
  }
  return false;
}

}  // namespace isotherm
