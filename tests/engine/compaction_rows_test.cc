// Whatever is compacted, how and with how little memory: the rows stay what they were.
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "blob/memory_store.h"
#include "isotherm/isotherm.h"
#include "tests/base/manual_clock.h"
#include "tests/base/simulated_file_system.h"
#include "tests/engine/commits.h"
#include "tests/engine/oracle.h"

namespace isotherm {
namespace {

using testing_support::ExpectClean;
using testing_support::MakeRows;
using testing_support::Nearest;

constexpr int64_t kHourMs = 60 * 60 * 1000;

class CompactionRowsTest : public testing::TestWithParam<std::tuple<Metric, KeyType>> {
 protected:
  struct ModelRow {
    Row row;
    uint64_t version = 0;
    bool soft = false;
  };

  void SetUp() override {
    environment_->clock = clock_;
    environment_->file_system = disk_;
    options_.env = environment_;
    options_.create = CreateOptions{kDimension, std::get<0>(GetParam()), std::get<1>(GetParam()), {"colour", "share"}};
    options_.inline_bytes = 0;
    options_.background_compaction = false;
    options_.block_cache_bytes = 1 << 20;
    options_.spill_dir = "spill";
    collection_ = testing_support::MustOpen(store_, options_);
  }

  Key KeyOf(uint64_t number) const {
    if (std::get<1>(GetParam()) == KeyType::kInteger) return number;
    return "key " + std::to_string(number * number);
  }

  void Upsert(uint64_t first, uint64_t count, uint64_t seed) {
    std::vector<Row> rows = MakeRows(count, kDimension, seed, first);
    for (Row& row : rows) {
      row.key = KeyOf(row.key.number());
      if (random_.Below(10) == 0)
        row.expires_at_ms = clock_->WallMs() + kHourMs * static_cast<int64_t>(random_.Below(5));
      model_[row.key] = {row, 0, false};
    }
    ASSERT_TRUE(collection_->UpsertBatch(rows).ok());
  }

  void ChangeSome(uint64_t keys) {
    for (uint64_t i = 0; i < keys / 10; ++i) {
      auto at = model_.find(KeyOf(random_.Below(keys)));
      if (at == model_.end() || Expired(at->second)) continue;
      if (random_.Below(2) == 0) {
        ASSERT_TRUE(collection_->Delete(at->first).ok());
        model_.erase(at);
      } else if (!at->second.soft) {
        ASSERT_TRUE(collection_->SoftDelete(at->first).ok());
        at->second.soft = true;
      } else {
        ASSERT_TRUE(collection_->Restore(at->first).ok());
        at->second.soft = false;
        at->second.version = 0;
      }
    }
  }

  void Commit() {
    Status committed = collection_->Commit();
    ASSERT_TRUE(committed.ok()) << committed;
    for (auto& [key, row] : model_) {
      if (row.version == 0) row.version = collection_->Stats().version;
    }
  }

  bool Expired(const ModelRow& row) const {
    return row.row.expires_at_ms != 0 && row.row.expires_at_ms <= clock_->WallMs();
  }

  void ExpectModel(Collection& collection) {
    std::vector<Row> live;
    for (bool soft : {false, true}) {
      ScanOptions scan;
      scan.soft_deleted = soft;
      std::map<Key, Row> found;
      Status scanned = collection.Scan(
          [&](Row row) {
            found[row.key] = std::move(row);
            return Status::Ok();
          },
          scan);
      ASSERT_TRUE(scanned.ok()) << scanned;
      size_t expected = 0;
      for (const auto& [key, row] : model_) {
        if (row.soft != soft || Expired(row)) continue;
        ++expected;
        auto at = found.find(key);
        ASSERT_NE(at, found.end()) << key.ToString();
        EXPECT_EQ(at->second, row.row);
        EXPECT_EQ(at->second.version, row.version);
        if (!soft) live.push_back(row.row);
      }
      EXPECT_EQ(found.size(), expected);
    }
    for (const Row& row : live) {
      if (random_.Below(20) != 0) continue;
      auto got = collection.Get(row.key);
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_EQ(*got, row);
      EXPECT_EQ(got->version, model_[row.key].version);
    }
    ExpectSearches(collection, live);
    ExpectClean(collection);
  }

