#include "segment/segment_writer.h"

#include <algorithm>
#include <cmath>

#include "base/macros.h"
#include "segment/row_codec.h"

namespace isotherm {

namespace {

constexpr uint32_t kFlatBlockBytes = 256 << 10;

RowAttributes AttributesOf(const Row& row) { return {row.version, row.expires_at_ms}; }

}  // namespace

uint32_t FlatBlockRows(uint32_t dimension) { return std::max(1U, kFlatBlockBytes / (dimension + 24)); }

Result<SegmentInfo> WriteFlatSegment(const SegmentSchema& schema, const std::string& name,
                                     std::span<const Row* const> rows, const ByteSink& sink) {
  std::vector<float> mean(schema.dimension, 0.0F);
  SegmentShape shape{name, SegmentKind::kFlat, 0, 0, {}};
  for (const Row* row : rows) {
    shape.keys.Add(row->key, AttributesOf(*row));
    std::vector<float> vector = SearchVector(row->vector, schema.metric);
    for (uint32_t i = 0; i < schema.dimension; ++i) mean[i] += vector[i] / static_cast<float>(rows.size());
  }
  SegmentStream stream(schema, std::move(shape), sink);
  RETURN_IF_ERROR(stream.Begin());
  uint32_t ordinal = 0;
  uint64_t document = 0;
  for (size_t begin = 0; begin < rows.size(); begin += FlatBlockRows(schema.dimension)) {
    size_t end = std::min<size_t>(rows.size(), begin + FlatBlockRows(schema.dimension));
    std::vector<std::vector<float>> vectors;
    std::vector<BlockRow> block;
    for (const Row* row : rows.subspan(begin, end - begin)) {
      vectors.push_back(SearchVector(row->vector, schema.metric));
      auto length = static_cast<uint32_t>(EncodeDocument(*row).size());
      block.push_back(
          {&row->key, &row->metadata, vectors.back().data(), ordinal++, {document, length}, AttributesOf(*row)});
      document += length;
    }
    RETURN_IF_ERROR(stream.AddBlock(block, static_cast<uint32_t>(block.size()), mean));
  }
  for (const Row* row : rows) RETURN_IF_ERROR(stream.AddVector(row->vector));
  for (const Row* row : rows) RETURN_IF_ERROR(stream.AddDocument(EncodeDocument(*row)));
  return stream.Finish();
}

std::vector<float> SearchVector(std::span<const float> vector, Metric metric) {
  std::vector<float> out(vector.begin(), vector.end());
  if (metric != Metric::kCosine) return out;
  // In double: the square of a large float overflows, that of a small one vanishes.
  double norm2 = 0;
  for (float v : out) norm2 += static_cast<double>(v) * v;
  double norm = std::sqrt(norm2);
  for (float& v : out) v = static_cast<float>(v / norm);
  return out;
}

}  // namespace isotherm
