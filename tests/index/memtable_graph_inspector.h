// Walks a whole graph and says what is wrong with it.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "index/memtable_graph.h"

namespace isotherm {

// For a graph that nobody changes meanwhile.
class MemtableGraphInspector {
 public:
  explicit MemtableGraphInspector(const MemtableGraph& graph) : graph_(graph) {}

  // What is against the rules, in words; nothing: all is well. `slots`: of the rows that were inserted.
  std::vector<std::string> Check(const std::vector<uint32_t>& slots) {
    if (slots.empty()) return wrong_;
    inserted_.insert(slots.begin(), slots.end());
    hung_.clear();
    for (uint32_t slot : slots) CheckChain(slot);
    for (uint32_t slot : slots) {
      if (hung_.count(slot) == 0) CheckNode(slot);
    }
    CheckTree();
    return wrong_;
  }

  size_t hung() const { return hung_.size(); }
  std::vector<uint32_t> Links(uint32_t slot, uint32_t level) const {
    std::vector<uint32_t> links(graph_.nodes_.capacity(0));
    links.resize(graph_.nodes_.links(graph_.nodes_.node(slot), level).Read(links.data()));
    return links;
  }
  uint32_t Level(uint32_t slot) const { return graph_.nodes_.node(slot).level; }

 private:
  void Wrong(uint32_t slot, const std::string& what) { wrong_.push_back("row " + std::to_string(slot) + " " + what); }

  void CheckChain(uint32_t first) {
    const uint32_t next = graph_.nodes_.node(first).next_duplicate.load();
    if (next == kNoSlot) return;
    if (inserted_.count(next) == 0) Wrong(first, "is followed by one that was not inserted");
    if (!hung_.insert(next).second) Wrong(next, "hangs on two others");
    if (!Links(next, 0).empty()) Wrong(next, "hangs on another and has links");
  }

  std::set<uint32_t> Pinned(uint32_t slot) const {
    const std::vector<uint32_t> links = Links(slot, 0);
    return {links.begin(), links.begin() + static_cast<ptrdiff_t>(graph_.nodes_.node(slot).base.pinned())};
  }

  void CheckNode(uint32_t slot) {
    for (uint32_t level = 0; level <= Level(slot); ++level) {
      std::vector<uint32_t> links = Links(slot, level);
      if (links.size() > graph_.nodes_.capacity(level)) Wrong(slot, "has too many links");
      for (uint32_t link : links) {
        if (link == slot) Wrong(slot, "is linked with itself");
        if (inserted_.count(link) == 0 || hung_.count(link) != 0) {
          Wrong(slot, "is linked with " + std::to_string(link) + ", which is no node");
        } else if (Level(link) < level) {
          Wrong(slot, "is linked with " + std::to_string(link) + " on a level that it does not reach");
        }
      }
      std::sort(links.begin(), links.end());
      if (std::adjacent_find(links.begin(), links.end()) != links.end()) Wrong(slot, "has a link twice");
    }
    if (Level(slot) > graph_.entry()->level) Wrong(slot, "is higher than the entry");
  }

  // Pinned links are mutual, and connect all.
  void CheckTree() {
    const uint32_t root = graph_.entry()->slot;
    std::set<uint32_t> met = {root};
    std::vector<uint32_t> open = {root};
    size_t edges = 0;
    while (!open.empty()) {
      const uint32_t slot = open.back();
      open.pop_back();
      for (uint32_t link : Pinned(slot)) {
        ++edges;
        if (Pinned(link).count(slot) == 0) Wrong(slot, "pins " + std::to_string(link) + " without being pinned by it");
        if (met.insert(link).second) open.push_back(link);
      }
    }
    const size_t nodes = inserted_.size() - hung_.size();
    if (met.size() != nodes) {
      wrong_.push_back("the tree connects " + std::to_string(met.size()) + " of " + std::to_string(nodes) + " nodes");
    }
    if (edges != 2 * (nodes - 1)) wrong_.push_back("the tree has " + std::to_string(edges) + " pinned links");
  }

  const MemtableGraph& graph_;
  std::vector<std::string> wrong_;
  std::set<uint32_t> inserted_, hung_;
};

}  // namespace isotherm
