#include "engine/row_table.h"

#include <cmath>

#include "segment/row_codec.h"
#include "simd/kernels.h"

namespace isotherm {

namespace {

// For vectors so short that their squares vanish in single precision.
float CosineInDouble(std::span<const float> a, std::span<const float> b) {
  double dot = 0;
  double norm_a = 0;
  double norm_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += static_cast<double>(a[i]) * b[i];
    norm_a += static_cast<double>(a[i]) * a[i];
    norm_b += static_cast<double>(b[i]) * b[i];
  }
  return static_cast<float>(1 - dot / std::sqrt(norm_a * norm_b));
}

}  // namespace

float ExactDistance(Metric metric, std::span<const float> query, std::span<const float> row) {
  const simd::Kernels& kernels = simd::Active();
  switch (metric) {
    case Metric::kL2: return kernels.l2_f32(query.data(), row.data(), query.size());
    case Metric::kInnerProduct: return -kernels.dot_f32(query.data(), row.data(), query.size());
    case Metric::kCosine: break;
  }
  simd::DotAndNorms sums = kernels.cosine_f32(query.data(), row.data(), query.size());
  constexpr float kSmallest = 1e-30F;
  if (sums.norm_a < kSmallest || sums.norm_b < kSmallest) return CosineInDouble(query, row);
  return 1 - sums.dot / (std::sqrt(sums.norm_a) * std::sqrt(sums.norm_b));
}

void RowTable::Add(Row row) {
  encoded_bytes_ += EncodedRowBytes(row);
  index_.emplace(row.key, rows_.size());
  rows_.push_back(std::move(row));
}

const Row* RowTable::Find(const Key& key) const {
  auto at = index_.find(key);
  return at == index_.end() ? nullptr : &rows_[at->second];
}

}  // namespace isotherm
