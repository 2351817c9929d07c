// The tail of a segment: its own description, for whoever has no head.
#pragma once

#include <string>
#include <string_view>

#include "isotherm/status.h"
#include "segment/segment_info.h"
#include "segment/segment_schema.h"

namespace isotherm {

// The tail of a segment of which all but the tail is written: info.tail.offset says where it will lie. Sets
// info.tail_crc32c.
std::string EncodeTail(const SegmentSchema& schema, SegmentInfo& info);

// Reads what a segment says of itself in its tail. `tail`: the bytes of info.tail or, for a segment without a head, its
// last bytes from the footer's offset on. Corruption when they don't match, Unsupported for a later format version.
Result<SegmentInfo> ParseTail(std::string_view tail, SegmentSchema* schema);

}  // namespace isotherm
