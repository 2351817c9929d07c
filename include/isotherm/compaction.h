// Which segments are brought together, and when: policies for compactions in the background and Compact with
// CompactScope::kPolicy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace isotherm {

// What can be compacted: a flat segment, which every cold query reads whole, or the partition, all of its segments
// together. There is one partition or none.
struct CompactionUnit {
  bool partition = false;
  uint64_t rows = 0;     // in it, deleted and expired ones among them
  uint64_t deleted = 0;  // for good
  uint64_t expired = 0;  // an estimate
  uint64_t bytes = 0;

  uint64_t live_rows() const { return rows - dead_rows(); }
  uint64_t dead_rows() const { return deleted + expired < rows ? deleted + expired : rows; }
};

struct CompactionPick {
  std::vector<size_t> units;  // indexes; empty: nothing to do
  // The rows become the partition (a flat segment, when they are too few for cells); a partition that there is must be
  // among `units`. Else one flat segment.
  bool to_partition = false;
  std::string cause;  // for the log: "4 flat segments of similar size"
};

// Must be thread-safe, and should be a pure function: it is asked often.
class CompactionPolicy {
 public:
  virtual ~CompactionPolicy() = default;
  // `min_rows_for_cells`: fewer rows become no partition.
  virtual CompactionPick Pick(std::span<const CompactionUnit> units, uint64_t min_rows_for_cells) const = 0;
};

// The default: writes little. Flat segments of similar size are merged when there are some of them, and folded into the
// partition when they hold a good part of its rows.
struct SizeTieredOptions {
  size_t threshold = 4;      // flat segments of similar size, at least 2
  double size_factor = 4;    // similar: the largest has at most so many times the bytes of the smallest
  double fold_share = 0.25;  // of the partition's rows, in flat segments: more of them go into the partition
  double dead_share = 0.3;   // of deleted and expired rows: what has more is rewritten without
};
std::shared_ptr<const CompactionPolicy> SizeTieredCompaction(const SizeTieredOptions& options = {});

// For collections with many deletes and replacements: reads and stores less, and writes more. There is at most one flat
// segment for long.
struct LeveledOptions {
  double fold_share = 0.1;
  double dead_share = 0.1;
};
std::shared_ptr<const CompactionPolicy> LeveledCompaction(const LeveledOptions& options = {});

}  // namespace isotherm
