// Whose turn it is to commit when several writers are at it. Each version has one winner: without an order all would
// put a head, and all but one in vain; and who has won need not read the new head first, so it would win again.
//
// The order is what every writer reads in the head's slots: who has not committed for longest goes first. Nobody is
// bound to it. Who waits longer than the others should need goes all the same: the swap decides, not the turn. One that
// is not in the slots, or not lately, is unknown to the others; for its sake they leave room now and then.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/head.h"

namespace isotherm {

// Of one writer. Not thread-safe; times are the monotonic clock's.
class Turns {
 public:
  explicit Turns(const Nonce& writer) : writer_(writer) {}

  // What became of a try: it made this version, or was for nothing.
  void Landed(uint64_t version, int64_t begin_ns, int64_t now_ns);
  void Lost(int64_t begin_ns, int64_t now_ns);

  // Whether to read the head and ask WaitUntil before a try on `base`: for all that is known it is not this writer's
  // turn, or room is to be left.
  bool Waits(const Head& base, int64_t now_ns) const;
  // Until when to wait before the head, read just now, is looked at again; `now_ns` or earlier: it is this writer's
  // turn.
  int64_t WaitUntil(const Head& head, int64_t now_ns, Random& random);

 private:
  struct Place {
    int64_t others = 0;   // so many writers are at it
    int64_t turns = 0;    // so many go first
    int64_t of_turn = 1;  // commits each of them is expected to make
    int64_t commits = 0;  // before those, by the one whose turn it is
  };
  int64_t ActiveSinceMs(const Head& head) const;
  Place PlaceIn(const Head& head) const;
  // Until when this version is left to those whom nobody knows.
  int64_t RoomUntil(uint64_t version) const;

  const Nonce writer_;
  int64_t try_ns_ = 0;            // how long a try takes, smoothed
  bool contended_ = false;        // others were met
  int64_t losses_ = 0;            // since the last commit
  bool paused_ = true;            // since the last loss
  int64_t waiting_since_ns_ = 0;  // 0: not waiting
  int64_t skipped_ms_ = 0;        // whose last commit is older did not come when it was their turn
  uint64_t version_ = 0;          // the newest that was seen
  int64_t seen_ns_ = 0;           // and when first
};

}  // namespace isotherm
