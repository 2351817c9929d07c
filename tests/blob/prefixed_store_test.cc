#include "blob/prefixed_store.h"

#include <gmock/gmock.h>

#include "blob/memory_store.h"
#include "tests/blob/conformance.h"

namespace isotherm {

namespace {

// The store below is not empty: others live beside the prefix.
std::shared_ptr<BlobStore> MakePrefixedStore() {
  auto memory = std::make_shared<MemoryBlobStore>();
  for (const char* name : {"a", "collections/b", "collections/below", "collections/bel/ow", "collections/bel.", "z"}) {
    EXPECT_TRUE(memory->Put({}, name, "of others").ok());
  }
  return std::make_shared<PrefixedBlobStore>(memory, "collections/bel/x");
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Prefixed, BlobStoreConformance, testing::Values(StoreFactory{"prefixed", MakePrefixedStore}),
                         StoreFactoryName);

TEST(PrefixedBlobStoreTest, ObjectsLieBelowThePrefix) {
  auto memory = std::make_shared<MemoryBlobStore>();
  PrefixedBlobStore store(memory, "a/b");
  ASSERT_TRUE(store.Put({}, "c/d", "content").ok());
  Result<ListPage> page = memory->List({}, "");
  ASSERT_EQ(page->entries.size(), 1u);
  EXPECT_EQ(page->entries[0].name, "a/b/c/d");
  EXPECT_EQ(store.Describe(), "memory:a/b");
}

}  // namespace isotherm
