#include "index/graph_codec.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

#include "quant/residual8.h"

namespace isotherm {

GraphCodec::GraphCodec(Metric metric, uint32_t dimension, std::span<const float> centre)
    : kernels_(simd::Active()), metric_(metric), centre_(dimension, 0.0F) {
  assert(centre.empty() || centre.size() == dimension);
  std::copy(centre.begin(), centre.end(), centre_.begin());
  centre_norm2_ = kernels_.dot_f32(centre_.data(), centre_.data(), dimension);
}

void GraphCodec::Encode(std::span<const float> vector, CodedQuery* query) const {
  const size_t n = centre_.size();
  assert(vector.size() == n);
  query->vector.assign(vector.begin(), vector.end());
  query->weighted.resize(n);
  query->code.resize(n);
  if (metric_ == Metric::kCosine) {
    const float norm = std::sqrt(kernels_.dot_f32(vector.data(), vector.data(), n));
    if (norm > 0) {
      for (float& component : query->vector) component /= norm;
    }
  }
  const float scale = EncodeResidual8(query->vector, centre_, query->code.data()).scale;
  const int8_t* code = query->code.data();
  const float norm2 = scale * scale * static_cast<float>(kernels_.dot_i8(code, code, n));
  const float weight = metric_ == Metric::kL2 ? std::numbers::sqrt2_v<float> : 1.0F;
  for (size_t i = 0; i < n; ++i) query->weighted[i] = weight * (query->vector[i] - centre_[i]);
  query->factors.weight = weight * scale;
  const float* weighted = query->weighted.data();
  if (metric_ == Metric::kInnerProduct) {
    query->factors.bias = -scale * kernels_.dot_f32_i8(centre_.data(), code, n) - centre_norm2_ / 2;
    query->bias = -kernels_.dot_f32(weighted, centre_.data(), n) - centre_norm2_ / 2;
  } else {  // |weighted|² / 2 is |q - c|² for kL2, and half of it for kCosine
    query->factors.bias = metric_ == Metric::kL2 ? norm2 : norm2 / 2;
    query->bias = kernels_.dot_f32(weighted, weighted, n) / 2;
  }
}

float GraphCodec::Distance(const CodedQuery& query, CodeFactors row, const int8_t* code) const {
  const float dot = kernels_.dot_f32_i8(query.weighted.data(), code, centre_.size());
  const float distance = Finite(query.bias + row.bias - row.weight * dot);
  return metric_ == Metric::kInnerProduct ? distance : std::max(distance, 0.0F);
}

}  // namespace isotherm
