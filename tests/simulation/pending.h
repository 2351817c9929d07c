// What a handle was asked for: changes that are not known to be committed, and calls that may still have an effect.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/state.h"

namespace isotherm::simulation {

class Process;
struct Line;

// Changes of one Write: whole or not at all.
struct Change {
  std::string what;  // "insert 3, delete 4"
  std::vector<Mutation> mutations;
  uint64_t base = 0;  // the version that the handle was at when it was written, or an earlier one
  // It may have had nothing to do, as a restoration that found the row live, or may have been discarded.
  bool may_be_nothing = false;
  bool may_restore = true;  // or may have had something to do
  // A change that was pending before it deletes its row softly: what it restores was live in `base`.
  bool of_pending_deletion = false;
  // By key: the newest version that has earlier changes of the handle's which are pending for all it knows. What it
  // shows is made of that row then, though the version may be older than `base`.
  std::map<Key, uint64_t> pending_in{};
  bool accepted = false;  // the call returned ok: it is pending. Before: it may be pending
  bool dropped = false;   // refused or discarded: it never will be committed
  uint64_t version = 0;   // that has it; 0: none yet
  uint64_t earliest = 0;  // to which it made a difference; 0: to none yet
  // It made no difference to that version: it may as well be in a later one.
  bool maybe_later = false;
  bool told = false;  // a Commit said so

  bool settled() const { return told || dropped; }
  bool Touches(const Key& key) const;
};
using ChangePtr = std::shared_ptr<Change>;

// The changes of one task, in order. Tasks that share a handle touch different keys, so that their order does not
// matter.
struct Lane {
  std::vector<ChangePtr> changes;
  size_t settled = 0;  // so many of the first are told or dropped

  enum class Which : uint8_t { kAccepted, kUnderWay, kBoth };
  std::vector<ChangePtr> Pending(Which which) const;
  void Trim();
};

// A call that changes the head, but no row by itself. It may take effect as long as it is not known to be over.
struct Intent {
  enum class Kind : uint8_t { kRollback, kFastForward, kCreateBranch, kVacuum, kErase };
  Kind kind = Kind::kVacuum;
  std::string branch{};
  uint64_t version = 0;  // to go to; of a new branch 0: the newest that the handle knows
  uint64_t base = 0;     // the version that the handle was at
  VacuumOptions vacuum{};
  std::set<Key> keys{};  // to be erased
  bool break_leases = false;
  int64_t since_ns = 0;
  bool over = false;
  uint64_t landings_before = 0;
  // Of an erasure, by branch: the first version without the rows. What is newer was written since.
  std::map<std::shared_ptr<const Line>, uint64_t> deleted_in{};
  // Writes of the cloud: the newest of this erasure, and the one up to which its last vacuum has collected everything.
  uint64_t newest_write = 0;
  uint64_t collected_write = 0;
};
using IntentPtr = std::shared_ptr<Intent>;

// An open collection.
struct Handle {
  uint64_t id = 0;  // of its store's client
  std::string name;
  const Process* process = nullptr;
  std::shared_ptr<Line> line;
  std::vector<Lane> lanes{1};
  uint64_t version = 0;  // the newest that it was seen at
  int64_t opened_ns = 0;
  uint64_t discards = 0;
  // Calls that may commit: how many there were, and how many have not returned. One whose process dies never does.
  uint64_t commits = 0;
  uint64_t committing = 0;
  // A Commit's outcome is open: it may still happen.
  bool uncertain = false;
  // Since then a call changed the head for another reason, or tried: that settles first what is open.
  bool perhaps_settled = false;
  // Something else may still be committed, though no call is under way: what a failed compaction leaves behind.
  bool unsettled = false;
  bool commits_itself = false;   // when it has much pending
  bool compacts_itself = false;  // after its commits
  bool compacts = false;         // was asked to
  bool erases = false;           // at this moment
  bool leased = false;           // always at the same version
  bool lost_lease = false;       // one had lapsed by another one's clock, and was removed
  std::vector<IntentPtr> intents;
  std::map<Intent::Kind, uint64_t> landings;  // how many versions it made so
  bool closed = false;
};

// What a handle shows: one version, and over it what the handle has pending.
struct Moment {
  uint64_t version = 0;
  int64_t begin_ns = 0;
  // By lane: what was pending then, and how many of the lane's changes there were.
  std::vector<std::vector<ChangePtr>> accepted;
  std::vector<std::vector<ChangePtr>> under_way;
  std::vector<size_t> changes;
  uint64_t discards = 0;
};

}  // namespace isotherm::simulation
