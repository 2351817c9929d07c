// The routing object: all that a query must know to choose its cells and to read them, for all segments of one
// partition. It lies under its immutable name, "routing-" and its SHA-256, and as a copy under the well-known name
// "routing", which is read together with the head. The head names the one that it goes with, by SHA-256.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isotherm/row.h"
#include "isotherm/status.h"
#include "segment/segment_info.h"

namespace isotherm {

inline constexpr char kRoutingObject[] = "routing";
std::string RoutingName(std::string_view sha256_hex);

struct Routing {
  uint64_t generation = 0;
  uint32_t dimension = 0;
  uint32_t default_probes = 0;    // to reach the target recall, found at compaction
  std::vector<float> scales;      // of centroids: f32, one a cell
  std::vector<int8_t> codes;      // of centroids: cells x dimension
  std::vector<BlockInfo> blocks;  // one a cell
  // Made on decoding: cells x dimension, and where each cell's block begins in its segment's codes section.
  std::vector<float> centroids;
  std::vector<uint64_t> offsets;
  std::vector<uint32_t> first_ordinals;  // of each cell's primary rows

  uint32_t cells() const { return static_cast<uint32_t>(blocks.size()); }
  std::span<const float> centroid(uint32_t cell) const {
    return {centroids.data() + size_t{cell} * dimension, dimension};
  }
};

std::string EncodeRouting(const Routing& routing);
// `segments`: the head's; those of kind kCells must cover the cells in order. Its SHA-256 has been compared already, so
// anything malformed is Corruption, and an unknown version Unsupported.
Result<Routing> DecodeRouting(std::string_view bytes, std::span<const SegmentInfo> segments);

}  // namespace isotherm
