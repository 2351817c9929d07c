#include "segment/segment_writer.h"

#include <algorithm>
#include <cmath>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/macros.h"
#include "segment/key_pages.h"
#include "segment/row_codec.h"
#include "simd/kernels.h"

namespace isotherm {

namespace {

constexpr char kMagic[] = "ISOSEG01";
constexpr size_t kMagicBytes = 8;
constexpr size_t kFooterBytes = 32;
constexpr size_t kFooterCheckedBytes = 20;
constexpr size_t kFlatBlockBytes = 256 << 10;
constexpr size_t kSinkBytes = 1 << 20;

// Counts and gathers what goes to the sink.
class Output {
 public:
  explicit Output(const ByteSink& sink) : sink_(sink) {}

  Status Append(std::string_view bytes) {
    offset_ += bytes.size();
    buffer_ += bytes;
    return buffer_.size() >= kSinkBytes ? Flush() : Status::Ok();
  }
  Status Align() {
    uint64_t over = offset_ % kSectionAlignment;
    return over == 0 ? Status::Ok() : Append(std::string(kSectionAlignment - over, '\0'));
  }
  Status Flush() {
    if (buffer_.empty()) return Status::Ok();
    Status status = sink_(buffer_);
    buffer_.clear();
    return status;
  }
  uint64_t offset() const { return offset_; }

 private:
  const ByteSink& sink_;
  std::string buffer_;
  uint64_t offset_ = 0;
};

// A section from the current, aligned place on, of what `body` appends.
Status WriteSection(Output& out, Section& section, const std::function<Status()>& body) {
  RETURN_IF_ERROR(out.Align());
  section.offset = out.offset();
  RETURN_IF_ERROR(body());
  section.length = out.offset() - section.offset;
  return Status::Ok();
}

// Of body and footer up to the checksum itself, so that a later format version is told from a damaged one.
uint32_t TailCrc(std::string_view body, std::string_view footer) {
  return ExtendCrc32c(Crc32c(body), footer.substr(0, kFooterCheckedBytes));
}

Status WriteTail(Output& out, const SegmentSchema& schema, SegmentInfo& info) {
  RETURN_IF_ERROR(out.Align());
  info.tail.offset = out.offset();
  info.bytes = out.offset();  // of what stands before the tail; the reader of a tail adds the tail itself
  SegmentInfo inner = info;
  inner.tail = {};
  std::string body = EncodeSegmentHeader(schema);
  PutSegmentInfo(body, inner);
  std::string footer;
  PutFixed<uint64_t>(footer, info.tail.offset);
  PutFixed<uint64_t>(footer, body.size());
  PutFixed<uint32_t>(footer, kSegmentFormatVersion);
  info.tail_crc32c = TailCrc(body, footer);
  PutFixed<uint32_t>(footer, info.tail_crc32c);
  footer.append(kMagic, kMagicBytes);
  RETURN_IF_ERROR(out.Append(body));
  RETURN_IF_ERROR(out.Append(footer));
  info.tail.length = body.size() + footer.size();
  info.bytes = out.offset();
  return out.Flush();
}

RowAttributes AttributesOf(const Row& row) { return {row.version, row.expires_at_ms}; }

std::vector<BlockRow> BlockRows(const BlockPlan& block, std::span<const SegmentRow> rows,
                                std::span<const DocumentRef> places) {
  std::vector<BlockRow> out;
  out.reserve(block.ordinals.size());
  for (uint32_t ordinal : block.ordinals) {
    const SegmentRow& row = rows[ordinal];
    out.push_back(
        {&row.row->key, &row.row->metadata, row.search_vector, ordinal, places[ordinal], AttributesOf(*row.row)});
  }
  return out;
}

}  // namespace

void PutSchema(std::string& out, const SegmentSchema& schema) {
  PutFixed<uint32_t>(out, schema.dimension);
  PutFixed(out, schema.metric);
  PutFixed(out, schema.key_type);
  PutFixed<uint16_t>(out, static_cast<uint16_t>(schema.filter_columns.size()));
  for (const std::string& name : schema.filter_columns) PutBytes(out, name);
}

SegmentSchema GetSchema(Decoder& in) {
  SegmentSchema schema;
  schema.dimension = in.Fixed<uint32_t>();
  schema.metric = in.Fixed<Metric>();
  schema.key_type = in.Fixed<KeyType>();
  if (schema.dimension == 0 || schema.dimension > kMaxDimension) in.Fail();
  if (schema.metric < Metric::kL2 || schema.metric > Metric::kInnerProduct) in.Fail();
  if (schema.key_type != KeyType::kInteger && schema.key_type != KeyType::kString) in.Fail();
  auto columns = in.Fixed<uint16_t>();
  for (uint16_t c = 0; c < columns && in.ok(); ++c) schema.filter_columns.emplace_back(in.Bytes());
  return schema;
}

std::string EncodeSegmentHeader(const SegmentSchema& schema, uint32_t format_version) {
  std::string out(kMagic, kMagicBytes);
  PutFixed<uint32_t>(out, format_version);
  PutSchema(out, schema);
  return out;
}

bool IsSegmentHeader(std::string_view bytes, const SegmentSchema& schema) {
  for (uint32_t version = 1; version <= kSegmentFormatVersion; ++version) {
    if (bytes == EncodeSegmentHeader(schema, version)) return true;
  }
  return false;
}

std::vector<DocumentRef> PlaceDocuments(std::span<const std::string> documents, std::span<const SegmentPlan> segments) {
  std::vector<DocumentRef> places(documents.size());
  for (const SegmentPlan& segment : segments) {
    uint64_t offset = 0;
    for (uint32_t ordinal = segment.first_ordinal; ordinal < segment.first_ordinal + segment.rows; ++ordinal) {
      places[ordinal] = {offset, static_cast<uint32_t>(documents[ordinal].size())};
      offset += documents[ordinal].size();
    }
  }
  return places;
}

namespace {

// The sections of one segment, in the order in which they are written.
class SegmentSections {
 public:
  SegmentSections(const SegmentSchema& schema, const SegmentPlan& plan, std::span<const SegmentRow> rows,
                  std::span<const std::string> documents, std::span<const DocumentRef> places)
      : schema_(schema), plan_(plan), rows_(rows), documents_(documents), places_(places) {}

