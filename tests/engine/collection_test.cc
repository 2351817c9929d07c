// What a user of one handle sees: rows go in, survive, and come out again.
#include <gtest/gtest.h>

#include <map>

#include "blob/memory_store.h"
#include "isotherm/isotherm.h"
#include "tests/engine/oracle.h"

namespace isotherm {
namespace {

using testing_support::MakeRows;
using testing_support::Nearest;

Options Creating(uint32_t dimension, Metric metric = Metric::kL2) {
  Options options;
  options.create = CreateOptions{dimension, metric, KeyType::kInteger, {"colour", "weight"}};
  options.background_compaction = false;
  return options;
}

TEST(Collection, RowsSurviveReopenWithoutNamingDimensionOrMetric) {
  auto store = std::make_shared<MemoryBlobStore>();
  std::vector<Row> rows = MakeRows(50, 8, 1);
  {
    auto collection = Open(store, Creating(8, Metric::kCosine));
    ASSERT_TRUE(collection.ok()) << collection.status();
    ASSERT_TRUE((*collection)->InsertBatch(rows).ok());
    ASSERT_TRUE((*collection)->Close().ok());
  }
  auto collection = Open(store);
  ASSERT_TRUE(collection.ok()) << collection.status();
  EXPECT_EQ((*collection)->Stats().dimension, 8U);
  EXPECT_EQ((*collection)->Stats().metric, Metric::kCosine);
  for (const Row& row : rows) {
    auto got = (*collection)->Get(row.key);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(*got, row);
  }
  EXPECT_EQ((*collection)->Get(uint64_t{999}).status().code(), StatusCode::kNotFound);
}

// Every place a row can be: pending, in the head, in a flat segment, in cells, and all of them mixed.
enum class Place { kPending, kInline, kFlat, kCells, kMixed };

std::unique_ptr<Collection> Arrange(Place place, Metric metric, const std::vector<Row>& rows,
                                    std::shared_ptr<BlobStore> store) {
  Options options = Creating(static_cast<uint32_t>(rows[0].vector.size()), metric);
  if (place == Place::kFlat) options.inline_bytes = 0;
  auto collection = Open(store, options);
  EXPECT_TRUE(collection.ok()) << collection.status();
  size_t parts = place == Place::kMixed ? 4 : 1;
  for (size_t part = 0; part < parts; ++part) {
    std::vector<Row> some(rows.begin() + static_cast<ptrdiff_t>(rows.size() * part / parts),
                          rows.begin() + static_cast<ptrdiff_t>(rows.size() * (part + 1) / parts));
    EXPECT_TRUE((*collection)->InsertBatch(some).ok());
    if (place == Place::kPending || part == 3) break;
    Status committed = (*collection)->Commit();
    EXPECT_TRUE(committed.ok()) << committed;
    if (place == Place::kCells || (place == Place::kMixed && part == 1)) {
      CompactOptions compact;
      compact.min_rows_for_cells = 1;
      compact.cells = 12;
      Status compacted = (*collection)->Compact(compact);
      EXPECT_TRUE(compacted.ok()) << compacted;
    }
  }
  return std::move(collection).value();
}

class EveryPlace : public testing::TestWithParam<std::tuple<Place, Metric>> {};

TEST_P(EveryPlace, ExactSearchEqualsBruteForce) {
  auto [place, metric] = GetParam();
  std::vector<Row> rows = MakeRows(400, 16, 7);
  auto collection = Arrange(place, metric, rows, std::make_shared<MemoryBlobStore>());
  for (const Row& probe : MakeRows(20, 16, 99)) {
    SearchOptions options;
    options.exact = true;
    options.include_metadata = options.include_payload = options.include_vector = true;
    auto result = collection->Search(probe.vector, options);
    ASSERT_TRUE(result.ok()) << result.status();
    auto expected = Nearest(rows, probe.vector, metric, options.k);
    ASSERT_EQ(result->hits.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      const Hit& hit = result->hits[i];
      EXPECT_EQ(hit.key, expected[i].row->key);
      EXPECT_NEAR(hit.distance, expected[i].distance, 1e-4 * (1 + std::abs(expected[i].distance)));
      EXPECT_EQ(hit.metadata, expected[i].row->metadata);
      EXPECT_EQ(hit.payload, expected[i].row->payload);
      EXPECT_EQ(hit.vector, expected[i].row->vector);
    }
  }
}

TEST_P(EveryPlace, ProbingAllCellsFindsNearlyAllAndRerankMakesThemExact) {
  auto [place, metric] = GetParam();
  std::vector<Row> rows = MakeRows(400, 16, 7);
  auto collection = Arrange(place, metric, rows, std::make_shared<MemoryBlobStore>());
  size_t found = 0;
  for (const Row& probe : MakeRows(20, 16, 99)) {
    SearchOptions options;
    options.probes = 1000;
    auto by_code = collection->Search(probe.vector, options);
    ASSERT_TRUE(by_code.ok()) << by_code.status();
    auto expected = Nearest(rows, probe.vector, metric, options.k);
    for (const Hit& hit : by_code->hits) {
      found += std::any_of(expected.begin(), expected.end(), [&](const auto& e) { return e.row->key == hit.key; });
    }
    options.rerank = 40;
    auto reranked = collection->Search(probe.vector, options);
    ASSERT_TRUE(reranked.ok()) << reranked.status();
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(reranked->hits[i].key, expected[i].row->key);
  }
  EXPECT_GE(found, 195U);  // of 200
}

TEST_P(EveryPlace, FilterColumnsComeWithoutBeingAskedFor) {
  auto [place, metric] = GetParam();
  std::vector<Row> rows = MakeRows(100, 16, 7);
  auto collection = Arrange(place, metric, rows, std::make_shared<MemoryBlobStore>());
  auto result = collection->Search(rows[3].vector);
  ASSERT_TRUE(result.ok()) << result.status();
  for (const Hit& hit : result->hits) {
    const Row& row = rows[hit.key.number()];
    EXPECT_EQ(hit.metadata.size(), row.metadata.count("colour") + row.metadata.count("weight"));
    for (const auto& [name, value] : hit.metadata) EXPECT_EQ(value, row.metadata.at(name));
    EXPECT_TRUE(hit.payload.empty());
  }
}

TEST_P(EveryPlace, GetScanAndVerifySeeEachRowOnce) {
  auto [place, metric] = GetParam();
  std::vector<Row> rows = MakeRows(300, 16, 7);
  auto collection = Arrange(place, metric, rows, std::make_shared<MemoryBlobStore>());
  for (const Row& row : rows) {
    auto got = collection->Get(row.key);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(*got, row);
  }
  for (bool in_key_order : {true, false}) {
    ScanOptions options;
    options.in_key_order = in_key_order;
    std::vector<Row> scanned;
    Status status = collection->Scan(
        [&](Row row) {
          scanned.push_back(std::move(row));
          return Status::Ok();
        },
        options);
    ASSERT_TRUE(status.ok()) << status;
    if (!in_key_order) std::sort(scanned.begin(), scanned.end(), [](auto& a, auto& b) { return a.key < b.key; });
    EXPECT_EQ(scanned, rows);
  }
  auto report = collection->Verify();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(report->problems, testing::IsEmpty());
}

TEST_P(EveryPlace, WhatWasReadOnceIsNotReadAgain) {
  auto [place, metric] = GetParam();
  std::vector<Row> rows = MakeRows(300, 16, 7);
  auto collection = Arrange(place, metric, rows, std::make_shared<MemoryBlobStore>());
  SearchOptions options;
  options.rerank = 30;
  options.include_metadata = options.include_payload = options.include_vector = true;
  auto first = collection->Search(rows[5].vector, options);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(collection->Get(rows[7].key).ok());
  Meter meter;
  Context context;
  context.meter = &meter;
  auto again = collection->Search(rows[5].vector, options, context);
  ASSERT_TRUE(again.ok()) << again.status();
  auto row = collection->Get(rows[7].key, context);
  ASSERT_TRUE(row.ok()) << row.status();
  EXPECT_EQ(*row, rows[7]);
  EXPECT_EQ(meter.Records().size(), 0U);
  ASSERT_EQ(again->hits.size(), first->hits.size());
  for (size_t i = 0; i < first->hits.size(); ++i) {
    EXPECT_EQ(again->hits[i].key, first->hits[i].key);
    EXPECT_EQ(again->hits[i].payload, first->hits[i].payload);
    EXPECT_EQ(again->hits[i].vector, first->hits[i].vector);
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryPlace,
                         testing::Combine(testing::Values(Place::kPending, Place::kInline, Place::kFlat, Place::kCells,
                                                          Place::kMixed),
                                          testing::Values(Metric::kL2, Metric::kCosine, Metric::kInnerProduct)));

}  // namespace
}  // namespace isotherm
