// Random rows, and the true answer by comparing with all of them in double precision.
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "base/splitmix.h"
#include "isotherm/row.h"

namespace isotherm::testing_support {

inline float RandomFloat(SplitMix64& random) {
  return static_cast<float>(static_cast<double>(random.Next() >> 11) * 0x1p-52 - 1.0);
}

// Rows with keys first_key, first_key + 1, …, metadata of every type (fields missing now and then) and payloads.
inline std::vector<Row> MakeRows(size_t count, uint32_t dimension, uint64_t seed, uint64_t first_key = 0) {
  SplitMix64 random(seed);
  std::vector<Row> rows;
  for (size_t i = 0; i < count; ++i) {
    Row row;
    row.key = first_key + i;
    for (uint32_t d = 0; d < dimension; ++d) row.vector.push_back(RandomFloat(random));
    static const char* kColours[] = {"red", "green", "blue", "ünï"};
    if (random.Below(4) != 0) row.metadata["colour"] = kColours[random.Below(4)];
    if (random.Below(4) != 0) row.metadata["weight"] = static_cast<int64_t>(random.Next());
    if (random.Below(4) == 0) row.metadata["weight"] = Value();
    if (random.Below(2) != 0) row.metadata["share"] = 0.25 * static_cast<double>(random.Below(100));
    if (random.Below(2) != 0) row.metadata["good"] = random.Below(2) == 1;
    if (random.Below(2) != 0) row.metadata["tags"] = Value::Array{Value("a"), Value(int64_t{3}), Value(1.5)};
    if (random.Below(3) != 0) row.payload.assign(random.Below(200), static_cast<char>(random.Below(256)));
    rows.push_back(std::move(row));
  }
  return rows;
}

inline double TrueDistance(Metric metric, std::span<const float> a, std::span<const float> b) {
  double dot = 0;
  double a2 = 0;
  double b2 = 0;
  double l2 = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += double{a[i]} * b[i];
    a2 += double{a[i]} * a[i];
    b2 += double{b[i]} * b[i];
    l2 += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  }
  if (metric == Metric::kL2) return l2;
  if (metric == Metric::kInnerProduct) return -dot;
  return 1 - dot / std::sqrt(a2 * b2);
}

struct TrueHit {
  const Row* row;
  double distance;
};

inline std::vector<TrueHit> Nearest(const std::vector<Row>& rows, std::span<const float> query, Metric metric,
                                    size_t k) {
  std::vector<TrueHit> hits;
  for (const Row& row : rows) hits.push_back({&row, TrueDistance(metric, query, row.vector)});
  std::sort(hits.begin(), hits.end(), [](const TrueHit& a, const TrueHit& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.row->key < b.row->key;
  });
  hits.resize(std::min(k, hits.size()));
  return hits;
}

}  // namespace isotherm::testing_support