  Status Codes(Output& out, SegmentInfo& info) const {
    for (const BlockPlan& block : plan_.blocks) {
      std::string bytes = EncodeCellBlock(schema_.block(), BlockRows(block, rows_, places_), block.primary_rows,
                                          block.centroid, plan_.kind == SegmentKind::kFlat);
      auto entries = static_cast<uint32_t>(block.ordinals.size());
      info.blocks.push_back({static_cast<uint32_t>(bytes.size()), entries, block.primary_rows, Crc32c(bytes)});
      info.entries += entries;
      RETURN_IF_ERROR(out.Append(bytes));
    }
    return Status::Ok();
  }

  Status Vectors(Output& out) const {
    for (uint32_t ordinal = plan_.first_ordinal; ordinal < end(); ++ordinal) {
      const std::vector<float>& vector = rows_[ordinal].row->vector;
      std::string_view floats(reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float));
      uint32_t crc = VectorCrc(floats, ordinal);
      RETURN_IF_ERROR(out.Append(floats));
      RETURN_IF_ERROR(out.Append({reinterpret_cast<const char*>(&crc), sizeof(crc)}));
    }
    return Status::Ok();
  }

  Status Documents(Output& out) const {
    for (uint32_t ordinal = plan_.first_ordinal; ordinal < end(); ++ordinal) {
      RETURN_IF_ERROR(out.Append(documents_[ordinal]));
    }
    return Status::Ok();
  }

  std::string Keys() const {
    std::vector<KeyEntry> entries;
    for (uint32_t ordinal = plan_.first_ordinal; ordinal < end(); ++ordinal) {
      const Row& row = *rows_[ordinal].row;
      entries.push_back({&row.key, {ordinal, places_[ordinal], AttributesOf(row)}});
    }
    return EncodeKeyPages(entries);
  }

  std::string Filter() const {
    std::vector<uint64_t> hashes;
    for (uint32_t ordinal = plan_.first_ordinal; ordinal < end(); ++ordinal) {
      hashes.push_back(HashKey(rows_[ordinal].row->key));
    }
    return KeyFilter::Build(hashes);
  }

 private:
  uint32_t end() const { return plan_.first_ordinal + plan_.rows; }

  const SegmentSchema& schema_;
  const SegmentPlan& plan_;
  std::span<const SegmentRow> rows_;
  std::span<const std::string> documents_;
  std::span<const DocumentRef> places_;
};

}  // namespace

