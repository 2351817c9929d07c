#include "engine/compaction_policy.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace isotherm {

namespace {

// A build is taken for dead after this, and a second more for each MB of the collection.
constexpr int64_t kBuildMs = 30 * 60 * 1000;
constexpr uint64_t kBytesPerMs = 1000;
// By a clock that is further ahead than this it can't be told.
constexpr int64_t kClockSkewMs = 60 * 60 * 1000;

std::string Percent(uint64_t part, uint64_t whole) {
  return std::to_string(
             whole == 0 ? 100 : static_cast<uint64_t>(100.0 * static_cast<double>(part) / static_cast<double>(whole))) +
         " %";
}

// What both policies look at.
struct Overview {
  explicit Overview(std::span<const CompactionUnit> all) : units(all) {
    for (size_t i = 0; i < units.size(); ++i) {
      if (units[i].partition) {
        partition = &units[i];
      } else {
        flat.push_back(i);
        flat_rows += units[i].live_rows();
      }
    }
  }

  std::span<const CompactionUnit> units;
  const CompactionUnit* partition = nullptr;
  std::vector<size_t> flat;
  uint64_t flat_rows = 0;

  bool MostlyDead(const CompactionUnit& unit, double share) const {
    return static_cast<double>(unit.dead_rows()) > share * static_cast<double>(unit.rows);
  }
};

CompactionPick Everything(const Overview& overview, std::string cause) {
  CompactionPick pick{std::vector<size_t>(overview.units.size()), true, std::move(cause)};
  std::iota(pick.units.begin(), pick.units.end(), size_t{0});
  return pick;
}

// What concerns the partition, or the first one. When it is written anew, flat segments go along: what they cost a
// query is more than what writing their rows once does.
CompactionPick PickPartition(const Overview& overview, double fold_share, double dead_share,
                             uint64_t min_rows_for_cells) {
  if (overview.partition == nullptr) {
    if (overview.flat.empty() || overview.flat_rows < min_rows_for_cells) return {};
    return Everything(overview, std::to_string(overview.flat_rows) + " rows in flat segments, and no partition");
  }
  const CompactionUnit& partition = *overview.partition;
  if (static_cast<double>(overview.flat_rows) > fold_share * static_cast<double>(partition.live_rows())) {
    return Everything(overview, "flat segments hold " + Percent(overview.flat_rows, partition.live_rows()) +
                                    " of the partition's rows");
  }
  if (overview.MostlyDead(partition, dead_share)) {
    return Everything(
        overview, Percent(partition.dead_rows(), partition.rows) + " of the partition's rows are deleted or expired");
  }
  return {};
}

CompactionPick PickMostlyDead(const Overview& overview, double dead_share) {
  for (size_t i : overview.flat) {
    const CompactionUnit& unit = overview.units[i];
    if (!overview.MostlyDead(unit, dead_share)) continue;
    return {{i}, false, Percent(unit.dead_rows(), unit.rows) + " of a flat segment's rows are deleted or expired"};
  }
  return {};
}

class SizeTiered : public CompactionPolicy {
 public:
  explicit SizeTiered(const SizeTieredOptions& options) : options_(options) {
    options_.threshold = std::max<size_t>(2, options.threshold);
    options_.size_factor = std::max(1.0, options.size_factor);
  }

  CompactionPick Pick(std::span<const CompactionUnit> units, uint64_t min_rows_for_cells) const override {
    Overview overview(units);
    CompactionPick pick = PickPartition(overview, options_.fold_share, options_.dead_share, min_rows_for_cells);
    if (pick.units.empty()) pick = PickTier(overview);
    if (pick.units.empty()) pick = PickMostlyDead(overview, options_.dead_share);
    return pick;
  }

 private:
  // The smallest ones first: they cost the least to bring together and a request each to read.
  CompactionPick PickTier(const Overview& overview) const {
    std::vector<size_t> by_size = overview.flat;
    std::stable_sort(by_size.begin(), by_size.end(),
                     [&](size_t a, size_t b) { return overview.units[a].bytes < overview.units[b].bytes; });
    for (size_t first = 0; first + options_.threshold <= by_size.size(); ++first) {
      double most = options_.size_factor * static_cast<double>(overview.units[by_size[first]].bytes);
      size_t end = first;
      while (end < by_size.size() && static_cast<double>(overview.units[by_size[end]].bytes) <= most) ++end;
      if (end - first < options_.threshold) continue;
      std::vector<size_t> picked(by_size.begin() + static_cast<ptrdiff_t>(first),
                                 by_size.begin() + static_cast<ptrdiff_t>(end));
      std::sort(picked.begin(), picked.end());
      return {picked, false, std::to_string(picked.size()) + " flat segments of similar size"};
    }
    return {};
  }

