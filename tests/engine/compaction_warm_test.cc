// What a handle compacted itself it need not read again.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/memory_budget.h"
#include "blob/memory_store.h"
#include "engine/code_blocks.h"
#include "isotherm/compaction.h"
#include "tests/engine/commits.h"

namespace isotherm {
namespace {

using namespace testing_support;

class WarmCompaction : public testing::Test {
 protected:
  void OpenWriter() {
    options_.inline_bytes = 0;
    options_.background_compaction = false;
    options_.compaction.min_rows_for_cells = 1;
    options_.compaction.cells = 6;
    store_ = std::make_shared<HeadHistory>(std::make_shared<MemoryBlobStore>());
    writer_ = MustOpen(store_, options_);
    for (uint64_t first = 0; first < 400; first += 100) Insert(first, 100);
  }

  void Insert(uint64_t first, uint64_t count) {
    ASSERT_TRUE(writer_->InsertBatch(NumberedRows(first, count)).ok());
    ASSERT_TRUE(writer_->Commit().ok());
  }

  void Compact(CompactScope scope) {
    CompactOptions options = options_.compaction;
    options.scope = scope;
    Status status = writer_->Compact(options);
    ASSERT_TRUE(status.ok()) << status;
  }

  // A search of all cells: what it asks of the store.
  uint64_t Requests() {
    Meter meter;
    Context context;
    context.meter = &meter;
    SearchOptions all;
    all.probes = 1000;
    all.k = 3;
    auto result = writer_->Search(NumberedRow(7).vector, all, context);
    EXPECT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result.ok() ? result->hits.size() : 0, 3U);
    return meter.Records().size();
  }

  // What a commit of changed and of new rows reads.
  uint64_t ReadsOfCommit() {
    WriteBatch batch;
    for (uint64_t key : {3, 77, 150, 399, 10'000, 10'001}) batch.Upsert(NumberedRow(key));
    EXPECT_TRUE(writer_->Write(std::move(batch)).ok());
    Meter meter;
    Context context;
    context.meter = &meter;
    Status status = writer_->Commit(context);
    EXPECT_TRUE(status.ok()) << status;
    return meter.Summary().gets();
  }

