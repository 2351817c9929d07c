// What can go wrong in a run, how often in this one, and how often it did.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/splitmix.h"

namespace isotherm::simulation {

enum class Fault : uint8_t {
  // Requests to the store.
  kRefused,       // not executed, and the caller is told so
  kLostAnswer,    // executed, and the answer is lost
  kLate,          // a write: the answer is lost, and it is executed up to minutes later, after others
  kDuplicate,     // a write is executed again later
  kSlow,          // it takes seconds, and others overtake it
  kDamagedRead,   // bits flipped or the end cut off on the way
  kWriterFailed,  // an object that is written in pieces: a piece is refused
  // Processes and machines.
  kCrash,      // of one process, wherever it is
  kPowerLoss,  // of a machine and all that runs on it
  kPause,      // a process stands still for minutes or hours
  kClockJump,  // of a machine's wall clock, forward or back
  kClockSkew,  // a machine's wall clock is wrong from the beginning
  // A local disk.
  kDiskError,   // an operation fails
  kTornWrite,   // a write fails half-way
  kDiskFull,    // for some time
  kStaleCache,  // files of the cache are as they were some time ago
  kCorruptCache,
  // Callers.
  kDeadline,   // a call is given little time
  kCancelled,  // a call is cancelled
};
inline constexpr size_t kFaults = static_cast<size_t>(Fault::kCancelled) + 1;
const char* FaultName(Fault fault);

// By kind: how often it had an effect.
using FaultCounts = std::array<uint64_t, kFaults>;

// Each seed has a subset of the kinds, each at a rate of its own: what needs many of one kind and none of another is
// found by some seed.
class Faults {
 public:
  explicit Faults(uint64_t seed);
  // None, until Always says otherwise.
  static Faults None();
  void Always(Fault fault) { one_in_[Index(fault)] = 1; }
  void Never(Fault fault) { one_in_[Index(fault)] = 0; }

  // Whether it is to happen now. The caller reports by Hit that it did have an effect.
  bool Strikes(Fault fault);
  bool enabled(Fault fault) const { return !stopped_ && one_in_[Index(fault)] != 0; }
  void Hit(Fault fault) { ++counts_[Index(fault)]; }
  // From now on nothing goes wrong any more.
  void Stop() { stopped_ = true; }

  const FaultCounts& counts() const { return counts_; }
  uint64_t total() const;
  // For everything that is left to chance about them.
  SplitMix64& random() { return random_; }

 private:
  static size_t Index(Fault fault) { return static_cast<size_t>(fault); }

  SplitMix64 random_;
  std::array<uint64_t, kFaults> one_in_{};  // 0: not in this run
  FaultCounts counts_{};
  bool stopped_ = false;
};

}  // namespace isotherm::simulation
