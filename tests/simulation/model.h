// What must be true: the rows of every version, what each open collection may show, and what it was promised.
//
// The model learns of a version at the moment in which its head is put into the store: it reads the whole of it,
// through a handle of its own on what the store holds then. What it finds must be the version before with exactly such
// changes as the writer had been asked for and had been asked to commit. So the state of every version is known from
// then on, and every other reader's answers are held against it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "isotherm/isotherm.h"
#include "tests/simulation/cloud.h"
#include "tests/simulation/scheduler.h"

namespace isotherm::simulation {

using RowPtr = std::shared_ptr<const Row>;
using State = std::map<Key, RowPtr>;
// "" when they are the same.
std::string DifferenceOf(const State& expected, const State& found);

// A change that a handle was asked for: of one call, whole or not at all.
struct Change {
  std::string what;       // "insert 3, 4"
  std::vector<Key> keys;  // all that it may touch
  std::function<void(State&)> effect;
  std::function<bool(const State&)> fits;  // whether it may be committed on this version
  bool accepted = false;                   // the call returned ok: it is pending. Before: it may be pending
  bool dropped = false;                    // refused or discarded: it never will be committed
  uint64_t version = 0;                    // that has it; 0: none yet
  bool told = false;                       // a Commit said so
};
using ChangePtr = std::shared_ptr<Change>;

// The changes of one task, in order. Tasks that share a handle touch different keys, so that their order does not
// matter.
struct Lane {
  std::vector<ChangePtr> changes;
  size_t settled = 0;  // so many of the first are told or dropped
};

// An open collection.
struct Handle {
  uint64_t id = 0;  // of its store's client
  std::string name;
  std::vector<Lane> lanes{1};
  uint64_t version = 0;  // the newest that it was seen at
  uint64_t discards = 0;
  // Calls that may commit: how many there were, and how many have not returned. One whose process dies never does.
  uint64_t commits = 0;
  uint64_t committing = 0;
  // A Commit's outcome is open: it may still happen.
  bool uncertain = false;
  // Something else may still be committed, though no call is under way: what a failed compaction leaves behind.
  bool unsettled = false;
  // It commits by itself when it has much pending.
  bool commits_itself = false;
  // It compacts in the background.
  bool compacts_itself = false;
  bool closed = false;
};

// What a handle shows: one version, and over it what the handle has pending.
struct Moment {
  uint64_t version = 0;
  // By lane: what was pending then, and how many of the lane's changes there were.
  std::vector<std::vector<ChangePtr>> accepted;
  std::vector<std::vector<ChangePtr>> under_way;
  std::vector<size_t> changes;
  uint64_t discards = 0;
};

class Model {
 public:
  Model(Scheduler& scheduler, const Cloud& cloud);
  ~Model();

  // The first thing that was wrong, or "".
  const std::string& failure() const { return failure_; }
  void Fail(const std::string& what);

  Handle& AddHandle(std::string name);
  // For Cloud::SetHook.
  void OnWrite(uint64_t client, const std::string& name, bool deleted);

  uint64_t newest() const { return versions_.size() - 1; }  // 0: there is no collection yet
  const State& StateAt(uint64_t version) const { return versions_.at(version); }

  // A handle says that it is at `version`. It never goes back, and is at least at `least`.
  void CheckVersion(Handle& handle, uint64_t version, uint64_t least = 0);

  // A read begins, and ends: between, it saw some moment, and `allows` says whether it could have been one with that
  // state. `what` is for the message.
  Moment Begin(const Handle& handle, uint64_t version) const;
  void CheckRead(const Handle& handle, const Moment& begin, uint64_t version, const std::string& what,
                 const std::function<bool(const State&)>& allows);
  // Whether there is such a moment.
  bool Possible(const Handle& handle, const Moment& begin, uint64_t version,
                const std::function<bool(const State&)>& allows) const;
  // `change` has its first four fields.
  ChangePtr Propose(Handle& handle, size_t lane, Change change);
  void Accept(Change& change) { change.accepted = true; }
  void Drop(Handle& handle, Change& change);
  // DiscardPending was ok.
  void DropPending(Handle& handle);

  // Around every call that may commit. `all` of what was accepted when it began is committed when it says ok.
  struct Commitment {
    Moment moment;
    std::vector<ChangePtr> accepted;  // of all lanes
    std::vector<ChangePtr> landed;    // of them, in a version already
    bool was_uncertain = false;
    bool was_open = false;  // uncertain or unsettled
    uint64_t number = 0;    // of the handle's
    bool alone = true;      // no other one was under way
  };
  Commitment BeginCommit(Handle& handle);
  // `definite`: an error says that nothing was committed. (Unless another call may have done so meanwhile.)
  void EndCommit(Handle& handle, const Commitment& begin, const Status& status, bool definite);
  // What was pending when it began or at some time since.
  static std::vector<ChangePtr> PendingSince(const Handle& handle, const Commitment& begin);
  // Whether no other call that may commit was under way since.
  static bool Alone(const Handle& handle, const Commitment& begin) {
    return begin.alone && handle.commits == begin.number;
  }

 private:
  Result<State> ReadWhole(uint64_t* version);
  void Explain(Handle& handle, const State& before, const State& now);
  bool ExplainLane(const Lane& lane, const State& before, const State& now, State& expected);

  Scheduler& scheduler_;
  const Cloud& cloud_;
  std::shared_ptr<Environment> environment_;  // of its own handle
  std::vector<State> versions_{1};            // [0] is no version
  std::vector<std::unique_ptr<Handle>> handles_;
  std::string failure_;
};

}  // namespace isotherm::simulation
