#include "blob/local_store.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/base/locked_directory.h"
#include "tests/base/manual_clock.h"
#include "tests/base/temp_directory.h"
#include "tests/blob/conformance.h"

namespace isotherm {

namespace {

struct LocalStoreOfATest {
  TempDirectory directory;
  LocalBlobStore store{directory.path() + "/root", Environment::Default()};
};

std::shared_ptr<BlobStore> MakeLocalStore() {
  auto both = std::make_shared<LocalStoreOfATest>();
  return {both, &both->store};
}

std::vector<std::string> FilesIn(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) names.push_back(entry.path().filename());
  return names;
}

ReadResult ReadWhole(BlobStore& store, const std::string& name) {
  ReadRequest request{.name = name, .range = {}, .if_match = {}};
  return std::move(store.Read({}, {&request, 1}).at(0));
}

class LocalBlobStoreTest : public testing::Test {
 protected:
  TempDirectory directory_;
  const std::string root_ = directory_.path() + "/not/there/yet";
  LocalBlobStore store_{root_, Environment::Default()};
};

}  // namespace

INSTANTIATE_TEST_SUITE_P(Local, BlobStoreConformance, testing::Values(StoreFactory{"local", MakeLocalStore}),
                         StoreFactoryName);

TEST_F(LocalBlobStoreTest, OpeningAndReadingCreateNothing) {
  EXPECT_EQ(ReadWhole(store_, "object").status.code(), StatusCode::kNotFound);
  EXPECT_TRUE(store_.List({}, "")->entries.empty());
  EXPECT_THAT(FilesIn(directory_.path()), testing::IsEmpty());
}

TEST_F(LocalBlobStoreTest, AnObjectIsAFileOfItsName) {
  ASSERT_TRUE(store_.Put({}, "a/b c/%20", "content").ok());
  std::ifstream file(root_ + "/a/b c/%20");
  std::string content;
  std::getline(file, content);
  EXPECT_EQ(content, "content");
}

TEST_F(LocalBlobStoreTest, TwoHandlesSeeOneStore) {
  LocalBlobStore other(root_ + "/", Environment::Default());
  Result<std::string> etag = store_.Put({}, "object", "first");
  ASSERT_TRUE(etag.ok());
  EXPECT_EQ(ReadWhole(other, "object").etag, *etag);
  EXPECT_TRUE(other.Put({}, "object", "second", PutCondition::IfMatch(*etag)).ok());
  EXPECT_EQ(store_.Put({}, "object", "third", PutCondition::IfMatch(*etag)).status().code(), StatusCode::kConflict);
}

TEST_F(LocalBlobStoreTest, NoTemporaryFileStaysAfterAnyPut) {
  ASSERT_TRUE(store_.Put({}, "a", "1").ok());
  ASSERT_TRUE(store_.Put({}, "a", "2").ok());
  ASSERT_TRUE(store_.Put({}, "b", "1", PutCondition::IfAbsent()).ok());
  ASSERT_FALSE(store_.Put({}, "b", "2", PutCondition::IfAbsent()).ok());
  ASSERT_FALSE(store_.Put({}, "b", "2", PutCondition::IfMatch("other")).ok());
  ASSERT_TRUE(store_.CreateWriter({}, "c").ok());
  EXPECT_THAT(FilesIn(root_ + "/.tmp"), testing::Each(testing::StartsWith("lock-")));
}

TEST_F(LocalBlobStoreTest, WhatADeadWriterLeftIsRemovedADayLater) {
  auto clock = std::make_shared<ManualClock>();
  auto environment = EnvironmentWithClock(clock);
  LocalBlobStore dies(root_, environment);
  auto writer = dies.CreateWriter({}, "object");
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->Append("half of it").ok());
  auto others = [&] {
    auto files = FilesIn(root_ + "/.tmp");
    return std::count_if(files.begin(), files.end(),
                         [](const std::string& name) { return !name.starts_with("lock-"); });
  };
  EXPECT_EQ(others(), 1);
  clock->AdvanceWallMs(23 * 3600 * 1000);
  ASSERT_TRUE(LocalBlobStore(root_, environment).Put({}, "x", "1").ok());
  EXPECT_EQ(others(), 1);
  clock->AdvanceWallMs(2 * 3600 * 1000);
  ASSERT_TRUE(LocalBlobStore(root_, environment).Put({}, "x", "2").ok());
  EXPECT_EQ(others(), 0);
  // It was not dead after all: it is told, and publishes nothing.
  EXPECT_EQ((*writer)->Finish().status().code(), StatusCode::kIoError);
  EXPECT_EQ(ReadWhole(store_, "object").status.code(), StatusCode::kNotFound);
}

