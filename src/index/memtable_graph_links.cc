// How a new row of the memtable's graph is linked with its neighbours.
#include <algorithm>
#include <mutex>

#include "index/memtable_graph.h"

namespace isotherm {

void MemtableGraph::Select(std::span<const Neighbour> near, size_t limit, std::vector<Neighbour>* kept) const {
  for (const Neighbour& row : near) {
    if (kept->size() >= limit) return;
    const GraphNode& node = nodes_.node(row.slot);
    const bool shadowed = std::any_of(kept->begin(), kept->end(), [&](const Neighbour& other) {
      return Distance(node, nodes_.node(other.slot)) < row.distance;
    });
    if (!shadowed) kept->push_back(row);
  }
}

void MemtableGraph::AddLinks(uint32_t slot, GraphNode& node, uint32_t level, std::span<const Neighbour> selected,
                             GraphScratch& scratch) {
  scratch.slots.clear();
  for (const Neighbour& row : selected) scratch.slots.push_back(row.slot);
  // On level 0 the first, for now, is the parent. Nobody else knows of this list yet.
  nodes_.links(node, level).Assign(scratch.slots, level == 0 ? 1 : 0);
  uint32_t parent = kNoSlot;
  if (level == 0) {
    parent = FindParent(slot, scratch.near, scratch);
    if (parent != selected.front().slot) SetParent(slot, node, parent, scratch);
  }
  for (const Neighbour& row : selected) {
    if (row.slot != parent) AddLink(row.slot, {row.distance, slot}, level, false, scratch);
  }
}

uint32_t MemtableGraph::FindParent(uint32_t slot, std::span<const Neighbour> near, GraphScratch& scratch) {
  for (const Neighbour& row : near) {
    if (AddLink(row.slot, {row.distance, slot}, 0, true, scratch)) return row.slot;
  }
  // Down the tree from the nearest: a row that has no room has children, and a leaf has room. Which child does not
  // matter, but not all may go the same way.
  const GraphNode& node = nodes_.node(slot);
  for (uint32_t at = near.front().slot, turn = slot;; turn = turn * 0x9e3779b1U + 1) {
    {
      std::lock_guard lock(LockOf(at));
      const LinkList& links = nodes_.node(at).base;
      at = links.at(1 + (turn >> 8) % (links.pinned() - 1));  // the first is the parent
    }
    if (AddLink(at, {Distance(node, nodes_.node(at)), slot}, 0, true, scratch)) return at;
  }
}

// Other rows may have linked themselves to this one meanwhile, some as its children.
void MemtableGraph::SetParent(uint32_t slot, GraphNode& node, uint32_t parent, GraphScratch& scratch) {
  std::lock_guard lock(LockOf(slot));
  LinkList& links = node.base;
  std::vector<uint32_t>& slots = scratch.slots;
  const size_t pinned = links.pinned();
  slots.assign(1, parent);
  for (size_t i = 1; i < pinned; ++i) slots.push_back(links.at(i));
  slots.push_back(links.at(0));
  for (size_t i = pinned; i < links.count(); ++i) {
    if (links.at(i) != parent) slots.push_back(links.at(i));
  }
  slots.resize(std::min(slots.size(), nodes_.capacity(0)));
  links.Assign(slots, pinned);
}

bool MemtableGraph::AddLink(uint32_t from, Neighbour to, uint32_t level, bool pin, GraphScratch& scratch) {
  GraphNode& node = nodes_.node(from);
  LinkList& links = nodes_.links(node, level);
  std::lock_guard lock(LockOf(from));
  const size_t count = links.count();
  const size_t capacity = nodes_.capacity(level);
  size_t pinned = links.pinned();
  if (pin && pinned >= max_pinned_) return false;
  if (!pin && count < capacity) {
    links.Append(to.slot);
    return true;
  }
  std::vector<Neighbour>& kept = scratch.kept;
  std::vector<Neighbour>& others = scratch.others;
  kept.clear();
  others.clear();
  for (size_t i = 0; i < pinned; ++i) kept.push_back({0, links.at(i)});
  for (size_t i = pinned; i < count; ++i) others.push_back({0, links.at(i)});
  (pin ? kept : others).push_back(to);
  if (pin) ++pinned;
  if (count < capacity) {
    kept.insert(kept.end(), others.begin(), others.end());
  } else {
    for (const Neighbour& row : others) nodes_.PrefetchCode(nodes_.node(row.slot));
    for (Neighbour& row : others) row.distance = Distance(node, nodes_.node(row.slot));
    std::sort(others.begin(), others.end(), Nearer);
    Select(others, capacity, &kept);
  }
  scratch.slots.clear();
  for (const Neighbour& row : kept) scratch.slots.push_back(row.slot);
  links.Assign(scratch.slots, pinned);
  return true;
}

}  // namespace isotherm
