// Operations on versions and branches.
#include <algorithm>

#include "tests/simulation/operations.h"

namespace isotherm::simulation {

namespace {

// One that there is, or was; null when there is none.
std::shared_ptr<Line> AnyBranch(Worker& worker) {
  std::vector<std::shared_ptr<Line>> lines = worker.session.model().Lines();
  std::erase_if(lines, [&](const auto& line) { return line->branch.empty() || line.get() == &worker.session.line(); });
  if (lines.empty()) return nullptr;
  return lines[worker.random.Below(lines.size())];
}

bool HasPending(const Handle& handle) {
  return std::ranges::any_of(handle.lanes, [](const Lane& lane) { return !lane.Pending(Lane::Which::kBoth).empty(); });
}

// An attempt to change the head that failed may have left something open.
void EndIntent(Session& session, Intent& intent, const Status& status) {
  session.model().EndIntent(session.handle(), intent, status);
  if (!status.ok()) session.handle().unsettled = true;
  if (session.is_open() && !session.closing) session.Version();
}

}  // namespace

void ListVersions(Worker& worker) {
  Session& session = worker.session;
  const Line& line = session.line();
  const bool with_log = worker.random.Below(2) == 0;
  const uint64_t version = session.handle().version;
  Call call(session, with_log ? "log" : "versions", worker.random);
  auto versions =
      with_log ? session.collection().Log(20, call.context()) : session.collection().Versions(call.context());
  if (!call.Ended(versions.status(), {}) || !versions.ok() || line.unchecked || line.gone) return;
  const uint64_t newest = session.Version();
  std::string problem;
  uint64_t before = 0;
  for (const VersionInfo& info : *versions) {
    const Line::Version* known = line.Find(info.version);
    if (info.version <= before || info.version > newest || known == nullptr) {
      problem = "version " + std::to_string(info.version) + " is out of place";
    } else if (info.commit_ms != known->commit_ms) {
      problem = "version " + std::to_string(info.version) + " has another time";
    } else if (with_log && info.rows != LiveRows(*known->state)) {
      problem = "version " + std::to_string(info.version) + " has another number of rows";
    } else if (before != 0 && info.version != before + 1 && info.version > std::max(line.oldest, line.first)) {
      problem = "versions are missing between " + std::to_string(before) + " and " + std::to_string(info.version);
    }
    before = info.version;
  }
  if (versions->empty() && !session.model().MayBeRemoved(session.handle(), version)) problem = "there are none";
  if (!problem.empty()) session.model().Fail(session.handle().name + ": list of versions: " + problem);
}

void Rollback(Worker& worker) {
  Session& session = worker.session;
  const Line& line = session.line();
  if (line.newest() == 0) return;
  const uint64_t oldest = worker.random.Below(8) == 0 ? 1 : line.oldest;
  const uint64_t to = oldest + worker.random.Below(line.newest() - oldest + 1);
  const bool may_be_pending = HasPending(session.handle()) || session.handle().uncertain || session.handle().unsettled;
  IntentPtr intent = session.model().BeginIntent(session.handle(), {.kind = Intent::Kind::kRollback, .version = to});
  session.Note("to version " + std::to_string(to));
  Call call(session, "rollback", worker.random, CallEffect::kCommits);
  Status status = session.collection().Rollback(to, call.context());
  const bool pending = may_be_pending || HasPending(session.handle());
  const StatusCode refused = pending ? StatusCode::kInvalidArgument : StatusCode::kFenced;
  const StatusCode missing = to < line.oldest ? StatusCode::kNotFound : StatusCode::kFenced;
  // What is removed in this moment may be missing in any way.
  const StatusCode removed = to < line.oldest ? StatusCode::kCorruption : StatusCode::kFenced;
  if (!call.Ended(status, {refused, missing, removed, StatusCode::kFenced})) return;
  EndIntent(session, *intent, status);
}

void Vacuum(Worker& worker) {
  Session& session = worker.session;
  VacuumOptions options;
  if (worker.random.Below(3) > 0) options.keep_versions = 1 + worker.random.Below(12);
  if (worker.random.Below(3) == 0) options.keep_age_ms = static_cast<int64_t>(1 + worker.random.Below(60'000));
  options.keep_soft_deleted = worker.random.Below(3) > 0;
  options.dry_run = worker.random.Below(6) == 0;
  IntentPtr intent;
  if (!options.dry_run) {
    intent = session.model().BeginIntent(session.handle(), {.kind = Intent::Kind::kVacuum, .vacuum = options});
  }
  Call call(session, options.dry_run ? "vacuum (dry)" : "vacuum", worker.random, CallEffect::kCommits);
  auto report = session.collection().Vacuum(options, call.context());
  if (!call.Ended(report.status(), {StatusCode::kFenced})) return;
  if (intent != nullptr) EndIntent(session, *intent, report.status());
}

void CreateBranch(Worker& worker) {
  Session& session = worker.session;
  Model& model = session.model();
  const std::string name = session.world().NewBranchName();
  const uint64_t oldest = worker.random.Below(8) == 0 ? 1 : session.line().oldest;
  const uint64_t newest = session.line().newest();
  const uint64_t version =
      worker.random.Below(2) == 0 || newest < oldest ? 0 : oldest + worker.random.Below(newest - oldest + 1);
  IntentPtr intent =
      model.BeginIntent(session.handle(), {.kind = Intent::Kind::kCreateBranch, .branch = name, .version = version});
  session.Note(name + " of version " + std::to_string(version));
  Call call(session, "create branch", worker.random, CallEffect::kCommits);
  Status status = session.collection().CreateBranch(name, version, call.context());
  const bool taken = model.LineOf(name) != nullptr;
  const uint64_t wanted = version == 0 ? intent->base : version;
  const bool removed = wanted < session.line().oldest;
  if (!call.Ended(status, {taken ? StatusCode::kAlreadyExists : StatusCode::kOk,
                           removed ? StatusCode::kNotFound : StatusCode::kOk,
                           removed ? StatusCode::kCorruption : StatusCode::kOk,
                           removed || !status.ok() ? StatusCode::kConflict : StatusCode::kOk})) {
    return;
  }
  std::shared_ptr<Line> line = model.LineOf(name);
  if (status.ok() && line != nullptr && line->broken) model.Fail("branch " + name + " was made, and can't be read");
  EndIntent(session, *intent, status);
}

void DeleteBranch(Worker& worker) {
  Session& session = worker.session;
  std::shared_ptr<Line> line = AnyBranch(worker);
  if (line == nullptr) return;
  session.Note(line->branch);
  Call call(session, "delete branch", worker.random, CallEffect::kCommits);
  Status status = session.collection().DeleteBranch(line->branch, call.context());
  if (!call.Ended(status, {line->gone ? StatusCode::kNotFound : StatusCode::kOk})) return;
  if (status.ok() && !line->gone) session.model().Fail("branch " + line->branch + " was deleted, and is there");
}

void FastForwardTo(Worker& worker, const Line& line) {
  Session& session = worker.session;
  const uint64_t version = session.Version();
  Model::Commitment begin = session.model().BeginCommit(session.handle());
  IntentPtr intent =
      session.model().BeginIntent(session.handle(), {.kind = Intent::Kind::kFastForward, .branch = line.branch});
  session.Note(line.branch);
  Call call(session, "fast-forward", worker.random, CallEffect::kCommits);
  Status status = session.collection().FastForward(line.branch, call.context());
  // What is pending is committed first, with that call's errors.
  if (!call.Ended(status,
                  {StatusCode::kConflict, StatusCode::kAlreadyExists, StatusCode::kNotFound, StatusCode::kFenced})) {
    return;
  }
  session.handle().compacts = true;  // its conflicts are not those of a commit
  // The branch may have been deleted in this moment, which says nothing of rows.
  const bool is_gone = line.gone && status.code() == StatusCode::kNotFound;
  JudgeCommit(session, begin, is_gone ? Status::Conflict(status.message()) : status, version, /*definite=*/false);
  EndIntent(session, *intent, status);
}

void FastForward(Worker& worker) {
  std::shared_ptr<Line> line = AnyBranch(worker);
  if (line != nullptr) FastForwardTo(worker, *line);
}

void BranchAndReturn(Worker& worker) {
  Session& session = worker.session;
  CreateBranch(worker);
  std::shared_ptr<Line> line;
  for (const auto& each : session.model().Lines()) {
    if (each->parent.get() == &session.line() && each->first + 2 > session.line().newest()) line = each;
  }
  if (line == nullptr || !session.process().alive()) return;
  Session branch(session.world(), session.process(), {.role = Role::kWriter, .branch = line->branch},
                 worker.random.Next());
  if (!branch.Open().ok()) return;
  Worker there{branch, SplitMix64(worker.random.Next())};
  there.role = Role::kWriter;
  for (uint64_t left = worker.random.Below(4); left > 0 && branch.active(); --left) WriteRows(there);
  if (branch.active()) Close(there);
  branch.Destroy();
  if (session.active() && !line->gone) FastForwardTo(worker, *line);
}

}  // namespace isotherm::simulation
