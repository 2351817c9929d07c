#include "segment/segment_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/macros.h"
#include "quant/residual8.h"
#include "segment/key_pages.h"
#include "segment/row_codec.h"
#include "segment/segment_tail.h"
#include "tests/segment/random_rows.h"

namespace isotherm {
namespace {

constexpr uint32_t kDimension = 6;

SegmentSchema Schema(KeyType type, Metric metric = Metric::kL2) { return {kDimension, metric, type, {"colour"}}; }

// An object that a segment is written to.
struct Object {
  std::string bytes;
  ByteSink sink = [this](std::string_view more) {
    bytes += more;
    return Status::Ok();
  };
  std::string_view At(const Section& section) const {
    return std::string_view(bytes).substr(section.offset, section.length);
  }
};

SegmentInfo WriteFlat(const SegmentSchema& schema, const std::vector<Row>& rows, Object& object) {
  auto info = WriteFlatSegment(schema, "segment-x", PointersTo(rows), object.sink);
  EXPECT_TRUE(info.ok()) << info.status();
  return std::move(info).value();
}

// Everything that a segment says of its primary rows, against the rows in the order of their ordinals.
void ExpectRows(const SegmentSchema& schema, const SegmentInfo& info, const Object& object, std::span<const Row> rows) {
  ASSERT_EQ(info.rows, rows.size());
  uint64_t offset = info.codes.offset;
  uint32_t ordinal = info.first_ordinal;
  for (const BlockInfo& block : info.blocks) {
    std::string_view bytes = std::string_view(object.bytes).substr(offset, block.length);
    offset += block.length;
    EXPECT_EQ(Crc32c(bytes), block.crc32c);
    std::string aligned(bytes);
    auto view = CellBlock::Parse(aligned, schema.block());
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_EQ(view->rows(), block.rows);
    ASSERT_EQ(view->primary_rows(), block.primary_rows);
    for (uint32_t i = 0; i < view->primary_rows(); ++i, ++ordinal) {
      const Row& row = rows[ordinal - info.first_ordinal];
      EXPECT_EQ(view->key(i), row.key);
      EXPECT_EQ(view->ordinal(i), ordinal);
      std::string_view vector = object.At(info.VectorOf(ordinal, kDimension));
      EXPECT_EQ(std::memcmp(vector.data(), row.vector.data(), kDimension * sizeof(float)), 0);
      uint32_t crc;
      std::memcpy(&crc, vector.data() + kDimension * sizeof(float), sizeof(crc));
      EXPECT_EQ(crc, VectorCrc(vector.substr(0, kDimension * sizeof(float)), ordinal));
      DocumentRef document = view->document(i);
      Row decoded;
      std::string_view stored = object.At(info.documents).substr(document.offset, document.length);
      ASSERT_TRUE(DecodeDocument(stored, decoded).ok());
      EXPECT_EQ(decoded.metadata, row.metadata);
      EXPECT_EQ(decoded.payload, row.payload);
    }
  }
  EXPECT_EQ(offset, info.codes.offset + info.codes.length);
  EXPECT_EQ(ordinal, info.first_ordinal + rows.size());
  std::string_view filter = object.At(info.filter);
  EXPECT_EQ(Crc32c(filter), info.filter_crc32c);
  for (const Row& row : rows) EXPECT_TRUE(KeyFilter::MayContain(filter, HashKey(row.key)));
}

void ExpectKeys(const SegmentInfo& info, const Object& object, std::span<const Row> rows) {
  for (const Row& row : rows) {
    uint32_t page = KeyPageOf(HashKey(row.key), info.key_pages());
    std::optional<KeyLocation> found;
    for (bool further = true; further; page = (page + 1) % info.key_pages()) {
      auto lookup = FindInKeyPage(object.At(info.keys).substr(size_t{page} * kKeyPageBytes, kKeyPageBytes), row.key);
      ASSERT_TRUE(lookup.ok()) << lookup.status();
      found = lookup->found;
      further = lookup->look_further;
    }
    ASSERT_TRUE(found);
    EXPECT_EQ(found->ordinal - info.first_ordinal, static_cast<uint32_t>(&row - rows.data()));
    Row decoded;
    std::string_view stored = object.At(info.documents).substr(found->document.offset, found->document.length);
    ASSERT_TRUE(DecodeDocument(stored, decoded).ok());
    EXPECT_EQ(decoded.payload, row.payload);
  }
}

void ExpectSameInfo(const SegmentInfo& a, const SegmentInfo& b) {
  std::string bytes_a;
  std::string bytes_b;
  PutSegmentInfo(bytes_a, a);
  PutSegmentInfo(bytes_b, b);
  EXPECT_EQ(bytes_a, bytes_b);
}

TEST(SegmentWriter, AFlatSegmentHoldsItsRows) {
  for (KeyType type : {KeyType::kInteger, KeyType::kString}) {
    for (size_t count : {1, 2, 17, 500}) {
      RandomRows random(count, kDimension, type);
      std::vector<Row> rows = random.NextRows(count, 200);
      Object object;
      SegmentInfo info = WriteFlat(Schema(type), rows, object);
      EXPECT_EQ(info.kind, SegmentKind::kFlat);
      EXPECT_EQ(info.bytes, object.bytes.size());
      EXPECT_EQ(info.entries, count);
      ExpectRows(Schema(type), info, object, rows);
      ExpectKeys(info, object, rows);
    }
  }
}

TEST(SegmentWriter, ALargeFlatSegmentIsMadeOfSeveralBlocks) {
  RandomRows random(1, kDimension, KeyType::kInteger);
  std::vector<Row> rows = random.NextRows(20000);
  Object object;
  SegmentInfo info = WriteFlat(Schema(KeyType::kInteger), rows, object);
  EXPECT_GT(info.blocks.size(), 1U);
  ExpectRows(Schema(KeyType::kInteger), info, object, rows);
}

TEST(SegmentWriter, SectionsAreAlignedInOrderAndPaddedWithZeros) {
  RandomRows random(2, kDimension, KeyType::kString);
  Object object;
  SegmentInfo info = WriteFlat(Schema(KeyType::kString), random.NextRows(100), object);
  uint64_t end = EncodeSegmentHeader(Schema(KeyType::kString)).size();
  EXPECT_EQ(object.bytes.substr(0, end), EncodeSegmentHeader(Schema(KeyType::kString)));
  for (const Section* section : {&info.codes, &info.vectors, &info.documents, &info.keys, &info.filter, &info.tail}) {
    EXPECT_EQ(section->offset % kSectionAlignment, 0U);
    ASSERT_GE(section->offset, end);
    EXPECT_LT(section->offset - end, kSectionAlignment);
    EXPECT_EQ(object.bytes.substr(end, section->offset - end), std::string(section->offset - end, '\0'));
    end = section->offset + section->length;
  }
  EXPECT_EQ(end, object.bytes.size());
}

// Two segments of one partition, with second copies of rows of either in both.
struct CellSegments {
  struct Cell {
    std::vector<uint32_t> ordinals;
    uint32_t primary_rows = 0;
  };
  struct Plan {
    SegmentShape shape;
    std::vector<Cell> cells;
  };
  std::vector<Row> rows;
  std::vector<DocumentRef> places;
  std::vector<Plan> plans;
  std::vector<float> centroid = std::vector<float>(kDimension, 0.25F);
  bool with_codes = false;  // every other row's code is at hand already

