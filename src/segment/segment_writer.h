// Writes a flat segment of rows that are in memory.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "isotherm/row.h"
#include "isotherm/status.h"
#include "segment/segment_info.h"
#include "segment/segment_schema.h"
#include "segment/segment_stream.h"

namespace isotherm {

// In the order given, in blocks of FlatBlockRows. A row's version and expiry are stored where they are not zero.
Result<SegmentInfo> WriteFlatSegment(const SegmentSchema& schema, const std::string& name,
                                     std::span<const Row* const> rows, const ByteSink& sink);

// The rows of a block of a flat segment: about 256 KiB.
uint32_t FlatBlockRows(uint32_t dimension);

// The vector that codes are made of: for kCosine a copy of length one, else the row's own.
std::vector<float> SearchVector(std::span<const float> vector, Metric metric);

}  // namespace isotherm
