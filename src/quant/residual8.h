// Eight-bit residual codes: a row is stored as its difference from its cell's centroid, each component rounded to one
// of 255 steps of a scale of the row's own.
//
// With r = x - c, scale = max |r_i| / 127 and code_i = round(r_i / scale):
//   squared distance  |q - x|² = |q - c|² - 2 (q - c)·r + |r|²  ≈  |q - c|² - 2 scale (q - c)·code + |r|²
//   inner product      q·x     = q·c + q·r                      ≈  q·c + scale q·code
// |r|² is kept exactly, so the error is that of the dot product alone: at most scale / 2 * |q - c|_1, and typically
// scale / sqrt(12) * |q - c|_2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "isotherm/row.h"

namespace isotherm {

struct ResidualFactors {
  float scale = 0;
  float norm2 = 0;  // |r|²
};

// `row`, `centroid` and `code` have the same length.
ResidualFactors EncodeResidual8(std::span<const float> row, std::span<const float> centroid, int8_t* code);

// A query made ready for the codes of one cell. Holds a scratch vector: keep one per thread and Reset it per cell.
class ResidualQuery {
 public:
  // `query` must outlive this, and for kCosine be of length one (as must be the rows).
  ResidualQuery(Metric metric, std::span<const float> query);

  void Reset(std::span<const float> centroid);
  // |q - c| (|q| for the inner product): a distance is off by about this times the row's scale.
  float spread() const { return spread_; }
  // distances[i] of `rows` rows whose codes lie one behind the other.
  void Distances(const int8_t* codes, const float* scales, const float* norms2, size_t rows, float* distances) const;

 private:
  Metric metric_;
  std::span<const float> query_;
  std::vector<float> difference_;  // q - c; unused for the inner product
  float base_ = 0;                 // |q - c|², or q·c
  float spread_ = 0;
};

}  // namespace isotherm
