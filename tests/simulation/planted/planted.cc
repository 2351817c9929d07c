#include "tests/simulation/planted/planted.h"

#include <atomic>

namespace isotherm {

namespace {

// The one switch of the test program, read from deep inside the library.
std::atomic<Bug> planted{Bug::kNone};

}  // namespace

bool Planted(Bug bug) { return planted.load(std::memory_order_relaxed) == bug; }

namespace simulation {

const std::vector<PlantedBug>& PlantedBugs() {
  static const std::vector<PlantedBug> bugs{
      {Bug::kConflictIsLanded, "ConflictIsLanded"},
      {Bug::kOldCommitIsThis, "OldCommitIsThis"},
      {Bug::kOwnCommitIsLost, "OwnCommitIsLost"},
      {Bug::kConflictIsSuccess, "ConflictIsSuccess"},
      {Bug::kNoSecondLook, "NoSecondLook"},
      {Bug::kTrustedRoutingCopy, "TrustedRoutingCopy"},
      {Bug::kTrustedDiskCache, "TrustedDiskCache"},
      {Bug::kTrustedExtents, "TrustedExtents"},
      {Bug::kVacuumIgnoresLeases, "VacuumIgnoresLeases"},
      {Bug::kVacuumIgnoresBuilds, "VacuumIgnoresBuilds"},
      {Bug::kVacuumIgnoresBranches, "VacuumIgnoresBranches"},
      {Bug::kNoEpoch, "NoEpoch"},
      {Bug::kOldEpoch, "OldEpoch"},
      {Bug::kDeletionsNotRebased, "DeletionsNotRebased"},
      {Bug::kLoserRemovesAdopted, "LoserRemovesAdopted"},
      {Bug::kConditionOnce, "ConditionOnce"},
      {Bug::kUploadOrder, "UploadOrder"},
      {Bug::kStaleHead, "StaleHead"},
      {Bug::kWallClockOrder, "WallClockOrder"},
      {Bug::kExpiryByOtherClock, "ExpiryByOtherClock"},
      {Bug::kRollbackKeepsDeletions, "RollbackKeepsDeletions"},
      {Bug::kAcknowledgedEarly, "AcknowledgedEarly"},
      {Bug::kFencedIsLanded, "FencedIsLanded"},
      {Bug::kErasureKeepsVersions, "ErasureKeepsVersions"},
      {Bug::kErasureForgetsBranches, "ErasureForgetsBranches"},
      {Bug::kErasureLeavesCaches, "ErasureLeavesCaches"},
  };
  return bugs;
}

void Plant(Bug bug) { planted = bug; }

}  // namespace simulation

}  // namespace isotherm