Result<SegmentInfo> WriteSegment(const SegmentSchema& schema, const SegmentPlan& plan, std::span<const SegmentRow> rows,
                                 std::span<const std::string> documents, std::span<const DocumentRef> places,
                                 const ByteSink& sink) {
  SegmentInfo info;
  info.name = plan.name;
  info.kind = plan.kind;
  info.rows = plan.rows;
  info.first_ordinal = plan.first_ordinal;
  info.first_cell = plan.first_cell;
  info.cell_count = plan.kind == SegmentKind::kCells ? static_cast<uint32_t>(plan.blocks.size()) : 0;
  SegmentSections sections(schema, plan, rows, documents, places);
  std::string keys = sections.Keys();
  std::string filter = sections.Filter();
  info.filter_crc32c = Crc32c(filter);

  Output out(sink);
  RETURN_IF_ERROR(out.Append(EncodeSegmentHeader(schema)));
  RETURN_IF_ERROR(WriteSection(out, info.codes, [&] { return sections.Codes(out, info); }));
  RETURN_IF_ERROR(WriteSection(out, info.vectors, [&] { return sections.Vectors(out); }));
  RETURN_IF_ERROR(WriteSection(out, info.documents, [&] { return sections.Documents(out); }));
  RETURN_IF_ERROR(WriteSection(out, info.keys, [&] { return out.Append(keys); }));
  RETURN_IF_ERROR(WriteSection(out, info.filter, [&] { return out.Append(filter); }));
  RETURN_IF_ERROR(WriteTail(out, schema, info));
  return info;
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

Result<SegmentInfo> WriteFlatSegment(const SegmentSchema& schema, const std::string& name,
                                     std::span<const Row* const> rows, const ByteSink& sink) {
  std::vector<std::vector<float>> vectors;
  std::vector<SegmentRow> segment_rows;
  std::vector<std::string> documents;
  std::vector<float> mean(schema.dimension, 0.0F);
  for (const Row* row : rows) {
    vectors.push_back(SearchVector(row->vector, schema.metric));
    documents.push_back(EncodeDocument(*row));
    for (uint32_t i = 0; i < schema.dimension; ++i) mean[i] += vectors.back()[i] / static_cast<float>(rows.size());
  }
  for (size_t i = 0; i < rows.size(); ++i) segment_rows.push_back({rows[i], vectors[i].data()});

  SegmentPlan plan;
  plan.name = name;
  plan.rows = static_cast<uint32_t>(rows.size());
  size_t rows_per_block = std::max<size_t>(1, kFlatBlockBytes / (schema.dimension + 24));
  for (uint32_t begin = 0; begin < rows.size(); begin += static_cast<uint32_t>(rows_per_block)) {
    BlockPlan block;
    for (uint32_t i = begin; i < std::min<size_t>(rows.size(), begin + rows_per_block); ++i)
      block.ordinals.push_back(i);
    block.primary_rows = static_cast<uint32_t>(block.ordinals.size());
    block.centroid = mean;
    plan.blocks.push_back(std::move(block));
  }
  std::vector<DocumentRef> places = PlaceDocuments(documents, {&plan, 1});
  return WriteSegment(schema, plan, segment_rows, documents, places, sink);
}

Result<SegmentInfo> ParseTail(std::string_view tail, SegmentSchema* schema) {
  auto malformed = [](const char* what) { return Status::Corruption(std::string("segment tail: ") + what); };
  if (tail.size() < kFooterBytes) return malformed("shorter than its footer");
  std::string_view body = tail.substr(0, tail.size() - kFooterBytes);
  std::string_view footer_bytes = tail.substr(body.size());
  Decoder footer(footer_bytes);
  auto offset = footer.Fixed<uint64_t>();
  auto length = footer.Fixed<uint64_t>();
  auto version = footer.Fixed<uint32_t>();
  auto crc = footer.Fixed<uint32_t>();
  if (footer.Raw(kMagicBytes) != std::string_view(kMagic, kMagicBytes)) return malformed("wrong magic number");
  if (TailCrc(body, footer_bytes) != crc) return malformed("does not match its crc32c");
  if (version == 0 || version > kSegmentFormatVersion) {
    return Status::Unsupported("segment format version " + std::to_string(version) + "; this build reads 1 and 2");
  }
  if (length != body.size() || offset > UINT64_MAX - tail.size()) return malformed("wrong length");
  Decoder in(body);
  if (in.Raw(kMagicBytes) != std::string_view(kMagic, kMagicBytes))
    return malformed("its header has a wrong magic number");
  if (in.Fixed<uint32_t>() != version) return malformed("its header is of another format version");
  *schema = GetSchema(in);
  SegmentInfo info = GetSegmentInfo(in, schema->dimension);
  if (!in.done()) return malformed("its directory is malformed");
  if (info.bytes != offset) return malformed("it lies elsewhere than its directory says");
  info.tail = {offset, tail.size()};
  info.tail_crc32c = crc;
  info.bytes = offset + tail.size();
  return info;
}

}  // namespace isotherm
