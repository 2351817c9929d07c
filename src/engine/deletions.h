// Which rows of the segments no longer count. A segment never changes: that a row of it is gone stands in the head, or,
// when that is too much for a head, in an immutable object that the head names, with the newest changes still in the
// head. docs/format.md has the byte tables.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "base/ordinal_set.h"
#include "isotherm/status.h"
#include "segment/segment_info.h"

namespace isotherm {

// Of one segment, by ordinal. No row is in both.
struct SegmentDeletions {
  OrdinalSet hard;  // for good: deleted, or replaced by a newer row of the same key
  OrdinalSet soft;  // absent, but can be restored (written anew) until a vacuum
  friend bool operator==(const SegmentDeletions&, const SegmentDeletions&) = default;

  bool empty() const { return hard.empty() && soft.empty(); }
  bool Contains(uint32_t ordinal) const { return hard.Contains(ordinal) || soft.Contains(ordinal); }
};

// By segment name; segments without deletions are left out.
using DeletionMap = std::map<std::string, SegmentDeletions>;

// What changed in a segment since the object of deletions was written.
struct DeletionDelta {
  uint32_t segment = 0;  // index into the head's
  OrdinalSet hard;
  OrdinalSet soft;
};

// The object of deletions that a head names; no name: there is none.
struct DeletionRef {
  std::string name;
  uint32_t bytes = 0;
  uint32_t crc32c = 0;
};

void PutDeletionDeltas(std::string& out, const std::vector<DeletionDelta>& deltas);
// Fails the decoder on anything malformed, or that names a segment or a row that there is not.
std::vector<DeletionDelta> GetDeletionDeltas(Decoder& in, std::span<const SegmentInfo> segments);

// The object: all deletions of `segments`.
std::string EncodeDeletions(const DeletionMap& deletions, std::span<const SegmentInfo> segments);
// Corruption on malformed bytes, Unsupported for a later format version. The checksum has been compared already.
Result<DeletionMap> DecodeDeletions(std::string_view bytes);

// Whether rows of `segments` that are deleted by `then` are deleted by `now` too: for good, or as they were. Only going
// back to an older version takes deletions back.
bool Extends(const DeletionMap& now, const DeletionMap& then, std::span<const SegmentInfo> segments);

// Whether every row that is deleted is one of its segment's; segments that are not in the head are not looked at.
bool FitSegments(const DeletionMap& deletions, std::span<const SegmentInfo> segments);

// `stored`, as the object has it, with the head's changes. Segments that are not in the head are left out.
DeletionMap ApplyDeltas(const DeletionMap& stored, const std::vector<DeletionDelta>& deltas,
                        std::span<const SegmentInfo> segments);
// The changes that lead from `stored` to `now`.
std::vector<DeletionDelta> DeltasBetween(const DeletionMap& stored, const DeletionMap& now,
                                         std::span<const SegmentInfo> segments);

}  // namespace isotherm
