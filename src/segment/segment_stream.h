// Writes a segment from rows that come one after the other, section by section: what is held in memory is a block and
// the pages of the keys.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "isotherm/status.h"
#include "segment/cell_block.h"
#include "segment/key_pages.h"
#include "segment/segment_info.h"
#include "segment/segment_schema.h"

namespace isotherm {

using ByteSink = std::function<Status(std::string_view)>;

// Sees what will be looked for as soon as the segment is there, as it is written. Either may be empty.
struct SegmentVisitor {
  std::function<void(std::string_view bytes)> block;  // each block of codes
  std::function<void(std::string_view pages, std::string_view filter)> keys;
};

// What must be known before the first byte.
struct SegmentShape {
  std::string name;
  SegmentKind kind = SegmentKind::kFlat;
  uint32_t first_ordinal = 0;
  uint32_t first_cell = 0;
  KeyTotals keys;  // of its rows, which are as many
};

// To be called in this order: AddBlock for every block, AddVector for every row, AddDocument for every row, Finish.
// After a failure nothing more may be called.
class SegmentStream {
 public:
  // `schema` must stay valid.
  SegmentStream(const SegmentSchema& schema, SegmentShape shape, ByteSink sink, SegmentVisitor visitor = {});

  // Begins the object.
  Status Begin();
  // `rows`: as EncodeCellBlock takes them. The primary ones are rows of this segment, by ordinal through all blocks.
  Status AddBlock(std::span<const BlockRow> rows, uint32_t primary_rows, std::span<const float> centroid);
  // As it was inserted.
  Status AddVector(std::span<const float> vector);
  // As EncodeDocument made it; empty for a row without one.
  Status AddDocument(std::string_view document);
  // The info has `blocks` set, also for cells.
  Result<SegmentInfo> Finish();

 private:
  Status Append(std::string_view bytes);
  Status Flush();
  // Ends the section in hand and begins the next one at an aligned place.
  Status BeginSection(Section& section);
  void EndSection();
  Status WriteTail();

  const SegmentSchema& schema_;
  const ByteSink sink_;
  const SegmentVisitor visitor_;
  SegmentInfo info_;
  KeyPageBuilder key_pages_;
  std::string filter_;
  std::string buffer_;
  uint64_t offset_ = 0;
  Section* section_ = nullptr;  // the one in hand
  uint32_t vectors_ = 0;
  uint32_t expected_rows_ = 0;
};

}  // namespace isotherm
