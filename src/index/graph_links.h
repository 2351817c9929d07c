// The neighbours of one row on one level of a graph: one writer at a time, readers that wait for nobody.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace isotherm {

// Lies in memory of its creator's, with its links behind it. A reader copies the list and looks
// at the version before and after (a seqlock): it gets a list that was there at one moment. The first `pinned` links
// stay when others make room.
//
// Every word that readers and the writer share is atomic. A writer's release of each link orders the odd version before
// it, a reader's acquire of a link makes it see that version: no fences are needed, and on x86 no instruction.
class LinkList {
 public:
  static constexpr size_t Bytes(size_t capacity) { return sizeof(LinkList) + capacity * sizeof(std::atomic<uint32_t>); }

  // `memory`: Bytes(capacity), aligned as this.
  static LinkList* Create(std::byte* memory, size_t capacity) {
    auto* list = std::construct_at(reinterpret_cast<LinkList*>(memory));
    std::uninitialized_value_construct_n(list->links(), capacity);
    return list;
  }

  // Copies the links to `out`, of the list's capacity, and returns how many there are.
  size_t Read(uint32_t* out) const;

  // The rest is for whoever holds the row's lock.
  size_t count() const { return counts_.load(std::memory_order_relaxed) & 0xffff; }
  size_t pinned() const { return counts_.load(std::memory_order_relaxed) >> 16; }
  uint32_t at(size_t i) const { return links()[i].load(std::memory_order_relaxed); }
  // Not pinned; there must be room.
  void Append(uint32_t slot);
  void Assign(std::span<const uint32_t> slots, size_t pinned);

 private:
  std::atomic<uint32_t>* links() { return reinterpret_cast<std::atomic<uint32_t>*>(this + 1); }
  const std::atomic<uint32_t>* links() const { return reinterpret_cast<const std::atomic<uint32_t>*>(this + 1); }

  std::atomic<uint32_t> version_{0};  // odd while the links change
  std::atomic<uint32_t> counts_{0};   // of links, and of pinned ones in the upper half
};

inline size_t LinkList::Read(uint32_t* out) const {
  while (true) {
    const uint32_t version = version_.load(std::memory_order_acquire);
    if ((version & 1) != 0) continue;
    const size_t n = counts_.load(std::memory_order_acquire) & 0xffff;
    for (size_t i = 0; i < n; ++i) out[i] = links()[i].load(std::memory_order_acquire);
    if (version_.load(std::memory_order_relaxed) == version) return n;
  }
}

inline void LinkList::Append(uint32_t slot) {
  // Readers that do not know of it yet don't look there: the version may stay.
  const uint32_t counts = counts_.load(std::memory_order_relaxed);
  links()[counts & 0xffff].store(slot, std::memory_order_release);
  counts_.store(counts + 1, std::memory_order_release);
}

inline void LinkList::Assign(std::span<const uint32_t> slots, size_t pinned) {
  const uint32_t version = version_.load(std::memory_order_relaxed);
  version_.store(version + 1, std::memory_order_relaxed);
  counts_.store(static_cast<uint32_t>(slots.size() | pinned << 16), std::memory_order_release);
  for (size_t i = 0; i < slots.size(); ++i) links()[i].store(slots[i], std::memory_order_release);
  version_.store(version + 2, std::memory_order_release);
}

}  // namespace isotherm
