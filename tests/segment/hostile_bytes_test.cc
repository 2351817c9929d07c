// Bytes that were made to do harm: a decoder may say no, but not step outside of them, nor ask for more memory than a
// small multiple of what it was given.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "segment/cell_block.h"
#include "segment/key_pages.h"
#include "segment/routing_object.h"
#include "segment/row_codec.h"
#include "segment/segment_tail.h"
#include "segment/segment_writer.h"
#include "tests/segment/random_rows.h"

namespace {

thread_local size_t largest_allocation = 0;

}  // namespace

void* operator new(size_t bytes) {
  largest_allocation = std::max(largest_allocation, bytes);
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace isotherm {
namespace {

constexpr uint32_t kDimension = 4;
constexpr size_t kBytesPerByte = 200;  // a metadata value of two bytes is a map's node with a name and a variant

const SegmentSchema kSchema{kDimension, Metric::kL2, KeyType::kString, {"colour", "weight"}};

// Runs `decode` on bytes in a buffer of exactly their size.
template <typename Decode>
void ExpectBounded(std::string_view bytes, const Decode& decode) {
  auto exact = std::make_unique<char[]>(bytes.size() + 1);
  if (!bytes.empty()) std::memcpy(exact.get(), bytes.data(), bytes.size());
  largest_allocation = 0;
  decode(std::string_view(exact.get(), bytes.size()));
  EXPECT_LE(largest_allocation, 4096 + kBytesPerByte * bytes.size());
}

void DecodeEverything(std::string_view bytes) {
  Decoder value(bytes);
  GetValue(value);
  Decoder metadata(bytes);
  GetMetadata(metadata);
  Decoder row(bytes);
  GetRow(row, KeyType::kString, kMaxDimension);
  Decoder blocks(bytes);
  GetBlockInfos(blocks);
  Decoder info(bytes);
  GetSegmentInfo(info, kDimension);
  Decoder schema(bytes);
  GetSchema(schema);
  for (uint32_t rows : {0U, 3U, UINT32_MAX}) {
    Decoder columns(bytes);
    FilterColumns::Decode(columns, 2, rows);
  }
  SegmentSchema read;
  EXPECT_FALSE(ParseTail(bytes, &read).ok());
  EXPECT_FALSE(DecodeRouting(bytes, {}).ok());
  EXPECT_FALSE(FindInKeyPage(bytes, "key").ok());
  KeyFilter::MayContain(bytes, 7);
  Row document;
  EXPECT_EQ(DecodeDocument(bytes, document).ok(), bytes.empty());
  EXPECT_FALSE(CellBlock::Parse(bytes, kSchema.block()).ok());
}

TEST(HostileBytes, LengthsOfFourThousandMillionAllocateNothingOfThatSize) {
  for (uint8_t fill : {0xff, 0x7f, 0x05, 0x04, 0x00, 0x01}) {
    for (size_t size : {0, 1, 4, 5, 8, 17, 64, 100, 4096}) {
      ExpectBounded(std::string(size, static_cast<char>(fill)), DecodeEverything);
    }
  }
}

TEST(HostileBytes, RandomBytes) {
  SplitMix64 random(1);
  for (int i = 0; i < 3000; ++i) {
    std::string bytes(random.Below(300), '\0');
    for (char& c : bytes) c = static_cast<char>(random.Below(4) == 0 ? random.Below(256) : random.Below(6));
    ExpectBounded(bytes, DecodeEverything);
  }
}

// Changes some bytes of something good; half of the changes are to the ends of the range, which lengths dislike most.
std::string Damage(std::string bytes, SplitMix64& random) {
  for (uint64_t changes = 1 + random.Below(3); changes > 0; --changes) {
    char to = random.Below(2) == 0 ? static_cast<char>(random.Below(256)) : '\xff';
    bytes[random.Below(bytes.size())] = to;
  }
  if (random.Below(4) == 0) bytes.resize(random.Below(bytes.size() + 1));
  return bytes;
}

TEST(HostileBytes, DamagedBlocksAreReadWithinTheirBounds) {
  RandomRows random(2, kDimension, KeyType::kString);
  std::vector<Row> rows = random.NextRows(6);
  std::vector<BlockRow> block_rows;
  for (const Row& row : rows) block_rows.push_back({&row.key, &row.metadata, row.vector.data(), 0, {}, {}});
  std::string good = EncodeCellBlock(kSchema.block(), block_rows, 4, rows[0].vector, true);
  for (int i = 0; i < 20000; ++i) {
    ExpectBounded(Damage(good, random.random()), [](std::string_view bytes) {
      auto block = CellBlock::Parse(bytes, kSchema.block());
      if (!block.ok()) return;
      for (uint32_t row = 0; row < block->rows(); ++row) {
        block->key(row);
        block->document(row);
        block->columns().Row(kSchema.filter_columns, row);
      }
    });
  }
}

TEST(HostileBytes, DamagedRowsAndSegmentInfosAreReadWithinTheirBounds) {
  RandomRows random(3, kDimension, KeyType::kString);
  std::string row;
  PutRow(row, random.NextRow());
  std::vector<Row> rows = random.NextRows(3);
  auto info = WriteFlatSegment(kSchema, "s", PointersTo(rows), [](std::string_view) { return Status::Ok(); });
  ASSERT_TRUE(info.ok());
  std::string segment;
  PutSegmentInfo(segment, *info);
  for (int i = 0; i < 20000; ++i) {
    ExpectBounded(Damage(row, random.random()), [](std::string_view bytes) {
      Decoder in(bytes);
      GetRow(in, KeyType::kString, kDimension);
    });
    ExpectBounded(Damage(segment, random.random()), [](std::string_view bytes) {
      Decoder in(bytes);
      SegmentInfo read = GetSegmentInfo(in, kDimension);
      if (in.ok()) {
        EXPECT_LE(read.vectors.offset + read.vectors.length, read.bytes);
      }
    });
  }
}

TEST(HostileBytes, DamagedRoutingObjectsAreReadWithinTheirBounds) {
  Routing routing;
  routing.dimension = kDimension;
  SegmentInfo segment;
  segment.kind = SegmentKind::kCells;
  segment.cell_count = 5;
  for (uint32_t i = 0; i < 5; ++i) {
    routing.blocks.push_back({100, 4, 3, i});
    routing.scales.push_back(1);
    routing.codes.insert(routing.codes.end(), kDimension, static_cast<int8_t>(i));
    segment.codes.length += 100;
    segment.rows += 3;
    segment.entries += 4;
  }
  std::string good = EncodeRouting(routing);
  ASSERT_TRUE(DecodeRouting(good, {&segment, 1}).ok());
  SplitMix64 random(4);
  for (int i = 0; i < 20000; ++i) {
    ExpectBounded(Damage(good, random), [&](std::string_view bytes) {
      auto read = DecodeRouting(bytes, {&segment, 1});
      if (read.ok()) {
        EXPECT_EQ(read->centroids.size(), size_t{5} * kDimension);
      }
    });
  }
}

}  // namespace
}  // namespace isotherm