  std::span<const Row> RowsOf(const Plan& plan) const {
    size_t count = 0;
    for (const Cell& cell : plan.cells) count += cell.primary_rows;
    return {rows.data() + plan.shape.first_ordinal, count};
  }
};

CellSegments MakeCells(RandomRows& random, uint32_t cells, uint32_t cells_in_first) {
  CellSegments made;
  uint32_t rows = cells * 9;
  made.rows = random.NextRows(rows);
  uint64_t document = 0;
  for (uint32_t cell = 0; cell < cells; ++cell) {
    auto ordinal = static_cast<uint32_t>(made.places.size());
    if (cell == 0 || cell == cells_in_first) {
      made.plans.push_back({{"segment-" + std::to_string(cell), SegmentKind::kCells, ordinal, cell, {}}, {}});
      document = 0;
    }
    CellSegments::Cell block{{}, cell % 3 == 2 ? 0U : cell % 3 == 1 ? 18U : 9U};
    if (cell + 1 == cells) block.primary_rows = rows - ordinal;
    for (uint32_t i = 0; i < block.primary_rows; ++i) {
      const Row& row = made.rows[ordinal];
      made.plans.back().shape.keys.Add(row.key, {});
      made.places.push_back({document, static_cast<uint32_t>(EncodeDocument(row).size())});
      document += made.places.back().length;
      block.ordinals.push_back(ordinal++);
    }
    for (int i = 0; i < 5; ++i) block.ordinals.push_back(static_cast<uint32_t>(random.random().Below(rows)));
    made.plans.back().cells.push_back(std::move(block));
  }
  return made;
}

Result<SegmentInfo> Write(const SegmentSchema& schema, const CellSegments& made, const CellSegments::Plan& plan,
                          const ByteSink& sink) {
  SegmentStream stream(schema, plan.shape, sink);
  RETURN_IF_ERROR(stream.Begin());
  for (const CellSegments::Cell& cell : plan.cells) {
    std::vector<BlockRow> block;
    std::vector<std::vector<int8_t>> codes(cell.ordinals.size(), std::vector<int8_t>(kDimension));
    for (size_t i = 0; i < cell.ordinals.size(); ++i) {
      uint32_t ordinal = cell.ordinals[i];
      const Row& row = made.rows[ordinal];
      BlockRow& out = block.emplace_back();
      out = {&row.key, &row.metadata, row.vector.data(), ordinal, made.places[ordinal], {}};
      if (!made.with_codes || i % 2 == 0) continue;
      out.factors = EncodeResidual8(row.vector, made.centroid, codes[i].data());
      out.vector = nullptr;
      out.code = codes[i].data();
    }
    RETURN_IF_ERROR(stream.AddBlock(block, cell.primary_rows, made.centroid));
  }
  for (const Row& row : made.RowsOf(plan)) RETURN_IF_ERROR(stream.AddVector(row.vector));
  for (const Row& row : made.RowsOf(plan)) RETURN_IF_ERROR(stream.AddDocument(EncodeDocument(row)));
  return stream.Finish();
}

TEST(SegmentStream, SegmentsOfCellsHoldTheirRowsAndNameThoseOfOthers) {
  for (KeyType type : {KeyType::kInteger, KeyType::kString}) {
    RandomRows random(3, kDimension, type);
    CellSegments made = MakeCells(random, 12, 5);
    for (const CellSegments::Plan& plan : made.plans) {
      Object object;
      auto info = Write(Schema(type), made, plan, object.sink);
      ASSERT_TRUE(info.ok()) << info.status();
      EXPECT_EQ(info->bytes, object.bytes.size());
      EXPECT_EQ(info->cell_count, plan.cells.size());
      EXPECT_EQ(info->first_cell, plan.shape.first_cell);
      ExpectRows(Schema(type), *info, object, made.RowsOf(plan));
      ExpectKeys(*info, object, made.RowsOf(plan));
      for (size_t b = 0, offset = info->codes.offset; b < plan.cells.size(); offset += info->blocks[b++].length) {
        std::string bytes = object.bytes.substr(offset, info->blocks[b].length);
        auto view = CellBlock::Parse(bytes, Schema(type).block());
        ASSERT_TRUE(view.ok()) << view.status();
        for (uint32_t i = 0; i < view->rows(); ++i) {
          uint32_t ordinal = plan.cells[b].ordinals[i];
          EXPECT_EQ(view->ordinal(i), ordinal);
          EXPECT_EQ(view->key(i), made.rows[ordinal].key);
          EXPECT_EQ(view->document(i).offset, made.places[ordinal].offset);
        }
      }
    }
  }
}

TEST(SegmentStream, CodesThatAreAtHandGiveTheSameBytes) {
  RandomRows random(8, kDimension, KeyType::kInteger);
  CellSegments made = MakeCells(random, 6, 3);
  Object computed;
  ASSERT_TRUE(Write(Schema(KeyType::kInteger), made, made.plans[1], computed.sink).ok());
  made.with_codes = true;
  Object given;
  ASSERT_TRUE(Write(Schema(KeyType::kInteger), made, made.plans[1], given.sink).ok());
  EXPECT_EQ(given.bytes, computed.bytes);
}

TEST(SegmentStream, MoreOrFewerRowsThanWereToldOfAreRefused) {
  RandomRows random(9, kDimension, KeyType::kInteger);
  CellSegments made = MakeCells(random, 6, 6);
  CellSegments::Plan short_of_one = made.plans[0];
  ++short_of_one.shape.keys.keys;
  Object object;
  EXPECT_EQ(Write(Schema(KeyType::kInteger), made, short_of_one, object.sink).status().code(), StatusCode::kInternal);
  SegmentSchema schema = Schema(KeyType::kInteger);
  SegmentStream stream(schema, made.plans[0].shape, object.sink);
  ASSERT_TRUE(stream.Begin().ok());
  EXPECT_EQ(stream.Finish().status().code(), StatusCode::kInternal);
}

TEST(SegmentTail, IsFoundFromTheEndAloneAndTellsWhatTheHeadIsTold) {
  RandomRows random(4, kDimension, KeyType::kString);
  CellSegments made = MakeCells(random, 7, 7);
  SegmentSchema schema = Schema(KeyType::kString, Metric::kInnerProduct);
  Object object;
  auto info = Write(schema, made, made.plans[0], object.sink);
  ASSERT_TRUE(info.ok()) << info.status();
  Decoder footer(std::string_view(object.bytes).substr(object.bytes.size() - 32));
  auto offset = footer.Fixed<uint64_t>();
  EXPECT_EQ(offset, info->tail.offset);
  SegmentSchema read;
  auto tail = ParseTail(std::string_view(object.bytes).substr(offset), &read);
  ASSERT_TRUE(tail.ok()) << tail.status();
  ExpectSameInfo(*tail, *info);
  EXPECT_EQ(read.dimension, schema.dimension);
  EXPECT_EQ(read.metric, schema.metric);
  EXPECT_EQ(read.key_type, schema.key_type);
  EXPECT_EQ(read.filter_columns, schema.filter_columns);
}

TEST(SegmentTail, AnyFlippedBitAndAnyCutIsCorruption) {
  RandomRows random(5, kDimension, KeyType::kInteger);
  Object object;
  SegmentInfo info = WriteFlat(Schema(KeyType::kInteger), random.NextRows(20), object);
  std::string tail(object.At(info.tail));
  SegmentSchema schema;
  for (size_t bit = 0; bit < tail.size() * 8; ++bit) {
    std::string damaged = tail;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(ParseTail(damaged, &schema).status().code(), StatusCode::kCorruption) << bit;
  }
  for (size_t length = 0; length < tail.size(); ++length) {
    EXPECT_EQ(ParseTail(tail.substr(0, length), &schema).status().code(), StatusCode::kCorruption) << length;
    EXPECT_EQ(ParseTail(tail.substr(tail.size() - length), &schema).status().code(), StatusCode::kCorruption) << length;
  }
}

// A tail with one byte of its footer changed, and the checksum that goes with it.
Status ParseWithFooterByte(size_t at, char value) {
  RandomRows random(6, kDimension, KeyType::kInteger);
  Object object;
  SegmentInfo info = WriteFlat(Schema(KeyType::kInteger), random.NextRows(20), object);
  std::string tail(object.At(info.tail));
  size_t footer = tail.size() - 32;
  tail[footer + at] = value;
  uint32_t crc = Crc32c(std::string_view(tail).substr(0, footer + 20));
  std::memcpy(tail.data() + footer + 20, &crc, sizeof(crc));
  SegmentSchema schema;
  return ParseTail(tail, &schema).status();
}

// Its sections would lie outside of it.
TEST(SegmentTail, ThatSaysItLiesElsewhereIsCorruption) {
  EXPECT_EQ(ParseWithFooterByte(0, 1).code(), StatusCode::kCorruption);
  EXPECT_EQ(ParseWithFooterByte(7, '\xff').code(), StatusCode::kCorruption);
  EXPECT_EQ(ParseWithFooterByte(8, 1).code(), StatusCode::kCorruption);
}

TEST(SegmentTail, ALaterFormatVersionIsUnsupportedAndNamed) {
  Status status = ParseWithFooterByte(16, 7);
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_THAT(status.message(), testing::HasSubstr("version 7"));
}

TEST(SegmentWriter, ASinkThatFailsEndsTheWriting) {
  RandomRows random(7, kDimension, KeyType::kInteger);
  std::vector<Row> rows = random.NextRows(3000);
  for (Row& row : rows) row.payload.assign(2000, 'p');
  int appends = 0;
  ByteSink count = [&](std::string_view) {
    ++appends;
    return Status::Ok();
  };
  ASSERT_TRUE(WriteFlatSegment(Schema(KeyType::kInteger), "s", PointersTo(rows), count).ok());
  ASSERT_GT(appends, 3);
  for (int failing = 0; failing < appends; ++failing) {
    int at = 0;
    auto written = WriteFlatSegment(Schema(KeyType::kInteger), "s", PointersTo(rows), [&](std::string_view) {
      return at++ == failing ? Status::ResourceExhausted("full") : Status::Ok();
    });
    EXPECT_EQ(written.status().code(), StatusCode::kResourceExhausted);
    EXPECT_EQ(at, failing + 1) << "appends went on after the failure";
  }
}

TEST(SearchVectors, AreOfLengthOneForCosineWhateverTheirLengthWas) {
  for (float size : {1e-45F, 1e-30F, 1.0F, 1e16F}) {
    std::vector<float> vector = SearchVector(std::vector<float>{size, 0, size}, Metric::kCosine);
    EXPECT_NEAR(vector[0], std::sqrt(0.5), 1e-6) << size;
    EXPECT_NEAR(vector[2], std::sqrt(0.5), 1e-6) << size;
  }
  EXPECT_EQ(SearchVector(std::vector<float>{3, 4}, Metric::kL2), (std::vector<float>{3, 4}));
}

}  // namespace
}  // namespace isotherm
