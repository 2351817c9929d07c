// What must be true: the rows of every version, what each open collection may show, and what it was promised.
//
// The model learns of a version at the moment in which its head is put into the store: it reads the whole of it,
// through a handle of its own on what the store holds then. What it finds must be the version before with exactly such
// changes as the writer had been asked for and had been asked to commit. So the state of every version is known from
// then on, and every other reader's answers are held against it. Nothing that a version needs may be deleted as long as
// that version was promised to stay.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "isotherm/isotherm.h"
#include "tests/simulation/cloud.h"
#include "tests/simulation/line.h"
#include "tests/simulation/pending.h"
#include "tests/simulation/scheduler.h"

namespace isotherm::simulation {

// What a call may have seen.
struct Seen {
  const State& state;
  const Pending& pending;
  int64_t now_ms = 0;
};
using Allows = std::function<bool(const Seen&)>;

class Model {
 public:
  Model(Scheduler& scheduler, const Cloud& cloud);
  ~Model();

  // The first thing that was wrong, or "".
  const std::string& failure() const { return failure_; }
  void Fail(const std::string& what);

  // `branch`: which must be there, or the main one.
  Handle& AddHandle(const Process& process, const std::string& branch);
  // For Cloud::SetHook.
  void OnWrite(uint64_t client, const std::string& name, bool deleted);

  // Branches that are there, the main one first.
  std::vector<std::shared_ptr<Line>> Lines() const;
  // Whether one was deleted, or made too late: then parts of it may be missing.
  bool BranchesComeAndGo() const {
    return std::ranges::any_of(lines_, [](const auto& each) { return each.second->gone || each.second->unchecked; });
  }
  // Null: there is no such branch.
  std::shared_ptr<Line> LineOf(const std::string& branch) const;
  uint64_t newest() const { return LineOf("")->newest(); }  // 0: there is no collection yet
  uint64_t versions() const { return versions_; }           // of all branches

  // A handle says that it is at `version`. It never goes back, and is at least at `least`.
  void CheckVersion(Handle& handle, uint64_t version, uint64_t least = 0);

  // A read begins, and ends: between, it saw some moment, and `allows` says whether it could have been one with that
  // state. `what` is for the message.
  Moment Begin(const Handle& handle, uint64_t version) const;
  void CheckRead(const Handle& handle, const Moment& begin, uint64_t version, const std::string& what,
                 const Allows& allows);
  // Whether there is such a moment.
  bool Possible(const Handle& handle, const Moment& begin, uint64_t version, const Allows& allows) const;

  // `change` has its first fields, up to `base`.
  ChangePtr Propose(Handle& handle, size_t lane, Change change);
  void Drop(Handle& handle, Change& change);
  // DiscardPending was ok, which was called at `begin`.
  void DropPending(Handle& handle, const Moment& begin);

  // Around every call that may commit. `all` of what was accepted when it began is committed when it says ok.
  struct Commitment {
    Moment moment;
    std::vector<ChangePtr> accepted;  // of all lanes
    std::vector<ChangePtr> landed;    // of them, in a version already
    bool was_open = false;            // uncertain or unsettled
    uint64_t number = 0;              // of the handle's
    bool alone = true;                // no other one was under way
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
  // Whether what was pending may have been refused: something else happened to its rows.
  bool MayBeRefused(const Handle& handle, const Commitment& begin) const;

  // Around every call that changes the head but no row by itself.
  IntentPtr BeginIntent(Handle& handle, Intent intent);
  void EndIntent(Handle& handle, Intent& intent, const Status& status);

  // Around a call that erases rows, whose own intent this begins.
  struct Erasing {
    IntentPtr intent;
    std::set<std::string> markers;             // of all rows that these keys ever had
    std::vector<std::shared_ptr<Line>> lines;  // that were there
  };
  Erasing BeginErasure(Handle& handle, std::set<Key> keys, bool break_leases);
  // It says that it is complete: nothing is left of what was there when it began. `files`: of the handle's disk cache.
  void CheckErased(const Handle& handle, const Erasing& begin, const std::map<std::string, std::string>& files);
  // What it says holds it up does so.
  void CheckErasureHolds(const Handle& handle, const Intent& intent, const ErasureReport& report);
  // Nobody opens a version with rows whose erasure was complete before.
  void CheckOpenedAfterErasure(const Handle& handle, uint64_t version);

