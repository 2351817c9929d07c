#include "cache/request_plan.h"

#include <algorithm>
#include <tuple>

namespace isotherm {

namespace {

// Between two neighbours in the order of objects and offsets, where a request may end and the next begin.
struct Cut {
  size_t before = 0;  // position of the second neighbour
  uint64_t gap = 0;
  bool must_stay = false;  // the neighbours are of different objects
};

std::vector<Cut> FindCuts(std::span<const Extent> extents, std::span<const size_t> order, uint32_t max_gap_bytes) {
  std::vector<Cut> cuts;
  uint64_t end = 0;  // of all extents of this object so far
  for (size_t i = 0; i < order.size(); ++i) {
    const Extent& extent = extents[order[i]];
    bool new_object = i == 0 || extents[order[i - 1]].object != extent.object;
    if (new_object) end = 0;
    uint64_t gap = !new_object && extent.offset > end ? extent.offset - end : 0;
    if (i > 0 && (new_object || gap > max_gap_bytes)) cuts.push_back({i, gap, new_object});
    end = std::max(end, extent.offset + extent.length);
  }
  return cuts;
}

void DropSmallestCuts(std::vector<Cut>& cuts, size_t max_requests) {
  if (cuts.size() < max_requests) return;
  size_t surplus = cuts.size() + 1 - max_requests;
  std::stable_sort(cuts.begin(), cuts.end(), [](const Cut& a, const Cut& b) {
    return std::tie(a.must_stay, a.gap) < std::tie(b.must_stay, b.gap);
  });
  auto droppable = std::find_if(cuts.begin(), cuts.end(), [](const Cut& cut) { return cut.must_stay; }) - cuts.begin();
  cuts.erase(cuts.begin(), cuts.begin() + std::min<ptrdiff_t>(droppable, static_cast<ptrdiff_t>(surplus)));
  std::sort(cuts.begin(), cuts.end(), [](const Cut& a, const Cut& b) { return a.before < b.before; });
}

// A long run is shared out among connections, at the end of an extent.
bool IsLongEnough(const PlannedRequest& request, const Extent& next, const FetchOptions& options) {
  return options.max_request_bytes > 0 && options.max_requests == 0 && next.offset >= request.offset + request.length &&
         next.offset + next.length - request.offset > options.max_request_bytes;
}

}  // namespace

std::vector<PlannedRequest> PlanRequests(std::span<const Extent> extents, std::span<const size_t> wanted,
                                         const FetchOptions& options) {
  std::vector<size_t> order(wanted.begin(), wanted.end());
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tie(extents[a].object, extents[a].offset, a) < std::tie(extents[b].object, extents[b].offset, b);
  });
  std::vector<Cut> cuts = FindCuts(extents, order, options.max_gap_bytes);
  if (options.max_requests > 0) DropSmallestCuts(cuts, options.max_requests);

  std::vector<PlannedRequest> requests;
  auto cut = cuts.begin();
  for (size_t i = 0; i < order.size(); ++i) {
    const Extent& extent = extents[order[i]];
    bool at_cut = cut != cuts.end() && cut->before == i;
    if (at_cut) ++cut;
    if (i == 0 || at_cut || IsLongEnough(requests.back(), extent, options)) requests.push_back({extent.offset, 0, {}});
    PlannedRequest& request = requests.back();
    request.length = std::max(request.length, extent.offset + extent.length - request.offset);
    request.extents.push_back(order[i]);
  }
  return requests;
}

}  // namespace isotherm
