// What the tasks of a run do with their collections: a table, to be added to.
#pragma once

#include <array>
#include <vector>

#include "tests/simulation/session.h"

namespace isotherm::simulation {

// A task that works on an open collection, perhaps beside others.
struct Worker {
  Session& session;
  SplitMix64 random;
  Role role = Role::kReader;  // what it does mostly
  size_t lane = 0;            // of the handle: the keys that it may change
  bool main = true;           // may close the collection
  uint64_t new_keys = 0;      // how many keys it has made that nobody else has
};

struct Operation {
  const char* name;
  // How often by each Role, compared with the others of its column; 0: never.
  std::array<unsigned, 4> weights;
  bool main_only;  // no other task may use the handle's end
  void (*run)(Worker&);
};

const std::vector<Operation>& Operations();
// One that the worker may do, by its weight.
const Operation& ChooseOperation(Worker& worker);

// Groups of them, by what they check.
void WriteRows(Worker& worker);
void WriteBadRows(Worker& worker);
void CommitRows(Worker& worker);
void Discard(Worker& worker);
void Compact(Worker& worker);
void Close(Worker& worker);
void Erase(Worker& worker);
// At the end of the run, when nothing goes wrong any more: it is complete.
void EraseAtTheEnd(Session& session);
// At the end of the run, when nothing goes wrong any more: whatever is pending can be committed, and the handle closed.
void Finish(Worker& worker);

void Rollback(Worker& worker);
void Vacuum(Worker& worker);
void CreateBranch(Worker& worker);
void DeleteBranch(Worker& worker);
void FastForward(Worker& worker);
// A branch that is made, written to by a handle of its own, and followed.
void BranchAndReturn(Worker& worker);
void ListVersions(Worker& worker);

void Get(Worker& worker);
void Contains(Worker& worker);
void Scan(Worker& worker);
void ScanSoftlyDeleted(Worker& worker);
void SearchExactly(Worker& worker);
void SearchByCode(Worker& worker);
void Refresh(Worker& worker);
void Verify(Worker& worker);
// By a new reader, after everything: the newest version is clean, and is what the model says.
void CheckEnd(Session& session);

// Around a call that may commit: what it may fail with, and whether it may this time. `version`: when it began.
void JudgeCommit(Session& session, const Model::Commitment& begin, const Status& status, uint64_t version,
                 bool definite);

// A row like any of this run; some of them expire.
Row MakeRow(Worker& worker, uint64_t key);
// A key that may be there: some that all writers want, some that one writer made.
uint64_t AnyKey(Worker& worker);

}  // namespace isotherm::simulation
