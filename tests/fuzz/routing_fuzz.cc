// Any bytes as a routing object; with no segments, and with segments that fit what it says.
#include "base/coding.h"
#include "segment/routing_object.h"
#include "tests/fuzz/sealed.h"

namespace isotherm {
namespace {

using namespace fuzz;

constexpr size_t kBlocksAt = 28;

// The segments that the object could go with: its cells cut in two.
std::vector<SegmentInfo> SegmentsFor(std::string_view bytes) {
  Decoder in(bytes);
  in.Raw(kBlocksAt);
  std::vector<BlockInfo> blocks = GetBlockInfos(in);
  std::vector<SegmentInfo> segments(2);
  uint64_t ordinal = 0;
  for (uint32_t cell = 0; cell < blocks.size(); ++cell) {
    SegmentInfo& segment = segments[cell * 2 < blocks.size() ? 0 : 1];
    if (segment.cell_count++ == 0) {
      segment.first_cell = cell;
      segment.first_ordinal = static_cast<uint32_t>(ordinal);
    }
    segment.kind = SegmentKind::kCells;
    segment.codes.length += blocks[cell].length;
    segment.rows += blocks[cell].primary_rows;
    segment.entries += blocks[cell].rows;
    ordinal += blocks[cell].primary_rows;
  }
  return segments;
}

void Decode(std::string_view bytes, std::span<const SegmentInfo> segments) {
  auto routing = DecodeRouting(bytes, segments);
  if (!routing.ok()) {
    Require(routing.status().code() == StatusCode::kCorruption || routing.status().code() == StatusCode::kUnsupported);
    return;
  }
  Require(routing->offsets.size() == routing->cells() && routing->first_ordinals.size() == routing->cells());
  Require(routing->centroids.size() == size_t{routing->cells()} * routing->dimension);
  for (uint32_t cell = 0; cell < routing->cells(); ++cell)
    Require(routing->centroid(cell).size() == routing->dimension);
  Require(EncodeRouting(*routing) == bytes);
}

}  // namespace
}  // namespace isotherm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isotherm;
  std::string_view bytes = fuzz::ViewOf(data, size);
  Decode(bytes, {});
  Decode(bytes, SegmentsFor(bytes));
  return 0;
}
