#include "engine/spilled_cells.h"

#include <algorithm>

#include "base/coding.h"
#include "base/macros.h"

namespace isotherm {

SpilledCells::SpilledCells(SpillFiles& files, uint32_t cells, uint32_t streams)
    : files_(files), cells_(cells), bytes_(cells, 0) {
  for (uint32_t s = 0; s < std::min(streams, std::max(cells, 1U)); ++s) streams_.push_back(files_.AddStream());
}

uint32_t SpilledCells::StreamOf(uint32_t cell) const {
  return static_cast<uint32_t>(uint64_t{cell} * streams_.size() / cells_);
}

Status SpilledCells::Append(uint32_t cell, std::string_view record) {
  std::string framed;
  framed.reserve(record.size() + 2 * sizeof(uint32_t));
  PutFixed<uint32_t>(framed, cell);
  PutBytes(framed, record);
  bytes_[cell] += framed.size();
  return files_.Append(streams_[StreamOf(cell)], framed);
}

Status SpilledCells::Read(uint32_t begin, uint32_t end, uint64_t memory_bytes, const Visit& visit) {
  while (begin < end) {
    uint32_t next = begin + 1;
    uint64_t held = bytes_[begin];
    while (next < end && StreamOf(next) == StreamOf(begin) && held + bytes_[next] <= memory_bytes) {
      held += bytes_[next++];
    }
    RETURN_IF_ERROR(ReadGroup(begin, next, visit));
    begin = next;
  }
  return Status::Ok();
}

Status SpilledCells::ReadGroup(uint32_t begin, uint32_t end, const Visit& visit) {
  struct Item {
    uint32_t cell;
    uint64_t offset;
    uint32_t length;
  };
  std::vector<Item> items;
  std::string held;
  uint64_t total = 0;
  for (uint32_t cell = begin; cell < end; ++cell) total += bytes_[cell];
  held.reserve(total);
  RETURN_IF_ERROR(files_.Read(streams_[StreamOf(begin)], [&](std::string_view piece) {
    Decoder in(piece);
    while (in.remaining() > 0) {
      auto cell = in.Fixed<uint32_t>();
      std::string_view record = in.Bytes();
      if (!in.ok()) return Status::Internal("spilled records are malformed");
      if (cell < begin || cell >= end) continue;
      items.push_back({cell, held.size(), static_cast<uint32_t>(record.size())});
      held += record;
    }
    return Status::Ok();
  }));
  std::stable_sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.cell < b.cell; });
  auto item = items.begin();
  std::vector<std::string_view> records;
  for (uint32_t cell = begin; cell < end; ++cell) {
    records.clear();
    for (; item != items.end() && item->cell == cell; ++item) {
      records.push_back(std::string_view(held).substr(item->offset, item->length));
    }
    RETURN_IF_ERROR(visit(cell, records));
  }
  return Status::Ok();
}

void SpilledCells::DropBefore(uint32_t end) {
  while (dropped_ < streams_.size() && (end >= cells_ || StreamOf(end) > dropped_)) files_.Drop(streams_[dropped_++]);
}

}  // namespace isotherm
