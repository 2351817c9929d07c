#include "segment/routing_object.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/splitmix.h"
#include "index/centroids8.h"

namespace isotherm {
namespace {

// A routing object by chance, and the segments that it goes with.
struct Sample {
  Routing routing;
  std::vector<SegmentInfo> segments;
};

Sample MakeSample(uint64_t seed) {
  SplitMix64 random(seed);
  Sample sample;
  Routing& routing = sample.routing;
  routing.generation = random.Next();
  routing.dimension = 1 + static_cast<uint32_t>(random.Below(20));
  routing.default_probes = 1 + static_cast<uint32_t>(random.Below(9));
  auto cells = static_cast<uint32_t>(random.Below(30));
  uint32_t cell = 0;
  uint32_t ordinal = 0;
  while (cell < cells || random.Below(2) == 1) {
    SegmentInfo segment;
    segment.name = "segment-" + std::to_string(sample.segments.size());
    segment.kind = random.Below(3) == 0 ? SegmentKind::kFlat : SegmentKind::kCells;
    segment.codes.offset = 4096 * (1 + random.Below(10));
    if (segment.kind == SegmentKind::kCells) {
      segment.first_cell = cell;
      segment.first_ordinal = ordinal;
      segment.cell_count = static_cast<uint32_t>(random.Below(cells - cell + 1));
      for (uint32_t i = 0; i < segment.cell_count; ++i, ++cell) {
        BlockInfo block{static_cast<uint32_t>(64 + random.Below(10000)), 0, static_cast<uint32_t>(random.Below(20)),
                        static_cast<uint32_t>(random.Next())};
        block.rows = block.primary_rows + static_cast<uint32_t>(random.Below(20));
        segment.codes.length += block.length;
        segment.rows += block.primary_rows;
        segment.entries += block.rows;
        routing.blocks.push_back(block);
      }
      ordinal += static_cast<uint32_t>(segment.rows);
    }
    sample.segments.push_back(segment);
  }
  for (uint32_t i = 0; i < cells; ++i) routing.scales.push_back(static_cast<float>(random.Below(1000)) / 1000);
  for (uint32_t i = 0; i < cells * routing.dimension; ++i)
    routing.codes.push_back(static_cast<int8_t>(random.Below(255)));
  return sample;
}

TEST(RoutingObject, SaysWhatWentIntoItAndWhereEachCellLies) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Sample sample = MakeSample(seed);
    auto read = DecodeRouting(EncodeRouting(sample.routing), sample.segments);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->generation, sample.routing.generation);
    EXPECT_EQ(read->dimension, sample.routing.dimension);
    EXPECT_EQ(read->default_probes, sample.routing.default_probes);
    EXPECT_EQ(read->scales, sample.routing.scales);
    EXPECT_EQ(read->codes, sample.routing.codes);
    EXPECT_EQ(read->centroids, RestoreCentroids(read->scales, read->codes, read->dimension));
    ASSERT_EQ(read->cells(), sample.routing.cells());
    for (const SegmentInfo& segment : sample.segments) {
      uint64_t offset = segment.codes.offset;
      uint32_t ordinal = segment.first_ordinal;
      for (uint32_t cell = segment.first_cell; cell < segment.first_cell + segment.cell_count; ++cell) {
        const BlockInfo& block = sample.routing.blocks[cell];
        EXPECT_EQ(read->blocks[cell].length, block.length);
        EXPECT_EQ(read->blocks[cell].rows, block.rows);
        EXPECT_EQ(read->blocks[cell].primary_rows, block.primary_rows);
        EXPECT_EQ(read->blocks[cell].crc32c, block.crc32c);
        EXPECT_EQ(read->offsets[cell], offset);
        EXPECT_EQ(read->first_ordinals[cell], ordinal);
        offset += block.length;
        ordinal += block.primary_rows;
      }
    }
  }
}

TEST(RoutingObject, CutOffOrWithBytesBehindItIsCorruption) {
  Sample sample = MakeSample(3);
  std::string bytes = EncodeRouting(sample.routing);
  for (size_t length = 0; length < bytes.size(); ++length) {
    auto read = DecodeRouting(std::string_view(bytes).substr(0, length), sample.segments);
    EXPECT_EQ(read.status().code(), StatusCode::kCorruption) << length;
  }
  EXPECT_EQ(DecodeRouting(bytes + '\0', sample.segments).status().code(), StatusCode::kCorruption);
}

TEST(RoutingObject, OneOfOtherSegmentsIsCorruption) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Sample sample = MakeSample(seed);
    std::string bytes = EncodeRouting(sample.routing);
    for (size_t s = 0; s < sample.segments.size(); ++s) {
      if (sample.segments[s].kind != SegmentKind::kCells || sample.segments[s].cell_count == 0) continue;
      auto changed = [&](auto change) {
        std::vector<SegmentInfo> segments = sample.segments;
        change(segments[s]);
        return DecodeRouting(bytes, segments).status().code();
      };
      EXPECT_EQ(changed([](SegmentInfo& i) { ++i.first_cell; }), StatusCode::kCorruption);
      EXPECT_EQ(changed([](SegmentInfo& i) { ++i.cell_count; }), StatusCode::kCorruption);
      EXPECT_EQ(changed([](SegmentInfo& i) { i.cell_count = UINT32_MAX; }), StatusCode::kCorruption);
      EXPECT_EQ(changed([](SegmentInfo& i) { ++i.first_ordinal; }), StatusCode::kCorruption);
      EXPECT_EQ(changed([](SegmentInfo& i) { ++i.rows; }), StatusCode::kCorruption);
      EXPECT_EQ(changed([](SegmentInfo& i) { ++i.entries; }), StatusCode::kCorruption);
      EXPECT_EQ(changed([](SegmentInfo& i) { --i.codes.length; }), StatusCode::kCorruption);
      EXPECT_EQ(changed([](SegmentInfo& i) { i.kind = SegmentKind::kFlat; }), StatusCode::kCorruption);
    }
  }
}

TEST(RoutingObject, ALaterFormatVersionIsUnsupported) {
  Sample sample = MakeSample(3);
  std::string bytes = EncodeRouting(sample.routing);
  uint32_t version = 2;
  std::memcpy(bytes.data() + 8, &version, sizeof(version));
  EXPECT_EQ(DecodeRouting(bytes, sample.segments).status().code(), StatusCode::kUnsupported);
  bytes[0] = 'X';
  EXPECT_EQ(DecodeRouting(bytes, sample.segments).status().code(), StatusCode::kCorruption);
}

}  // namespace
}  // namespace isotherm