  SizeTieredOptions options_;
};

class Leveled : public CompactionPolicy {
 public:
  explicit Leveled(const LeveledOptions& options) : options_(options) {}

  CompactionPick Pick(std::span<const CompactionUnit> units, uint64_t min_rows_for_cells) const override {
    Overview overview(units);
    CompactionPick pick = PickPartition(overview, options_.fold_share, options_.dead_share, min_rows_for_cells);
    if (!pick.units.empty()) return pick;
    if (overview.flat.size() > 1) {
      return {overview.flat, false, std::to_string(overview.flat.size()) + " flat segments"};
    }
    return PickMostlyDead(overview, options_.dead_share);
  }

 private:
  const LeveledOptions options_;
};

// About how many rows have expired: as if the moments were spread evenly.
uint64_t Expired(const ExpirySpan& expiry, int64_t now_ms) {
  if (expiry.rows == 0 || now_ms < expiry.first_ms) return 0;
  if (now_ms >= expiry.last_ms) return expiry.rows;
  double share = static_cast<double>(now_ms - expiry.first_ms) / static_cast<double>(expiry.last_ms - expiry.first_ms);
  return static_cast<uint64_t>(share * static_cast<double>(expiry.rows));
}

}  // namespace

std::shared_ptr<const CompactionPolicy> SizeTieredCompaction(const SizeTieredOptions& options) {
  return std::make_shared<SizeTiered>(options);
}

std::shared_ptr<const CompactionPolicy> LeveledCompaction(const LeveledOptions& options) {
  return std::make_shared<Leveled>(options);
}

CompactionUnits UnitsOf(const Head& head, int64_t now_ms) {
  CompactionUnits out;
  size_t partition = SIZE_MAX;
  for (uint32_t s = 0; s < head.segments.size(); ++s) {
    const SegmentInfo& segment = head.segments[s];
    const bool cells = segment.kind == SegmentKind::kCells;
    size_t at = cells ? partition : SIZE_MAX;
    if (at == SIZE_MAX) {
      at = out.units.size();
      out.units.emplace_back().partition = cells;
      out.segments.emplace_back();
      if (cells) partition = at;
    }
    CompactionUnit& unit = out.units[at];
    unit.rows += segment.rows;
    unit.deleted += segment.hard_deleted;
    unit.expired += Expired(segment.expiry, now_ms);
    unit.bytes += segment.bytes;
    out.segments[at].push_back(s);
  }
  return out;
}

PickedPlan PlanOfAll(const Head& head, bool keep_cells) {
  PickedPlan out;
  out.plan.inputs.resize(head.segments.size());
  std::iota(out.plan.inputs.begin(), out.plan.inputs.end(), 0U);
  out.plan.to_cells = true;
  out.plan.keep_cells = keep_cells;
  out.cause = "asked for";
  return out;
}

Result<PickedPlan> PlanByPolicy(const CompactionPolicy& policy, const Head& head, uint64_t min_rows_for_cells,
                                int64_t now_ms) {
  CompactionUnits units = UnitsOf(head, now_ms);
  CompactionPick pick = policy.Pick(units.units, min_rows_for_cells);
  PickedPlan out;
  if (pick.units.empty()) return out;
  bool with_partition = false;
  for (size_t unit : pick.units) {
    if (unit >= units.units.size()) {
      return Status::InvalidArgument("the compaction policy picked unit " + std::to_string(unit) + " of " +
                                     std::to_string(units.units.size()));
    }
    with_partition = with_partition || units.units[unit].partition;
    out.plan.inputs.insert(out.plan.inputs.end(), units.segments[unit].begin(), units.segments[unit].end());
  }
  std::sort(out.plan.inputs.begin(), out.plan.inputs.end());
  if (std::adjacent_find(out.plan.inputs.begin(), out.plan.inputs.end()) != out.plan.inputs.end()) {
    return Status::InvalidArgument("the compaction policy picked a unit twice");
  }
  bool has_partition = std::any_of(units.units.begin(), units.units.end(), [](const auto& u) { return u.partition; });
  if (pick.to_partition && has_partition && !with_partition) {
    return Status::InvalidArgument("the compaction policy wants a partition, and leaves out the one that there is");
  }
  out.plan.to_cells = pick.to_partition;
  out.plan.keep_cells = true;
  out.cause = std::move(pick.cause);
  return out;
}

bool BuildUnderWay(const Head& head, int64_t now_ms) {
  uint64_t bytes = 0;
  for (const SegmentInfo& segment : head.segments) bytes += segment.bytes;
  const int64_t life_ms = kBuildMs + static_cast<int64_t>(bytes / kBytesPerMs);
  return std::any_of(head.builds.begin(), head.builds.end(), [&](const Build& build) {
    const int64_t age_ms = now_ms - build.started_ms;
    return age_ms > -kClockSkewMs && age_ms < life_ms;
  });
}

}  // namespace isotherm
