// Answers without what can't be read.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/key_lookup.h"
#include "isotherm/query.h"

namespace isotherm {

// Adds a part to `missing`, if it is not there yet, and gives kOk. `status` itself where nothing may be missing (null),
// and where it is no part's: the caller's deadline, no room in memory.
Status LeaveOut(std::vector<MissingPart>* missing, const std::string& object, uint64_t rows, const Status& status);

// As ReadRows; where something may be missing, there[i] says whether rows[i] was read.
Status ReadRowsOrLeaveOut(const ReadPath& path, const SegmentSchema& schema, std::span<const RowAddress> addresses,
                          RowParts parts, const Context& context, std::span<Row> rows,
                          std::vector<MissingPart>* missing, std::vector<bool>& there);

}  // namespace isotherm