  Options options_ = CreatingSmall();
  std::shared_ptr<HeadHistory> store_;
  std::unique_ptr<Collection> writer_;
};

TEST_F(WarmCompaction, SearchesFindItsBlocksInRam) {
  OpenWriter();
  ASSERT_GT(Requests() + writer_->Stats().ram_cache_bytes, 0U);
  ASSERT_NO_FATAL_FAILURE(Compact(CompactScope::kAll));
  EXPECT_EQ(writer_->Stats().cells, 6U);
  EXPECT_EQ(Requests(), 0U);
  // Into the cells that are there.
  for (uint64_t first = 400; first < 800; first += 100) Insert(first, 100);
  ASSERT_NO_FATAL_FAILURE(Compact(CompactScope::kPolicy));
  EXPECT_EQ(writer_->Stats().segments.size(), 1U);
  EXPECT_EQ(Requests(), 0U);
}

TEST_F(WarmCompaction, WhatItReplacedLeavesRam) {
  OpenWriter();
  ASSERT_NO_FATAL_FAILURE(Compact(CompactScope::kAll));
  EXPECT_EQ(Requests(), 0U);
  const uint64_t once = writer_->Stats().ram_cache_bytes;
  for (int again = 0; again < 3; ++again) {
    ASSERT_NO_FATAL_FAILURE(Compact(CompactScope::kAll));
    EXPECT_EQ(Requests(), 0U);
  }
  EXPECT_LT(writer_->Stats().ram_cache_bytes, once * 5 / 4);
}

TEST_F(WarmCompaction, CommitsLookUpKeysInRam) {
  OpenWriter();
  EXPECT_EQ(ReadsOfCommit(), 0U);
  ASSERT_NO_FATAL_FAILURE(Compact(CompactScope::kAll));
  for (int again = 0; again < 3; ++again) EXPECT_EQ(ReadsOfCommit(), 0U);
}

TEST_F(WarmCompaction, KeysBeyondTheirShareOfTheCacheAreRead) {
  options_.block_cache_bytes = 16 << 10;  // an eighth is less than a page
  OpenWriter();
  ASSERT_NO_FATAL_FAILURE(Compact(CompactScope::kAll));
  EXPECT_GT(ReadsOfCommit(), 0U);
}

// Of rows that were erased nothing stays there.
TEST_F(WarmCompaction, KeysAreForgottenByAnErasure) {
  OpenWriter();
  ASSERT_NO_FATAL_FAILURE(Compact(CompactScope::kAll));
  EXPECT_EQ(ReadsOfCommit(), 0U);
  const Key erased(uint64_t{5});
  ASSERT_TRUE(writer_->Erase({&erased, 1}).ok());
  EXPECT_GT(ReadsOfCommit(), 0U);
}

TEST_F(WarmCompaction, NothingIsKeptOfMoreThanHalfOfTheCache) {
  options_.block_cache_bytes = 16 << 10;
  OpenWriter();
  ASSERT_NO_FATAL_FAILURE(Compact(CompactScope::kAll));
  EXPECT_GT(Requests(), 0U);
}

TEST_F(WarmCompaction, OneThatLosesLeavesTheCacheAsItWas) {
  OpenWriter();
  auto other = MustOpen(store_, options_);
  Requests();
  const uint64_t before = writer_->Stats().ram_cache_bytes;
  bool compacted = false;
  Status lost = writer_->Compact(options_.compaction, [&](std::string_view stage, uint64_t, uint64_t) {
    if (stage != "writing" || compacted) return;
    compacted = true;
    CompactOptions anew = options_.compaction;
    anew.cells = 5;
    Status status = other->Compact(anew);
    EXPECT_TRUE(status.ok()) << status;
  });
  EXPECT_EQ(lost.code(), StatusCode::kConflict) << lost;
  EXPECT_LT(writer_->Stats().ram_cache_bytes, before + 1024);  // what it read to find out
}

SegmentInfo TwoBlocks(const std::string& name) {
  SegmentInfo info;
  info.name = name;
  info.codes.offset = 64;
  info.blocks = {{4, 1, 1, 0}, {6, 1, 1, 0}};
  return info;
}

TEST(CodeBlocks, AreFoundByTheirPlace) {
  CodeBlocks blocks(0, nullptr, MemoryUse::kBlockCache);
  blocks.BeginSegment();
  blocks.AddBlock("lost");
  blocks.BeginSegment();
  blocks.AddBlock("four");
  blocks.AddBlock("sixsix");
  blocks.EndSegment(TwoBlocks("a"));
  blocks.Add(TwoBlocks("b"), std::string(64, ' ') + "FOURSIXSIX");
  EXPECT_TRUE(blocks.complete());
  EXPECT_EQ(blocks.bytes(), 20U);
  EXPECT_EQ(blocks.Find({"a", 64, 4, 0}).bytes(), "four");
  EXPECT_EQ(blocks.Find({"a", 68, 6, 0}).bytes(), "sixsix");
  EXPECT_EQ(blocks.Find({"b", 68, 6, 0}).bytes(), "SIXSIX");
  EXPECT_FALSE(blocks.Find({"b", 66, 6, 0}).valid());
  EXPECT_FALSE(blocks.Find({"c", 64, 4, 0}).valid());
}

TEST(CodeBlocks, OfTooManyNoneIsKept) {
  CodeBlocks blocks(0, nullptr, MemoryUse::kBlockCache, 19);
  blocks.Add(TwoBlocks("a"), std::string(64, ' ') + "FOURSIXSIX");
  EXPECT_TRUE(blocks.complete());
  blocks.Add(TwoBlocks("b"), std::string(64, ' ') + "FOURSIXSIX");
  EXPECT_FALSE(blocks.complete());
  EXPECT_EQ(blocks.bytes(), 0U);
  EXPECT_FALSE(blocks.Find({"a", 64, 4, 0}).valid());
  blocks.Add(TwoBlocks("c"), std::string(64, ' ') + "FOURSIXSIX");
  EXPECT_FALSE(blocks.Find({"c", 64, 4, 0}).valid());
}

TEST(CodeBlocks, WhatFindsNoRoomInTheBudgetIsLeftOut) {
  auto budget = MakeMemoryBudget(PinnedBlock::MemoryOf(4));
  CodeBlocks blocks(0, budget.get(), MemoryUse::kBlockCache);
  blocks.Add(TwoBlocks("a"), std::string(64, ' ') + "FOURSIXSIX");
  EXPECT_FALSE(blocks.complete());
  EXPECT_EQ(blocks.Find({"a", 64, 4, 0}).bytes(), "FOUR");
  EXPECT_FALSE(blocks.Find({"a", 68, 6, 0}).valid());
  EXPECT_EQ(budget->Usage().used_bytes, PinnedBlock::MemoryOf(4));
}

TEST(CodeBlocks, OfKeysWithoutRoomTheFilterIsKept) {
  const std::string pages(4096, 'p');
  for (bool room : {true, false}) {
    auto budget = MakeMemoryBudget(room ? 1 << 20 : 1);
    CodeBlocks blocks(0, budget.get(), MemoryUse::kBlockCache);
    blocks.BeginSegment();
    blocks.AddKeys(pages, "filter");
    blocks.EndSegment({});
    const std::vector<SegmentKeys> keys = blocks.TakeKeys();
    ASSERT_EQ(keys.size(), 1U);
    EXPECT_EQ(keys[0].filter.bytes(), "filter");
    EXPECT_EQ(keys[0].pages.valid(), room);
  }
}

}  // namespace
}  // namespace isotherm
