#include "engine/cell_rows.h"

#include <algorithm>

#include "base/coding.h"
#include "base/macros.h"
#include "segment/row_codec.h"

namespace isotherm {

namespace {

// What an entry takes in a block beside code and key, and a row in key pages and filter, without its key: rounded up.
constexpr uint64_t kEntryBytes = 48;
constexpr uint64_t kKeyBytes = 64;

uint64_t TextBytes(const Key& key) { return key.type() == KeyType::kString ? key.text().size() : 0; }

// An entry as it was spilled; `code` lies in the record.
struct DecodedEntry {
  bool second = false;
  uint64_t origin = 0;
  RowAttributes attributes;
  uint32_t document_bytes = 0;
  ResidualFactors factors;
  const int8_t* code = nullptr;
  Key key;
  Metadata columns;
};

Status Decode(std::string_view record, const SegmentSchema& schema, DecodedEntry& out) {
  Decoder in(record);
  out.second = in.Fixed<uint8_t>() != 0;
  out.origin = in.Fixed<uint64_t>();
  out.attributes.version = in.Fixed<uint64_t>();
  out.attributes.expires_at_ms = in.Fixed<int64_t>();
  out.document_bytes = in.Fixed<uint32_t>();
  out.factors.scale = in.Fixed<float>();
  out.factors.norm2 = in.Fixed<float>();
  out.code = reinterpret_cast<const int8_t*>(in.Raw(schema.dimension).data());
  out.key = GetKey(in, schema.key_type);
  if (!schema.filter_columns.empty()) out.columns = GetMetadata(in);
  return in.done() ? Status::Ok() : Status::Internal("a spilled row is malformed");
}

}  // namespace

CellRows::CellRows(const SegmentSchema& schema, std::span<const SegmentInfo> inputs, SpillFiles& files,
                   const CellRowsOptions& options)
    : schema_(schema),
      options_(options),
      places_(inputs),
      entries_(files, options.cells, options.streams),
      vectors_(files, options.cells, options.streams),
      documents_(files, options.cells, options.streams),
      totals_(options.cells) {}

std::string CellRows::Encode(const CellEntry& entry, bool second) const {
  std::string out;
  out.reserve(schema_.dimension + 64);
  PutFixed<uint8_t>(out, second ? 1 : 0);
  PutFixed<uint64_t>(out, entry.origin);
  PutFixed<uint64_t>(out, entry.attributes.version);
  PutFixed<int64_t>(out, entry.attributes.expires_at_ms);
  PutFixed<uint32_t>(out, entry.document_bytes);
  PutFixed<float>(out, entry.factors.scale);
  PutFixed<float>(out, entry.factors.norm2);
  out.append(reinterpret_cast<const char*>(entry.code), schema_.dimension);
  PutKey(out, *entry.key);
  if (schema_.filter_columns.empty()) return out;
  Metadata columns;
  for (const std::string& name : schema_.filter_columns) {
    if (auto field = entry.columns->find(name); field != entry.columns->end()) columns.insert(*field);
  }
  PutMetadata(out, columns);
  return out;
}

Status CellRows::AddRow(uint32_t cell, const CellEntry& entry, std::span<const float> vector,
                        std::string_view document) {
  RETURN_IF_ERROR(entries_.Append(cell, Encode(entry, false)));
  RETURN_IF_ERROR(vectors_.Append(cell, {reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)}));
  if (!document.empty()) RETURN_IF_ERROR(documents_.Append(cell, document));
  places_.Put(entry.origin, cell, entry.document_bytes);
  Totals& totals = totals_[cell];
  ++totals.rows;
  ++totals.entries;
  totals.document_bytes += entry.document_bytes;
  totals.key_bytes += TextBytes(*entry.key);
  longest_key_ = std::max(longest_key_, TextBytes(*entry.key));
  with_attributes_ = with_attributes_ || entry.attributes != RowAttributes();
  ++rows_;
  return Status::Ok();
}

Status CellRows::AddSecond(uint32_t cell, const CellEntry& entry) {
  ++totals_[cell].entries;
  return entries_.Append(cell, Encode(entry, true));
}

KeyTotals CellRows::KeysOf(const CellRange& range) const {
  KeyTotals keys;
  for (uint32_t cell = range.begin; cell < range.end; ++cell) {
    keys.keys += totals_[cell].rows;
    keys.text_bytes += totals_[cell].key_bytes;
  }
  keys.longest_text = longest_key_;
  keys.with_attributes = with_attributes_;
  return keys;
}

