// What one read sees: a snapshot, and over it what the handle has written and not committed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <unordered_set>
#include <vector>

#include "engine/recent_rows.h"
#include "engine/snapshot.h"
#include "engine/write_buffer.h"

namespace isotherm {

struct ReadView {
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<std::shared_ptr<const WriteBuffer>> buffers;  // the newest first
  uint64_t sequence = 0;                                    // later changes of the buffers are not seen
  int64_t now_ms = 0;                                       // for rows that expire
  std::shared_ptr<const RecentTable> recent;                // of the snapshot; null: RAM has nothing
  std::vector<std::shared_ptr<const Row>> rows;             // of the buffers, as far as they were asked for
  std::unordered_set<Key, KeyHash> softened;                // with softly deleted rows: which ones of the snapshot

  bool HidesAny() const {
    for (const auto& buffer : buffers) {
      if (buffer->hides_any()) return true;
    }
    return false;
  }
  // Whether what the snapshot has of this key does not count. `newer`: what lies below the so many newest buffers.
  bool Hides(const Key& key, size_t newer = SIZE_MAX) const {
    for (size_t b = 0; b < std::min(newer, buffers.size()); ++b) {
      if (buffers[b]->hides_any() && buffers[b]->Hides(key, sequence)) return true;
    }
    return false;
  }
  // Index into `recent->views` of what RAM has of a segment of the snapshot. kNoSlot: nothing.
  uint32_t RecentOf(uint32_t segment) const { return recent == nullptr ? kNoSlot : recent->of_segment[segment]; }
  bool IsInRam(uint32_t segment) const { return RecentOf(segment) != kNoSlot; }
};

}  // namespace isotherm
