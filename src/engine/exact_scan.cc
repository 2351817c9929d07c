#include "engine/exact_scan.h"

#include <algorithm>
#include <cmath>

#include "base/context_check.h"
#include "base/macros.h"
#include "engine/key_lookup.h"
#include "engine/range_reader.h"
#include "segment/cell_block.h"
#include "segment/row_codec.h"

namespace isotherm {

namespace {

constexpr uint64_t kBytesAtOnce = 16 << 20;
// The square of this times the largest dimension is a float still.
constexpr float kLargestComponent = 1e16F;

std::string At(const std::string& object, uint64_t offset) { return object + ": at " + std::to_string(offset); }

}  // namespace

Status CheckVector(const SegmentSchema& schema, std::span<const float> vector) {
  if (vector.size() != schema.dimension) {
    return Status::InvalidArgument("vector of " + std::to_string(vector.size()) +
                                   " numbers; the collection's dimension is " + std::to_string(schema.dimension));
  }
  bool zero = true;
  for (size_t i = 0; i < vector.size(); ++i) {
    if (!(std::abs(vector[i]) <= kLargestComponent)) {
      return Status::InvalidArgument("component " + std::to_string(i) + " of the vector is " +
                                     std::to_string(vector[i]) + "; finite numbers of at most 1e16 are wanted");
    }
    zero = zero && vector[i] == 0;
  }
  if (zero && schema.metric == Metric::kCosine) {
    return Status::InvalidArgument("the vector is all zeros; under the cosine metric it needs a direction");
  }
  return Status::Ok();
}

Status ScanVectors(const ReadPath& path, const Snapshot& snapshot, uint32_t segment, const Context& context,
                   const std::function<void(uint32_t, std::span<const float>)>& visit) {
  const SegmentInfo& info = snapshot.head.segments[segment];
  uint32_t dimension = snapshot.head.schema.dimension;
  uint64_t row_bytes = VectorBytes(dimension);
  uint64_t rows_at_once = std::max<uint64_t>(1, kBytesAtOnce / row_bytes);
  std::vector<float> vector(dimension);
  for (uint64_t first = 0; first < info.rows; first += rows_at_once) {
    RETURN_IF_ERROR(CheckContext(context, *path.env->clock, "scan"));
    uint64_t count = std::min(rows_at_once, info.rows - first);
    ObjectRange range{info.name, info.vectors.offset + first * row_bytes, count * row_bytes};
    RangeReads read = ReadRanges(*path.store, context, {&range, 1});
    RETURN_IF_ERROR(read.ranges[0].status);
    for (uint64_t i = 0; i < count; ++i) {
      std::string_view bytes = read.ranges[0].bytes.substr(i * row_bytes, row_bytes);
      auto ordinal = static_cast<uint32_t>(info.first_ordinal + first + i);
      std::string_view floats = bytes.substr(0, row_bytes - sizeof(uint32_t));
      uint32_t crc;
      std::memcpy(&crc, bytes.data() + floats.size(), sizeof(crc));
      if (VectorCrc(floats, ordinal) != crc) {
        return Status::Corruption(At(info.name, range.offset + i * row_bytes) +
                                  ": raw vector does not match its crc32c");
      }
      std::memcpy(vector.data(), floats.data(), floats.size());
      visit(ordinal, vector);
    }
  }
  return Status::Ok();
}

namespace {

// The primary rows of some consecutive blocks of a segment.
Status VisitBlocks(const ReadPath& path, const Snapshot& snapshot, std::span<const BlockAddress> blocks,
                   ScanParts parts, const Context& context, const std::function<Status(uint32_t, Row)>& visit) {
  const SegmentSchema& schema = snapshot.head.schema;
  const SegmentInfo& info = snapshot.head.segments[blocks.front().segment];
  std::vector<Extent> extents;
  for (const BlockAddress& block : blocks) extents.push_back(block.extent);
  FetchOptions options;
  options.fill_cache = false;
  std::vector<FetchedExtent> fetched = path.Fetch(context, extents, options, nullptr);
  std::vector<RowAddress> addresses;
  std::vector<Row> rows;
  for (size_t b = 0; b < blocks.size(); ++b) {
    RETURN_IF_ERROR(fetched[b].status);
    ASSIGN_OR_RETURN(CellBlock view, ParseBlock(fetched[b].block.bytes(), blocks[b], schema.block()));
    uint64_t document = view.primary_rows() > 0 ? view.document(0).offset : 0;
    for (uint32_t row = 0; row < view.primary_rows(); ++row) {
      uint32_t length = view.document_length(row);
      RowAttributes attributes = view.attributes(row);
      addresses.push_back({&info, {blocks[b].first_ordinal + row, {document, length}, attributes}});
      document += length;
      Row& read = rows.emplace_back();
      read.key = view.key(row);
      read.version = attributes.version != 0 ? attributes.version : info.version;
      read.expires_at_ms = attributes.expires_at_ms;
    }
  }
  RETURN_IF_ERROR(ReadRows(path, schema, addresses, {parts.vector, parts.document, false}, context, rows));
  for (size_t i = 0; i < rows.size(); ++i) RETURN_IF_ERROR(visit(addresses[i].location.ordinal, std::move(rows[i])));
  return Status::Ok();
}

}  // namespace

Status ScanSegment(const ReadPath& path, const Snapshot& snapshot, uint32_t segment, ScanParts parts,
                   const Context& context, const std::function<Status(uint32_t, Row)>& visit) {
  uint64_t row_bytes = parts.vector ? VectorBytes(snapshot.head.schema.dimension) : 0;
  std::vector<BlockAddress> blocks = SegmentBlocks(snapshot, segment);
  for (size_t begin = 0; begin < blocks.size();) {
    RETURN_IF_ERROR(CheckContext(context, *path.env->clock, "scan"));
    size_t end = begin;
    for (uint64_t bytes = 0; end < blocks.size() && (end == begin || bytes < kBytesAtOnce); ++end) {
      bytes += blocks[end].extent.length + blocks[end].primary_rows * row_bytes;
    }
    RETURN_IF_ERROR(VisitBlocks(path, snapshot, {blocks.data() + begin, end - begin}, parts, context, visit));
    begin = end;
  }
  return Status::Ok();
}

BlockAddress PrimaryBlock(const Snapshot& snapshot, uint32_t segment, uint32_t ordinal) {
  // Empty blocks share their first ordinal with the next one, so the last block that begins at or before it is the one.
  std::vector<BlockAddress> blocks = SegmentBlocks(snapshot, segment);
  auto after = std::upper_bound(blocks.begin(), blocks.end(), ordinal, [](uint32_t wanted, const BlockAddress& block) {
    return wanted < block.first_ordinal;
  });
  return *(after - 1);
}

}  // namespace isotherm
