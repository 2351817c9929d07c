// Going back to an older version while deletions stand in an object of their own, and while a compaction is under way.
#include <gtest/gtest.h>

#include "base/macros.h"
#include "blob/fault_store.h"
#include "blob/memory_store.h"
#include "tests/engine/commits.h"

namespace isotherm {
namespace {

using namespace testing_support;

constexpr uint64_t kRows = 24'000;

CompactOptions Cells() {
  CompactOptions options;
  options.min_rows_for_cells = 1;
  options.cells = 3;
  return options;
}

Status DeleteEverySecond(Collection& collection, uint64_t first) {
  WriteBatch batch;
  for (uint64_t key = first; key < kRows; key += 2) batch.Delete(key);
  RETURN_IF_ERROR(collection.Write(std::move(batch)));
  return collection.Commit();
}

TEST(Rollback, TakesBackDeletionsThatStandInAnObject) {
  auto store = std::make_shared<MemoryBlobStore>();
  Options options = CreatingSmall();
  options.inline_bytes = 0;
  auto collection = MustOpen(store, options);
  // In several segments: a bitmap of one takes no more than 8 KiB.
  for (uint64_t part = 0; part < 3; ++part) {
    ASSERT_TRUE(collection->InsertBatch(NumberedRows(part * kRows / 3, kRows / 3)).ok());
    ASSERT_TRUE(collection->Commit().ok());
  }
  uint64_t whole = collection->Stats().version;
  Status status = DeleteEverySecond(*collection, 0);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(CountObjects(*store, "deletions-"), 1U);
  uint64_t half = collection->Stats().version;
  status = DeleteEverySecond(*collection, 1);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(collection->Stats().rows, 0U);
  for (uint64_t version : {half, whole, half}) {
    status = collection->Rollback(version);
    ASSERT_TRUE(status.ok()) << status;
    uint64_t rows = version == whole ? kRows : kRows / 2;
    EXPECT_EQ(collection->Stats().rows, rows);
    EXPECT_EQ(ScanKeys(*collection).size(), rows);
    auto reader = MustOpen(store);
    EXPECT_EQ(ScanKeys(*reader).size(), rows);
    ExpectClean(*reader);
  }
}

// The compaction has read the rows without what was deleted by then.
TEST(Rollback, OfADeletionIsNotLostToACompactionUnderWay) {
  auto store = std::make_shared<MemoryBlobStore>();
  auto faulty = std::make_shared<FaultBlobStore>(store, Environment::Default());
  Options options = CreatingSmall();
  options.inline_bytes = 0;
  auto writer = MustOpen(faulty, options);
  ASSERT_TRUE(writer->InsertBatch(NumberedRows(0, 40)).ok());
  ASSERT_TRUE(writer->Commit().ok());
  uint64_t whole = writer->Stats().version;
  ASSERT_TRUE(writer->Delete(uint64_t{7}).ok());
  ASSERT_TRUE(writer->Commit().ok());
  auto other = MustOpen(store, options);
  // Its first put of the head registers the compaction, the second one publishes it.
  int puts = 0;
  faulty->SetHook([&](uint64_t, RequestKind kind, std::string_view name) {
    if (kind == RequestKind::kPut && name == kHeadObject && ++puts == 2) {
      Status status = other->Refresh();
      EXPECT_TRUE(status.ok()) << status;
      status = other->Rollback(whole);
      EXPECT_TRUE(status.ok()) << status;
    }
    return Fault{};
  });
  Status status = writer->Compact(Cells());
  EXPECT_TRUE(status.ok() || status.code() == StatusCode::kConflict) << status;
  faulty->SetHook(nullptr);
  auto reader = MustOpen(store);
  EXPECT_EQ(ScanKeys(*reader), KeyRange(0, 40));
  ExpectClean(*reader);
  status = writer->Compact(Cells());
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(ScanKeys(*writer), KeyRange(0, 40));
}

}  // namespace
}  // namespace isotherm
