#include <gmock/gmock.h>

#include "base/environment.h"
#include "base/splitmix.h"
#include "tests/blob/conformance.h"

namespace isotherm {

std::string RandomBytes(size_t n, uint64_t seed) {
  SplitMix64 random(seed);
  std::string bytes(n, '\0');
  for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<char>(random.Next() >> 56);
  return bytes;
}

std::vector<std::string> UnusualNames() {
  return {
      "plain",
      "with a space",
      " leading and trailing ",
      "plus+plus",
      "per%cent",
      "%2F%00%zz",
      "dot.",
      ".hidden",
      "...",
      "a/b/c/d/e/f/g",
      "unicode/\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\xa1",
      "quote\"apostrophe'back\\slash",
      "a&b=c?d#e;f:g@h,i$j!k*l(m)n~o^p`q|r{s}t[u]v<w>x",
      std::string(200, 'n') + "/" + std::string(200, 'a') + "/" + std::string(200, 'm') + "/" + std::string(200, 'e'),
  };
}

std::vector<std::string> InvalidNames() {
  return {
      "",
      "/",
      "/a",
      "a/",
      "a//b",
      ".",
      "..",
      "./a",
      "a/./b",
      "a/../b",
      "a/..",
      std::string(1025, 'x'),
      "not utf-8 \xff",
      "cut short \xe2\x82",
      "overlong \xc0\xaf",
      "surrogate \xed\xa0\x80",
      std::string("nul\0nul", 7),
      "line\nbreak",
      "delete\x7f",
  };
}

TEST_P(BlobStoreConformance, WhatWasPutIsRead) {
  for (size_t size : {size_t{0}, size_t{1}, size_t{4096}, size_t{1000003}}) {
    std::string name = "size-" + std::to_string(size);
    std::string bytes = RandomBytes(size, size);
    std::string etag = MustPut(name, bytes);
    EXPECT_FALSE(etag.empty());
    ReadResult result = ReadWhole(name);
    ASSERT_TRUE(result.status.ok()) << result.status;
    EXPECT_TRUE(result.data == bytes) << name;
    EXPECT_EQ(result.object_size, size);
    EXPECT_EQ(result.etag, etag);
  }
}

TEST_P(BlobStoreConformance, ALargeObjectIsReadWholeAndInPieces) {
  constexpr size_t kSize = (size_t{20} << 20) + 17;
  std::string bytes = RandomBytes(kSize, 20);
  MustPut("large", bytes);
  ReadResult whole = ReadWhole("large");
  ASSERT_TRUE(whole.status.ok()) << whole.status;
  EXPECT_TRUE(whole.data == bytes);
  ReadResult piece = ReadRange("large", 9'999'999, 5'000'001);
  ASSERT_TRUE(piece.status.ok()) << piece.status;
  EXPECT_TRUE(piece.data == bytes.substr(9'999'999, 5'000'001));
  EXPECT_EQ(piece.object_size, kSize);
}

TEST_P(BlobStoreConformance, NamesKeepEveryCharacter) {
  for (const std::string& name : UnusualNames()) MustPut(name, "content of " + name);
  for (const std::string& name : UnusualNames()) {
    ReadResult result = ReadWhole(name);
    EXPECT_TRUE(result.status.ok()) << result.status;
    EXPECT_EQ(result.data, "content of " + name);
  }
  std::vector<std::string> expected = UnusualNames();
  EXPECT_THAT(ListNames(), testing::UnorderedElementsAreArray(expected));
  for (const std::string& name : UnusualNames()) {
    EXPECT_TRUE(store_->Delete({}, name).ok()) << name;
    EXPECT_EQ(CodeOfRead(name), StatusCode::kNotFound) << name;
  }
}

TEST_P(BlobStoreConformance, ARangeGivesTheBytesThatThereAre) {
  std::string bytes = RandomBytes(10'000, 1);
  MustPut("object", bytes);
  struct Case {
    uint64_t offset, length;
  };
  for (auto [offset, length] : {Case{0, 1}, Case{0, 10'000}, Case{1, 1}, Case{4095, 4097}, Case{9'999, 1},
                                Case{9'000, 1'000}, Case{9'000, 5'000}, Case{0, uint64_t{1} << 40}}) {
    ReadResult result = ReadRange("object", offset, length);
    ASSERT_TRUE(result.status.ok()) << offset << "+" << length << ": " << result.status;
    EXPECT_EQ(result.data, bytes.substr(offset, length)) << offset << "+" << length;
    EXPECT_EQ(result.object_size, bytes.size());
  }
}

TEST_P(BlobStoreConformance, ARangeWithoutBytesIsInvalid) {
  MustPut("object", "0123456789");
  MustPut("empty", "");
  EXPECT_EQ(ReadRange("object", 10, 1).status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadRange("object", 11, 5).status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadRange("object", 0, 0).status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadRange("empty", 0, 1).status.code(), StatusCode::kInvalidArgument);
}

TEST_P(BlobStoreConformance, ABatchAnswersEachRequestByItself) {
  std::string bytes = RandomBytes(1 << 20, 2);
  std::string etag = MustPut("object", bytes);
  MustPut("other", "other");
  std::vector<ReadRequest> requests;
  for (uint64_t i = 0; i < 20; ++i) {
    requests.push_back({.name = "object", .range = ByteRange{i * 50'000, 1'000 + i}, .if_match = {}});
    requests.push_back({.name = "missing-" + std::to_string(i), .range = {}, .if_match = {}});
  }
  requests.push_back({.name = "other", .range = {}, .if_match = {}});
  requests.push_back({.name = "object", .range = ByteRange{1 << 20, 1}, .if_match = {}});
  requests.push_back({.name = "a/../b", .range = {}, .if_match = {}});
  std::vector<ReadResult> results = store_->Read({}, requests);
  ASSERT_EQ(results.size(), requests.size());
  for (size_t i = 0; i < 40; i += 2) {
    ASSERT_TRUE(results[i].status.ok()) << results[i].status;
    EXPECT_EQ(results[i].data, bytes.substr(i / 2 * 50'000, 1'000 + i / 2));
    EXPECT_EQ(results[i + 1].status.code(), StatusCode::kNotFound);
  }
  EXPECT_EQ(results[40].data, "other");
  EXPECT_EQ(results[41].status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(results[42].status.code(), StatusCode::kInvalidArgument);
}

TEST_P(BlobStoreConformance, AnEmptyBatchHasNoAnswers) { EXPECT_TRUE(store_->Read({}, {}).empty()); }

TEST_P(BlobStoreConformance, AMissingObjectIsNotFoundByName) {
  MustPut("directory/object", "x");
  for (const char* name : {"missing", "directory", "directory/missing", "directory/object/below"}) {
    ReadResult result = ReadWhole(name);
    EXPECT_EQ(result.status.code(), StatusCode::kNotFound) << name << ": " << result.status;
    EXPECT_NE(result.status.message().find(name), std::string::npos) << result.status;
    EXPECT_EQ(ReadRange(name, 0, 10).status.code(), StatusCode::kNotFound) << name;
  }
}

TEST_P(BlobStoreConformance, AReadWithAnEtagSeesThatVersionOnly) {
  std::string old_etag = MustPut("object", "old content");
  ReadRequest whole{.name = "object", .range = {}, .if_match = old_etag};
  ReadRequest range{.name = "object", .range = ByteRange{4, 3}, .if_match = old_etag};
  EXPECT_EQ(ReadOne(whole).data, "old content");
  EXPECT_EQ(ReadOne(range).data, "con");
  MustPut("object", "new");
  EXPECT_EQ(ReadOne(whole).status.code(), StatusCode::kConflict);
  EXPECT_EQ(ReadOne(range).status.code(), StatusCode::kConflict);
  whole.if_match = ReadWhole("object").etag;
  EXPECT_EQ(ReadOne(whole).data, "new");
}

TEST_P(BlobStoreConformance, InvalidNamesAreRefusedByEveryCall) {
  for (const std::string& name : InvalidNames()) {
    EXPECT_EQ(CodeOfRead(name), StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(CodeOfPut(name, "x", {}), StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(store_->Delete({}, name).code(), StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(store_->CreateWriter({}, name).status().code(), StatusCode::kInvalidArgument) << name;
  }
  EXPECT_THAT(ListNames(), testing::IsEmpty());
}

TEST_P(BlobStoreConformance, EachReadTellsWhenItBeganAndEnded) {
  MustPut("object", RandomBytes(100'000, 3));
  Clock& clock = *Environment::Default()->clock;
  std::vector<ReadRequest> requests(5, {.name = "object", .range = ByteRange{1, 50'000}, .if_match = {}});
  requests.push_back({.name = "missing", .range = {}, .if_match = {}});
  int64_t before_ns = clock.NowNs();
  std::vector<ReadResult> results = store_->Read({}, requests);
  int64_t after_ns = clock.NowNs();
  for (const ReadResult& result : results) {
    EXPECT_LE(before_ns, result.start_ns);
    EXPECT_LE(result.start_ns, result.end_ns);
    EXPECT_LE(result.end_ns, after_ns);
  }
}

TEST_P(BlobStoreConformance, DescribesItself) { EXPECT_FALSE(store_->Describe().empty()); }

}  // namespace isotherm
