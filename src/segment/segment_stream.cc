#include "segment/segment_stream.h"

#include "base/crc32c.h"
#include "base/macros.h"
#include "segment/segment_tail.h"

namespace isotherm {

namespace {

constexpr size_t kSinkBytes = 1 << 20;

}  // namespace

SegmentStream::SegmentStream(const SegmentSchema& schema, SegmentShape shape, ByteSink sink, SegmentVisitor visitor)
    : schema_(schema),
      sink_(std::move(sink)),
      visitor_(std::move(visitor)),
      key_pages_(shape.keys),
      filter_(KeyFilter::Make(shape.keys.keys)),
      expected_rows_(static_cast<uint32_t>(shape.keys.keys)) {
  info_.name = std::move(shape.name);
  info_.kind = shape.kind;
  info_.first_ordinal = shape.first_ordinal;
  info_.first_cell = shape.first_cell;
}

Status SegmentStream::Append(std::string_view bytes) {
  offset_ += bytes.size();
  buffer_ += bytes;
  return buffer_.size() >= kSinkBytes ? Flush() : Status::Ok();
}

Status SegmentStream::Flush() {
  if (buffer_.empty()) return Status::Ok();
  Status status = sink_(buffer_);
  buffer_.clear();
  return status;
}

void SegmentStream::EndSection() {
  if (section_ != nullptr) section_->length = offset_ - section_->offset;
  section_ = nullptr;
}

Status SegmentStream::BeginSection(Section& section) {
  EndSection();
  if (uint64_t over = offset_ % kSectionAlignment; over != 0) {
    RETURN_IF_ERROR(Append(std::string(kSectionAlignment - over, '\0')));
  }
  section.offset = offset_;
  section_ = &section;
  return Status::Ok();
}

Status SegmentStream::Begin() {
  RETURN_IF_ERROR(Append(EncodeSegmentHeader(schema_)));
  return BeginSection(info_.codes);
}

Status SegmentStream::AddBlock(std::span<const BlockRow> rows, uint32_t primary_rows, std::span<const float> centroid) {
  for (const BlockRow& row : rows.first(primary_rows)) {
    RETURN_IF_ERROR(key_pages_.Add(*row.key, {row.ordinal, row.document, row.attributes}));
    KeyFilter::Add(filter_, HashKey(*row.key));
    if (row.attributes.expires_at_ms != 0) info_.expiry.Add(row.attributes.expires_at_ms);
  }
  std::string bytes = EncodeCellBlock(schema_.block(), rows, primary_rows, centroid, info_.kind == SegmentKind::kFlat);
  auto entries = static_cast<uint32_t>(rows.size());
  info_.blocks.push_back({static_cast<uint32_t>(bytes.size()), entries, primary_rows, Crc32c(bytes)});
  info_.rows += primary_rows;
  info_.entries += entries;
  if (visitor_.block) visitor_.block(bytes);
  return Append(bytes);
}

Status SegmentStream::AddVector(std::span<const float> vector) {
  if (section_ == &info_.codes) RETURN_IF_ERROR(BeginSection(info_.vectors));
  std::string_view floats(reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float));
  uint32_t crc = VectorCrc(floats, info_.first_ordinal + vectors_++);
  RETURN_IF_ERROR(Append(floats));
  return Append({reinterpret_cast<const char*>(&crc), sizeof(crc)});
}

Status SegmentStream::AddDocument(std::string_view document) {
  if (section_ == &info_.codes) RETURN_IF_ERROR(BeginSection(info_.vectors));
  if (section_ == &info_.vectors) RETURN_IF_ERROR(BeginSection(info_.documents));
  return Append(document);
}

Status SegmentStream::WriteTail() {
  EndSection();
  Section aligned;
  RETURN_IF_ERROR(BeginSection(aligned));
  section_ = nullptr;
  info_.tail.offset = offset_;
  std::string tail = EncodeTail(schema_, info_);
  RETURN_IF_ERROR(Append(tail));
  info_.tail.length = tail.size();
  info_.bytes = offset_;
  return Flush();
}

Result<SegmentInfo> SegmentStream::Finish() {
  if (info_.rows != expected_rows_ || vectors_ != expected_rows_) {
    return Status::Internal(info_.name + ": " + std::to_string(info_.rows) + " rows and " + std::to_string(vectors_) +
                            " vectors were written; told of were " + std::to_string(expected_rows_));
  }
  RETURN_IF_ERROR(AddDocument({}));
  RETURN_IF_ERROR(BeginSection(info_.keys));
  const std::string pages = key_pages_.Finish();
  if (visitor_.keys) visitor_.keys(pages, filter_);
  RETURN_IF_ERROR(Append(pages));
  info_.filter_crc32c = Crc32c(filter_);
  RETURN_IF_ERROR(BeginSection(info_.filter));
  RETURN_IF_ERROR(Append(filter_));
  if (info_.kind == SegmentKind::kCells) info_.cell_count = static_cast<uint32_t>(info_.blocks.size());
  RETURN_IF_ERROR(WriteTail());
  return std::move(info_);
}

}  // namespace isotherm
