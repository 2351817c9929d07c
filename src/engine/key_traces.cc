#include "engine/key_traces.h"

#include <algorithm>
#include <numeric>

#include "base/macros.h"

namespace isotherm {

KeyTraces::KeyTraces(const ReadPath& path, std::span<const Key> keys) : keys_(keys.begin(), keys.end()), lookup_(path) {
  std::sort(keys_.begin(), keys_.end());
  keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
}

bool KeyTraces::IsOne(const Key& key) const { return std::binary_search(keys_.begin(), keys_.end(), key); }

Status KeyTraces::Look(std::span<const SegmentInfo> segments, const Context& context) {
  Snapshot asked;
  for (const SegmentInfo& segment : segments) {
    if (!traces_.contains(segment.name)) asked.head.segments.push_back(segment);
  }
  std::vector<uint32_t> all(asked.head.segments.size());
  std::iota(all.begin(), all.end(), 0U);
  ASSIGN_OR_RETURN(std::vector<std::vector<KeyPlace>> places, lookup_.Find(asked, keys_, all, context));
  for (const SegmentInfo& segment : asked.head.segments) traces_[segment.name];
  for (size_t key = 0; key < places.size(); ++key) {
    for (const KeyPlace& place : places[key]) {
      const SegmentInfo& segment = asked.head.segments[place.segment];
      traces_[segment.name].push_back({key, place.location.ordinal, place.location.attributes});
    }
  }
  return Status::Ok();
}

std::set<std::string> KeyTraces::SegmentsWith(const Head& head) const {
  std::set<std::string> names;
  bool in_cells = false;
  for (const SegmentInfo& segment : head.segments) {
    if (In(segment.name).empty()) continue;
    names.insert(segment.name);
    in_cells = in_cells || segment.kind == SegmentKind::kCells;
  }
  for (const SegmentInfo& segment : head.segments) {
    if (in_cells && HasSecondCopies(segment)) names.insert(segment.name);
  }
  return names;
}

bool KeyTraces::InRowsOf(const Head& head, uint64_t newest_version) const {
  return std::any_of(head.inline_rows.begin(), head.inline_rows.end(), [&](const InlineRow& inline_row) {
    return inline_row.row.version <= newest_version && IsOne(inline_row.row.key);
  });
}

}  // namespace isotherm
