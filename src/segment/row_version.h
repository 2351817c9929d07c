// Which version of the collection wrote a row.
#pragma once

#include <algorithm>
#include <cstdint>

#include "segment/cell_block.h"
#include "segment/segment_info.h"

namespace isotherm {

// A row that says its own version is never of a later one than its segment: what a branch made of rows counts, after a
// fast-forward, as written by the version that brought it.
inline uint64_t VersionOf(const RowAttributes& row, const SegmentInfo& segment) {
  if (row.version == 0) return segment.version;
  return segment.version == 0 ? row.version : std::min(row.version, segment.version);
}

}  // namespace isotherm