uint64_t CellRows::ObjectBytes(uint32_t cell) const {
  const Totals& totals = totals_[cell];
  return totals.entries * (schema_.dimension + kEntryBytes) +
         totals.rows * (VectorBytes(schema_.dimension) + kKeyBytes) + totals.document_bytes + 3 * totals.key_bytes;
}

Result<std::vector<CellRange>> CellRows::Plan() {
  if (rows_ > kMaxSegmentRows) {
    return Status::ResourceExhausted(std::to_string(rows_) + " rows; a partition holds at most " +
                                     std::to_string(kMaxSegmentRows));
  }
  std::vector<CellRange> ranges;
  std::vector<uint64_t> first_documents;
  uint64_t bytes = 0;
  uint64_t key_bytes = 0;
  uint64_t document = 0;
  uint32_t ordinal = 0;
  for (uint32_t cell = 0; cell < options_.cells; ++cell) {
    const Totals& totals = totals_[cell];
    uint64_t keys = totals.rows * kKeyBytes + 2 * totals.key_bytes;
    bool full = options_.kind == SegmentKind::kCells &&
                (bytes + ObjectBytes(cell) > options_.object_bytes || key_bytes + keys > options_.key_bytes);
    if (ranges.empty() || full) {
      ranges.push_back({cell, cell});
      bytes = key_bytes = document = 0;
    }
    ranges.back().end = cell + 1;
    bytes += ObjectBytes(cell);
    key_bytes += keys;
    first_ordinals_.push_back(ordinal);
    first_documents.push_back(document);
    ordinal += totals.rows;
    document += totals.document_bytes;
  }
  places_.Finish(first_ordinals_, std::move(first_documents));
  return ranges;
}

Status CellRows::WriteBlock(uint32_t cell, std::span<const std::string_view> records, std::span<const float> centroid,
                            SegmentStream& stream) const {
  std::vector<DecodedEntry> entries(records.size());
  for (size_t i = 0; i < records.size(); ++i) RETURN_IF_ERROR(Decode(records[i], schema_, entries[i]));
  std::stable_partition(entries.begin(), entries.end(), [](const DecodedEntry& entry) { return !entry.second; });
  std::vector<BlockRow> block;
  block.reserve(entries.size());
  for (const DecodedEntry& entry : entries) {
    uint32_t ordinal = places_.ordinal(entry.origin);
    if (ordinal == RowPlaces::kDropped) return Status::Internal("a second copy of a row that is in no cell");
    block.push_back({&entry.key,
                     &entry.columns,
                     nullptr,
                     ordinal,
                     {places_.document(entry.origin), entry.document_bytes},
                     entry.attributes,
                     entry.factors,
                     entry.code});
  }
  return stream.AddBlock(block, totals_[cell].rows, centroid);
}

Result<SegmentInfo> CellRows::Write(const CellRange& range, const std::string& name, std::span<const float> centroids,
                                    const ByteSink& sink, const SegmentVisitor& visitor) {
  SegmentShape shape{name, options_.kind, first_ordinals_[range.begin], 0, KeysOf(range)};
  if (options_.kind == SegmentKind::kCells) shape.first_cell = range.begin;
  SegmentStream stream(schema_, std::move(shape), sink, visitor);
  RETURN_IF_ERROR(stream.Begin());
  auto centroid = [&](uint32_t cell) {
    bool shared = centroids.size() == schema_.dimension;
    return centroids.subspan(shared ? 0 : size_t{cell} * schema_.dimension, schema_.dimension);
  };
  auto write_block = [&](uint32_t cell, std::span<const std::string_view> records) {
    return WriteBlock(cell, records, centroid(cell), stream);
  };
  RETURN_IF_ERROR(entries_.Read(range.begin, range.end, options_.memory_bytes, write_block));
  std::vector<float> vector(schema_.dimension);
  auto write_vectors = [&](uint32_t, std::span<const std::string_view> records) {
    for (std::string_view record : records) {
      std::memcpy(vector.data(), record.data(), record.size());
      RETURN_IF_ERROR(stream.AddVector(vector));
    }
    return Status::Ok();
  };
  RETURN_IF_ERROR(vectors_.Read(range.begin, range.end, options_.memory_bytes, write_vectors));
  auto write_documents = [&](uint32_t, std::span<const std::string_view> records) {
    for (std::string_view record : records) RETURN_IF_ERROR(stream.AddDocument(record));
    return Status::Ok();
  };
  RETURN_IF_ERROR(documents_.Read(range.begin, range.end, options_.memory_bytes, write_documents));
  return stream.Finish();
}

void CellRows::Drop(const CellRange& range) {
  for (SpilledCells* records : {&entries_, &vectors_, &documents_}) records->DropBefore(range.end);
}

}  // namespace isotherm
