#include "engine/candidates.h"

#include <algorithm>

namespace isotherm {

namespace {

bool Nearer(const Candidate& a, const Candidate& b) { return a.distance < b.distance; }

}  // namespace

void Candidates::DropCopies() {
  std::sort(list_.begin(), list_.end(),
            [](const Candidate& a, const Candidate& b) { return a.row != b.row ? a.row < b.row : a.error < b.error; });
  list_.erase(
      std::unique(list_.begin(), list_.end(), [](const Candidate& a, const Candidate& b) { return a.row == b.row; }),
      list_.end());
}

void Candidates::Shrink() {
  DropCopies();
  if (list_.size() <= wanted_) return;
  auto last = list_.begin() + static_cast<ptrdiff_t>(wanted_) - 1;
  std::nth_element(list_.begin(), last, list_.end(), Nearer);
  limit_ = last->distance;
  std::erase_if(list_, [this](const Candidate& c) { return c.distance > limit_; });
  shrink_at_ = 2 * std::max(list_.size(), wanted_) + kSlack;
}

std::vector<Candidate> Candidates::Take() {
  Shrink();
  DropCopies();
  std::sort(list_.begin(), list_.end(), Nearer);
  return std::move(list_);
}

}  // namespace isotherm
