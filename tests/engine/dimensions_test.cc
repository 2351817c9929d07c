// Every dimension, every metric, every layout: exact answers equal brute force, and k beyond the rows returns all. E4.
#include <gtest/gtest.h>

#include "blob/memory_store.h"
#include "tests/engine/commits.h"
#include "tests/engine/oracle.h"

namespace isotherm {
namespace {

using namespace testing_support;

class Dimensions : public testing::TestWithParam<std::tuple<uint32_t, Metric>> {
 protected:
  Dimensions() : rows_(MakeRows(kRows, dimension(), dimension())) {}

  static constexpr size_t kRows = 40;
  static uint32_t dimension() { return std::get<0>(GetParam()); }
  static Metric metric() { return std::get<1>(GetParam()); }

  std::unique_ptr<Collection> Create(uint64_t inline_bytes) {
    Options options = CreatingSmall();
    options.create->dimension = dimension();
    options.create->metric = metric();
    options.inline_bytes = inline_bytes;
    auto collection = MustOpen(std::make_shared<MemoryBlobStore>(), options);
    EXPECT_TRUE(collection->InsertBatch(rows_).ok());
    Status committed = collection->Commit();
    EXPECT_TRUE(committed.ok()) << committed;
    return collection;
  }

  void ExpectTrueAnswers(Collection& collection) {
    for (const Row& probe : MakeRows(5, dimension(), 77)) {
      for (size_t k : {size_t{1}, size_t{5}, kRows, kRows + 1, size_t{1000000}, SIZE_MAX}) {
        SearchOptions options;
        options.k = k;
        options.exact = true;
        auto result = collection.Search(probe.vector, options);
        ASSERT_TRUE(result.ok()) << result.status();
        ExpectNearest(result->hits, probe.vector, k);
        options.exact = false;
        options.probes = options.rerank = 1000;
        result = collection.Search(probe.vector, options);
        ASSERT_TRUE(result.ok()) << result.status();
        ExpectNearest(result->hits, probe.vector, k);
      }
    }
  }

  // In order of distance; near ties may change places by rounding.
  void ExpectNearest(const std::vector<Hit>& hits, std::span<const float> query, size_t k) {
    auto expected = Nearest(rows_, query, metric(), k);
    ASSERT_EQ(hits.size(), expected.size());
    for (size_t i = 0; i < hits.size(); ++i) {
      double tolerance = 1e-5 * (std::abs(expected[i].distance) + 0.01 * dimension());
      EXPECT_NEAR(hits[i].distance, expected[i].distance, tolerance);
      EXPECT_NEAR(TrueDistance(metric(), query, rows_[hits[i].key.number()].vector), expected[i].distance,
                  2 * tolerance);
    }
  }

  const std::vector<Row> rows_;
};

TEST_P(Dimensions, AnswersAreTrueWhereverTheRowsAre) {
  auto collection = Create(uint64_t{1} << 30);
  ASSERT_EQ(collection->Stats().inline_rows, kRows);
  ExpectTrueAnswers(*collection);
  collection = Create(0);
  ASSERT_GE(collection->Stats().segments.size(), 1U);
  ExpectTrueAnswers(*collection);
  CompactOptions compact;
  compact.min_rows_for_cells = 1;
  compact.cells = 4;
  ASSERT_TRUE(collection->Compact(compact).ok());
  ASSERT_EQ(collection->Stats().cells, 4U);
  ExpectTrueAnswers(*collection);
  for (const Row& row : rows_) EXPECT_EQ(*collection->Get(row.key), row);
  ExpectClean(*collection);
}

INSTANTIATE_TEST_SUITE_P(All, Dimensions,
                         testing::Combine(testing::Values(1, 3, 127, 4096, 16384),
                                          testing::Values(Metric::kL2, Metric::kCosine, Metric::kInnerProduct)));

}  // namespace
}  // namespace isotherm
