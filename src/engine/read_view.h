// What one read sees: a snapshot, and over it what the handle has written and not committed.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_set>
#include <vector>

#include "engine/snapshot.h"
#include "engine/write_buffer.h"

namespace isotherm {

struct ReadView {
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<std::shared_ptr<const WriteBuffer>> buffers;  // the newest first
  uint64_t sequence = 0;                                    // later changes of the buffers are not seen
  int64_t now_ms = 0;                                       // for rows that expire
  std::vector<std::shared_ptr<const Row>> rows;             // of the buffers, as far as they were asked for
  std::unordered_set<Key, KeyHash> softened;                // with softly deleted rows: which ones of the snapshot

  bool HidesAny() const {
    for (const auto& buffer : buffers) {
      if (buffer->size() > 0) return true;
    }
    return false;
  }
  // Whether what the snapshot has of this key does not count.
  bool Hides(const Key& key) const {
    for (const auto& buffer : buffers) {
      if (buffer->Hides(key, sequence)) return true;
    }
    return false;
  }
};

}  // namespace isotherm