TEST_F(LocalBlobStoreTest, NamesThatFilesCannotHaveAreInvalid) {
  for (const std::string& name :
       {std::string(256, 'x'), "a/" + std::string(256, 'x') + "/b", std::string(".tmp/x"), std::string(".tmp")}) {
    EXPECT_EQ(store_.Put({}, name, "x").status().code(), StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(ReadWhole(store_, name).status.code(), StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(store_.Delete({}, name).code(), StatusCode::kInvalidArgument) << name;
  }
  EXPECT_TRUE(store_.Put({}, "a/.tmp/" + std::string(255, 'x'), "x").ok());
}

TEST_F(LocalBlobStoreTest, AnObjectCannotHaveTheNameOfADirectory) {
  ASSERT_TRUE(store_.Put({}, "a/b", "x").ok());
  EXPECT_FALSE(store_.Put({}, "a", "y").ok());
  EXPECT_FALSE(store_.Put({}, "a/b/c", "y").ok());
  EXPECT_EQ(ReadWhole(store_, "a/b").data, "x");
}

TEST_F(LocalBlobStoreTest, FilesThatNoObjectCouldBeAreNotListed) {
  ASSERT_TRUE(store_.Put({}, "object", "x").ok());
  std::ofstream(root_ + "/line\nbreak") << "x";
  std::filesystem::create_symlink("nowhere", root_ + "/dangling");
  Result<ListPage> page = store_.List({}, "", {}, 1000);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->entries.size(), 1u);
  EXPECT_EQ(page->entries[0].name, "object");
}

TEST_F(LocalBlobStoreTest, AStoreThatWasRemovedUnderneathIsEmptyAndUsable) {
  ASSERT_TRUE(store_.Put({}, "a/object", "x").ok());
  std::filesystem::remove_all(root_);
  EXPECT_EQ(ReadWhole(store_, "a/object").status.code(), StatusCode::kNotFound);
  EXPECT_TRUE(store_.List({}, "")->entries.empty());
  ASSERT_TRUE(store_.Put({}, "a/object", "y").ok());
  EXPECT_EQ(ReadWhole(store_, "a/object").data, "y");
}

TEST_F(LocalBlobStoreTest, APlaceWithoutPermissionIsAccessDenied) {
  ASSERT_TRUE(store_.Put({}, "object", "x").ok());
  {
    LockedDirectory locked(root_);
    EXPECT_EQ(store_.Put({}, "other", "x").status().code(), StatusCode::kAccessDenied);
    EXPECT_EQ(ReadWhole(store_, "object").status.code(), StatusCode::kAccessDenied);
    EXPECT_EQ(store_.Delete({}, "object").code(), StatusCode::kAccessDenied);
    EXPECT_EQ(store_.List({}, "").status().code(), StatusCode::kAccessDenied);
  }
  EXPECT_EQ(ReadWhole(store_, "object").data, "x");
  EXPECT_TRUE(store_.Put({}, "other", "x").ok());
}

TEST_F(LocalBlobStoreTest, AFinishedWriterTakesNoMore) {
  auto writer = store_.CreateWriter({}, "object");
  ASSERT_TRUE((*writer)->Append("x").ok());
  ASSERT_TRUE((*writer)->Finish().ok());
  EXPECT_EQ((*writer)->Append("y").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ((*writer)->Finish().status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadWhole(store_, "object").data, "x");
}

}  // namespace isotherm
