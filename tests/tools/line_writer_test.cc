#include "tools/formats/line_writer.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/tools/files.h"
#include "tools/formats/line_reader.h"

namespace isotherm::formats {
namespace {

using LineWriterTest = FilesTest;

std::vector<std::string> ReadLines(const std::string& path) {
  std::vector<std::string> lines;
  auto reader = LineReader::Open(path);
  EXPECT_TRUE(reader.ok()) << reader.status();
  std::string line;
  while (true) {
    auto more = reader->Next(&line);
    EXPECT_TRUE(more.ok()) << more.status();
    if (!more.ok() || !*more) return lines;
    lines.push_back(line);
  }
}

TEST_F(LineWriterTest, WhatIsWrittenIsRead) {
  std::vector<std::string> lines;
  for (int i = 0; i < 3000; ++i) lines.push_back(std::to_string(i) + std::string(static_cast<size_t>(i), 'x'));
  for (const char* name : {"a.txt", "a.txt.gz"}) {
    auto writer = LineWriter::Create(Path(name));
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (const std::string& line : lines) ASSERT_TRUE((*writer)->Append(line).ok());
    EXPECT_FALSE(std::filesystem::exists(Path(name)));
    auto bytes = (*writer)->Finish();
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_EQ(*bytes, std::filesystem::file_size(Path(name)));
    EXPECT_EQ(ReadLines(Path(name)), lines);
  }
  EXPECT_LT(std::filesystem::file_size(Path("a.txt.gz")) * 10, std::filesystem::file_size(Path("a.txt")));
  EXPECT_EQ(ReadAll(Path("a.txt")).substr(0, 8), "0\n1x\n2xx");
}

TEST_F(LineWriterTest, WhatIsNotFinishedLeavesWhatWasThere) {
  Write("a.txt", "before");
  {
    auto writer = LineWriter::Create(Path("a.txt"));
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE((*writer)->Append("after").ok());
  }
  EXPECT_EQ(ReadAll(Path("a.txt")), "before");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(Path("")), {}), 1);
  auto writer = LineWriter::Create(Path("a.txt"));
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Finish().ok());
  EXPECT_EQ(ReadAll(Path("a.txt")), "");
}

TEST_F(LineWriterTest, AFullDiskIsSaidAtTheLatestAtTheEnd) {
  auto writer = LineWriter::Create("/dev/full");
  ASSERT_TRUE(writer.ok()) << writer.status();
  Status status = (*writer)->Append("some text");
  if (status.ok()) status = (*writer)->Finish().status();
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
  EXPECT_NE(status.message().find("/dev/full"), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

TEST_F(LineWriterTest, AFolderThatIsMissingIsNotFound) {
  EXPECT_EQ(LineWriter::Create(Path("no/a.txt")).status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace isotherm::formats
