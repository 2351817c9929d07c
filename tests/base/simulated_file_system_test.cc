#include "tests/base/simulated_file_system.h"

#include <gmock/gmock.h>

#include <atomic>
#include <set>
#include <thread>

namespace isotherm {

namespace {

class SimulatedFileSystemTest : public testing::Test {
 protected:
  std::unique_ptr<File> MustOpen(const std::string& path, OpenMode mode = OpenMode::kReadWrite) {
    Result<std::unique_ptr<File>> file = fs_.Open(path, mode);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? std::move(file).value() : nullptr;
  }

  // Content and name are durable.
  void WriteDurably(const std::string& path, std::string_view content) {
    std::unique_ptr<File> file = MustOpen(path);
    ASSERT_TRUE(file->Write(0, content).ok());
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(fs_.SyncDirectory(path.substr(0, path.rfind('/') + 1)).ok());
  }

  // "-" when there is none.
  std::string Content(const std::string& path) {
    Result<std::unique_ptr<File>> file = fs_.Open(path, OpenMode::kRead);
    if (!file.ok()) return "-";
    std::string content(*(*file)->Size(), '\0');
    EXPECT_EQ(*(*file)->Read(0, content), content.size());
    return content;
  }

  SimulatedFileSystem fs_;
};

}  // namespace

TEST_F(SimulatedFileSystemTest, BehavesLikeARealOne) {
  ASSERT_TRUE(fs_.CreateDirectories("/a/b").ok());
  std::unique_ptr<File> file = MustOpen("/a/b/file", OpenMode::kCreateNew);
  ASSERT_TRUE(file->Write(2, "xyz").ok());
  EXPECT_EQ(Content("a/b/file"), std::string("\0\0xyz", 5));
  EXPECT_EQ(fs_.Open("/a/b/file", OpenMode::kCreateNew).status().code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(fs_.Open("/a/b", OpenMode::kRead).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(fs_.Open("/a/b/file/x", OpenMode::kRead).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(fs_.Link("/a/b/file", "/a/link").ok());
  EXPECT_EQ(fs_.Link("/a/b/file", "/a/link").code(), StatusCode::kAlreadyExists);
  EXPECT_TRUE(fs_.Rename("/a/b/file", "/a/b/new").ok());
  EXPECT_EQ(Content("/a/b/file"), "-");
  EXPECT_EQ(Content("/a/b/new"), Content("/a/link"));
  EXPECT_EQ(fs_.Remove("/a/b/file").code(), StatusCode::kNotFound);
  Result<std::vector<FileInfo>> files = fs_.ListDirectory("/a");
  ASSERT_EQ(files->size(), 2u);
  EXPECT_TRUE((*files)[0].is_directory);
  EXPECT_EQ((*files)[1].size, 5u);
  EXPECT_EQ(fs_.CreateDirectories("/a/link/x").code(), StatusCode::kIoError);
}

TEST_F(SimulatedFileSystemTest, AFileNeedsItsOwnSyncAndItsDirectorys) {
  MustOpen("/neither")->Write(0, "x").ok();
  std::unique_ptr<File> content_only = MustOpen("/content");
  ASSERT_TRUE(content_only->Write(0, "x").ok() && content_only->Sync().ok());
  fs_.PowerLoss();
  EXPECT_EQ(Content("/neither"), "-");
  EXPECT_EQ(Content("/content"), "-");
  ASSERT_TRUE(MustOpen("/name")->Write(0, "x").ok());
  ASSERT_TRUE(fs_.SyncDirectory("/").ok());
  WriteDurably("/both", "x");
  fs_.PowerLoss();
  EXPECT_EQ(Content("/name"), "");
  EXPECT_EQ(Content("/both"), "x");
}

TEST_F(SimulatedFileSystemTest, AnUnsyncedOverwriteIsLost) {
  WriteDurably("/file", "0123456789");
  ASSERT_TRUE(MustOpen("/file")->Write(3, "abc").ok());
  EXPECT_EQ(Content("/file"), "012abc6789");
  fs_.PowerLoss();
  EXPECT_EQ(Content("/file"), "0123456789");
}

TEST_F(SimulatedFileSystemTest, ARenameIsDurableWithTheDirectoryOfTheNewName) {
  ASSERT_TRUE(fs_.CreateDirectories("/from").ok());
  ASSERT_TRUE(fs_.CreateDirectories("/to").ok());
  WriteDurably("/from/a", "new");
  WriteDurably("/to/b", "old");
  ASSERT_TRUE(fs_.Rename("/from/a", "/to/b").ok());
  ASSERT_TRUE(fs_.SyncDirectory("/from").ok());
  fs_.PowerLoss();
  EXPECT_EQ(Content("/from/a"), "new");
  EXPECT_EQ(Content("/to/b"), "old");
  ASSERT_TRUE(fs_.Rename("/from/a", "/to/b").ok());
  ASSERT_TRUE(fs_.SyncDirectory("/to").ok());
  fs_.PowerLoss();
  EXPECT_EQ(Content("/from/a"), "-");
  EXPECT_EQ(Content("/to/b"), "new");
}

TEST_F(SimulatedFileSystemTest, ARemovalIsDurableAfterASync) {
  WriteDurably("/file", "x");
  ASSERT_TRUE(fs_.Remove("/file").ok());
  fs_.PowerLoss();
  EXPECT_EQ(Content("/file"), "x");
  ASSERT_TRUE(fs_.Remove("/file").ok());
  ASSERT_TRUE(fs_.SyncDirectory("/").ok());
  fs_.PowerLoss();
  EXPECT_EQ(Content("/file"), "-");
}

TEST_F(SimulatedFileSystemTest, CreatedDirectoriesAreDurable) {
  ASSERT_TRUE(fs_.CreateDirectories("/a/b/c").ok());
  fs_.PowerLoss();
  EXPECT_TRUE(fs_.ListDirectory("/a/b/c").ok());
}

TEST_F(SimulatedFileSystemTest, ByChanceSomeOfWhatWasNotSyncedSurvives) {
  std::set<std::string> contents;
  std::set<bool> names;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SimulatedFileSystem fs;
    std::unique_ptr<File> file = std::move(fs.Open("/file", OpenMode::kReadWrite)).value();
    ASSERT_TRUE(file->Write(0, std::string(1024, 'o')).ok());
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(fs.SyncDirectory("/").ok());
    ASSERT_TRUE(file->Write(0, std::string(1024, 'n')).ok());
    ASSERT_TRUE(fs.Rename("/file", "/renamed").ok());
    fs.PowerLoss(seed);
    bool renamed = fs.Open("/renamed", OpenMode::kRead).ok();
    EXPECT_NE(renamed, fs.Open("/file", OpenMode::kRead).ok()) << "a rename is whole or not at all";
    names.insert(renamed);
    file = std::move(fs.Open(renamed ? "/renamed" : "/file", OpenMode::kRead)).value();
    std::string content(1024, '\0');
    ASSERT_EQ(*file->Read(0, content), 1024u);
    for (size_t sector : {0, 512}) EXPECT_EQ(content.substr(sector, 512), std::string(512, content[sector]));
    contents.insert({content[0], content[512]});
  }
  EXPECT_THAT(contents, testing::ElementsAre("nn", "no", "on", "oo"));
  EXPECT_EQ(names.size(), 2u);
}

TEST_F(SimulatedFileSystemTest, ThePowerIsOffUntilItIsLost) {
  WriteDurably("/file", "x");
  std::unique_ptr<File> file = MustOpen("/file");
  fs_.CutPowerAt(fs_.operations() + 1);
  EXPECT_TRUE(file->Write(0, "y").ok());
  EXPECT_EQ(file->Sync().code(), StatusCode::kIoError);
  EXPECT_EQ(fs_.Open("/file", OpenMode::kRead).status().code(), StatusCode::kIoError);
  fs_.PowerLoss();
  EXPECT_EQ(Content("/file"), "x");
  EXPECT_EQ(file->Size().status().code(), StatusCode::kIoError) << "the handle is of the time before";
}

TEST_F(SimulatedFileSystemTest, AfterADeathOfTheProcessNothingIsLost) {
  ASSERT_TRUE(MustOpen("/file")->Write(0, "x").ok());
  fs_.CutPowerAt(fs_.operations());
  EXPECT_FALSE(fs_.SyncDirectory("/").ok());
  fs_.ClearFailures();
  EXPECT_EQ(Content("/file"), "x");
}

TEST_F(SimulatedFileSystemTest, AnOperationFailsAsAsked) {
  std::unique_ptr<File> file = MustOpen("/file");
  fs_.FailAt(fs_.operations() + 1, Status::IoError("broken"));
  EXPECT_TRUE(file->Write(0, "0123").ok());
  Status status = file->Write(4, "4567");
  EXPECT_EQ(status.code(), StatusCode::kIoError);
  EXPECT_EQ(Content("/file"), "012345") << "half of a failed write may be there";
}

TEST_F(SimulatedFileSystemTest, WhatASyncFailedOnIsNeverDurable) {
  WriteDurably("/file", "old");
  std::unique_ptr<File> file = MustOpen("/file");
  ASSERT_TRUE(file->Write(0, "new").ok());
  fs_.FailAt(fs_.operations(), Status::IoError("broken"));
  EXPECT_FALSE(file->Sync().ok());
  EXPECT_TRUE(file->Sync().ok());
  fs_.PowerLoss();
  EXPECT_EQ(Content("/file"), "old");
}

TEST_F(SimulatedFileSystemTest, CapacityIsOfAllFilesTogether) {
  fs_.SetCapacity(10);
  std::unique_ptr<File> a = MustOpen("/a");
  std::unique_ptr<File> b = MustOpen("/b");
  EXPECT_TRUE(a->Write(0, "01234567").ok());
  EXPECT_EQ(b->Write(0, "890").code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(a->Write(0, "overwrit").ok());
  EXPECT_TRUE(fs_.Remove("/a").ok());
  EXPECT_TRUE(b->Write(0, "890").ok());
}

TEST_F(SimulatedFileSystemTest, LocksExcludeAndEndWithThePower) {
  Result<std::unique_ptr<FileLock>> held = fs_.Lock("/lock");
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(fs_.TryLock("/lock").status().code(), StatusCode::kConflict);
  fs_.PowerLoss();
  Result<std::unique_ptr<FileLock>> next = fs_.TryLock("/lock");
  ASSERT_TRUE(next.ok());
  held->reset();  // of the time before: frees nothing
  EXPECT_EQ(fs_.TryLock("/lock").status().code(), StatusCode::kConflict);

  std::atomic<int> counter{0};
  std::thread waiter([&] {
    EXPECT_TRUE(fs_.Lock("/lock").ok());
    ++counter;
  });
  EXPECT_EQ(counter, 0);
  next->reset();
  waiter.join();
  EXPECT_EQ(counter, 1);
}

}  // namespace isotherm
