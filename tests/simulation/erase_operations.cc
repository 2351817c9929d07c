// Erasing rows, and looking for what is left of them.
#include <algorithm>
#include <iterator>

#include "tests/simulation/operations.h"

namespace isotherm::simulation {

namespace {

// Most of them there, in the newest version.
std::set<Key> DrawKeys(Worker& worker) {
  std::set<Key> keys;
  const Line& line = worker.session.line();
  for (uint64_t left = 1 + worker.random.Below(4); left > 0; --left) {
    keys.insert(Key(AnyKey(worker)));
    if (line.newest() == 0 || line.StateAt(line.newest()).empty()) continue;
    const State& state = line.StateAt(line.newest());
    keys.insert(std::next(state.begin(), static_cast<ptrdiff_t>(worker.random.Below(state.size())))->first);
  }
  return keys;
}

// Of the disk cache that the handle has to itself.
std::map<std::string, std::string> FilesOf(Session& session, bool has_disk_cache) {
  std::map<std::string, std::string> files;
  if (!has_disk_cache) return files;
  const Machine& machine = session.process().machine();
  for (const std::string& path : machine.CacheFiles()) files[path] = machine.ReadAll(path);
  return files;
}

void JudgeErasure(Session& session, const Model::Erasing& begin, const ErasureReport& report, bool has_disk_cache,
                  bool disk_failed) {
  Model& model = session.model();
  const std::string name = session.handle().name;
  session.world().CountOutcome(report.complete         ? "erase: complete"
                               : !report.holds.empty() ? "erase: held by leases"
                                                       : "erase: cache not emptied");
  if (report.complete) model.CheckErased(session.handle(), begin, FilesOf(session, has_disk_cache));
  if (report.complete != (report.holds.empty() && report.caches_emptied)) {
    model.Fail(name + ": an erasure does not know whether it is complete");
  }
  // Closing the handle lets go of its disk cache.
  if (!report.caches_emptied && !disk_failed && !session.closing)
    model.Fail(name + ": caches were not emptied for no reason");
  model.CheckErasureHolds(session.handle(), *begin.intent, report);
}

Status TryErase(Worker& worker, const std::set<Key>& keys, const ErasureOptions& options, bool* complete) {
  Session& session = worker.session;
  Model& model = session.model();
  const bool has_disk_cache =
      !session.options().cache_dir.empty() && session.collection().Stats().disk_cache_note.empty();
  const uint64_t version = session.Version();
  const uint64_t disk_failures = session.process().disk_failures();
  session.handle().compacts = true;
  Model::Commitment commitment = model.BeginCommit(session.handle());
  const Model::Erasing begin = model.BeginErasure(session.handle(), keys, options.break_leases);
  Call call(session, "erase", worker.random, CallEffect::kCommits);
  auto report = session.collection().Erase(std::vector<Key>(keys.begin(), keys.end()), options, {}, call.context());
  if (session.process().alive() && report.ok()) {
    JudgeErasure(session, begin, *report, has_disk_cache, session.process().disk_failures() != disk_failures);
  }
  const bool come_and_go = model.BranchesComeAndGo();
  const StatusCode missing = come_and_go ? StatusCode::kCorruption : StatusCode::kNotFound;
  if (!call.Ended(report.status(), {StatusCode::kAlreadyExists, StatusCode::kNotFound, StatusCode::kFenced,
                                    StatusCode::kConflict, missing})) {
    return Status::Unavailable("the process is dead");
  }
  *complete = report.ok() && report->complete;
  // The pending rows are committed first: an error does not say how that went.
  JudgeCommit(session, commitment, report.status(), version, /*definite=*/false);
  model.EndIntent(session.handle(), *begin.intent, report.status());
  if (!report.ok()) session.handle().unsettled = true;
  return report.status();
}

void TellOfErasure(Worker& worker, const std::set<Key>& keys, const ErasureOptions& options) {
  Session& session = worker.session;
  Call call(session, "erase (dry)", worker.random);
  auto report = session.collection().Erase(std::vector<Key>(keys.begin(), keys.end()), options, {}, call.context());
  // What is removed in this moment may be missing in any way.
  call.Ended(report.status(), {session.model().BranchesComeAndGo() ? StatusCode::kCorruption : StatusCode::kOk});
}

}  // namespace

void Erase(Worker& worker) {
  Session& session = worker.session;
  if (!session.world().settings().erasures) return;
  ErasureOptions options;
  options.break_leases = worker.random.Below(3) == 0;
  options.dry_run = worker.random.Below(8) == 0;
  const std::set<Key> keys = DrawKeys(worker);
  std::string text = options.break_leases ? "whatever is leased:" : "keys:";
  for (const Key& key : keys) text += " " + key.ToString();
  session.Note(text);
  if (options.dry_run) return TellOfErasure(worker, keys, options);
  // Another one of the same handle would wait for this one.
  if (session.handle().erases) return;
  session.handle().erases = true;
  bool complete = false;
  const Status status = TryErase(worker, keys, options, &complete);
  (void)status;  // was judged
  session.handle().erases = false;
}

void EraseAtTheEnd(Session& session) {
  Model& model = session.model();
  if (!session.world().settings().erasures || session.line().newest() == 0 || !model.failure().empty()) return;
  if (Status opened = session.Open(); !opened.ok()) return model.Fail("the end: " + opened.ToString());
  Worker worker{session, SplitMix64(1)};
  bool complete = false;
  const Status status = TryErase(worker, DrawKeys(worker), {.break_leases = true}, &complete);
  if (!complete && !model.BranchesComeAndGo()) {
    model.Fail("the end: an erasure is not complete though all is well again: " + status.ToString());
  }
  Finish(worker);
}

}  // namespace isotherm::simulation
