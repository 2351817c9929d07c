// Records that belong to cells: appended in any order, read cell by cell. Cells that follow each other share a stream
// of the spill files, so that one that was spilled is read in large pieces.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/spill_files.h"
#include "isotherm/status.h"

namespace isotherm {

// Thread-compatible.
class SpilledCells {
 public:
  // `streams` ≥ 1: how many the cells are spread over. `files` must outlive this.
  SpilledCells(SpillFiles& files, uint32_t cells, uint32_t streams);
  ~SpilledCells() { DropBefore(cells_); }
  SpilledCells(const SpilledCells&) = delete;
  SpilledCells& operator=(const SpilledCells&) = delete;

  Status Append(uint32_t cell, std::string_view record);
  uint64_t bytes(uint32_t cell) const { return bytes_[cell]; }

  // Calls `visit` for every cell in [begin, end), ascending, with its records in the order in which they came; the
  // views are good for that call. Holds about `memory_bytes` of records at a time, and never less than those of one
  // cell.
  using Visit = std::function<Status(uint32_t cell, std::span<const std::string_view> records)>;
  Status Read(uint32_t begin, uint32_t end, uint64_t memory_bytes, const Visit& visit);
  // Those below `end` are not read any more.
  void DropBefore(uint32_t end);

 private:
  uint32_t StreamOf(uint32_t cell) const;
  Status ReadGroup(uint32_t begin, uint32_t end, const Visit& visit);

  SpillFiles& files_;
  const uint32_t cells_;
  std::vector<uint32_t> streams_;
  std::vector<uint64_t> bytes_;  // by cell
  uint32_t dropped_ = 0;         // streams
};

}  // namespace isotherm
