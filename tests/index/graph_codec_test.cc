#include "index/graph_codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/index/exact_distance.h"
#include "tests/index/random_vectors.h"

namespace isotherm {
namespace {

const Metric kMetrics[] = {Metric::kL2, Metric::kCosine, Metric::kInnerProduct};

std::vector<float> Centre(std::span<const float> rows, uint32_t dimension) {
  std::vector<float> centre(dimension, 0.0F);
  for (size_t i = 0; i < rows.size(); ++i)
    centre[i % dimension] += rows[i] / static_cast<float>(rows.size() / dimension);
  return centre;
}

struct Case {
  Metric metric;
  uint32_t dimension;
  bool centred;
};

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (Metric metric : kMetrics) {
    for (uint32_t dimension : {1U, 3U, 64U, 100U, 384U}) {
      for (bool centred : {false, true}) {
        cases.push_back({metric, dimension, centred});
      }
    }
  }
  return cases;
}

class GraphCodecTest : public testing::TestWithParam<Case> {};

double Length(std::span<const float> v) { return std::sqrt(SquaredDistance(v, std::vector<float>(v.size(), 0.0F))); }

// How far the row as it is coded can be from the row: half a step of its scale in every component.
double LargestError(std::span<const float> row, std::span<const float> centre) {
  double largest = 0;
  for (size_t i = 0; i < row.size(); ++i) largest = std::max<double>(largest, std::abs(row[i] - centre[i]));
  return largest / 254 * std::sqrt(static_cast<double>(row.size())) * 1.001;
}

double Tolerance(Metric metric, std::span<const float> a, double error_a, std::span<const float> b, double error_b) {
  if (metric == Metric::kInnerProduct) return error_a * Length(b) + error_b * Length(a) + error_a * error_b + 1e-4;
  const double errors = error_a + error_b;
  const double squared = 2 * std::sqrt(SquaredDistance(a, b)) * errors + errors * errors;
  return (metric == Metric::kL2 ? squared : squared / 2) + 1e-4;
}

TEST_P(GraphCodecTest, DistancesAreThoseOfTheMetricWithinWhatTheCodesLose) {
  const auto [metric, dimension, centred] = GetParam();
  const size_t kRows = 60;
  std::vector<float> rows = ClusteredVectors(dimension, kRows, dimension, 7);
  const std::vector<float> zero(dimension, 0.0F);
  if (metric == Metric::kCosine) {
    for (size_t i = 0; i < kRows; ++i) {
      const double length = Length(VectorAt(rows, i, dimension));
      for (uint32_t d = 0; d < dimension; ++d) rows[i * dimension + d] /= static_cast<float>(length);
    }
  }
  const std::vector<float> centre = centred ? Centre(rows, dimension) : zero;
  const GraphCodec codec(metric, dimension, centred ? centre : std::vector<float>());
  std::vector<CodedQuery> coded(kRows);
  for (size_t i = 0; i < kRows; ++i) codec.Encode(VectorAt(rows, i, dimension), &coded[i]);
  for (size_t i = 0; i < kRows; ++i) {
    for (size_t j = 0; j < kRows; ++j) {
      const std::span<const float> a = VectorAt(rows, i, dimension), b = VectorAt(rows, j, dimension);
      const double want = ExactDistance(metric, a, b);
      const double error_a = LargestError(a, centre), error_b = LargestError(b, centre);
      const CodedQuery &x = coded[i], &y = coded[j];
      const float both = codec.Distance(x.factors, x.code.data(), y.factors, y.code.data());
      EXPECT_NEAR(both, want, Tolerance(metric, a, error_a, b, error_b)) << i << " " << j;
      EXPECT_EQ(both, codec.Distance(y.factors, y.code.data(), x.factors, x.code.data()));
      const float exact_query = codec.Distance(x, y.factors, y.code.data());
      EXPECT_NEAR(exact_query, want, Tolerance(metric, a, 0, b, error_b)) << i << " " << j;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, GraphCodecTest, testing::ValuesIn(Cases()), [](const auto& test) {
  return std::string(MetricName(test.param.metric)) + "_" + std::to_string(test.param.dimension) +
         (test.param.centred ? "_centred" : "");
});

TEST(GraphCodec, ARowIsAsGoodAsWithoutDistanceFromItself) {
  const uint32_t dimension = 200;
  const std::vector<float> rows = ClusteredVectors(3, 20, dimension, 3);
  for (Metric metric : {Metric::kL2, Metric::kCosine}) {
    const GraphCodec codec(metric, dimension, {});
    for (size_t i = 0; i < 20; ++i) {
      CodedQuery coded;
      codec.Encode(VectorAt(rows, i, dimension), &coded);
      const float own = codec.Distance(coded.factors, coded.code.data(), coded.factors, coded.code.data());
      EXPECT_NEAR(own, 0, 1e-5F * std::abs(coded.factors.bias));
    }
  }
}

TEST(GraphCodec, ACentreNearTheRowsMakesTheirCodesFiner) {
  const uint32_t dimension = 32;
  std::vector<float> rows = ClusteredVectors(4, 50, dimension, 5);
  for (float& component : rows) component += 500;
  const GraphCodec plain(Metric::kL2, dimension, {}), centred(Metric::kL2, dimension, Centre(rows, dimension));
  double plain_error = 0, centred_error = 0;
  for (size_t i = 1; i < 50; ++i) {
    const double want = SquaredDistance(VectorAt(rows, 0, dimension), VectorAt(rows, i, dimension));
    for (const GraphCodec* codec : {&plain, &centred}) {
      CodedQuery query, row;
      codec->Encode(VectorAt(rows, 0, dimension), &query);
      codec->Encode(VectorAt(rows, i, dimension), &row);
      const double error = std::abs(codec->Distance(query, row.factors, row.code.data()) - want);
      (codec == &plain ? plain_error : centred_error) += error;
    }
  }
  EXPECT_LT(centred_error, plain_error / 50);
}

TEST(GraphCodec, DistancesAreNumbersWhateverTheVectors) {
  const std::vector<std::vector<float>> vectors = {{0, 0, 0},           {3e38F, -3e38F, 3e38F}, {-3e38F, 3e38F, 3e38F},
                                                   {1e-45F, 0, 1e-45F}, {1e-38F, 1e38F, 0},     {1, 2, 3}};
  for (Metric metric : kMetrics) {
    const GraphCodec codec(metric, 3, {});
    for (const std::vector<float>& a : vectors) {
      for (const std::vector<float>& b : vectors) {
        CodedQuery x, y;
        codec.Encode(a, &x);
        codec.Encode(b, &y);
        EXPECT_FALSE(std::isnan(codec.Distance(x.factors, x.code.data(), y.factors, y.code.data())));
        EXPECT_FALSE(std::isnan(codec.Distance(x, y.factors, y.code.data())));
      }
    }
  }
}

}  // namespace
}  // namespace isotherm
