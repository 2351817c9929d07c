#include "quant/residual8.h"

#include <algorithm>
#include <cmath>

#include "simd/kernels.h"

namespace isotherm {

namespace {

struct Extent {
  float largest = 0;
  double norm2 = 0;
};

// In lanes, so that compilers can take several numbers at once: they may not change the order of sums themselves.
Extent ExtentOf(std::span<const float> row, std::span<const float> centroid) {
  constexpr size_t kLanes = 8;
  float largest[kLanes] = {};
  double norm2[kLanes] = {};
  auto add = [&](size_t i, size_t lane) {
    const float r = row[i] - centroid[i];
    const float magnitude = std::abs(r);
    largest[lane] = largest[lane] < magnitude ? magnitude : largest[lane];
    norm2[lane] += static_cast<double>(r) * r;
  };
  const size_t whole = row.size() / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) add(i + lane, lane);
  }
  for (size_t i = whole; i < row.size(); ++i) add(i, i - whole);
  Extent all;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    all.largest = std::max(all.largest, largest[lane]);
    all.norm2 += norm2[lane];
  }
  return all;
}

// Added to a number of less than 2^51 and taken away again it rounds that, ties to even, without a call.
constexpr double kRounding = 0x1.8p52;

}  // namespace

ResidualFactors EncodeResidual8(std::span<const float> row, std::span<const float> centroid, int8_t* code) {
  const Extent extent = ExtentOf(row, centroid);
  if (extent.largest == 0) {
    std::fill_n(code, row.size(), int8_t{0});
    return {0, 0};
  }
  // Rounded up, so that no component is beyond the last step even where floats have few digits left.
  float scale = extent.largest / 127;
  if (scale * 127.0 < extent.largest) scale = std::nextafter(scale, extent.largest);
  const double inverse = 1.0 / scale;
  for (size_t i = 0; i < row.size(); ++i) {
    const double rounded = (row[i] - centroid[i]) * inverse + kRounding - kRounding;
    code[i] = static_cast<int8_t>(static_cast<int32_t>(rounded));
  }
  return {scale, static_cast<float>(extent.norm2)};
}

ResidualQuery::ResidualQuery(Metric metric, std::span<const float> query) : metric_(metric), query_(query) {
  if (metric_ == Metric::kInnerProduct) {
    spread_ = std::sqrt(simd::Active().dot_f32(query.data(), query.data(), query.size()));
  } else {
    difference_.resize(query.size());
  }
}

void ResidualQuery::Reset(std::span<const float> centroid) {
  if (metric_ == Metric::kInnerProduct) {
    base_ = simd::Active().dot_f32(query_.data(), centroid.data(), query_.size());
    return;
  }
  for (size_t i = 0; i < query_.size(); ++i) difference_[i] = query_[i] - centroid[i];
  base_ = simd::Active().dot_f32(difference_.data(), difference_.data(), difference_.size());
  spread_ = std::sqrt(base_);
}

void ResidualQuery::Distances(const int8_t* codes, const float* scales, const float* norms2, size_t rows,
                              float* distances) const {
  const simd::Kernels& kernels = simd::Active();
  if (metric_ == Metric::kInnerProduct) {
    kernels.dot_f32_i8_rows(query_.data(), codes, rows, query_.size(), distances);
    for (size_t r = 0; r < rows; ++r) distances[r] = -(base_ + scales[r] * distances[r]);
    return;
  }
  kernels.dot_f32_i8_rows(difference_.data(), codes, rows, difference_.size(), distances);
  // Of vectors of length one, 1 - cos is half the squared distance.
  float factor = metric_ == Metric::kCosine ? 0.5F : 1.0F;
  for (size_t r = 0; r < rows; ++r) {
    float squared = base_ - 2 * scales[r] * distances[r] + norms2[r];
    distances[r] = factor * std::max(squared, 0.0F);
  }
}

}  // namespace isotherm
