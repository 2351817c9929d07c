// What is spilled comes back, and leaves nothing behind.
#include "engine/spill_files.h"

#include <gtest/gtest.h>

#include <map>

#include "base/splitmix.h"
#include "engine/spilled_cells.h"
#include "tests/base/simulated_file_system.h"

namespace isotherm {
namespace {

constexpr char kDirectory[] = "spill";

class SpillFilesTest : public testing::TestWithParam<uint64_t> {
 protected:
  SpillFilesTest() { environment_->file_system = disk_; }

  std::vector<FileInfo> Files() {
    auto files = disk_->ListDirectory(kDirectory);
    return files.ok() ? std::move(files).value() : std::vector<FileInfo>();
  }

  std::string Whole(SpillFiles& files, uint32_t stream) {
    std::string all;
    Status status = files.Read(stream, [&](std::string_view piece) {
      all += piece;
      return Status::Ok();
    });
    EXPECT_TRUE(status.ok()) << status;
    return all;
  }

  std::shared_ptr<SimulatedFileSystem> disk_ = std::make_shared<SimulatedFileSystem>();
  std::shared_ptr<Environment> environment_ = std::make_shared<Environment>(*Environment::Default());
};

TEST_P(SpillFilesTest, EveryStreamComesBackWholeAndInOrder) {
  SplitMix64 random(GetParam());
  {
    SpillFiles files(environment_, kDirectory, GetParam());
    std::vector<std::string> model;
    for (int i = 0; i < 30; ++i) model.emplace_back(), files.AddStream();
    for (int i = 0; i < 3000; ++i) {
      auto stream = static_cast<uint32_t>(random.Below(30));
      std::string record(random.Below(i % 500 == 0 ? 2'500'000 : 300), static_cast<char>(random.Next()));
      model[stream] += record;
      ASSERT_TRUE(files.Append(stream, record).ok());
    }
    for (int round = 0; round < 2; ++round) {
      for (uint32_t stream = 0; stream < 30; ++stream) EXPECT_EQ(Whole(files, stream), model[stream]);
    }
    EXPECT_EQ(files.bytes_on_disk() > 0, GetParam() < 10'000'000);
    EXPECT_EQ(!Files().empty(), GetParam() < 10'000'000) << "what fits in memory touches no disk";
    files.Drop(7);
    EXPECT_EQ(Whole(files, 8), model[8]);
  }
  EXPECT_TRUE(Files().empty());
}

INSTANTIATE_TEST_SUITE_P(MemoryBytes, SpillFilesTest, testing::Values(0, 1000, 200'000, 100'000'000));

// Records of cells, by a model.
TEST_P(SpillFilesTest, CellsComeBackEachWithItsRecordsInOrder) {
  constexpr uint32_t kCells = 40;
  SplitMix64 random(GetParam() + 1);
  for (uint32_t streams : {1U, 7U, 100U}) {
    SpillFiles files(environment_, kDirectory, GetParam());
    SpilledCells cells(files, kCells, streams);
    std::map<uint32_t, std::vector<std::string>> model;
    for (int i = 0; i < 2000; ++i) {
      auto cell = static_cast<uint32_t>(random.Below(kCells));
      if (cell % 5 == 3) continue;  // empty ones
      std::string record(random.Below(100), static_cast<char>(random.Next()));
      model[cell].push_back(record);
      ASSERT_TRUE(cells.Append(cell, record).ok());
    }
    for (uint64_t at_once : {uint64_t{1}, uint64_t{5000}, uint64_t{1} << 30}) {
      for (auto [begin, end] : {std::pair(0U, kCells), std::pair(11U, 12U), std::pair(5U, 29U)}) {
        uint32_t expected = begin;
        Status status = cells.Read(begin, end, at_once, [&](uint32_t cell, std::span<const std::string_view> records) {
          EXPECT_EQ(cell, expected++);
          EXPECT_EQ(std::vector<std::string>(records.begin(), records.end()), model[cell]);
          return Status::Ok();
        });
        EXPECT_TRUE(status.ok()) << status;
        EXPECT_EQ(expected, end);
      }
    }
    cells.DropBefore(20);
    std::vector<std::string> last;
    Status status = cells.Read(kCells - 1, kCells, 1, [&](uint32_t, std::span<const std::string_view> records) {
      last.assign(records.begin(), records.end());
      return Status::Ok();
    });
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(last, model[kCells - 1]);
  }
}

TEST_F(SpillFilesTest, BytesThatTheDiskChangedAreNoticed) {
  SpillFiles files(environment_, kDirectory, 0);
  uint32_t stream = files.AddStream();
  ASSERT_TRUE(files.Append(stream, std::string(5000, 'x')).ok());
  for (const FileInfo& info : Files()) {
    if (info.size == 0) continue;
    auto file = disk_->Open(std::string(kDirectory) + "/" + info.name, OpenMode::kReadWrite);
    ASSERT_TRUE(file.ok() && (*file)->Write(1234, "y").ok());
  }
  EXPECT_EQ(files.Read(stream, [](std::string_view) { return Status::Ok(); }).code(), StatusCode::kIoError);
}

TEST_F(SpillFilesTest, AFullDiskIsSaidAndLeavesNothingBehind) {
  disk_->SetCapacity(10'000);
  {
    SpillFiles files(environment_, kDirectory, 1000);
    uint32_t stream = files.AddStream();
    Status status;
    for (int i = 0; i < 100 && status.ok(); ++i) status = files.Append(stream, std::string(500, 'x'));
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
  }
  EXPECT_TRUE(Files().empty());
}

TEST_F(SpillFilesTest, WhatACrashLeftIsRemovedByTheNextOneAndWhatIsInUseStays) {
  SpillFiles alive(environment_, kDirectory, 0);
  uint32_t stream = alive.AddStream();
  ASSERT_TRUE(alive.Append(stream, "still needed").ok());
  size_t in_use = Files().size();
  for (const char* name : {"dead.lock", "dead-0", "dead-17"}) {
    auto file = disk_->Open(std::string(kDirectory) + "/" + name, OpenMode::kCreateNew);
    ASSERT_TRUE(file.ok() && (*file)->Write(0, "leftover").ok());
  }
  {
    SpillFiles next(environment_, kDirectory, 0);
    ASSERT_TRUE(next.Append(next.AddStream(), "x").ok());
    EXPECT_EQ(Files().size(), 2 * in_use);
  }
  EXPECT_EQ(Files().size(), in_use);
  EXPECT_EQ(Whole(alive, stream), "still needed");
}

}  // namespace
}  // namespace isotherm
