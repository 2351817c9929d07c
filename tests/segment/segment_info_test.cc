#include "segment/segment_info.h"

#include <gtest/gtest.h>

#include "segment/key_pages.h"
#include "segment/segment_writer.h"
#include "tests/segment/random_rows.h"

namespace isotherm {
namespace {

constexpr uint32_t kDimension = 3;

SegmentInfo MakeInfo() {
  RandomRows random(1, kDimension, KeyType::kInteger);
  std::vector<Row> rows = random.NextRows(10);
  auto info = WriteFlatSegment({kDimension, Metric::kL2, KeyType::kInteger, {}}, "segment-x", PointersTo(rows),
                               [](std::string_view) { return Status::Ok(); });
  EXPECT_TRUE(info.ok()) << info.status();
  return std::move(info).value();
}

bool Decodes(const SegmentInfo& info, uint32_t dimension = kDimension) {
  std::string bytes;
  PutSegmentInfo(bytes, info);
  Decoder in(bytes);
  GetSegmentInfo(in, dimension);
  return in.done();
}

TEST(SegmentInfo, ComesBackEqual) {
  SegmentInfo info = MakeInfo();
  std::string bytes;
  PutSegmentInfo(bytes, info);
  Decoder in(bytes);
  SegmentInfo read = GetSegmentInfo(in, kDimension);
  ASSERT_TRUE(in.done());
  std::string again;
  PutSegmentInfo(again, read);
  EXPECT_EQ(again, bytes);
}

TEST(SegmentInfo, WhatDoesNotFitTogetherFailsTheDecoder) {
  const SegmentInfo good = MakeInfo();
  ASSERT_TRUE(Decodes(good));
  EXPECT_FALSE(Decodes(good, kDimension + 1)) << "vectors of another dimension";
  auto changed = [&](auto change) {
    SegmentInfo info = good;
    change(info);
    return Decodes(info);
  };
  EXPECT_FALSE(changed([](SegmentInfo& i) { i.kind = SegmentKind{3}; }));
  EXPECT_FALSE(changed([](SegmentInfo& i) { i.name = "../head"; }));
  EXPECT_FALSE(changed([](SegmentInfo& i) { i.name = ""; }));
  EXPECT_FALSE(changed([](SegmentInfo& i) { i.bytes -= 4096; })) << "sections beyond its end";
  EXPECT_FALSE(changed([](SegmentInfo& i) { i.codes.offset = UINT64_MAX; }));
  EXPECT_FALSE(changed([](SegmentInfo& i) { i.codes.length -= 1; })) << "blocks beyond their section";
  EXPECT_FALSE(changed([](SegmentInfo& i) { i.keys.length = 0; }));
  EXPECT_FALSE(changed([](SegmentInfo& i) { i.keys.length -= 1; }));
  EXPECT_FALSE(changed([](SegmentInfo& i) { i.rows += 1; }));
  EXPECT_FALSE(changed([](SegmentInfo& i) { i.rows = UINT64_MAX; }));
  EXPECT_FALSE(changed([](SegmentInfo& i) { i.entries += 1; }));
  EXPECT_FALSE(changed([](SegmentInfo& i) { i.first_ordinal = UINT32_MAX; })) << "ordinals beyond 32 bits";
  EXPECT_FALSE(changed([](SegmentInfo& i) { i.blocks[0].primary_rows -= 1; }));
  EXPECT_FALSE(changed([](SegmentInfo& i) { i.blocks.clear(); }));
}

TEST(SegmentInfo, CutOffAnywhereFailsTheDecoder) {
  std::string bytes;
  PutSegmentInfo(bytes, MakeInfo());
  for (size_t length = 0; length < bytes.size(); ++length) {
    Decoder in(std::string_view(bytes).substr(0, length));
    GetSegmentInfo(in, kDimension);
    EXPECT_FALSE(in.ok()) << length;
  }
}

// A vector that is read at the place of another row must not pass for it.
TEST(SegmentInfo, AVectorsChecksumCoversItsOrdinal) {
  EXPECT_NE(VectorCrc("0123456789ab", 1), VectorCrc("0123456789ab", 2));
  EXPECT_NE(VectorCrc("0123456789ab", 1), VectorCrc("0123456789ac", 1));
}

}  // namespace
}  // namespace isotherm
