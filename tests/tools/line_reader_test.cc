#include "tools/formats/line_reader.h"

#include <gtest/gtest.h>

#include "tests/tools/files.h"

namespace isotherm::formats {
namespace {

class Lines : public FilesTest {
 protected:
  using Numbered = std::vector<std::pair<size_t, std::string>>;

  static Status ReadInto(const std::string& path, Numbered& out) {
    auto reader = LineReader::Open(path);
    if (!reader.ok()) return reader.status();
    std::string line;
    while (true) {
      auto more = reader->Next(&line);
      if (!more.ok()) return more.status();
      if (!*more) return Status::Ok();
      out.emplace_back(reader->line_number(), line);
    }
  }
};

TEST_F(Lines, EndsBlankLinesAndMarksAreTakenOff) {
  Numbered lines;
  std::string path = Write("a",
                           "\xef\xbb\xbf"
                           "one\r\n\n  \t\ntwo\n\r\nthree");
  ASSERT_TRUE(ReadInto(path, lines).ok());
  EXPECT_EQ(lines, (Numbered{{1, "one"}, {4, "two"}, {6, "three"}}));
}

TEST_F(Lines, AreTheSameCompressedOrNotWhateverTheirLength) {
  Numbered wanted;
  std::string text;
  for (size_t length : {1, 5, 200'000, 262'143, 262'144, 262'145, 700'000, 3}) {
    wanted.emplace_back(wanted.size() + 1, std::string(length, static_cast<char>('a' + wanted.size())));
    text += wanted.back().second + "\n";
  }
  for (const std::string& path : {Write("plain", text), WriteGzip("packed.gz", text)}) {
    Numbered lines;
    ASSERT_TRUE(ReadInto(path, lines).ok());
    EXPECT_TRUE(lines == wanted) << path;
  }
}

TEST_F(Lines, OfAnEmptyFileThereAreNone) {
  Numbered lines;
  ASSERT_TRUE(ReadInto(Write("empty", ""), lines).ok());
  EXPECT_TRUE(lines.empty());
}

TEST_F(Lines, ATruncatedOrDamagedArchiveIsAnError) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919) + "\n";
  std::string packed = ReadAll(WriteGzip("whole.gz", text));
  for (size_t length : {packed.size() - 1, packed.size() - 9, packed.size() / 2, size_t{20}}) {
    Numbered lines;
    Status status = ReadInto(Write("cut.gz", packed.substr(0, length)), lines);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << length << ": " << status;
    EXPECT_NE(status.message().find("cut.gz"), std::string::npos) << status;
  }
  packed[packed.size() / 2] ^= 1;
  Numbered lines;
  EXPECT_EQ(ReadInto(Write("flipped.gz", packed), lines).code(), StatusCode::kInvalidArgument);
}

TEST_F(Lines, AMissingFileIsNotFound) {
  Numbered lines;
  EXPECT_EQ(ReadInto(Path("missing"), lines).code(), StatusCode::kNotFound);
  EXPECT_EQ(ReadInto(Path(""), lines).code(), StatusCode::kIoError);  // a directory
}

}  // namespace
}  // namespace isotherm::formats
