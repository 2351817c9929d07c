// Every metric as it is defined, for comparison with what an index gives.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "isotherm/row.h"

namespace isotherm {

inline double ExactDistance(Metric metric, std::span<const float> a, std::span<const float> b) {
  double dot = 0, norm_a = 0, norm_b = 0, squared = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += double{a[i]} * b[i];
    norm_a += double{a[i]} * a[i];
    norm_b += double{b[i]} * b[i];
    squared += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  }
  switch (metric) {
    case Metric::kL2: return squared;
    case Metric::kCosine: return 1 - dot / std::sqrt(norm_a * norm_b);
    case Metric::kInnerProduct: return -dot;
  }
  return 0;
}

// The `k` rows (of rows.size() / dimension) nearest to the query that `accept` says yes to, nearest first.
inline std::vector<uint32_t> ExactNearest(Metric metric, std::span<const float> rows, std::span<const float> query,
                                          size_t k, const std::function<bool(uint32_t)>& accept) {
  std::vector<std::pair<double, uint32_t>> order;
  for (uint32_t i = 0; i < rows.size() / query.size(); ++i) {
    if (accept(i)) order.emplace_back(ExactDistance(metric, rows.subspan(i * query.size(), query.size()), query), i);
  }
  k = std::min(k, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(k), order.end());
  std::vector<uint32_t> nearest;
  for (size_t i = 0; i < k; ++i) nearest.push_back(order[i].second);
  return nearest;
}

}  // namespace isotherm
