#include "engine/exact_scan.h"

#include <algorithm>
#include <cmath>

#include "base/context_check.h"
#include "base/macros.h"
#include "engine/range_reader.h"
#include "segment/cell_block.h"
#include "segment/row_codec.h"
#include "segment/row_version.h"

namespace isotherm {

namespace {

std::string At(const std::string& object, uint64_t offset) { return object + ": at " + std::to_string(offset); }

}  // namespace

Status CheckVector(const SegmentSchema& schema, std::span<const float> vector) {
  if (vector.size() != schema.dimension) {
    return Status::InvalidArgument("vector of " + std::to_string(vector.size()) +
                                   " numbers; the collection's dimension is " + std::to_string(schema.dimension));
  }
  bool zero = true;
  for (size_t i = 0; i < vector.size(); ++i) {
    if (!(std::abs(vector[i]) <= kMaxComponent)) {
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

Status ScanVectors(const ReadPath& path, const Snapshot& snapshot, uint32_t segment, std::vector<MissingPart>* missing,
                   const Context& context, const std::function<void(uint32_t, std::span<const float>)>& visit) {
  constexpr uint64_t kPartBytes = 1 << 20;  // that are lost together, where some may be
  const SegmentInfo& info = snapshot.head.segments[segment];
  uint32_t dimension = snapshot.head.schema.dimension;
  uint64_t row_bytes = VectorBytes(dimension);
  const uint64_t bytes_at_once = missing == nullptr ? path.BytesAtOnce() : std::min(path.BytesAtOnce(), kPartBytes);
  uint64_t rows_at_once = std::max<uint64_t>(1, bytes_at_once / row_bytes);
  ASSIGN_OR_RETURN(MemoryReservation memory,
                   ReserveMemory(path.memory.get(), MemoryUse::kQuery, std::min(rows_at_once, info.rows) * row_bytes));
  std::vector<float> vector(dimension);
  for (uint64_t first = 0; first < info.rows; first += rows_at_once) {
    RETURN_IF_ERROR(CheckContext(context, *path.env->clock, "scan"));
    uint64_t count = std::min(rows_at_once, info.rows - first);
    ObjectRange range{info.name, info.vectors.offset + first * row_bytes, count * row_bytes};
    RangeReads read = ReadRanges(*path.store, context, {&range, 1});
    if (!read.ranges[0].status.ok()) {
      RETURN_IF_ERROR(LeaveOut(missing, info.name, count, read.ranges[0].status));
      continue;
    }
    for (uint64_t i = 0; i < count; ++i) {
      std::string_view bytes = read.ranges[0].bytes.substr(i * row_bytes, row_bytes);
      auto ordinal = static_cast<uint32_t>(info.first_ordinal + first + i);
      std::string_view floats = bytes.substr(0, row_bytes - sizeof(uint32_t));
      uint32_t crc;
      std::memcpy(&crc, bytes.data() + floats.size(), sizeof(crc));
      if (VectorCrc(floats, ordinal) != crc) {
        Status damaged =
            Status::Corruption(At(info.name, range.offset + i * row_bytes) + ": raw vector does not match its crc32c");
        RETURN_IF_ERROR(LeaveOut(missing, info.name, 1, damaged));
        continue;
      }
      std::memcpy(vector.data(), floats.data(), floats.size());
      visit(ordinal, vector);
    }
  }
  return Status::Ok();
}

Status ScanBlocks(const ReadPath& path, const Snapshot& snapshot, uint32_t segment, ScanParts parts,
                  const Context& context, const std::function<Status(std::span<const ScannedBlock>)>& visit) {
  const SegmentSchema& schema = snapshot.head.schema;
  const uint64_t row_bytes = parts.vector ? VectorBytes(schema.dimension) : 0;
  std::vector<BlockAddress> blocks = SegmentBlocks(snapshot, segment);
  FetchOptions options;
  options.fill_cache = false;
  for (size_t begin = 0; begin < blocks.size();) {
    RETURN_IF_ERROR(CheckContext(context, *path.env->clock, "scan"));
    size_t end = begin;
    std::vector<Extent> extents;
    for (uint64_t bytes = 0; end < blocks.size() && (end == begin || bytes < parts.bytes_at_once); ++end) {
      bytes += blocks[end].extent.length + blocks[end].primary_rows * row_bytes;
      extents.push_back(blocks[end].extent);
    }
    std::vector<FetchedExtent> fetched = path.Fetch(context, extents, options, nullptr);
    std::vector<ScannedBlock> scanned;
    for (size_t b = begin; b < end; ++b) {
      const FetchedExtent& read = fetched[b - begin];
      auto view =
          read.status.ok() ? ParseBlock(read.block.bytes(), blocks[b], schema.block()) : Result<CellBlock>(read.status);
      if (view.ok()) {
        scanned.push_back({blocks[b], std::move(view).value()});
      } else {
        RETURN_IF_ERROR(LeaveOut(parts.missing, blocks[b].extent.object, blocks[b].primary_rows, view.status()));
      }
    }
    RETURN_IF_ERROR(visit(scanned));
    begin = end;
  }
  return Status::Ok();
}

void AddressedRows::Add(const SegmentInfo& segment, const ScannedBlock& block, uint32_t row, uint64_t document) {
  RowAttributes attributes = block.view.attributes(row);
  addresses.push_back(
      {&segment, {block.address.first_ordinal + row, {document, block.view.document_length(row)}, attributes}});
  Row& added = rows.emplace_back();
  added.key = block.view.key(row);
  added.version = VersionOf(attributes, segment);
  added.expires_at_ms = attributes.expires_at_ms;
}

Status VisitRows(const ReadPath& path, const SegmentSchema& schema, AddressedRows rows, ScanParts parts,
                 const Context& context, const std::function<Status(size_t, Row)>& visit) {
  const uint64_t row_bytes = parts.vector ? VectorBytes(schema.dimension) : 0;
  const RowParts wanted{parts.vector, parts.document, false, parts.charged};
  for (size_t begin = 0; begin < rows.rows.size();) {
    size_t end = begin;
    for (uint64_t bytes = 0; end < rows.rows.size() && (end == begin || bytes < parts.bytes_at_once); ++end) {
      bytes += row_bytes + (parts.document ? rows.addresses[end].location.document.length : 0);
    }
    std::span<Row> some = std::span(rows.rows).subspan(begin, end - begin);
    std::vector<bool> there;
    RETURN_IF_ERROR(ReadRowsOrLeaveOut(path, schema, std::span(rows.addresses).subspan(begin, end - begin), wanted,
                                       context, some, parts.missing, there));
    for (size_t i = begin; i < end; ++i) {
      if (there[i - begin]) RETURN_IF_ERROR(visit(i, std::move(rows.rows[i])));
    }
    begin = end;
  }
  return Status::Ok();
}

Status ScanSegment(const ReadPath& path, const Snapshot& snapshot, uint32_t segment, ScanParts parts,
                   const Context& context, const std::function<Status(uint32_t, Row)>& visit) {
  const SegmentInfo& info = snapshot.head.segments[segment];
  auto visit_blocks = [&](std::span<const ScannedBlock> blocks) {
    AddressedRows rows;
    for (const ScannedBlock& block : blocks) {
      uint64_t document = block.view.primary_rows() > 0 ? block.view.document(0).offset : 0;
      for (uint32_t row = 0; row < block.view.primary_rows(); ++row) {
        rows.Add(info, block, row, document);
        document += block.view.document_length(row);
      }
    }
    std::vector<uint32_t> ordinals;
    for (const RowAddress& address : rows.addresses) ordinals.push_back(address.location.ordinal);
    return VisitRows(path, snapshot.head.schema, std::move(rows), parts, context,
                     [&](size_t i, Row row) { return visit(ordinals[i], std::move(row)); });
  };
  return ScanBlocks(path, snapshot, segment, parts, context, visit_blocks);
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
