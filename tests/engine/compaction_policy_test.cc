// What policies pick, and what becomes of that.
#include "engine/compaction_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/splitmix.h"

namespace isotherm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint64_t kMinRows = 2000;

CompactionUnit Flat(uint64_t rows, uint64_t dead = 0) { return {false, rows, dead, 0, rows * 1000}; }
CompactionUnit Partition(uint64_t rows, uint64_t dead = 0) { return {true, rows, dead, 0, rows * 1000}; }

CompactionPick SizeTieredPick(const std::vector<CompactionUnit>& units, const SizeTieredOptions& options = {}) {
  return SizeTieredCompaction(options)->Pick(units, kMinRows);
}

TEST(SizeTieredCompaction, LeavesAFewFlatSegmentsAlone) {
  EXPECT_THAT(SizeTieredPick({}).units, IsEmpty());
  EXPECT_THAT(SizeTieredPick({Flat(10), Flat(10), Flat(10)}).units, IsEmpty());
  EXPECT_THAT(SizeTieredPick({Partition(10000), Flat(100), Flat(100), Flat(100)}).units, IsEmpty());
}

TEST(SizeTieredCompaction, MergesAsManyOfSimilarSizeAsTheThresholdSays) {
  CompactionPick pick = SizeTieredPick({Flat(10), Flat(40), Flat(20), Flat(15)});
  EXPECT_THAT(pick.units, ElementsAre(0, 1, 2, 3));
  EXPECT_FALSE(pick.to_partition);
  EXPECT_EQ(pick.cause, "4 flat segments of similar size");
  EXPECT_THAT(SizeTieredPick({Flat(10), Flat(41), Flat(20), Flat(15)}).units, IsEmpty());
  EXPECT_THAT(SizeTieredPick({Flat(10), Flat(20)}, {.threshold = 2}).units, ElementsAre(0, 1));
  EXPECT_THAT(SizeTieredPick({Flat(10)}, {.threshold = 0}).units, IsEmpty());
}

TEST(SizeTieredCompaction, MergesTheSmallestOnesAndLeavesTheOthers) {
  CompactionPick pick =
      SizeTieredPick({Partition(100000), Flat(900), Flat(10), Flat(800), Flat(11), Flat(12), Flat(13), Flat(850)});
  EXPECT_THAT(pick.units, ElementsAre(2, 4, 5, 6));
}

TEST(SizeTieredCompaction, MakesAPartitionOfEnoughRows) {
  EXPECT_THAT(SizeTieredPick({Flat(1999)}).units, IsEmpty());
  CompactionPick pick = SizeTieredPick({Flat(1000), Flat(1000)});
  EXPECT_THAT(pick.units, ElementsAre(0, 1));
  EXPECT_TRUE(pick.to_partition);
  EXPECT_THAT(pick.cause, HasSubstr("2000 rows"));
  EXPECT_THAT(SizeTieredPick({Flat(2500, 600)}).units, IsEmpty()) << "dead rows do not count";
}

TEST(SizeTieredCompaction, FoldsFlatSegmentsThatHoldMoreThanAQuarterOfThePartitionsRows) {
  EXPECT_THAT(SizeTieredPick({Partition(10000), Flat(2500)}).units, IsEmpty());
  CompactionPick pick = SizeTieredPick({Partition(10000), Flat(2000), Flat(501)});
  EXPECT_THAT(pick.units, ElementsAre(0, 1, 2));
  EXPECT_TRUE(pick.to_partition);
  EXPECT_EQ(pick.cause, "flat segments hold 25 % of the partition's rows");
}

TEST(SizeTieredCompaction, RewritesWhatIsMostlyDead) {
  EXPECT_THAT(SizeTieredPick({Partition(10000, 3000), Flat(100)}).units, IsEmpty());
  CompactionPick pick = SizeTieredPick({Partition(10000, 3001), Flat(100)});
  EXPECT_THAT(pick.units, ElementsAre(0, 1)) << "what is flat goes along";
  EXPECT_TRUE(pick.to_partition);
  pick = SizeTieredPick({Partition(10000), Flat(100), Flat(100, 31), Flat(100)});
  EXPECT_THAT(pick.units, ElementsAre(2));
  EXPECT_FALSE(pick.to_partition);
  EXPECT_EQ(pick.cause, "31 % of a flat segment's rows are deleted or expired");
  CompactionUnit expired = Flat(100);
  expired.expired = 40;
  EXPECT_THAT(SizeTieredPick({Partition(10000), expired}).units, ElementsAre(1));
  EXPECT_THAT(SizeTieredPick({Flat(100, 100)}).units, ElementsAre(0));
}

TEST(LeveledCompaction, KeepsOneFlatSegmentAndFoldsItEarly) {
  auto policy = LeveledCompaction();
  EXPECT_THAT(policy->Pick(std::vector{Partition(10000), Flat(900)}, kMinRows).units, IsEmpty());
  EXPECT_THAT(policy->Pick(std::vector{Partition(10000), Flat(900), Flat(1)}, kMinRows).units, ElementsAre(1, 2));
  EXPECT_THAT(policy->Pick(std::vector{Partition(10000), Flat(1001)}, kMinRows).units, ElementsAre(0, 1));
  EXPECT_THAT(policy->Pick(std::vector{Partition(10000, 1001)}, kMinRows).units, ElementsAre(0));
  EXPECT_THAT(policy->Pick(std::vector{Partition(10000), Flat(100, 11)}, kMinRows).units, ElementsAre(1));
}

