// From a head to the plan of a compaction, by a policy.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/compaction_job.h"
#include "engine/head.h"
#include "isotherm/compaction.h"

namespace isotherm {

// The units of a head, and the indexes of the segments that each is made of.
struct CompactionUnits {
  std::vector<CompactionUnit> units;
  std::vector<std::vector<uint32_t>> segments;
};
CompactionUnits UnitsOf(const Head& head, int64_t now_ms);

struct PickedPlan {
  CompactionPlan plan;  // without inputs: nothing to do
  std::string cause;
};
// Of all segments, trained anew unless `keep_cells`.
PickedPlan PlanOfAll(const Head& head, bool keep_cells);
// What the policy picks. InvalidArgument when it picks what can't be.
Result<PickedPlan> PlanByPolicy(const CompactionPolicy& policy, const Head& head, uint64_t min_rows_for_cells,
                                int64_t now_ms);

// Whether somebody is at work on a compaction, as far as the head tells: a build that is old has died.
bool BuildUnderWay(const Head& head, int64_t now_ms);

}  // namespace isotherm
