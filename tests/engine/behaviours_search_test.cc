// What a user sees of rows and answers, over every store: E1 to E4, E8, E28 of docs/behaviours.md.
#include <limits>

#include "tests/engine/every_store.h"
#include "tests/engine/model_compare.h"

namespace isotherm {
namespace {

using namespace testing_support;

class RowBehaviour : public EveryStore {
 protected:
  // Everything that a handle can be asked.
  void ExpectRows(Collection& collection, const std::vector<Row>& rows, Metric metric) {
    ModelRows live;
    std::vector<Key> keys;
    for (const Row& row : rows) {
      live.emplace(row.key, row);
      // What is compared is the content: which version wrote it is another test's subject.
      auto got = collection.Get(row.key);
      if (got.ok()) live[row.key].version = got->version;
      keys.push_back(row.key);
    }
    CompareKeys(collection, live, keys, std::span(keys).first(std::min<size_t>(keys.size(), 10)));
    CompareScan(collection, live, false);
    const uint32_t dimension = collection.Stats().dimension;
    for (const Row& probe : MakeRows(3, dimension, 99)) {
      CompareSearch(collection, live, metric, probe.vector, 10);
      CompareSearch(collection, live, metric, probe.vector, rows.size() + 5);
    }
  }
};

TEST_P(RowBehaviour, CreateInsertCommitCloseAndOpenWithoutNamingDimensionOrMetric) {
  options_.create = CreateOptions{8, Metric::kCosine, KeyType::kInteger, {"colour"}};
  const std::vector<Row> rows = MakeRows(60, 8, 1);
  auto collection = MustOpen(store_, options_);
  ASSERT_TRUE(collection->InsertBatch(rows).ok());
  ASSERT_TRUE(collection->Commit().ok());
  ExpectRows(*collection, rows, Metric::kCosine);
  auto before = collection->Search(rows[7].vector);
  ASSERT_TRUE(collection->Close().ok());
  auto again = MustOpen(Connect());
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->Stats().dimension, 8U);
  EXPECT_EQ(again->Stats().metric, Metric::kCosine);
  ExpectRows(*again, rows, Metric::kCosine);
  auto after = again->Search(rows[7].vector);
  ASSERT_TRUE(before.ok() && after.ok());
  ASSERT_EQ(before->hits.size(), after->hits.size());
  for (size_t i = 0; i < before->hits.size(); ++i) {
    EXPECT_EQ(before->hits[i].key, after->hits[i].key);
    EXPECT_EQ(before->hits[i].distance, after->hits[i].distance);
  }
}

TEST_P(RowBehaviour, EveryMetricAtEveryPlaceEqualsBruteForceThroughFlushRestartAndCompaction) {
  for (Metric metric : {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    const std::vector<Row> rows = MakeRows(150, 8, 7);
    for (RowPlace place : kAllPlaces) {
      SCOPED_TRACE(std::string(MetricName(metric)) + ", " + PlaceName(place));
      UseNewPlace();
      options_.create = CreateOptions{8, metric, KeyType::kInteger, {"colour"}};
      auto collection = Place(store_, options_, place, rows);
      ExpectRows(*collection, rows, metric);
      ASSERT_TRUE(collection->Commit().ok());
      ExpectRows(*collection, rows, metric);
      collection = MustOpen(Connect(), OptionsOf());
      ExpectRows(*collection, rows, metric);
      Status compacted = collection->Compact(IntoCells());
      ASSERT_TRUE(compacted.ok()) << compacted;
      ExpectRows(*collection, rows, metric);
      ExpectRows(*MustOpen(Connect(), OptionsOf()), rows, metric);
    }
  }
}

TEST_P(RowBehaviour, ABadVectorIsRefusedWithItsWholeBatchAndNothingIsStored) {
  options_.create->metric = Metric::kCosine;
  auto collection = MustOpen(store_, options_);
  ASSERT_TRUE(collection->Insert(NumberedRow(1)).ok());
  ASSERT_TRUE(collection->Commit().ok());
  const std::vector<std::string> objects = ObjectNames(*store_);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<std::vector<float>> bad = {
      {nan, 1, 1, 1}, {1, infinity, 1, 1}, {1, 1, -infinity, 1}, {},
      {1, 1, 1},      {1, 1, 1, 1, 1},     {0, 0, 0, 0},         {-0.0F, 0, 0, 0}};
  for (const std::vector<float>& vector : bad) {
    Row row = NumberedRow(5);
    row.vector = vector;
    EXPECT_EQ(collection->Insert(row).code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(collection->UpsertBatch({NumberedRow(4), row, NumberedRow(6)}).code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(collection->Search(vector).status().code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(collection->Stats().pending_rows, 0U);
  }
  EXPECT_TRUE(collection->Commit().ok());
  EXPECT_EQ(ObjectNames(*store_), objects);
  EXPECT_EQ(ScanKeys(*collection), KeyRange(1, 1));
  ASSERT_TRUE(collection->InsertBatch(NumberedRows(2, 3)).ok());
  ASSERT_TRUE(collection->Commit().ok());
  EXPECT_EQ(ScanKeys(*Reader()), KeyRange(1, 4));
}

TEST_P(RowBehaviour, EveryDimensionAnswersAlsoForMoreThanThereIsAndWhenThereIsNothing) {
  for (uint32_t dimension : {1, 3, 127, 4096, 16384}) {
    SCOPED_TRACE(dimension);
    UseNewPlace();
    options_.create = CreateOptions{dimension, Metric::kL2, KeyType::kInteger, {}};
    options_.inline_bytes = 64 << 10;
    const std::vector<Row> rows = MakeRows(12, dimension, 3);
    auto collection = MustOpen(store_, options_);
    ExpectRows(*collection, {}, Metric::kL2);
    ASSERT_TRUE(collection->InsertBatch(rows).ok());
    ASSERT_TRUE(collection->Commit().ok());
    ExpectRows(*collection, rows, Metric::kL2);
    ASSERT_TRUE(collection->Compact(IntoCells(3)).ok());
    collection = MustOpen(Connect(), OptionsOf());
    ExpectRows(*collection, rows, Metric::kL2);
    auto none = collection->Search(rows[0].vector, {.k = 0});
    EXPECT_EQ(none.status().code(), StatusCode::kInvalidArgument);
  }
}

TEST_P(RowBehaviour, MetadataAndPayloadSurviveBitForBitAlsoWhenTheyAreBig) {
  std::vector<Row> rows = MakeRows(20, kSmallDimension, 5);
  for (size_t i = 0; i < 256; ++i) rows[3].payload.push_back(static_cast<char>(i));
  rows[4].metadata["zeros"] = std::string(3, '\0');
  rows[4].metadata["least"] = std::numeric_limits<int64_t>::min();
  rows[4].metadata["tiny"] = std::numeric_limits<double>::denorm_min();
  rows[5].metadata["long"] = std::string(kMaxMetadataBytes - 100, 'm');
  rows[5].metadata.erase("tags");
  for (const char* name : {"colour", "weight", "share", "good"}) rows[5].metadata.erase(name);
  SplitMix64 random(4);
  rows[6].payload.resize(64 << 20);
  for (size_t i = 0; i + 8 <= rows[6].payload.size(); i += 8) {
    uint64_t word = random.Next();
    std::memcpy(rows[6].payload.data() + i, &word, sizeof(word));
  }
  auto expect = [&](Collection& collection) {
    for (const Row& row : rows) {
      auto got = collection.Get(row.key);
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_TRUE(*got == row) << row.key.ToString();
    }
  };
  auto collection = MustOpen(store_, options_);
  ASSERT_TRUE(collection->InsertBatch(rows).ok());
  expect(*collection);
  Status committed = collection->Commit();
  ASSERT_TRUE(committed.ok()) << committed;
  expect(*collection);
  expect(*Reader());
  Status compacted = collection->Compact(IntoCells());
  ASSERT_TRUE(compacted.ok()) << compacted;
  collection.reset();
  expect(*Reader());
  MemoryBlobStore copy;
  ASSERT_TRUE(Backup(*Connect(), copy).ok());
  UseNewPlace();
  ASSERT_TRUE(Backup(copy, *store_).ok());
  expect(*Reader());
}

// E28. By the clock that was injected, wherever the row lies.
TEST_P(RowBehaviour, AnExpiredRowIsAbsentEverywhereAndACompactionFreesItsBytes) {
  for (RowPlace place : kAllPlaces) {
    SCOPED_TRACE(PlaceName(place));
    UseNewPlace();
    std::vector<Row> rows = NumberedRows(0, 30);
    std::vector<Row> lasting;
    for (Row& row : rows) {
      if (row.key.number() % 3 == 0) {
        row.expires_at_ms = NowMs() + 1000;
        row.payload.assign(4000, 'p');
      } else {
        lasting.push_back(row);
      }
    }
    auto collection = Place(store_, options_, place, rows);
    clock_->AdvanceWallMs(999);
    ExpectRows(*collection, rows, Metric::kL2);
    clock_->AdvanceWallMs(1);
    ExpectRows(*collection, lasting, Metric::kL2);
    EXPECT_EQ(collection->Get(rows[0].key).status().code(), StatusCode::kNotFound);
    ASSERT_TRUE(collection->Commit().ok());
    ExpectRows(*collection, lasting, Metric::kL2);
    ExpectRows(*Reader(), lasting, Metric::kL2);
    // A key whose row has expired is free.
    ASSERT_TRUE(collection->Insert(NumberedRow(0)).ok());
    lasting.insert(lasting.begin(), NumberedRow(0));
    ASSERT_TRUE(collection->Commit().ok());
    ExpectRows(*Reader(), lasting, Metric::kL2);
    const uint64_t version = collection->Stats().version;
    const uint64_t before = collection->Stats().stored_bytes;
    ASSERT_TRUE(collection->Compact(IntoCells()).ok());
    ExpectRows(*Reader(), lasting, Metric::kL2);
    EXPECT_EQ(collection->Stats().rows, lasting.size());
    if (place != RowPlace::kPending && place != RowPlace::kHead) {
      EXPECT_LT(collection->Stats().stored_bytes + 9 * 4000, before);
    }
    EXPECT_EQ(Reader(version)->Get(rows[3].key).status().code(), StatusCode::kNotFound);
  }
}

TEST_P(RowBehaviour, ASoftlyDeletedRowIsAbsentUntilItIsRestoredAndGoneAfterAVacuum) {
  for (RowPlace place : kAllPlaces) {
    SCOPED_TRACE(PlaceName(place));
    UseNewPlace();
    auto collection = Place(store_, options_, place, NumberedRows(0, 12));
    for (uint64_t key : {2, 5, 11}) ASSERT_TRUE(collection->SoftDelete(key).ok());
    const std::vector<uint64_t> rest{0, 1, 3, 4, 6, 7, 8, 9, 10};
    EXPECT_EQ(ScanKeys(*collection), rest);
    ASSERT_TRUE(collection->Commit().ok());
    EXPECT_EQ(ScanKeys(*Reader()), rest);
    Status compacted = collection->Compact(IntoCells());
    ASSERT_TRUE(compacted.ok()) << compacted;
    EXPECT_EQ(ScanKeys(*Reader()), rest);
    EXPECT_EQ(collection->Stats().soft_deleted_rows, 3U);
    ASSERT_TRUE(collection->Restore(uint64_t{5}).ok());
    ASSERT_TRUE(collection->Commit().ok());
    EXPECT_EQ(*Reader()->Get(uint64_t{5}), NumberedRow(5));
    auto report = collection->Vacuum();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->soft_deleted_rows_removed, 2U);
    EXPECT_EQ(collection->Restore(uint64_t{2}).code(), StatusCode::kNotFound);
    EXPECT_EQ(ScanKeys(*Reader()).size(), rest.size() + 1);
  }
}

ISOTHERM_OVER_EVERY_STORE(RowBehaviour);

}  // namespace
}  // namespace isotherm
