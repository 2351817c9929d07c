#include "engine/probe_plan.h"

#include <algorithm>
#include <numeric>

namespace isotherm {

namespace {

constexpr uint64_t kShortGapBytes = 64 << 10;
constexpr size_t kFewRuns = 6;
constexpr uint64_t kFewBytes = 2'000'000;

// Between two cells in a row of the list.
struct Gap {
  size_t after;  // index of the cell before it
  uint64_t bytes;
  bool crosses_objects;
};

}  // namespace

std::vector<uint32_t> PlanProbes(const Snapshot& snapshot, std::vector<uint32_t> nearest) {
  const Routing& routing = *snapshot.routing;
  std::sort(nearest.begin(), nearest.end());
  std::vector<Gap> gaps;
  for (size_t i = 0; i + 1 < nearest.size(); ++i) {
    BlockAddress left = CellAddress(snapshot, nearest[i]);
    BlockAddress right = CellAddress(snapshot, nearest[i + 1]);
    bool crosses = left.segment != right.segment;
    gaps.push_back({i, crosses ? 0 : right.extent.offset - left.extent.offset - left.extent.length, crosses});
  }
  std::stable_sort(gaps.begin(), gaps.end(), [](const Gap& a, const Gap& b) {
    return a.crosses_objects != b.crosses_objects ? b.crosses_objects : a.bytes < b.bytes;
  });
  size_t runs = nearest.size();
  uint64_t bytes = snapshot.head_bytes + snapshot.head.routing.bytes;
  for (uint32_t cell : nearest) bytes += routing.blocks[cell].length;
  std::vector<uint32_t> cells = nearest;
  for (const Gap& gap : gaps) {
    bool worth_it = gap.bytes <= kShortGapBytes || (runs > kFewRuns && bytes + gap.bytes <= kFewBytes);
    if (gap.crosses_objects || !worth_it) break;
    for (uint32_t cell = nearest[gap.after] + 1; cell < nearest[gap.after + 1]; ++cell) {
      if (routing.blocks[cell].rows > 0) cells.push_back(cell);
    }
    bytes += gap.bytes;
    --runs;
  }
  std::sort(cells.begin(), cells.end());
  return cells;
}

}  // namespace isotherm