  // A version of the handle's branch that may not be there any more, although a lease holds nothing of it.
  bool MayBeRemoved(const Handle& handle, uint64_t version) const;

 private:
  struct LeaseRecord {
    uint64_t owner = 0;
    std::shared_ptr<Line> line;
    uint64_t version = 0;
    std::shared_ptr<const std::set<std::string>> objects;  // null: of a version that was not promised to stay
    int64_t expires_ms = 0;
  };

  Result<State> ReadWhole(const std::string& branch);
  Status ReadRows(Collection& collection, bool soft, State& state);
  void OnHead(Handle& handle, const std::string& branch, const std::string& object);
  void OnFirstHead(Handle& handle, const std::string& branch, const Head& head);
  void OnLease(const Handle& handle, const std::string& name);
  // Whether a lease of it is there. One of the branch that this one began as holds that one's version of the number.
  bool IsLeased(const Line& line, uint64_t version) const;
  bool IsLeasedBy(const Handle& handle, const Line::Version& version) const;
  // Whether a lease keeps what it names from `handle`, as far as that one's clock may have come.
  bool Holds(const LeaseRecord& lease, const Handle& handle) const;
  void OnDelete(Handle& handle, const std::string& name);
  bool MakesADifference(const Handle& handle, const Change& change) const;
  void NoteState(const Handle& handle, uint64_t version) const;
  std::string Title(const Handle& handle, const Line& line) const;
  // The newest version's, where that has the same rows for certain.
  bool HasSameRows(const Line& line, const Head& head) const;
  void Append(const std::string& title, Line& line, const Head& head, std::shared_ptr<const State> state);

  // What a new version may be.
  void Explain(Handle& handle, const Line& line, const Head& head, const State& now);
  std::string ExplainCommit(Handle& handle, const Line& line, const State& before, const State& now);
  bool ExplainLane(const Handle& handle, const Lane& lane, uint64_t version, const State& before, const State& now,
                   State& expected);
  std::string ExplainVacuum(Handle& handle, const Line& line, const Head& head, const State& before, const State& now);
  std::string ExplainErase(Handle& handle, const Line& line, const Head& head, const State& before, const State& now);
  std::string ExplainRollback(Handle& handle, const Line& line, const State& now);
  std::string ExplainFastForward(Handle& handle, const Line& line, const State& now);

  // What is to be found of all rows that these keys had, wherever that was.
  std::set<std::string> MarkersOf(const std::set<Key>& keys) const;
  // Whether a version has a row of these keys, or an object that has.
  bool MayHold(const Line& line, uint64_t version, const std::set<Key>& keys) const;
  bool MayBreak(const LeaseRecord& lease, const Handle& handle) const;
  // Of an erasure's keys: rows that were written after it began.
  std::set<std::string> Survivors(const Intent& intent) const;
  // A vacuum of that handle has begun.
  static void NoteCollection(const Handle& handle, const Line& line);
  void CheckForErased(const std::string& title, const Line& line, const Head& head, const State& state);
  // By a branch, in a version that was promised to stay.
  bool IsNeeded(const std::string& object) const;
  bool IsOfAnotherOfItsName(const std::string& object) const;
  static bool IsErasing(const Handle& handle);

  Scheduler& scheduler_;
  const Cloud& cloud_;
  std::shared_ptr<Environment> environment_;  // of its own handle
  std::map<std::string, std::shared_ptr<Line>> lines_;
  std::map<std::string, Head> heads_;  // by branch
  // By the name of an object: for each branch the newest version that needs it.
  std::map<std::string, std::map<std::shared_ptr<Line>, uint64_t>> needed_;
  std::map<std::string, LeaseRecord> leases_;
  std::set<std::string> released_;         // leases, by who took them: what a late request puts again holds nothing
  std::map<std::string, int64_t> erased_;  // markers of rows, and when that was complete
  uint64_t versions_ = 0;
  std::vector<std::unique_ptr<Handle>> handles_;
  std::string failure_;
};

}  // namespace isotherm::simulation
