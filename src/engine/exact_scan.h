// Going through all raw vectors and all rows of a segment, in large sequential reads that fill no cache.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "engine/snapshot.h"
#include "isotherm/context.h"
#include "isotherm/row.h"

namespace isotherm {

// Dimension, finite, within the range in which squares stay finite, and for kCosine not all zero; else InvalidArgument.
Status CheckVector(const SegmentSchema& schema, std::span<const float> vector);

// Calls `visit` for every row of the segment in order of ordinals.
Status ScanVectors(const ReadPath& path, const Snapshot& snapshot, uint32_t segment, const Context& context,
                   const std::function<void(uint32_t ordinal, std::span<const float> vector)>& visit);

struct ScanParts {
  bool vector = true;
  bool document = true;
};
// Calls `visit` for every row of the segment in order of ordinals; a bad Status from it ends the scan.
Status ScanSegment(const ReadPath& path, const Snapshot& snapshot, uint32_t segment, ScanParts parts,
                   const Context& context, const std::function<Status(uint32_t ordinal, Row)>& visit);

// The block that holds the row as a primary one.
BlockAddress PrimaryBlock(const Snapshot& snapshot, uint32_t segment, uint32_t ordinal);

}  // namespace isotherm
