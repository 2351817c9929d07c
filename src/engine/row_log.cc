#include "engine/row_log.h"

#include <algorithm>
#include <cstring>

#include "base/coding.h"
#include "base/macros.h"
#include "segment/row_codec.h"

namespace isotherm {

namespace {

Metadata ColumnsOf(const Metadata& metadata, const SegmentSchema& schema) {
  Metadata columns;
  for (const std::string& name : schema.filter_columns) {
    if (auto field = metadata.find(name); field != metadata.end()) columns.insert(*field);
  }
  return columns;
}

}  // namespace

void RowBatch::Add(uint64_t origin, Row row, const SegmentSchema& schema) {
  origins.push_back(origin);
  attributes.push_back({row.version, row.expires_at_ms});
  documents.push_back(EncodeDocument(row));
  columns.push_back(ColumnsOf(row.metadata, schema));
  keys.push_back(std::move(row.key));
  vectors.insert(vectors.end(), row.vector.begin(), row.vector.end());
  bytes_ += row.vector.size() * sizeof(float) + documents.back().size() + 64;
}

Status RowLog::Append(uint64_t origin, const Row& row) {
  std::string record;
  PutFixed<uint64_t>(record, origin);
  PutFixed<uint64_t>(record, row.version);
  PutFixed<int64_t>(record, row.expires_at_ms);
  PutKey(record, row.key);
  record.append(reinterpret_cast<const char*>(row.vector.data()), row.vector.size() * sizeof(float));
  PutMetadata(record, ColumnsOf(row.metadata, schema_));
  PutBytes(record, EncodeDocument(row));
  if (streams_.empty() || last_bytes_ + record.size() > batch_bytes_) {
    streams_.push_back(files_.AddStream());
    last_bytes_ = 0;
  }
  last_bytes_ += record.size();
  ++rows_;
  return files_.Append(streams_.back(), record);
}

Status RowLog::Decode(std::string_view piece, RowBatch& batch) const {
  Decoder in(piece);
  while (in.remaining() > 0) {
    batch.origins.push_back(in.Fixed<uint64_t>());
    RowAttributes& attributes = batch.attributes.emplace_back();
    attributes.version = in.Fixed<uint64_t>();
    attributes.expires_at_ms = in.Fixed<int64_t>();
    batch.keys.push_back(GetKey(in, schema_.key_type));
    std::string_view vector = in.Raw(size_t{schema_.dimension} * sizeof(float));
    if (!in.ok()) return Status::Internal("a spilled row is malformed");
    batch.vectors.resize(batch.vectors.size() + schema_.dimension);
    std::memcpy(&batch.vectors[batch.vectors.size() - schema_.dimension], vector.data(), vector.size());
    batch.columns.push_back(GetMetadata(in));
    batch.documents.emplace_back(in.Bytes());
    batch.bytes_ += vector.size() + batch.documents.back().size() + 64;
  }
  return in.done() ? Status::Ok() : Status::Internal("a spilled row is malformed");
}

Status RowLog::Read(bool forget, const std::function<Status(const RowBatch&)>& visit) {
  for (uint32_t stream : streams_) {
    RowBatch batch;
    RETURN_IF_ERROR(files_.Read(stream, [&](std::string_view piece) { return Decode(piece, batch); }));
    if (forget) files_.Drop(stream);
    RETURN_IF_ERROR(visit(batch));
  }
  if (forget) streams_.clear();
  return Status::Ok();
}

void RowSample::Offer(uint64_t origin, std::span<const float> vector) {
  if (offered_++ == 0) vectors_.reserve(capacity_ * dimension_);
  if (origins_.size() < capacity_) {
    origins_.push_back(origin);
    vectors_.insert(vectors_.end(), vector.begin(), vector.end());
    return;
  }
  uint64_t place = random_.Below(offered_);
  if (place >= capacity_) return;
  origins_[place] = origin;
  std::copy(vector.begin(), vector.end(), vectors_.begin() + static_cast<ptrdiff_t>(place * dimension_));
}

}  // namespace isotherm