// As if each pick were done at once: it ends, and what is left costs a query little.
TEST(CompactionPolicies, ComeToAnEnd) {
  SplitMix64 random(1);
  for (const auto& policy : {SizeTieredCompaction(), LeveledCompaction()}) {
    std::vector<CompactionUnit> units;
    for (int commit = 0; commit < 2000; ++commit) {
      units.push_back(Flat(1 + random.Below(100)));
      CompactionUnit& hit = units[random.Below(units.size())];
      hit.deleted = std::min(hit.rows, hit.deleted + random.Below(50));
      int rounds = 0;
      for (CompactionPick pick = policy->Pick(units, kMinRows); !pick.units.empty();
           pick = policy->Pick(units, kMinRows)) {
        ASSERT_LT(++rounds, 20);
        CompactionUnit made{pick.to_partition, 0, 0, 0, 0};
        for (auto at = pick.units.rbegin(); at != pick.units.rend(); ++at) {
          made.rows += units[*at].live_rows();
          units.erase(units.begin() + static_cast<ptrdiff_t>(*at));
        }
        made.partition = made.partition && made.rows >= kMinRows;
        made.bytes = made.rows * 1000;
        if (made.rows > 0) units.push_back(made);
      }
      uint64_t flat = 0;
      uint64_t partition = 0;
      for (const CompactionUnit& unit : units) (unit.partition ? partition : flat) += unit.live_rows();
      EXPECT_LE(units.size(), 16U);
      EXPECT_LE(flat, std::max<uint64_t>(kMinRows, partition / 4 + 1));
    }
  }
}

SegmentInfo Segment(std::string name, SegmentKind kind, uint64_t rows) {
  SegmentInfo info;
  info.name = std::move(name);
  info.kind = kind;
  info.rows = rows;
  info.bytes = rows * 1000;
  return info;
}

Head SampleHead() {
  Head head;
  head.segments = {Segment("a", SegmentKind::kCells, 5000), Segment("b", SegmentKind::kFlat, 10),
                   Segment("c", SegmentKind::kCells, 6000), Segment("d", SegmentKind::kFlat, 3000)};
  return head;
}

class Picks : public CompactionPolicy {
 public:
  explicit Picks(CompactionPick pick) : pick_(std::move(pick)) {}
  CompactionPick Pick(std::span<const CompactionUnit>, uint64_t) const override { return pick_; }

 private:
  const CompactionPick pick_;
};

TEST(CompactionPlans, AllSegmentsOfCellsAreOneUnit) {
  Head head = SampleHead();
  head.segments[2].hard_deleted = 7;
  CompactionUnits units = UnitsOf(head, 0);
  ASSERT_EQ(units.units.size(), 3U);
  EXPECT_TRUE(units.units[0].partition);
  EXPECT_EQ(units.units[0].rows, 11000U);
  EXPECT_EQ(units.units[0].deleted, 7U);
  EXPECT_THAT(units.segments[0], ElementsAre(0U, 2U));
  EXPECT_THAT(units.segments[2], ElementsAre(3U));
}

TEST(CompactionPlans, RowsAreTakenToExpireEvenlyBetweenTheFirstAndTheLast) {
  Head head = SampleHead();
  head.segments[1].expiry = {8, 1000, 3000};
  auto expired = [&](int64_t now_ms) { return UnitsOf(head, now_ms).units[1].expired; };
  EXPECT_EQ(expired(999), 0U);
  EXPECT_EQ(expired(2000), 4U);
  EXPECT_EQ(expired(3000), 8U);
  head.segments[1].expiry = {8, 1000, 1000};
  EXPECT_EQ(expired(1000), 8U);
}

TEST(CompactionPlans, NameTheSegmentsOfTheUnitsThatWerePicked) {
  auto planned = PlanByPolicy(Picks({{2, 0}, true, "why"}), SampleHead(), kMinRows, 0);
  ASSERT_TRUE(planned.ok()) << planned.status();
  EXPECT_THAT(planned->plan.inputs, ElementsAre(0U, 2U, 3U));
  EXPECT_TRUE(planned->plan.to_cells);
  EXPECT_EQ(planned->cause, "why");
}

TEST(CompactionPlans, OfAPickThatCannotBeAreRefused) {
  auto refusal = [](CompactionPick pick) {
    return PlanByPolicy(Picks(std::move(pick)), SampleHead(), kMinRows, 0).status().code();
  };
  EXPECT_EQ(refusal({{3}, false, ""}), StatusCode::kInvalidArgument) << "there are three";
  EXPECT_EQ(refusal({{1, 1}, false, ""}), StatusCode::kInvalidArgument) << "twice";
  EXPECT_EQ(refusal({{1}, true, ""}), StatusCode::kInvalidArgument) << "a second partition";
  EXPECT_EQ(refusal({{}, true, ""}), StatusCode::kOk);
}

TEST(BuildUnderWay, IsOneThatMayStillBeAlive) {
  constexpr int64_t kMinuteMs = 60 * 1000;
  constexpr int64_t kStarted = 1'700'000'000'000;
  Head head;
  EXPECT_FALSE(BuildUnderWay(head, kStarted));
  head.builds.push_back({{1, 2}, kStarted, 0});
  EXPECT_TRUE(BuildUnderWay(head, kStarted + 29 * kMinuteMs));
  EXPECT_TRUE(BuildUnderWay(head, kStarted - kMinuteMs)) << "another machine's clock";
  EXPECT_FALSE(BuildUnderWay(head, kStarted + 31 * kMinuteMs));
  head.segments = {Segment("a", SegmentKind::kCells, 1'000'000)};  // 1 GB
  EXPECT_TRUE(BuildUnderWay(head, kStarted + 31 * kMinuteMs));
  EXPECT_FALSE(BuildUnderWay(head, kStarted + 60 * kMinuteMs));
}

}  // namespace
}  // namespace isotherm
