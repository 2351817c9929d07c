#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/file_system.h"
#include "tests/base/locked_directory.h"
#include "tests/base/temp_directory.h"

namespace isotherm {

namespace {

class PosixFileSystemTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }

  std::unique_ptr<File> MustOpen(const std::string& name, OpenMode mode) {
    Result<std::unique_ptr<File>> file = fs_->Open(Path(name), mode);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? std::move(file).value() : nullptr;
  }
  StatusCode CodeOfOpen(const std::string& name, OpenMode mode) { return fs_->Open(Path(name), mode).status().code(); }

  void Write(const std::string& name, std::string_view content) {
    ASSERT_TRUE(MustOpen(name, OpenMode::kReadWrite)->Write(0, content).ok());
  }
  std::string Read(const std::string& name) {
    std::string content(100, '\0');
    Result<size_t> n = MustOpen(name, OpenMode::kRead)->Read(0, content);
    EXPECT_TRUE(n.ok()) << n.status();
    return content.substr(0, n.ok() ? *n : 0);
  }

  TempDirectory directory_;
  std::shared_ptr<FileSystem> fs_ = FileSystem::Posix();
};

}  // namespace

TEST_F(PosixFileSystemTest, BytesAreReadWhereTheyWereWritten) {
  std::unique_ptr<File> file = MustOpen("file", OpenMode::kCreateNew);
  ASSERT_TRUE(file->Write(0, "0123456789").ok());
  ASSERT_TRUE(file->Write(20, "abc").ok());
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(*file->Size(), 23u);
  char out[8];
  EXPECT_EQ(*file->Read(5, out), 8u);
  EXPECT_EQ(std::string(out, 5), "56789");
  EXPECT_EQ(std::string(out + 5, 3), std::string(3, '\0'));
  EXPECT_EQ(*file->Read(20, out), 3u);
  EXPECT_EQ(*file->Read(23, out), 0u);
  EXPECT_EQ(*file->Read(1000, out), 0u);
}

TEST_F(PosixFileSystemTest, OpenModesSayWhatMustBeThere) {
  EXPECT_EQ(CodeOfOpen("file", OpenMode::kRead), StatusCode::kNotFound);
  MustOpen("file", OpenMode::kReadWrite);
  MustOpen("file", OpenMode::kReadWrite);
  MustOpen("file", OpenMode::kRead);
  EXPECT_EQ(CodeOfOpen("file", OpenMode::kCreateNew), StatusCode::kAlreadyExists);
  MustOpen("new", OpenMode::kCreateNew);
  EXPECT_EQ(CodeOfOpen("file/below", OpenMode::kRead), StatusCode::kNotFound);
  EXPECT_EQ(CodeOfOpen("missing/file", OpenMode::kCreateNew), StatusCode::kNotFound);
  ASSERT_TRUE(fs_->CreateDirectories(Path("directory")).ok());
  EXPECT_EQ(CodeOfOpen("directory", OpenMode::kRead), StatusCode::kNotFound);
}

TEST_F(PosixFileSystemTest, ErrorsNamePathAndReason) {
  Status status = fs_->Open(Path("missing"), OpenMode::kRead).status();
  EXPECT_THAT(status.message(), testing::HasSubstr(Path("missing")));
  EXPECT_THAT(status.message(), testing::HasSubstr("No such file or directory"));
}

TEST_F(PosixFileSystemTest, WritingWhatWasOpenedForReadingFails) {
  Write("file", "x");
  EXPECT_EQ(MustOpen("file", OpenMode::kRead)->Write(0, "y").code(), StatusCode::kIoError);
}

TEST_F(PosixFileSystemTest, RenameReplacesAndLinkDoesNot) {
  Write("a", "first");
  Write("b", "second");
  EXPECT_EQ(fs_->Link(Path("a"), Path("b")).code(), StatusCode::kAlreadyExists);
  EXPECT_TRUE(fs_->Link(Path("a"), Path("c")).ok());
  EXPECT_EQ(Read("c"), "first");
  EXPECT_TRUE(fs_->Rename(Path("a"), Path("b")).ok());
  EXPECT_EQ(Read("b"), "first");
  EXPECT_EQ(fs_->Rename(Path("a"), Path("b")).code(), StatusCode::kNotFound);
  EXPECT_EQ(fs_->Link(Path("a"), Path("d")).code(), StatusCode::kNotFound);
}

TEST_F(PosixFileSystemTest, AnOpenFileOutlivesItsName) {
  Write("file", "content");
  std::unique_ptr<File> file = MustOpen("file", OpenMode::kRead);
  EXPECT_TRUE(fs_->Remove(Path("file")).ok());
  EXPECT_EQ(fs_->Remove(Path("file")).code(), StatusCode::kNotFound);
  char out[7];
  EXPECT_EQ(*file->Read(0, out), 7u);
}

TEST_F(PosixFileSystemTest, DirectoriesAreCreatedWithTheirParents) {
  EXPECT_TRUE(fs_->CreateDirectories(Path("a/b/c")).ok());
  EXPECT_TRUE(fs_->CreateDirectories(Path("a/b/c")).ok());
  EXPECT_TRUE(fs_->CreateDirectories(Path("a/b/c/")).ok());
  EXPECT_TRUE(fs_->CreateDirectories(Path("a//b/d/")).ok());
  EXPECT_TRUE(std::filesystem::is_directory(Path("a/b/c")));
  EXPECT_TRUE(std::filesystem::is_directory(Path("a/b/d")));
  EXPECT_TRUE(fs_->SyncDirectory(Path("a/b")).ok());
  EXPECT_EQ(fs_->SyncDirectory(Path("missing")).code(), StatusCode::kNotFound);
  Write("a/file", "x");
  EXPECT_EQ(fs_->CreateDirectories(Path("a/file")).code(), StatusCode::kIoError);
  EXPECT_EQ(fs_->CreateDirectories(Path("a/file/below")).code(), StatusCode::kIoError);
}

