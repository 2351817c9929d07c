#include "blob/memory_store.h"

#include "tests/blob/conformance.h"

namespace isotherm {

INSTANTIATE_TEST_SUITE_P(Memory, BlobStoreConformance,
                         testing::Values(StoreFactory{"memory", [] { return std::make_shared<MemoryBlobStore>(); }}),
                         StoreFactoryName);

TEST(MemoryBlobStoreTest, EqualContentHasDifferentEtags) {
  MemoryBlobStore store;
  Result<std::string> first = store.Put({}, "object", "same");
  Result<std::string> second = store.Put({}, "object", "same");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(*first, *second);
}

TEST(MemoryBlobStoreTest, AWriterMayOutliveItsStore) {
  auto store = std::make_unique<MemoryBlobStore>();
  auto writer = store->CreateWriter({}, "object");
  ASSERT_TRUE(writer.ok());
  store.reset();
  EXPECT_TRUE((*writer)->Append("bytes").ok());
  EXPECT_TRUE((*writer)->Finish().ok());
}

}  // namespace isotherm
