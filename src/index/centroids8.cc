#include "index/centroids8.h"

#include "quant/residual8.h"

namespace isotherm {

Centroids8 QuantiseCentroids(std::span<const float> centroids, uint32_t dimension) {
  Centroids8 out;
  size_t cells = centroids.size() / dimension;
  out.scales.resize(cells);
  out.codes.resize(centroids.size());
  std::vector<float> origin(dimension, 0.0F);
  for (size_t c = 0; c < cells; ++c) {
    out.scales[c] =
        EncodeResidual8(centroids.subspan(c * dimension, dimension), origin, &out.codes[c * dimension]).scale;
  }
  return out;
}

std::vector<float> RestoreCentroids(std::span<const float> scales, std::span<const int8_t> codes, uint32_t dimension) {
  std::vector<float> centroids(codes.size());
  for (size_t c = 0; c < scales.size(); ++c) {
    for (size_t i = c * dimension; i < (c + 1) * dimension; ++i)
      centroids[i] = scales[c] * static_cast<float>(codes[i]);
  }
  return centroids;
}

}  // namespace isotherm
