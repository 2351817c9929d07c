// Going through all raw vectors and all rows of a segment, in large sequential reads that fill no cache.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "engine/key_lookup.h"
#include "engine/missing_parts.h"
#include "engine/snapshot.h"
#include "isotherm/context.h"
#include "isotherm/row.h"

namespace isotherm {

// Dimension, finite, within the range in which squares stay finite, and for kCosine not all zero; else InvalidArgument.
Status CheckVector(const SegmentSchema& schema, std::span<const float> vector);

// Calls `visit` for every row of the segment in order of ordinals. `missing`: see missing_parts.h.
Status ScanVectors(const ReadPath& path, const Snapshot& snapshot, uint32_t segment, std::vector<MissingPart>* missing,
                   const Context& context,
                   const std::function<void(uint32_t ordinal, std::span<const float> vector)>& visit);

struct ScanParts {
  bool vector = true;
  bool document = true;
  uint64_t bytes_at_once = 16 << 20;  // of blocks, and of vectors and documents, read in one wave each
  bool charged = false;               // rows, to the memory budget; blocks always are
  std::vector<MissingPart>* missing = nullptr;
};
// Calls `visit` for every row of the segment in order of ordinals; a bad Status from it ends the scan.
Status ScanSegment(const ReadPath& path, const Snapshot& snapshot, uint32_t segment, ScanParts parts,
                   const Context& context, const std::function<Status(uint32_t ordinal, Row)>& visit);

// The same, block by block, a few at a time.
struct ScannedBlock {
  BlockAddress address;
  CellBlock view;
};
Status ScanBlocks(const ReadPath& path, const Snapshot& snapshot, uint32_t segment, ScanParts parts,
                  const Context& context, const std::function<Status(std::span<const ScannedBlock>)>& visit);

// Some rows, by their keys and addresses.
struct AddressedRows {
  std::vector<RowAddress> addresses;
  std::vector<Row> rows;  // with key, version and expiry

  // The primary row `row` of a block; documents of primary rows follow each other from `document` on.
  void Add(const SegmentInfo& segment, const ScannedBlock& block, uint32_t row, uint64_t document);
};
// Reads the parts of all rows, a few at a time, and gives each that could be read to `visit` once, in order.
Status VisitRows(const ReadPath& path, const SegmentSchema& schema, AddressedRows rows, ScanParts parts,
                 const Context& context, const std::function<Status(size_t index, Row)>& visit);

// The block that holds the row as a primary one.
BlockAddress PrimaryBlock(const Snapshot& snapshot, uint32_t segment, uint32_t ordinal);

}  // namespace isotherm
