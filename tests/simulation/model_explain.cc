// Whether a new version is one that its writer was asked for.
#include <algorithm>
#include <set>

#include "tests/simulation/model.h"
#include "tests/simulation/process.h"

namespace isotherm::simulation {

namespace {

constexpr size_t kMostChoices = 6;

// What `state` says of `keys`.
State Restrict(const State& state, const std::set<Key>& keys) {
  State part;
  for (const Key& key : keys) {
    if (auto found = state.find(key); found != state.end()) part.insert(*found);
  }
  return part;
}

// As Commit of all of its mutations. `restores`: of one that may be nothing, whether it is something.
bool CommitChange(const Change& change, bool restores, State& state, int64_t latest_ms) {
  if (change.may_be_nothing && !restores) return true;
  return std::ranges::all_of(change.mutations, [&](const Mutation& m) { return Commit(m, state, latest_ms); });
}

// Whether bit `i` of `choice` says that candidate `i`, if it leaves a choice, restores.
bool Restores(const std::vector<ChangePtr>& candidates, size_t i, uint64_t choice) {
  size_t bit = 0;
  for (size_t j = 0; j < i; ++j) bit += candidates[j]->may_be_nothing && candidates[j]->may_restore ? 1 : 0;
  return candidates[i]->may_restore && (!candidates[i]->may_be_nothing || (choice >> bit & 1) == 1);
}

}  // namespace

// As many of the lane's changes as make `now` of `before`, none or more.
bool Model::ExplainLane(const Handle& handle, const Lane& lane, uint64_t version, const State& before, const State& now,
                        State& expected) {
  std::vector<ChangePtr> candidates;
  std::set<Key> keys;
  size_t choices = 0;
  for (const ChangePtr& change : lane.Pending(Lane::Which::kBoth)) {
    if (change->version != 0 && !change->maybe_later) continue;
    candidates.push_back(change);
    for (const Mutation& mutation : change->mutations) keys.insert(mutation.row.key);
    choices += change->may_be_nothing && change->may_restore ? 1 : 0;
  }
  const int64_t latest_ms = handle.process->WallSince(handle.opened_ns).latest_ms;
  const State wanted = Restrict(now, keys);
  const State from = Restrict(before, keys);
  // So many of them for certain, and so many at most: what makes no difference may be in it or not.
  size_t least = 0;
  size_t most = 0;
  uint64_t chosen = 0;
  const bool nothing = DifferenceOf(from, wanted, version, latest_ms).empty();
  bool found = nothing;
  // Those of the first that are in a version already need not be in this one too.
  size_t skipped = 0;
  size_t begin = 0;
  const uint64_t choices_end = uint64_t{1} << std::min(choices, kMostChoices);
  do {
    for (uint64_t choice = 0; choice < choices_end; ++choice) {
      State state = from;
      size_t first = 0;
      size_t last = 0;
      for (size_t n = begin; n < candidates.size(); ++n) {
        if (!CommitChange(*candidates[n], Restores(candidates, n, choice), state, latest_ms)) break;
        if (!DifferenceOf(state, wanted, version, latest_ms).empty()) continue;
        if (last == 0) first = n + 1;
        last = n + 1;
      }
      // What one choice calls for, and another one does not, may be in it or not.
      if (last == most) least = std::min(least, first);
      if (last <= most) continue;
      found = true;
      least = nothing ? 0 : first;
      most = last;
      chosen = choice;
      skipped = begin;
    }
  } while (!found && begin < candidates.size() && candidates[begin++]->maybe_later);
  if (!found) return false;
  for (size_t i = skipped; i < most; ++i) {
    const State without = Restrict(expected, keys);
    CommitChange(*candidates[i], Restores(candidates, i, chosen), expected, latest_ms);
    const bool changes = !DifferenceOf(without, Restrict(expected, keys), 0, INT64_MIN).empty();
    if (candidates[i]->earliest == 0 && changes) candidates[i]->earliest = version;
    candidates[i]->version = version;
    candidates[i]->maybe_later = i >= least;
    if (scheduler_.trace().has_text()) {
      scheduler_.trace().Note(scheduler_.now_ns(), "model",
                              "version " + std::to_string(version) + " has: " + candidates[i]->what);
    }
  }
  return true;
}

std::string Model::ExplainCommit(Handle& handle, const Line& line, const State& before, const State& now) {
  if (handle.committing == 0 && !handle.uncertain && !handle.unsettled && !handle.commits_itself) {
    return "nothing of that handle was being committed";
  }
  const uint64_t version = line.newest() + 1;
  State expected = before;
  for (const Lane& lane : handle.lanes) {
    if (ExplainLane(handle, lane, version, before, now, expected)) continue;
    NoteState(handle, line.newest());
    return "it is not the version before with pending changes of that handle: " +
           DifferenceOf(before, now, version, INT64_MIN);
  }
  const int64_t latest_ms = handle.process->WallSince(handle.opened_ns).latest_ms;
  std::string difference = DifferenceOf(expected, now, version, latest_ms);
  return difference.empty() ? difference : "it changes what that handle was not asked to change: " + difference;
}

std::string Model::ExplainVacuum(Handle& handle, const Line& line, const Head& head, const State& before,
                                 const State& now) {
  if (head.oldest_version < line.oldest) return "versions that were given up are to be kept again";
  std::string why = "nobody asked for a vacuum";
  for (const IntentPtr& intent : handle.intents) {
    if (intent->kind != Intent::Kind::kVacuum && intent->kind != Intent::Kind::kErase) continue;
    const VacuumOptions& wanted = intent->vacuum;
    const int64_t latest_ms = handle.process->WallSince(intent->since_ns).latest_ms;
    why.clear();
    for (uint64_t v = line.oldest; v < head.oldest_version; ++v) {
      const Line::Version* version = line.Find(v);
      const bool among_newest = line.newest() - v < wanted.keep_versions;
      const bool young =
          wanted.keep_age_ms != 0 && version != nullptr && version->commit_ms >= latest_ms - wanted.keep_age_ms;
      const bool all_stay = wanted.keep_versions == 0 && wanted.keep_age_ms == 0;
      if (among_newest || young || all_stay) why = "version " + std::to_string(v) + " was to be kept";
    }
    // Rows that were deleted softly go, of its own branch.
    State expected = before;
    const bool purges = !wanted.keep_soft_deleted && line.branch == handle.line->branch;
    if (purges) std::erase_if(expected, [](const auto& each) { return each.second.soft; });
    if (why.empty()) why = DifferenceOf(expected, now, head.version, latest_ms);
    if (!why.empty()) continue;
    ++handle.landings[Intent::Kind::kVacuum];
    return {};
  }
  return why;
}

std::string Model::ExplainRollback(Handle& handle, const Line& line, const State& now) {
  std::string why = "nobody asked for a rollback";
  for (const IntentPtr& intent : handle.intents) {
    if (intent->kind != Intent::Kind::kRollback) continue;
    const Line::Version* version = line.Find(intent->version);
    if (version == nullptr) continue;
    why = DifferenceOf(*version->state, now, 0, INT64_MIN);
    if (!why.empty()) continue;
    ++handle.landings[intent->kind];
    return {};
  }
  return why;
}

std::string Model::ExplainFastForward(Handle& handle, const Line& line, const State& now) {
  std::string why = "nobody asked for a fast-forward";
  for (const IntentPtr& intent : handle.intents) {
    std::shared_ptr<Line> from = intent->kind == Intent::Kind::kFastForward ? LineOf(intent->branch) : nullptr;
    if (from == nullptr) continue;
    why = "the branch did not begin here";
    if (from->parent.get() != &line || from->first != line.newest()) continue;
    // What the branch was at some moment of the call.
    for (uint64_t v = std::max(from->NewestAt(intent->since_ns), from->first); v <= from->newest(); ++v) {
      // What the branch wrote is written by this version.
      State expected = from->StateAt(v);
      for (auto& [key, entry] : expected) {
        if (entry.row->version > line.newest()) entry.row = Uncommitted(*entry.row);
      }
      why = DifferenceOf(expected, now, line.newest() + 1, INT64_MIN);
      if (!why.empty()) continue;
      ++handle.landings[intent->kind];
      return {};
    }
  }
  return why;
}

void Model::Explain(Handle& handle, const Line& line, const Head& head, const State& now) {
  static const State none;
  const State& before = line.versions.empty() ? none : *line.versions.back().state;
  const int64_t latest_ms = handle.process->WallSince(handle.opened_ns).latest_ms;
  std::string why;
  if (line.versions.empty() && line.parent != nullptr) {
    why = DifferenceOf(line.parent->StateAt(head.version), now, 0, INT64_MIN);
  } else if (handle.line->branch != line.branch && head.operation.operation != Operation::kVacuum &&
             !IsErasing(handle)) {
    why = "it is of another branch";
  } else {
    switch (head.operation.operation) {
      case Operation::kCreate: why = line.versions.empty() ? "" : "it is not the first"; break;
      case Operation::kCommit: why = ExplainCommit(handle, line, before, now); break;
      case Operation::kBuild:
      case Operation::kCompact:
        why = handle.compacts || handle.compacts_itself ? DifferenceOf(before, now, 0, latest_ms)
                                                        : "nobody asked for a compaction";
        break;
      case Operation::kVacuum:
        why = ExplainVacuum(handle, line, head, before, now);
        NoteCollection(handle, line);
        break;
      case Operation::kRollback: why = ExplainRollback(handle, line, now); break;
      case Operation::kBranch: why = ExplainFastForward(handle, line, now); break;
      case Operation::kRecover: why = "there was nothing to recover"; break;
      case Operation::kErase: why = ExplainErase(handle, line, head, before, now); break;
    }
  }
  if (!why.empty()) {
    Fail(Title(handle, line) + ", of cause '" + head.operation.cause + "': " + why);
  }
}

}  // namespace isotherm::simulation