  void ExpectSearches(Collection& collection, const std::vector<Row>& live) {
    SearchOptions exact;
    exact.exact = true;
    for (int q = 0; q < 3; ++q) {
      std::vector<float> query = MakeRows(1, kDimension, 1000 + static_cast<uint64_t>(q))[0].vector;
      auto result = collection.Search(query, exact);
      ASSERT_TRUE(result.ok()) << result.status();
      auto truth = Nearest(live, query, std::get<0>(GetParam()), 10);
      ASSERT_EQ(result->hits.size(), truth.size());
      for (size_t i = 0; i < truth.size(); ++i) {
        EXPECT_NEAR(result->hits[i].distance, truth[i].distance, 1e-4);
        auto colour = truth[i].row->metadata.find("colour");
        if (colour != truth[i].row->metadata.end()) {
          EXPECT_EQ(result->hits[i].metadata.at("colour"), colour->second);
        }
      }
      SearchOptions all_cells;
      all_cells.probes = 1 << 20;
      all_cells.rerank = 50;
      auto probed = collection.Search(query, all_cells);
      ASSERT_TRUE(probed.ok()) << probed.status();
      ASSERT_EQ(probed->hits.size(), truth.size());
      EXPECT_NEAR(probed->hits[0].distance, truth[0].distance, 1e-3);
    }
  }

  CompactOptions AnyCompaction() {
    CompactOptions compact;
    compact.scope = random_.Below(3) == 0 ? CompactScope::kPolicy : CompactScope::kAll;
    compact.keep_cells = random_.Below(2) == 0;
    compact.min_rows_for_cells = random_.Below(4) == 0 ? 100000 : 300;
    compact.memory_bytes = compactions_++ % 2 == 0 ? 64 << 20 : 1;
    compact.max_object_bytes = random_.Below(2) == 0 ? 60'000 : 256 << 20;
    compact.seed = random_.Next();
    return compact;
  }

  static constexpr uint32_t kDimension = 80;
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<SimulatedFileSystem> disk_ = std::make_shared<SimulatedFileSystem>();
  std::shared_ptr<Environment> environment_ = std::make_shared<Environment>(*Environment::Default());
  std::shared_ptr<BlobStore> store_ = std::make_shared<MemoryBlobStore>(environment_);
  Options options_;
  std::unique_ptr<Collection> collection_;
  std::map<Key, ModelRow> model_;
  uint64_t compactions_ = 0;
  SplitMix64 random_{static_cast<uint64_t>(std::get<0>(GetParam())) * 2 +
                     static_cast<uint64_t>(std::get<1>(GetParam()))};
};

TEST_P(CompactionRowsTest, StayWhatTheyWereThroughChangesAndCompactionsOfEveryKind) {
  constexpr uint64_t kKeys = 1500;
  for (uint64_t step = 0; step < 12; ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    Upsert(random_.Below(kKeys), 100 + random_.Below(400), 100 + step);
    ChangeSome(kKeys);
    Commit();
    if (random_.Below(3) == 0) clock_->AdvanceWallMs(kHourMs);
    if (random_.Below(3) == 0) continue;
    Status compacted = collection_->Compact(AnyCompaction());
    ASSERT_TRUE(compacted.ok()) << compacted;
    ExpectModel(*collection_);
    auto reader = testing_support::MustOpen(store_, [&] {
      Options reading;
      reading.env = environment_;
      reading.read_only = true;
      return reading;
    }());
    ExpectModel(*reader);
    ASSERT_FALSE(HasFailure());
  }
  auto left = disk_->ListDirectory("spill");
  ASSERT_TRUE(left.ok()) << "nothing was ever spilled";
  EXPECT_TRUE(left->empty());
}

INSTANTIATE_TEST_SUITE_P(Kinds, CompactionRowsTest,
                         testing::Combine(testing::Values(Metric::kL2, Metric::kCosine, Metric::kInnerProduct),
                                          testing::Values(KeyType::kInteger, KeyType::kString)));

class CompactionShapeTest : public testing::Test {
 protected:
  void SetUp() override {
    environment_->clock = clock_;
    options_.env = environment_;
    options_.inline_bytes = 0;
    collection_ = testing_support::MustOpen(store_, options_);
  }

