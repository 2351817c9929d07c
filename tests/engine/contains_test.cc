// Asking for many keys at once.
#include <gtest/gtest.h>

#include "blob/memory_store.h"
#include "isotherm/isotherm.h"
#include "tests/engine/oracle.h"

namespace isotherm {
namespace {

using testing_support::MakeRows;

std::vector<Key> KeysOf(const std::vector<Row>& rows) {
  std::vector<Key> keys;
  for (const Row& row : rows) keys.push_back(row.key);
  return keys;
}

TEST(Contains, FindsRowsWhereverTheyAre) {
  std::vector<Row> rows = MakeRows(90, 8, 3);
  Options options;
  options.create = CreateOptions{8, Metric::kL2, KeyType::kInteger, {}};
  options.inline_bytes = 1 << 16;
  auto collection = Open(std::make_shared<MemoryBlobStore>(), options);
  ASSERT_TRUE(collection.ok()) << collection.status();
  auto insert = [&](size_t first, size_t last) {
    ASSERT_TRUE((*collection)->InsertBatch({rows.begin() + ptrdiff_t(first), rows.begin() + ptrdiff_t(last)}).ok());
  };
  insert(0, 30);
  ASSERT_TRUE((*collection)->Compact().ok());  // in a segment
  insert(30, 50);
  ASSERT_TRUE((*collection)->Commit().ok());  // in the head
  insert(50, 60);                             // pending

  auto contained = (*collection)->Contains(KeysOf(rows));
  ASSERT_TRUE(contained.ok()) << contained.status();
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ((*contained)[i], i < 60) << i;
}

TEST(Contains, AKeyOfTheOtherTypeIsNotThere) {
  Options options;
  options.create = CreateOptions{8, Metric::kL2, KeyType::kInteger, {}};
  auto collection = Open(std::make_shared<MemoryBlobStore>(), options);
  ASSERT_TRUE(collection.ok()) << collection.status();
  ASSERT_TRUE((*collection)->InsertBatch(MakeRows(30, 8, 3)).ok());
  ASSERT_TRUE((*collection)->Compact().ok());
  auto contained = (*collection)->Contains(std::vector<Key>{Key("1"), Key("no such key")});
  ASSERT_TRUE(contained.ok()) << contained.status();
  EXPECT_EQ(*contained, (std::vector<bool>{false, false}));
}

TEST(Contains, OfNoKeysIsEmpty) {
  Options options;
  options.create = CreateOptions{8, Metric::kL2, KeyType::kInteger, {}};
  auto collection = Open(std::make_shared<MemoryBlobStore>(), options);
  ASSERT_TRUE(collection.ok()) << collection.status();
  auto contained = (*collection)->Contains({});
  ASSERT_TRUE(contained.ok()) << contained.status();
  EXPECT_TRUE(contained->empty());
}

}  // namespace
}  // namespace isotherm
