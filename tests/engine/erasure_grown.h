// A collection with everything that an erasure has to reach, small.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/engine/erasure.h"
#include "tests/engine/every_store.h"

namespace isotherm::testing_support {

inline constexpr uint64_t kRows = 40;
inline const std::vector<uint64_t> kErased = {3, 17, 39};
inline const std::vector<std::string> kNothing;

inline Options Opening(std::shared_ptr<Environment> environment) {
  Options options = CreatingMarked();
  options.env = std::move(environment);
  options.inline_bytes = 200;
  options.compaction.min_rows_for_cells = 1;
  options.compaction.cells = 4;
  return options;
}

// Cells, a flat segment, rows in the head, deletions, old versions and a branch that went its own way.
inline void Grow(const std::shared_ptr<BlobStore>& store, const Options& options) {
  auto collection = MustOpen(store, options);
  ASSERT_TRUE(collection->InsertBatch(MarkedRows(0, 30)).ok());
  ASSERT_TRUE(collection->Commit().ok());
  ASSERT_TRUE(collection->Compact(IntoCells(4)).ok());
  ASSERT_TRUE(collection->InsertBatch(MarkedRows(30, 9)).ok());
  ASSERT_TRUE(collection->SoftDelete(MarkedKey(17)).ok());
  ASSERT_TRUE(collection->Commit().ok());
  ASSERT_TRUE(collection->CreateBranch("side").ok());
  ASSERT_TRUE(collection->Insert(MarkedRow(39)).ok());
  ASSERT_TRUE(collection->Commit().ok());
}

inline void ExpectErased(const std::shared_ptr<BlobStore>& store, Options options) {
  EXPECT_EQ(TracesInStore(*store, kErased), kNothing);
  auto collection = MustOpen(store, options);
  EXPECT_EQ(MarkedRowsIn(*collection, kRows), AllBut(kRows, kErased));
  ExpectClean(*collection);
  options.create.reset();
  options.branch = "side";
  auto side = MustOpen(store, options);
  EXPECT_EQ(MarkedRowsIn(*side, kRows), AllBut(kRows, kErased));
  ExpectClean(*side);
}

}  // namespace isotherm::testing_support