  void Insert(uint64_t first, uint64_t count, int64_t expires_at_ms = 0) {
    std::vector<Row> rows = testing_support::NumberedRows(first, count);
    for (Row& row : rows) row.expires_at_ms = expires_at_ms;
    ASSERT_TRUE(collection_->InsertBatch(rows).ok());
    ASSERT_TRUE(collection_->Commit().ok());
  }

  Status CompactByPolicy(uint64_t min_rows_for_cells = 100) {
    CompactOptions compact;
    compact.scope = CompactScope::kPolicy;
    compact.min_rows_for_cells = min_rows_for_cells;
    return collection_->Compact(compact);
  }

  std::vector<std::string> Names(const std::string& kind) {
    std::vector<std::string> names;
    for (const SegmentStats& segment : collection_->Stats().segments) {
      if (segment.kind == kind) names.push_back(segment.name);
    }
    return names;
  }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<Environment> environment_ = std::make_shared<Environment>(*Environment::Default());
  std::shared_ptr<BlobStore> store_ = std::make_shared<MemoryBlobStore>(environment_);
  Options options_ = testing_support::CreatingSmall();
  std::unique_ptr<Collection> collection_;
};

TEST_F(CompactionShapeTest, AMergeOfFlatSegmentsLeavesThePartitionAndItsRoutingObjectAlone) {
  Insert(0, 400);
  ASSERT_TRUE(CompactByPolicy().ok());
  std::vector<std::string> cells = Names("cells");
  ASSERT_EQ(cells.size(), 1U);
  uint64_t generation = collection_->Stats().routing_generation;
  for (uint64_t i = 0; i < 4; ++i) Insert(400 + i * 10, 10);
  ASSERT_EQ(Names("flat").size(), 4U);
  ASSERT_TRUE(CompactByPolicy().ok());
  EXPECT_EQ(Names("flat").size(), 1U);
  EXPECT_EQ(Names("cells"), cells);
  EXPECT_EQ(collection_->Stats().routing_generation, generation);
  EXPECT_EQ(testing_support::ScanKeys(*collection_), testing_support::KeyRange(0, 440));
  ExpectClean(*collection_);
  EXPECT_EQ(collection_->Log(1)->front().cause, "4 flat segments of similar size");
}

TEST_F(CompactionShapeTest, FoldingKeepsTheCellsUntilThereShouldBeHalfAsManyMore) {
  Insert(0, 1000);
  ASSERT_TRUE(CompactByPolicy().ok());
  const uint64_t cells = collection_->Stats().cells;
  ASSERT_GT(cells, 10U);
  uint64_t rows = 1000;
  auto fold = [&] {
    Insert(rows, rows * 3 / 10);
    rows += rows * 3 / 10;
    Status status = CompactByPolicy();
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(Names("flat").size(), 0U);
    EXPECT_EQ(testing_support::ScanKeys(*collection_), testing_support::KeyRange(0, rows));
    ExpectClean(*collection_);
  };
  fold();
  EXPECT_EQ(collection_->Stats().cells, cells);
  fold();
  EXPECT_GT(collection_->Stats().cells, cells);
}

// New rows of another kind than the old ones would all lie in a few cells.
TEST_F(CompactionShapeTest, CellsThatGetOutOfBalanceAreMadeAnew) {
  Insert(0, 4000);
  ASSERT_TRUE(CompactByPolicy().ok());
  const uint64_t cells = collection_->Stats().cells;
  std::vector<Row> far = testing_support::NumberedRows(4000, 1800);
  for (Row& row : far) {
    for (float& v : row.vector) v = v * 0.001F + 5000;
  }
  ASSERT_TRUE(collection_->InsertBatch(far).ok());
  ASSERT_TRUE(collection_->Commit().ok());
  ASSERT_TRUE(CompactByPolicy().ok());
  EXPECT_NE(collection_->Stats().cells, cells);
  EXPECT_EQ(collection_->Stats().rows, 5800U);
  ExpectClean(*collection_);
}

TEST_F(CompactionShapeTest, ExpiredRowsAreDroppedWithoutADeletion) {
  Insert(0, 50, clock_->WallMs() + kHourMs);
  ASSERT_TRUE(CompactByPolicy().ok());
  const std::vector<std::string> before = Names("flat");
  ASSERT_EQ(before.size(), 1U);
  clock_->AdvanceWallMs(kHourMs);
  ASSERT_TRUE(CompactByPolicy().ok());
  EXPECT_EQ(collection_->Stats().segments.size(), 0U);
  EXPECT_EQ(collection_->Stats().rows, 0U);
  ExpectClean(*collection_);
}

TEST_F(CompactionShapeTest, APartitionOfWhichTooFewRowsAreLeftBecomesFlat) {
  Insert(0, 400);
  ASSERT_TRUE(CompactByPolicy().ok());
  ASSERT_EQ(Names("cells").size(), 1U);
  WriteBatch deletions;
  for (uint64_t key = 50; key < 400; ++key) deletions.Delete(key);
  ASSERT_TRUE(collection_->Write(std::move(deletions)).ok());
  ASSERT_TRUE(collection_->Commit().ok());
  ASSERT_TRUE(CompactByPolicy().ok());
  EXPECT_EQ(Names("cells").size(), 0U);
  EXPECT_EQ(Names("flat").size(), 1U);
  EXPECT_EQ(collection_->Stats().routing_generation, 0U);
  EXPECT_EQ(testing_support::ScanKeys(*collection_), testing_support::KeyRange(0, 50));
  ExpectClean(*collection_);
}

TEST_F(CompactionShapeTest, WhatItReadAndWroteIsCounted) {
  Insert(0, 400);
  CollectionStats before = collection_->Stats();
  EXPECT_EQ(before.compactions, 0U);
  EXPECT_GT(before.commit_bytes_written, before.segments[0].bytes);
  ASSERT_TRUE(CompactByPolicy().ok());
  CollectionStats after = collection_->Stats();
  EXPECT_EQ(after.compactions, 1U);
  EXPECT_EQ(after.compactions_failed + after.compactions_lost, 0U);
  EXPECT_GT(after.compaction_bytes_read, uint64_t{400} * testing_support::kSmallDimension * 5);
  EXPECT_GT(after.compaction_bytes_written, after.segments[0].bytes + after.routing_bytes);
  EXPECT_EQ(after.commit_bytes_written, before.commit_bytes_written);
  EXPECT_EQ(after.row_bytes_written, before.row_bytes_written);
  // Segments hold a row's vector, a code and its key; a compaction writes that once more.
  EXPECT_GT(before.write_amplification(), 1);
  EXPECT_GT(after.write_amplification(), before.write_amplification() + 1);
}

TEST_F(CompactionShapeTest, ItTakesAtMostHalfOfTheMemoryBudget) {
  options_.create.reset();
  options_.memory = MakeMemoryBudget(64 << 20);
  collection_ = testing_support::MustOpen(store_, options_);
  Insert(0, 400);
  ASSERT_TRUE(CompactByPolicy().ok());
  MemoryUsage usage = UsageOf(*options_.memory);
  EXPECT_GE(usage.peak_bytes, uint64_t{32} << 20);
  EXPECT_LE(usage.peak_bytes, uint64_t{40} << 20);
  EXPECT_EQ(usage.by_use[static_cast<int>(MemoryUse::kBuild)], 0U) << "given back";
}

}  // namespace
}  // namespace isotherm
