// Some measurements of one thing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace isotherm::tool {

class Distribution {
 public:
  void Add(double value) { values_.push_back(value); }
  size_t count() const { return values_.size(); }

  // The smallest value that at least `share` of them do not exceed; 0 of none.
  double Quantile(double share) const {
    if (values_.empty()) return 0;
    std::vector<double> sorted = values_;
    std::sort(sorted.begin(), sorted.end());
    auto rank = static_cast<size_t>(share * static_cast<double>(sorted.size()) + 0.999999);
    return sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1];
  }
  double Mean() const {
    return values_.empty() ? 0
                           : std::accumulate(values_.begin(), values_.end(), 0.0) / static_cast<double>(values_.size());
  }
  double Max() const { return values_.empty() ? 0 : *std::max_element(values_.begin(), values_.end()); }

 private:
  std::vector<double> values_;
};

}  // namespace isotherm::tool
