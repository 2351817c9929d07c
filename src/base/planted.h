// Bugs that can be planted in the library, one at a time, to see that the simulator finds them. Only the test that does
// so compiles them in: elsewhere every Planted(…) is false, and nothing of it is left. docs/durability.md lists them.
#pragma once

#include <cstdint>

namespace isotherm {

enum class Bug : uint8_t {
  kNone,
  kConflictIsLanded,       // a swap whose condition failed is taken for one that happened
  kOldCommitIsThis,        // a writer that has ever committed takes that for the commit whose answer was lost
  kOwnCommitIsLost,        // a commit whose answer was lost, and which happened, is taken for another writer's
  kConflictIsSuccess,      // a repeated put that finds the condition gone says that the first attempt did it
  kNoSecondLook,           // that a key is free is not checked again on the base that the row is committed on
  kTrustedRoutingCopy,     // the copy of the routing object is not held against the head's hash
  kTrustedDiskCache,       // bytes from the disk cache are not held against their checksum
  kTrustedExtents,         // nor are those from the store
  kVacuumIgnoresLeases,    // a version that a lease holds is removed
  kVacuumIgnoresBuilds,    // so is what a compaction has written and not published yet
  kVacuumIgnoresBranches,  // and what only other branches need
  kNoEpoch,                // what was written in this epoch, and may come to be named, is taken for garbage
  kOldEpoch,               // an object of an older epoch is put into a head
  kDeletionsNotRebased,    // a compaction forgets deletions that came in meanwhile
  kLoserRemovesAdopted,    // a compaction that another one went on with removes what is that one's by now
  kConditionOnce,          // a condition on a row's version is not checked again, nor a patch made again, on a new base
  kUploadOrder,            // rows have the version that was next when they were uploaded
  kStaleHead,              // a strong read is content with a head read within the last second
  kWallClockOrder,         // a version's time is what the clock says, though the version before is later
  kExpiryByOtherClock,     // rows expire by the monotonic clock
  kRollbackKeepsDeletions,  // what was deleted since stays deleted
  kAcknowledgedEarly,       // a thread that comes while one commits is told that all is done
  kFencedIsLanded,          // a writer that woke up too late to know takes its commit for done
  kErasureKeepsVersions,    // versions that hold erased rows go on
  kErasureForgetsBranches,  // rows are erased on the own branch only
  kErasureLeavesCaches,     // what was cached before it stays
};

#ifdef ISOTHERM_PLANTED_BUGS
bool Planted(Bug bug);  // whoever compiles them in says which
#else
constexpr bool Planted(Bug) { return false; }
#endif

}  // namespace isotherm
