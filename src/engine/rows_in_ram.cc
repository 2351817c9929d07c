#include "engine/rows_in_ram.h"

#include "engine/row_table.h"

namespace isotherm {

class RowsInRam::Seen : public SlotFilter {
 public:
  Seen(const ReadView& view, const Source& source) : view_(view), source_(source) {}

  bool Accepts(uint32_t slot) const override {
    if (source_.recent != nullptr) {
      if (slot >= source_.recent->places.size()) return false;
      const RecentRows::Place place = source_.recent->places[slot];
      if (place.segment == kNoSlot) return false;
      const OrdinalSet* absent = source_.absent[place.segment];
      if (absent == nullptr || absent->Contains(place.ordinal)) return false;
    } else if (!source_.rows->IsSeen(slot, view_.sequence)) {
      return false;
    }
    const Row& row = *source_.rows->row(slot);
    return !IsExpired(row.expires_at_ms, view_.now_ms) && !view_.Hides(row.key, source_.newer);
  }

 private:
  const ReadView& view_;
  const Source& source_;
};

RowsInRam::RowsInRam(const ReadView& view, const Liveness* liveness, bool exact, const std::vector<bool>& by_rows)
    : view_(view), exact_(exact) {
  for (size_t b = 0; b < view.buffers.size(); ++b) {
    sources_.push_back({view.buffers[b]->rows().get(), b});
  }
  for (size_t r = 0; r < by_rows.size(); ++r) {
    if (!by_rows[r]) continue;
    const RecentView& of = view.recent->views[r];
    Source& source = sources_.emplace_back(Source{of.recent->rows.get(), view.buffers.size(), of.recent.get()});
    for (uint32_t s : of.segments) {
      source.absent.push_back(s == kNoSlot ? nullptr : &liveness->AbsentIn(view.snapshot->head.segments[s], s));
    }
  }
  for (const Row& row : view.snapshot->rows.rows()) {
    if (!IsExpired(row.expires_at_ms, view.now_ms) && !view.Hides(row.key)) of_head_.push_back(&row);
  }
}

std::vector<Candidate> RowsInRam::Search(std::span<const float> query, size_t wanted, uint64_t* compared) const {
  const Metric metric = view_.snapshot->head.schema.metric;
  Candidates candidates(wanted);
  const auto head = static_cast<uint32_t>(sources_.size());
  for (uint32_t i = 0; i < of_head_.size(); ++i) {
    candidates.Add({ExactDistance(metric, query, of_head_[i]->vector), 0, (uint64_t{head} << 32) | i, head, i});
  }
  *compared += of_head_.size();
  for (uint32_t s = 0; s < sources_.size(); ++s) {
    *compared += sources_[s].rows->Search(query, wanted, exact_, Seen(view_, sources_[s]), s, candidates);
  }
  return candidates.Take();
}

const Row& RowsInRam::row(const Candidate& found) const {
  if (found.source == sources_.size()) return *of_head_[found.position];
  return *sources_[found.source].rows->row(found.position);
}

}  // namespace isotherm
