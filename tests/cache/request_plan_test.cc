#include "cache/request_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "base/splitmix.h"

namespace isotherm {
namespace {

std::vector<PlannedRequest> Plan(const std::vector<Extent>& extents, uint32_t max_gap, uint32_t max_requests) {
  std::vector<size_t> all(extents.size());
  std::iota(all.begin(), all.end(), size_t{0});
  return PlanRequests(extents, all, {.max_gap_bytes = max_gap, .max_requests = max_requests});
}

uint64_t TotalBytes(const std::vector<PlannedRequest>& plan) {
  uint64_t total = 0;
  for (const PlannedRequest& request : plan) total += request.length;
  return total;
}

TEST(RequestPlanTest, MergesAcrossGapsUpToTheLimit) {
  std::vector<Extent> extents = {{"a", 300, 100, 0}, {"a", 0, 100, 0}, {"a", 150, 100, 0}};
  EXPECT_EQ(Plan(extents, 49, 0).size(), 3u);
  std::vector<PlannedRequest> plan = Plan(extents, 50, 0);
  ASSERT_EQ(plan.size(), 1u);
  EXPECT_EQ(plan[0].offset, 0u);
  EXPECT_EQ(plan[0].length, 400u);
  EXPECT_EQ(plan[0].extents, (std::vector<size_t>{1, 2, 0}));
}

TEST(RequestPlanTest, NeverMergesAcrossObjects) {
  std::vector<Extent> extents = {{"a", 0, 100, 0}, {"b", 100, 100, 0}, {"c", 200, 100, 0}, {"b", 900, 100, 0}};
  EXPECT_EQ(Plan(extents, 1000, 0).size(), 3u);
  EXPECT_EQ(Plan(extents, 0, 1).size(), 3u);
}

TEST(RequestPlanTest, OverlappingAndRepeatedExtentsAreReadOnce) {
  std::vector<Extent> extents = {{"a", 0, 1000, 0}, {"a", 100, 10, 0}, {"a", 1000, 5, 0}, {"a", 0, 1000, 0}};
  std::vector<PlannedRequest> plan = Plan(extents, 0, 0);
  ASSERT_EQ(plan.size(), 1u);
  EXPECT_EQ(plan[0].length, 1005u);
  EXPECT_EQ(plan[0].extents.size(), 4u);
}

TEST(RequestPlanTest, ReadsOnlyWhatIsWanted) {
  std::vector<Extent> extents = {{"a", 0, 10, 0}, {"a", 10, 10, 0}, {"a", 20, 10, 0}};
  std::vector<size_t> wanted = {2};
  std::vector<PlannedRequest> plan = PlanRequests(extents, wanted, {});
  ASSERT_EQ(plan.size(), 1u);
  EXPECT_EQ(plan[0].offset, 20u);
  EXPECT_EQ(plan[0].extents, wanted);
  EXPECT_TRUE(PlanRequests(extents, {}, {}).empty());
}

// The fewest bytes of any plan that merges every gap of at most max_gap, no two objects, and has at most max_requests
// requests (or one an object): tries all sets of places where a request may end.
uint64_t FewestBytes(const std::vector<Extent>& extents, uint32_t max_gap, uint32_t max_requests) {
  // Maximal runs without a gap, as (object, begin, end).
  struct Run {
    std::string object;
    uint64_t begin;
    uint64_t end;
  };
  std::map<std::string, std::map<uint64_t, bool>> covered;
  for (const Extent& e : extents) {
    for (uint64_t at = e.offset; at < e.offset + e.length; ++at) covered[e.object][at] = true;
  }
  std::vector<Run> runs;
  for (const auto& [object, bytes] : covered) {
    for (const auto& [at, unused] : bytes) {
      if (runs.empty() || runs.back().object != object || runs.back().end != at) runs.push_back({object, at, at});
      runs.back().end = at + 1;
    }
  }
  uint64_t fewest = std::numeric_limits<uint64_t>::max();
  size_t limit = max_requests == 0 ? runs.size() : std::max<size_t>(max_requests, covered.size());
  for (uint64_t merged = 0; merged < uint64_t{1} << (runs.size() - 1); ++merged) {
    uint64_t bytes = runs[0].end - runs[0].begin;
    size_t requests = 1;
    bool allowed = true;
    for (size_t i = 1; i < runs.size(); ++i) {
      bool same = runs[i].object == runs[i - 1].object;
      uint64_t gap = same ? runs[i].begin - runs[i - 1].end : 0;
      bool merge = (merged >> (i - 1) & 1) != 0;
      if ((merge && !same) || (!merge && same && gap <= max_gap)) allowed = false;
      bytes += runs[i].end - runs[i].begin + (merge ? gap : 0);
      requests += merge ? 0 : 1;
    }
    if (allowed && requests <= limit) fewest = std::min(fewest, bytes);
  }
  return fewest;
}

TEST(RequestPlanTest, NoPlanThatKeepsTheLimitsReadsFewerBytes) {
  SplitMix64 random(1);
  for (int trial = 0; trial < 3000; ++trial) {
    std::vector<Extent> extents;
    uint64_t count = 1 + random.Below(8);
    for (uint64_t i = 0; i < count; ++i) {
      extents.push_back({std::string(1, static_cast<char>('a' + random.Below(1 + trial % 3))), random.Below(120),
                         static_cast<uint32_t>(1 + random.Below(15)), 0});
    }
    auto max_gap = static_cast<uint32_t>(random.Below(12));
    auto max_requests = static_cast<uint32_t>(random.Below(6));
    std::vector<PlannedRequest> plan = Plan(extents, max_gap, max_requests);
    ASSERT_EQ(TotalBytes(plan), FewestBytes(extents, max_gap, max_requests)) << "trial " << trial;

    std::vector<int> covered(extents.size());
    for (const PlannedRequest& request : plan) {
      for (size_t i : request.extents) {
        ++covered[i];
        ASSERT_EQ(extents[i].object, extents[request.extents.front()].object);
        ASSERT_GE(extents[i].offset, request.offset);
        ASSERT_LE(extents[i].offset + extents[i].length, request.offset + request.length);
      }
    }
    for (int times : covered) ASSERT_EQ(times, 1);
  }
}

TEST(RequestPlan, ALongRunIsReadByRequestsOfBoundedSizeThatCoverEachExtentOnce) {
  std::vector<Extent> extents;
  for (uint64_t i = 0; i < 100; ++i) extents.push_back({"object", i * 100, 100, 0});
  extents.push_back({"object", 10'000, 5'000, 0});  // longer than a request: not cut
  std::vector<size_t> all(extents.size());
  std::iota(all.begin(), all.end(), 0);
  std::vector<PlannedRequest> plan = PlanRequests(extents, all, {.max_gap_bytes = 50, .max_request_bytes = 1'000});
  ASSERT_EQ(plan.size(), 11U);
  uint64_t at = 0;
  std::vector<size_t> covered;
  for (const PlannedRequest& request : plan) {
    EXPECT_EQ(request.offset, at);
    EXPECT_LE(request.length, request.extents.size() == 1 ? 5'000U : 1'000U);
    at += request.length;
    covered.insert(covered.end(), request.extents.begin(), request.extents.end());
  }
  EXPECT_EQ(at, 15'000U);
  EXPECT_EQ(covered, all);
}

}  // namespace
}  // namespace isotherm
