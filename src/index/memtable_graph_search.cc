// Walks through the memtable's graph.
#include <algorithm>
#include <type_traits>

#include "index/memtable_graph.h"

namespace isotherm {

namespace {

// Codes that are on their way from memory while one is compared.
constexpr size_t kAhead = 16;

}  // namespace

Neighbour MemtableGraph::Descend(const CodedQuery& query, Entry top, uint32_t level, GraphScratch& scratch) const {
  const GraphNode* node = &nodes_.node(top.slot);
  Neighbour nearest{Distance(query, *node), top.slot};
  scratch.links.resize(nodes_.capacity(0));
  uint32_t* links = scratch.links.data();
  for (uint32_t l = top.level; l > level; --l) {
    for (bool nearer = true; nearer;) {
      nearer = false;
      const size_t n = nodes_.links(*node, l).Read(links);
      for (size_t i = 0; i < n; ++i) nodes_.PrefetchCode(nodes_.node(links[i]));
      for (size_t i = 0; i < n; ++i) {
        const float distance = Distance(query, nodes_.node(links[i]));
        if (distance >= nearest.distance) continue;
        nearest = {distance, links[i]};
        nearer = true;
      }
      node = &nodes_.node(nearest.slot);
    }
  }
  return nearest;
}

template <class Beam>
void MemtableGraph::Offer(float distance, uint32_t slot, const GraphNode& node, Beam& beam) const {
  beam.Offer(distance, slot);
  if constexpr (std::is_same_v<Beam, FilteredBeam>) {
    uint32_t next = node.next_duplicate.load(std::memory_order_acquire);
    for (; next != kNoSlot && distance < beam.bound();
         next = nodes_.node(next).next_duplicate.load(std::memory_order_acquire)) {
      beam.OfferFound(distance, next);
    }
  }
}

template <class Beam>
void MemtableGraph::Walk(const CodedQuery& query, Neighbour from, uint32_t level, Beam& beam,
                         GraphScratch& scratch) const {
  scratch.links.resize(nodes_.capacity(0));
  scratch.nodes.resize(nodes_.capacity(0));
  uint32_t* links = scratch.links.data();
  const GraphNode** nodes = scratch.nodes.data();
  VisitedSet& visited = scratch.visited;
  visited.Reset(slot_limit_.load(std::memory_order_relaxed));
  visited.Visit(&from.slot, 1);
  Offer(from.distance, from.slot, nodes_.node(from.slot), beam);
  uint32_t slot;
  while (beam.Next(&slot)) {
    if (const uint32_t next = beam.Peek(); next != kNoSlot) nodes_.PrefetchLinks(nodes_.node(next), level);
    const size_t n = visited.Visit(links, nodes_.links(nodes_.node(slot), level).Read(links));
    for (size_t i = 0; i < n; ++i) {
      nodes[i] = &nodes_.node(links[i]);
      if (i < kAhead) nodes_.PrefetchCode(*nodes[i]);
    }
    for (size_t i = 0; i < n; ++i) {
      if (i + kAhead < n) nodes_.PrefetchCode(*nodes[i + kAhead]);
      const float distance = Distance(query, *nodes[i]);
      if (distance < beam.bound()) Offer(distance, links[i], *nodes[i], beam);
    }
  }
}

template void MemtableGraph::Walk(const CodedQuery&, Neighbour, uint32_t, SortedBeam&, GraphScratch&) const;

void MemtableGraph::CollectDuplicates(size_t limit, std::span<const Neighbour> near,
                                      std::vector<Neighbour>* found) const {
  for (const Neighbour& row : near) {
    for (uint32_t slot = row.slot; slot != kNoSlot;
         slot = nodes_.node(slot).next_duplicate.load(std::memory_order_acquire)) {
      if (found->size() == limit) return;
      found->push_back({row.distance, slot});
    }
  }
}

void MemtableGraph::Search(std::span<const float> query, size_t k, size_t ef, const SlotFilter* filter,
                           std::vector<Neighbour>* out) const {
  out->clear();
  const std::optional<Entry> top = entry();
  if (!top || k == 0) return;
  const GraphScratchPool::Lease scratch = scratches_.Take();
  codec_.Encode(query, &scratch->query);
  const Neighbour from = Descend(scratch->query, *top, 0, *scratch);
  const size_t width = std::min<size_t>(std::max(k, ef == 0 ? DefaultEf(k) : ef), slot_limit_.load());
  std::vector<Neighbour>& found = scratch->found;
  found.clear();
  if (filter == nullptr) {
    scratch->beam.Reset(width);
    Walk(scratch->query, from, 0, scratch->beam, *scratch);
    scratch->beam.Finish(&scratch->near);
    CollectDuplicates(width, scratch->near, &found);
  } else {
    scratch->filtered_beam.Reset(width, filter);
    Walk(scratch->query, from, 0, scratch->filtered_beam, *scratch);
    scratch->filtered_beam.Finish(&found);
  }
  for (Neighbour& row : found) {
    const GraphNode& node = nodes_.node(row.slot);
    row.distance = codec_.Distance(scratch->query, node.factors, nodes_.code(node));
  }
  const auto end = found.begin() + static_cast<ptrdiff_t>(std::min(k, found.size()));
  std::partial_sort(found.begin(), end, found.end(), [](const Neighbour& a, const Neighbour& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.slot < b.slot;
  });
  out->assign(found.begin(), end);
}

}  // namespace isotherm
