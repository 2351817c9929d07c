#include "engine/turns.h"

#include <algorithm>
#include <tuple>

namespace isotherm {

namespace {

// A turn is so many commits, counted by the writer's sequence number: passing it on costs a request and a pause.
constexpr uint64_t kCommitsOfTurn = 5;
// A writer counts as one that is at it for so many tries' time after its last commit.
constexpr int64_t kActiveTries = 256;
// Each version of such a number is left alone for so many tries' time by those that the slots know: enough to read the
// head and to try, and seldom enough to be felt by one commit of a hundred at most.
constexpr uint64_t kRoomEvery = 128;
constexpr int64_t kRoomTries = 2;
// So long nothing happens before somebody is taken for absent.
constexpr int64_t kIdleTries = 3;
// Beyond this many there is no order any more, only chance.
constexpr int64_t kMaxPlace = 32;
// Those who think that it is their turn, and lost, come apart by a pause of up to so many tries. Longer ones would let
// room that is left to them pass.
constexpr int64_t kPauseTries = 2;
constexpr int64_t kNsPerMs = 1'000'000;
// Waiting for one's turn takes longer than such tries.
constexpr int64_t kShortTryNs = 300'000;
// What takes longer says nothing of a try: a process stood still.
constexpr int64_t kLongestTryNs = 10'000'000'000;

// One that was held up by something else says little.
int64_t Smoothed(int64_t before, int64_t now) {
  now = std::min(now, kLongestTryNs);
  return before == 0 ? now : before + (std::min(now, 4 * before) - before) / 8;
}

bool Ended(const WriterSlot& slot) { return slot.last_sequence % kCommitsOfTurn == 0; }

}  // namespace

void Turns::Landed(uint64_t version, int64_t begin_ns, int64_t now_ns) {
  try_ns_ = Smoothed(try_ns_, now_ns - begin_ns);
  losses_ = 0;
  waiting_since_ns_ = 0;
  version_ = version;
  seen_ns_ = now_ns;
}

void Turns::Lost(int64_t begin_ns, int64_t now_ns) {
  try_ns_ = Smoothed(try_ns_, now_ns - begin_ns);
  ++losses_;
  paused_ = false;
  contended_ = true;
}

bool Turns::Waits(const Head& head, int64_t now_ns) const {
  if (try_ns_ < kShortTryNs) return false;
  if (head.version == version_ && now_ns < RoomUntil(head.version)) return true;
  if (!contended_) return false;
  const WriterSlot* newest = nullptr;
  for (const WriterSlot& slot : head.slots) {
    if (newest == nullptr || slot.last_commit_ms >= newest->last_commit_ms) newest = &slot;
  }
  return newest == nullptr || newest->writer != writer_ || Ended(*newest);
}

int64_t Turns::RoomUntil(uint64_t version) const {
  return version % kRoomEvery == 0 ? seen_ns_ + kRoomTries * try_ns_ : 0;
}

int64_t Turns::ActiveSinceMs(const Head& head) const {
  return std::max(skipped_ms_, head.commit_ms - std::max<int64_t>(1, kActiveTries * try_ns_ / kNsPerMs));
}

Turns::Place Turns::PlaceIn(const Head& head) const {
  using Order = std::pair<int64_t, const WriterSlot*>;
  const int64_t active_ms = ActiveSinceMs(head);
  Order own{INT64_MIN, nullptr};
  std::vector<Order> others;
  for (const WriterSlot& slot : head.slots) {
    if (slot.writer == writer_) {
      own = {slot.last_commit_ms, &slot};
    } else if (slot.last_commit_ms >= active_ms) {
      others.push_back({slot.last_commit_ms, &slot});
    }
  }
  std::sort(others.begin(), others.end());
  Place place;
  place.others = std::min<int64_t>(static_cast<int64_t>(others.size()), kMaxPlace);
  place.turns = std::min<int64_t>(std::lower_bound(others.begin(), others.end(), own) - others.begin(), kMaxPlace);
  // Whose turn it is goes on if the one before it did not leave early.
  if (others.size() < 1 || own > others.back()) return place;
  const WriterSlot& newest = *others.back().second;
  const WriterSlot* second = others.size() < 2 ? own.second : std::max(others[others.size() - 2], own).second;
  if (!Ended(newest) && second != nullptr && Ended(*second)) {
    place.commits = static_cast<int64_t>(kCommitsOfTurn - newest.last_sequence % kCommitsOfTurn);
  }
  place.of_turn = second != nullptr && Ended(*second) ? static_cast<int64_t>(kCommitsOfTurn) : 1;
  return place;
}

int64_t Turns::WaitUntil(const Head& head, int64_t now_ns, Random& random) {
  if (head.version != version_) {
    version_ = head.version;
    seen_ns_ = now_ns;
  }
  if (waiting_since_ns_ == 0) waiting_since_ns_ = now_ns;
  const auto own =
      std::find_if(head.slots.begin(), head.slots.end(), [&](const WriterSlot& s) { return s.writer == writer_; });
  const bool known = own != head.slots.end() && own->last_commit_ms >= ActiveSinceMs(head);
  if (known && now_ns < RoomUntil(head.version)) return RoomUntil(head.version);
  Place place = PlaceIn(head);
  if (place.others == 0) {
    contended_ = false;
    return now_ns;
  }
  const int64_t before = place.commits + place.turns * place.of_turn;
  if (before == 0) {
    // Several may think so: those that have not committed yet, or come from elsewhere.
    if (losses_ < 2 || paused_) return now_ns;
    paused_ = true;
    const auto span_ns = static_cast<uint64_t>(kPauseTries * try_ns_);
    return now_ns + static_cast<int64_t>(random.Next() % (span_ns + 1));
  }
  const int64_t idle_ns = seen_ns_ + kIdleTries * (place.turns + (place.commits > 0 ? 1 : 0)) * try_ns_;
  if (now_ns >= idle_ns) {
    // A new one has committed after nobody that it could skip.
    if (own != head.slots.end()) skipped_ms_ = own->last_commit_ms;
    return now_ns;
  }
  const int64_t patience_ns = waiting_since_ns_ + 2 * place.others * place.of_turn * try_ns_;
  const int64_t go_ns = std::min(idle_ns, patience_ns);
  const int64_t look_ns = now_ns + (before > 1 ? (before - 1) * try_ns_ : try_ns_ / 2);
  return std::min(go_ns, look_ns);
}

}  // namespace isotherm
