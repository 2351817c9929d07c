#include <gmock/gmock.h>

#include <map>

#include "tests/blob/conformance.h"

namespace isotherm {

namespace {

using Model = std::map<std::string, uint64_t>;  // size by name; std::string compares bytes as unsigned

Model ExpectedList(const Model& objects, std::string_view prefix, std::string_view start_after) {
  Model expected;
  for (const auto& [name, size] : objects) {
    if (name.starts_with(prefix) && name > start_after) expected.emplace(name, size);
  }
  return expected;
}

// All pages of a list together.
Model ListAll(BlobStore& store, std::string_view prefix, std::string start_after, size_t limit) {
  Model all;
  for (bool more = true; more;) {
    Result<ListPage> page = store.List({}, prefix, start_after, limit);
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) break;
    EXPECT_LE(page->entries.size(), limit);
    EXPECT_TRUE(!page->more || !page->entries.empty()) << "an empty page that promises more";
    for (const ListEntry& entry : page->entries) {
      EXPECT_GT(entry.name, start_after) << "not ascending";
      all.emplace(entry.name, entry.size);
      start_after = entry.name;
    }
    more = page->more && !page->entries.empty();
  }
  return all;
}

}  // namespace

TEST_P(BlobStoreConformance, AnEmptyStoreListsNothing) {
  Result<ListPage> page = store_->List({}, "");
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_TRUE(page->entries.empty());
  EXPECT_FALSE(page->more);
}

// Names around '/' in the order of bytes, where directories and files of like names are easily put in the wrong one.
TEST_P(BlobStoreConformance, ListsAreOrderedByTheBytesOfNames) {
  Model objects;
  for (const char* name : {"a-b", "a.b", "a/b", "a/b.c", "a/c/d", "a/c/e", "a/c-d", "a0", "ab/c", "b", "\xc3\xa4", " x",
                           "A", "~", "z/z/z", "z/z0", "%20", "a+b"}) {
    objects[name] = objects.size();
    MustPut(name, std::string(objects[name], 'x'));
  }
  std::vector<std::string> starts{"", "a", "a/", "a/b", "a/b.", "a/b.c", "a/c", "a/c/d", "a/c/z", "a0", "zzz"};
  for (std::string_view prefix : {"", "a", "a/", "a/c", "a/c/", "a/b.c", "z/z", "none", "%"}) {
    for (const std::string& start_after : starts) {
      for (size_t limit : {size_t{1}, size_t{2}, size_t{5}, size_t{1000}}) {
        EXPECT_EQ(ListAll(*store_, prefix, start_after, limit), ExpectedList(objects, prefix, start_after))
            << "prefix " << prefix << ", after " << start_after << ", " << limit << " a page";
      }
    }
  }
}

TEST_P(BlobStoreConformance, ManyObjectsAreListedInPages) {
  Model objects;
  for (int i = 0; i < 130; ++i) {
    std::string name = "segments/" + std::to_string(i * 7919 % 1000) + "/" + std::to_string(i);
    objects[name] = static_cast<uint64_t>(i);
    MustPut(name, std::string(static_cast<size_t>(i), 'x'));
  }
  EXPECT_EQ(ListAll(*store_, "segments/", "", 50), objects);
  EXPECT_EQ(ListAll(*store_, "", "segments/5", 7), ExpectedList(objects, "", "segments/5"));
  Result<ListPage> page = store_->List({}, "", {}, 130);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->entries.size(), 130u);
}

TEST_P(BlobStoreConformance, AListOfNoEntriesIsInvalid) {
  EXPECT_EQ(store_->List({}, "", {}, 0).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace isotherm
