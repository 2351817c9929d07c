// Centroids at eight bits a component, as the routing object stores them: a scale per centroid.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace isotherm {

struct Centroids8 {
  std::vector<float> scales;  // one a cell
  std::vector<int8_t> codes;  // cells x dimension
};

Centroids8 QuantiseCentroids(std::span<const float> centroids, uint32_t dimension);
// code * scale, cells x dimension.
std::vector<float> RestoreCentroids(std::span<const float> scales, std::span<const int8_t> codes, uint32_t dimension);

}  // namespace isotherm