TEST_F(PosixFileSystemTest, ManyThreadsMayCreateTheSameDirectories) {
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { failures += fs_->CreateDirectories(Path("a/b/c/d/e")).ok() ? 0 : 1; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
}

TEST_F(PosixFileSystemTest, ADirectoryIsListedInOrderOfNames) {
  for (const char* name : {"b", "a", "c.d", "B"}) Write(name, name);
  ASSERT_TRUE(fs_->CreateDirectories(Path("a b")).ok());
  std::filesystem::create_symlink("nowhere", Path("dangling"));
  Result<std::vector<FileInfo>> files = fs_->ListDirectory(directory_.path());
  ASSERT_TRUE(files.ok()) << files.status();
  std::vector<std::string> names;
  for (const FileInfo& file : *files) names.push_back(file.name);
  EXPECT_THAT(names, testing::ElementsAre("B", "a", "a b", "b", "c.d"));
  EXPECT_TRUE((*files)[2].is_directory);
  EXPECT_FALSE((*files)[4].is_directory);
  EXPECT_EQ((*files)[4].size, 3u);
  EXPECT_EQ(fs_->ListDirectory(Path("missing")).status().code(), StatusCode::kNotFound);
}

TEST_F(PosixFileSystemTest, ALockExcludesOtherHandlesOfTheProcess) {
  Result<std::unique_ptr<FileLock>> held = fs_->Lock(Path("lock"));
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_EQ(fs_->TryLock(Path("lock")).status().code(), StatusCode::kConflict);
  EXPECT_TRUE(fs_->TryLock(Path("other")).ok());
  held->reset();
  EXPECT_TRUE(fs_->TryLock(Path("lock")).ok());
  EXPECT_EQ(fs_->Lock(Path("missing/lock")).status().code(), StatusCode::kNotFound);
}

TEST_F(PosixFileSystemTest, ALockIsHeldByOneThreadAtATime) {
  std::atomic<int> holders{0};
  std::atomic<int> rounds{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 100; ++round) {
        Result<std::unique_ptr<FileLock>> lock = FileSystem::Posix()->Lock(Path("lock"));
        ASSERT_TRUE(lock.ok()) << lock.status();
        ASSERT_EQ(++holders, 1);
        ++rounds;
        --holders;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(rounds, 800);
}

TEST_F(PosixFileSystemTest, FilesAreClosedOnExec) {
  std::unique_ptr<File> file = MustOpen("file", OpenMode::kReadWrite);
  int open_files = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    if (std::filesystem::read_symlink(entry.path(), error) != Path("file")) continue;
    ++open_files;
    EXPECT_NE(::fcntl(std::stoi(entry.path().filename()), F_GETFD) & FD_CLOEXEC, 0);
  }
  EXPECT_EQ(open_files, 1);
}

TEST_F(PosixFileSystemTest, AFullDeviceIsResourceExhausted) {
  Result<std::unique_ptr<File>> full = fs_->Open("/dev/full", OpenMode::kReadWrite);
  if (!full.ok()) GTEST_SKIP() << "there is no /dev/full here";
  Status status = (*full)->Write(0, "x");
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
}

TEST_F(PosixFileSystemTest, TooManyOpenFilesIsResourceExhausted) {
  rlimit limit;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  rlimit low = limit;
  low.rlim_cur = 64;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  std::vector<std::unique_ptr<File>> open;
  Status status;
  while (status.ok() && open.size() < 100) {
    Result<std::unique_ptr<File>> file = fs_->Open(Path("file"), OpenMode::kReadWrite);
    status = file.status();
    if (file.ok()) open.push_back(std::move(file).value());
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
  open.clear();
  EXPECT_TRUE(fs_->Open(Path("file"), OpenMode::kRead).ok());
}

TEST_F(PosixFileSystemTest, APlaceWithoutPermissionIsAccessDenied) {
  ASSERT_TRUE(fs_->CreateDirectories(Path("locked/inner")).ok());
  Write("locked/file", "x");
  LockedDirectory locked(Path("locked"));
  EXPECT_EQ(CodeOfOpen("locked/file", OpenMode::kRead), StatusCode::kAccessDenied);
  EXPECT_EQ(CodeOfOpen("locked/new", OpenMode::kCreateNew), StatusCode::kAccessDenied);
  EXPECT_EQ(fs_->CreateDirectories(Path("locked/inner/new")).code(), StatusCode::kAccessDenied);
  EXPECT_EQ(fs_->ListDirectory(Path("locked")).status().code(), StatusCode::kAccessDenied);
  EXPECT_EQ(fs_->Remove(Path("locked/file")).code(), StatusCode::kAccessDenied);
  EXPECT_EQ(fs_->Lock(Path("locked/lock")).status().code(), StatusCode::kAccessDenied);
}

TEST_F(PosixFileSystemTest, WhatTheSystemRefusesOtherwiseIsAnIoError) {
  EXPECT_EQ(CodeOfOpen(std::string(300, 'x'), OpenMode::kCreateNew), StatusCode::kIoError);
  ASSERT_TRUE(fs_->CreateDirectories(Path("directory/below")).ok());
  Write("file", "x");
  EXPECT_EQ(fs_->Rename(Path("file"), Path("directory")).code(), StatusCode::kIoError);
  EXPECT_EQ(CodeOfOpen("directory", OpenMode::kReadWrite), StatusCode::kIoError);
}

}  // namespace isotherm
