// Writes segments. Rows come in the order in which they will lie; the bytes go to a sink, so that no object has to be
// held in memory whole.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/coding.h"
#include "isotherm/row.h"
#include "isotherm/status.h"
#include "segment/cell_block.h"
#include "segment/segment_info.h"

namespace isotherm {

using ByteSink = std::function<Status(std::string_view)>;

inline constexpr uint32_t kSegmentFormatVersion = 2;  // 2 brought versions and expiries of rows
inline constexpr uint64_t kSectionAlignment = 4096;

// What rows of a collection have in common.
struct SegmentSchema {
  uint32_t dimension = 0;
  Metric metric = Metric::kL2;
  KeyType key_type = KeyType::kInteger;
  std::vector<std::string> filter_columns;

  BlockSchema block() const { return {dimension, key_type, filter_columns}; }
};

void PutSchema(std::string& out, const SegmentSchema& schema);
// Fails the decoder on a dimension, metric or type of keys that there is not.
SegmentSchema GetSchema(Decoder& in);
// What a segment begins with: magic number, format version, schema.
std::string EncodeSegmentHeader(const SegmentSchema& schema, uint32_t format_version = kSegmentFormatVersion);
// Whether a segment of that schema may begin so, in any format version that can be read.
bool IsSegmentHeader(std::string_view bytes, const SegmentSchema& schema);

// One row in the order of its segment. Pointers must stay valid while the segment is written. The row's version and
// expiry are stored where they are not zero.
struct SegmentRow {
  const Row* row = nullptr;
  const float* search_vector = nullptr;  // what codes are made of: for kCosine brought to length one
};

// A block to be written: indexes into the partition's rows (ordinals), primary ones first and consecutive.
struct BlockPlan {
  std::vector<uint32_t> ordinals;
  uint32_t primary_rows = 0;
  std::span<const float> centroid;
};

struct SegmentPlan {
  std::string name;
  SegmentKind kind = SegmentKind::kFlat;
  uint32_t first_ordinal = 0;  // of its primary rows
  uint32_t rows = 0;           // primary rows
  uint32_t first_cell = 0;
  std::vector<BlockPlan> blocks;
};

// Where each row's document will lie: in its own segment, relative to the documents section. rows[i] has ordinal i.
std::vector<DocumentRef> PlaceDocuments(std::span<const std::string> documents, std::span<const SegmentPlan> segments);

// Writes one of the segments of `rows` (all rows of the partition, by ordinal: second copies may belong to other
// segments). `documents` and `places` are parallel to rows. The returned info has `blocks` set, also for cells.
Result<SegmentInfo> WriteSegment(const SegmentSchema& schema, const SegmentPlan& plan, std::span<const SegmentRow> rows,
                                 std::span<const std::string> documents, std::span<const DocumentRef> places,
                                 const ByteSink& sink);

// One flat segment of some rows, in the order given, in blocks of about 256 KiB.
Result<SegmentInfo> WriteFlatSegment(const SegmentSchema& schema, const std::string& name,
                                     std::span<const Row* const> rows, const ByteSink& sink);

// The vector that codes are made of: for kCosine a copy of length one, else the row's own.
std::vector<float> SearchVector(std::span<const float> vector, Metric metric);

// Reads what a segment says of itself in its tail. `tail`: the bytes of info.tail or, for a segment without a head, its
// last bytes from the footer's offset on. Corruption when they don't match, Unsupported for a later format version.
Result<SegmentInfo> ParseTail(std::string_view tail, SegmentSchema* schema);

}  // namespace isotherm
