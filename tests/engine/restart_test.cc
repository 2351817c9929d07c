// A disk cache outlives the handle that filled it.
#include <gtest/gtest.h>

#include "blob/memory_store.h"
#include "isotherm/isotherm.h"
#include "tests/base/temp_directory.h"
#include "tests/engine/oracle.h"

namespace isotherm {
namespace {

using testing_support::MakeRows;

struct Cost {
  uint64_t open_gets = 0;
  uint64_t search_requests = 0;
  std::vector<Hit> hits;
};

// Open, one search, close.
Cost AskOnce(std::shared_ptr<BlobStore> store, const std::string& cache_dir, std::span<const float> query) {
  Options options;
  options.read_only = true;
  options.cache_dir = cache_dir;
  Meter open_meter, search_meter;
  Context opening, searching;
  opening.meter = &open_meter;
  searching.meter = &search_meter;
  auto collection = Open(std::move(store), options, opening);
  EXPECT_TRUE(collection.ok()) << collection.status();
  auto result = (*collection)->Search(query, {}, searching);
  EXPECT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE((*collection)->Close().ok());
  return {open_meter.Summary().gets(), search_meter.Records().size(), result->hits};
}

TEST(Restart, AHandleThatWasClosedLeavesItsDiskCacheToTheNextBeforeItIsGone) {
  auto store = std::make_shared<MemoryBlobStore>();
  TempDirectory cache;
  Options options;
  options.create = CreateOptions{16, Metric::kL2, KeyType::kInteger, {}};
  options.cache_dir = cache.path();
  auto first = Open(store, options);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE((*first)->Close().ok());
  auto second = Open(store, options);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*second)->Stats().disk_cache_note, "");
  auto third = Open(store, options);
  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_NE((*third)->Stats().disk_cache_note, "");
}

TEST(Restart, WithAWarmDiskCacheTheSameQueryReadsTheHeadAlone) {
  auto store = std::make_shared<MemoryBlobStore>();
  Options options;
  options.create = CreateOptions{16, Metric::kL2, KeyType::kInteger, {"colour"}};
  auto writer = Open(store, options);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->InsertBatch(MakeRows(500, 16, 1)).ok());
  CompactOptions compact;
  compact.min_rows_for_cells = 1;
  compact.cells = 20;
  ASSERT_TRUE((*writer)->Compact(compact).ok());
  ASSERT_TRUE((*writer)->Close().ok());

  TempDirectory cache;
  std::vector<float> query = MakeRows(1, 16, 2)[0].vector;
  Cost cold = AskOnce(store, cache.path(), query);
  EXPECT_EQ(cold.open_gets, 2U);  // head and routing object
  EXPECT_GT(cold.search_requests, 0U);
  for (int restart = 0; restart < 3; ++restart) {
    Cost warm = AskOnce(store, cache.path(), query);
    EXPECT_EQ(warm.open_gets, 1U);
    EXPECT_EQ(warm.search_requests, 0U);
    ASSERT_EQ(warm.hits.size(), cold.hits.size());
    for (size_t i = 0; i < warm.hits.size(); ++i) EXPECT_EQ(warm.hits[i].key, cold.hits[i].key);
  }
}

}  // namespace
}  // namespace isotherm
