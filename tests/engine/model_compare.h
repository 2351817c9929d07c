// All that a handle can be asked, held against a model of its rows.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "engine/row_table.h"
#include "isotherm/isotherm.h"
#include "tests/engine/oracle.h"

namespace isotherm::testing_support {

using ModelRows = std::map<Key, Row>;

inline void CompareRow(const Row& row, const Row& expected) {
  EXPECT_EQ(row, expected) << row.key.ToString();
  EXPECT_EQ(row.version, expected.version) << row.key.ToString();
}

// Contains of all keys at once, and Get of each of `asked`.
inline void CompareKeys(Collection& collection, const ModelRows& live, std::span<const Key> keys,
                        std::span<const Key> asked) {
  auto contained = collection.Contains(keys);
  ASSERT_TRUE(contained.ok()) << contained.status();
  for (size_t i = 0; i < keys.size(); ++i) EXPECT_EQ((*contained)[i], live.contains(keys[i])) << keys[i].ToString();
  for (const Key& key : asked) {
    auto got = collection.Get(key);
    auto expected = live.find(key);
    if (expected == live.end()) {
      EXPECT_EQ(got.status().code(), StatusCode::kNotFound) << key.ToString() << ": " << got.status();
    } else if (got.ok()) {
      CompareRow(*got, expected->second);
    } else {
      ADD_FAILURE() << key.ToString() << ": " << got.status();
    }
  }
}

// In key order, each once. `soft`: of the softly deleted rows, which are expected then.
inline void CompareScan(Collection& collection, const ModelRows& expected, bool soft) {
  ScanOptions options;
  options.soft_deleted = soft;
  auto next = expected.begin();
  Status status = collection.Scan(
      [&](Row row) {
        bool as_expected = next != expected.end() && next->first == row.key;
        EXPECT_TRUE(as_expected) << (soft ? "soft " : "") << row.key.ToString();
        if (!as_expected) return Status::Internal("another row was expected");
        CompareRow(row, next->second);
        ++next;
        return Status::Ok();
      },
      options);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(next == expected.end()) << (soft ? "softly deleted rows" : "rows") << " are missing";
}

// The true order, ties by key, by the engine's own distances; and the same by codes, when all are measured again.
inline void CompareSearch(Collection& collection, const ModelRows& live, Metric metric, std::span<const float> query,
                          size_t k) {
  std::vector<std::pair<float, Key>> expected;
  for (const auto& [key, row] : live) expected.emplace_back(ExactDistance(metric, query, row.vector), key);
  std::sort(expected.begin(), expected.end());
  SearchOptions search;
  search.k = k;
  search.probes = 1000;
  search.include_metadata = true;
  for (bool exact : {true, false}) {
    search.exact = exact;
    search.rerank = exact ? 0 : live.size() + 1;
    auto found = collection.Search(query, search);
    ASSERT_TRUE(found.ok()) << found.status();
    ASSERT_EQ(found->hits.size(), std::min(k, expected.size())) << (exact ? "exact" : "by codes");
    for (size_t i = 0; i < found->hits.size(); ++i) {
      const Hit& hit = found->hits[i];
      ASSERT_EQ(std::make_pair(hit.distance, hit.key), expected[i]) << (exact ? "exact" : "by codes");
      const Row& row = live.at(hit.key);
      double distance = TrueDistance(metric, query, row.vector);
      EXPECT_NEAR(hit.distance, distance, 1e-4 * (1 + std::abs(distance)));
      EXPECT_EQ(hit.metadata, row.metadata);
    }
  }
}

}  // namespace isotherm::testing_support
