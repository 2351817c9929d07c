// Searching what a view has in RAM: rows that wait for a commit, recent segments, and the rows of the head.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/candidates.h"
#include "engine/read_view.h"
#include "engine/snapshot.h"

namespace isotherm {

// Of one view. Thread-safe.
class RowsInRam {
 public:
  // `liveness`: the snapshot's; it may be null when the view has no recent segments. All must outlive this.
  // `by_rows`: which of the view's recent segments are searched here; the others in their blocks.
  RowsInRam(const ReadView& view, const Liveness* liveness, bool exact, const std::vector<bool>& by_rows);

  // The `wanted` nearest rows: the true ones where `exact` or where there are few, else about so. Adds to *compared how
  // many were compared by their raw vectors.
  std::vector<Candidate> Search(std::span<const float> query, size_t wanted, uint64_t* compared) const;
  const Row& row(const Candidate& found) const;

 private:
  struct Source {
    const MemtableRows* rows;
    size_t newer;                                // buffers that may hide its rows
    const RecentRows* recent = nullptr;          // null: a buffer's rows
    std::vector<const OrdinalSet*> absent = {};  // by segment of `recent`; null: it is not there any more
  };
  class Seen;

  const ReadView& view_;
  const bool exact_;
  std::vector<Source> sources_;
  std::vector<const Row*> of_head_;
};

}  // namespace isotherm
