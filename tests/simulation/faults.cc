#include "tests/simulation/faults.h"

#include <numeric>

namespace isotherm::simulation {

const char* FaultName(Fault fault) {
  switch (fault) {
    case Fault::kRefused: return "request refused";
    case Fault::kLostAnswer: return "answer lost";
    case Fault::kLate: return "write executed late";
    case Fault::kDuplicate: return "write executed twice";
    case Fault::kSlow: return "slow request";
    case Fault::kDamagedRead: return "damaged read";
    case Fault::kWriterFailed: return "piece of an object refused";
    case Fault::kCrash: return "process killed";
    case Fault::kPowerLoss: return "power lost";
    case Fault::kPause: return "process paused";
    case Fault::kClockJump: return "wall clock jumps";
    case Fault::kClockSkew: return "wall clock wrong";
    case Fault::kDiskError: return "disk error";
    case Fault::kTornWrite: return "torn write";
    case Fault::kDiskFull: return "disk full";
    case Fault::kStaleCache: return "stale cache files";
    case Fault::kCorruptCache: return "corrupt cache files";
    case Fault::kDeadline: return "short deadline";
    case Fault::kCancelled: return "call cancelled";
  }
  return "?";
}

Faults::Faults(uint64_t seed) : random_(seed) {
  for (uint64_t& one_in : one_in_) {
    if (random_.Below(5) < 2) continue;
    // From one in eight to one in 250, each order of magnitude as likely.
    one_in = uint64_t{8} << random_.Below(6);
  }
}

Faults Faults::None() {
  Faults none(1);
  none.one_in_.fill(0);
  return none;
}

bool Faults::Strikes(Fault fault) {
  uint64_t one_in = one_in_[Index(fault)];
  return !stopped_ && one_in != 0 && random_.Below(one_in) == 0;
}

uint64_t Faults::total() const { return std::accumulate(counts_.begin(), counts_.end(), uint64_t{0}); }

}  // namespace isotherm::simulation
