// Which requests fetch a set of extents: few, and with few bytes that nobody wants.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cache/extent_cache.h"

namespace isotherm {

// One run of bytes of one object, and the extents that lie in it.
struct PlannedRequest {
  uint64_t offset = 0;
  uint64_t length = 0;
  std::vector<size_t> extents;  // not empty; by offset
};

// Covers extents[i] for every i of `wanted`. First merges across gaps of at most options.max_gap_bytes, then, while
// there are more than options.max_requests, across the smallest gap of all that lie inside one object: no other plan of
// so few requests reads fewer bytes. Extents may overlap and repeat; none may be empty.
std::vector<PlannedRequest> PlanRequests(std::span<const Extent> extents, std::span<const size_t> wanted,
                                         const FetchOptions& options);

}  // namespace isotherm
