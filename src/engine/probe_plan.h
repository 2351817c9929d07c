// Which cells a query looks into.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/snapshot.h"

namespace isotherm {

// `nearest`: the cells nearest to the query. Returns them with those that lie in short gaps between them, ascending.
//
// Cells that are near in space lie side by side, so a run of them is read by one request. A gap of up to 64 KiB is read
// through, and a longer one as long as there are more than six runs and all that a cold start reads stays below 2 MB:
// each request costs money, and the slowest of all is waited for. What is read anyway is searched too: it finds rows
// for nothing.
std::vector<uint32_t> PlanProbes(const Snapshot& snapshot, std::vector<uint32_t> nearest);

}  // namespace isotherm
