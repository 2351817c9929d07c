#include "quant/residual8.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "base/splitmix.h"

namespace isotherm {
namespace {

float Component(SplitMix64& random) {
  return static_cast<float>(static_cast<double>(random.Next() >> 11) * 0x1p-52 - 1.0);
}

std::vector<float> Vector(SplitMix64& random, size_t dimension, float size = 1) {
  std::vector<float> vector(dimension);
  for (float& v : vector) v = size * Component(random);
  return vector;
}

void Normalise(std::vector<float>& vector) {
  double norm2 = 0;
  for (float v : vector) norm2 += double{v} * v;
  for (float& v : vector) v = static_cast<float>(v / std::sqrt(norm2));
}

// Rows near a centroid, encoded.
struct Cell {
  std::vector<float> centroid;
  std::vector<std::vector<float>> rows;
  std::vector<int8_t> codes;
  std::vector<float> scales;
  std::vector<float> norms2;
};

Cell MakeCell(SplitMix64& random, Metric metric, size_t dimension, size_t count, float size, float spread) {
  Cell cell;
  cell.centroid = Vector(random, dimension, size);
  if (metric == Metric::kCosine) Normalise(cell.centroid);
  cell.codes.resize(count * dimension);
  for (size_t i = 0; i < count; ++i) {
    std::vector<float> row = Vector(random, dimension, size * spread);
    for (size_t d = 0; d < dimension; ++d) row[d] += cell.centroid[d];
    if (metric == Metric::kCosine) Normalise(row);
    ResidualFactors factors = EncodeResidual8(row, cell.centroid, &cell.codes[i * dimension]);
    cell.scales.push_back(factors.scale);
    cell.norms2.push_back(factors.norm2);
    cell.rows.push_back(std::move(row));
  }
  return cell;
}

double TrueDistance(Metric metric, const std::vector<float>& query, const std::vector<float>& row) {
  double l2 = 0;
  double dot = 0;
  for (size_t i = 0; i < query.size(); ++i) {
    l2 += (double{query[i]} - row[i]) * (double{query[i]} - row[i]);
    dot += double{query[i]} * row[i];
  }
  return metric == Metric::kInnerProduct ? -dot : metric == Metric::kCosine ? l2 / 2 : l2;
}

// What single precision may add: a sum of `dimension` products of this size.
double RoundingError(const std::vector<float>& query, const Cell& cell, size_t row) {
  double sum = 0;
  for (size_t i = 0; i < query.size(); ++i) {
    double q = std::abs(query[i]) + std::abs(cell.centroid[i]);
    double r = std::abs(cell.rows[row][i]) + std::abs(cell.centroid[i]);
    sum += (q + r) * (q + r);
  }
  return 1e-6 * sum;
}

class Residual8 : public testing::TestWithParam<Metric> {};

TEST_P(Residual8, DistancesAreWithinTheStatedBound) {
  SplitMix64 random(1);
  for (size_t dimension : {1, 3, 16, 127, 384, 1024}) {
    for (float size : {1e-3F, 1.0F, 1e6F}) {
      Cell cell = MakeCell(random, GetParam(), dimension, 50, size, 0.3F);
      std::vector<float> query = Vector(random, dimension, size);
      if (GetParam() == Metric::kCosine) Normalise(query);
      ResidualQuery residual(GetParam(), query);
      residual.Reset(cell.centroid);
      std::vector<float> distances(cell.rows.size());
      residual.Distances(cell.codes.data(), cell.scales.data(), cell.norms2.data(), cell.rows.size(), distances.data());
      double l1 = 0;  // of what the codes are multiplied with
      for (size_t i = 0; i < dimension; ++i) {
        l1 += std::abs(GetParam() == Metric::kInnerProduct ? query[i] : double{query[i]} - cell.centroid[i]);
      }
      double factor = GetParam() == Metric::kL2 ? 2 : 1;  // how often the dot product is in the distance
      for (size_t r = 0; r < cell.rows.size(); ++r) {
        double bound = factor * cell.scales[r] / 2 * l1 + RoundingError(query, cell, r);
        EXPECT_NEAR(distances[r], TrueDistance(GetParam(), query, cell.rows[r]), bound)
            << "dimension " << dimension << ", size " << size << ", row " << r;
      }
    }
  }
}

TEST_P(Residual8, ErrorsAreTypicallyThoseOfUniformRounding) {
  SplitMix64 random(2);
  constexpr size_t kDimension = 256;
  double factor = GetParam() == Metric::kL2 ? 2 : 1;
  double measured = 0;
  double predicted = 0;
  for (int trial = 0; trial < 20; ++trial) {
    Cell cell = MakeCell(random, GetParam(), kDimension, 100, 1, 0.5F);
    std::vector<float> query = Vector(random, kDimension);
    if (GetParam() == Metric::kCosine) Normalise(query);
    ResidualQuery residual(GetParam(), query);
    residual.Reset(cell.centroid);
    std::vector<float> distances(cell.rows.size());
    residual.Distances(cell.codes.data(), cell.scales.data(), cell.norms2.data(), cell.rows.size(), distances.data());
    for (size_t r = 0; r < cell.rows.size(); ++r) {
      measured += std::pow(distances[r] - TrueDistance(GetParam(), query, cell.rows[r]), 2);
      predicted += std::pow(factor * cell.scales[r] / std::sqrt(12) * residual.spread(), 2);
    }
  }
  EXPECT_NEAR(std::sqrt(measured / predicted), 1, 0.1);
}

TEST_P(Residual8, TheOrderOfFarApartRowsIsKept) {
  SplitMix64 random(3);
  Cell cell = MakeCell(random, GetParam(), 64, 200, 1, 1);
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<float> query = Vector(random, 64);
    if (GetParam() == Metric::kCosine) Normalise(query);
    ResidualQuery residual(GetParam(), query);
    residual.Reset(cell.centroid);
    std::vector<float> distances(cell.rows.size());
    residual.Distances(cell.codes.data(), cell.scales.data(), cell.norms2.data(), cell.rows.size(), distances.data());
    size_t nearest = static_cast<size_t>(std::min_element(distances.begin(), distances.end()) - distances.begin());
    size_t nearer = 0;
    for (const auto& row : cell.rows) {
      nearer += TrueDistance(GetParam(), query, row) < TrueDistance(GetParam(), query, cell.rows[nearest]) ? 1 : 0;
    }
    EXPECT_LT(nearer, 3U);
  }
}

INSTANTIATE_TEST_SUITE_P(Metrics, Residual8, testing::Values(Metric::kL2, Metric::kCosine, Metric::kInnerProduct));

TEST(EncodeResidual8, EveryComponentIsWithinHalfAStep) {
  SplitMix64 random(4);
  constexpr float kSizes[] = {std::numeric_limits<float>::denorm_min() * 5, 1e-43F, 1e-40F, 1e-38F, 1e-30F, 1, 1e16F};
  for (float size : kSizes) {
    for (size_t dimension : {1, 2, 100}) {
      for (int trial = 0; trial < 50; ++trial) {
        std::vector<float> row = Vector(random, dimension, size);
        std::vector<float> centroid(dimension, 0.0F);
        std::vector<int8_t> code(dimension);
        ResidualFactors factors = EncodeResidual8(row, centroid, code.data());
        double norm2 = 0;
        for (size_t i = 0; i < dimension; ++i) {
          EXPECT_GE(code[i], -127);
          // A row's own rounding to float comes on top of the half step.
          EXPECT_LE(std::abs(row[i] - double{factors.scale} * code[i]), 0.5 * factors.scale + 1e-7 * std::abs(row[i]))
              << "size " << size << ", component " << row[i] << ", scale " << factors.scale;
          norm2 += double{row[i]} * row[i];
        }
        EXPECT_FLOAT_EQ(factors.norm2, static_cast<float>(norm2));
      }
    }
  }
}

TEST(EncodeResidual8, IsTheNearestStepTiesToEvenInEveryLength) {
  SplitMix64 random(11);
  for (size_t dimension = 1; dimension <= 70; ++dimension) {
    const std::vector<float> centroid = Vector(random, dimension, 3);
    const std::vector<float> row = Vector(random, dimension, 5);
    std::vector<int8_t> code(dimension);
    const ResidualFactors factors = EncodeResidual8(row, centroid, code.data());
    float largest = 0;
    double norm2 = 0;
    for (size_t i = 0; i < dimension; ++i) {
      const float r = row[i] - centroid[i];
      largest = std::max(largest, std::abs(r));
      norm2 += double{r} * r;
      EXPECT_EQ(code[i], std::nearbyint(r * (1.0 / factors.scale))) << dimension << ", " << i;
    }
    EXPECT_NEAR(factors.scale, largest / 127, largest * 1e-7);
    EXPECT_NEAR(factors.norm2, norm2, norm2 * 1e-6);
  }
  std::vector<float> halves = {127};
  for (int step = -127; step < 127; ++step) halves.push_back(static_cast<float>(step) + 0.5F);
  std::vector<int8_t> code(halves.size());
  EXPECT_EQ(EncodeResidual8(halves, std::vector<float>(halves.size()), code.data()).scale, 1);
  for (size_t i = 0; i < halves.size(); ++i) EXPECT_EQ(code[i], std::nearbyint(halves[i])) << halves[i];
}

TEST(EncodeResidual8, ARowAtItsCentroidIsAsFarAsThat) {
  SplitMix64 random(5);
  std::vector<float> row = Vector(random, 20);
  std::vector<float> query = Vector(random, 20);
  std::vector<int8_t> code(20, 99);
  ResidualFactors factors = EncodeResidual8(row, row, code.data());
  EXPECT_EQ(factors.scale, 0);
  EXPECT_EQ(factors.norm2, 0);
  EXPECT_EQ(code, std::vector<int8_t>(20, 0));
  ResidualQuery residual(Metric::kL2, query);
  residual.Reset(row);
  float distance = -1;
  residual.Distances(code.data(), &factors.scale, &factors.norm2, 1, &distance);
  EXPECT_NEAR(distance, TrueDistance(Metric::kL2, query, row), 1e-4);
}

TEST(ResidualQuery, ADistanceIsNeverNegative) {
  SplitMix64 random(6);
  for (Metric metric : {Metric::kL2, Metric::kCosine}) {
    Cell cell = MakeCell(random, metric, 32, 100, 1, 0.01F);
    for (const std::vector<float>& query : cell.rows) {
      ResidualQuery residual(metric, query);
      residual.Reset(cell.centroid);
      std::vector<float> distances(cell.rows.size());
      residual.Distances(cell.codes.data(), cell.scales.data(), cell.norms2.data(), cell.rows.size(), distances.data());
      for (float distance : distances) EXPECT_GE(distance, 0);
    }
  }
}

}  // namespace
}  // namespace isotherm
