#include <algorithm>
#include <limits>
#include <set>

#include "tests/simulation/operations.h"

namespace isotherm::simulation {

namespace {

constexpr uint64_t kKeysOfAHandle = 1'000'000;

std::string Numbers(const std::vector<Key>& keys) {
  std::string text;
  for (const Key& key : keys) text.append(text.empty() ? "" : ",").append(key.ToString());
  return text;
}

// Distinct, and of the worker's lane.
std::vector<Key> DrawKeys(Worker& worker, size_t count) {
  const size_t lanes = worker.session.handle().lanes.size();
  const uint64_t shared = worker.session.world().settings().shared_keys;
  std::set<uint64_t> keys;
  while (keys.size() < count) {
    bool is_new = worker.random.Below(3) > 0;
    uint64_t number =
        is_new ? worker.session.handle().id * kKeysOfAHandle / lanes + worker.new_keys++ : worker.random.Below(shared);
    keys.insert(number * lanes + worker.lane);
  }
  return {keys.begin(), keys.end()};
}

bool ContainsAny(const State& state, const std::vector<Key>& keys) {
  return std::any_of(keys.begin(), keys.end(), [&](const Key& key) { return state.contains(key); });
}

// Whether a commit that began at `version` may have been refused because a key was taken.
bool AKeyMayBeTaken(Session& session, const Model::Commitment& begin, uint64_t version) {
  // What was written since it began may be part of it.
  for (const ChangePtr& change : Model::PendingSince(session.handle(), begin)) {
    for (uint64_t v = std::max<uint64_t>(version, 1); v <= session.model().newest(); ++v) {
      if (ContainsAny(session.model().StateAt(v), change->keys)) return true;
    }
  }
  return false;
}

// What every call that commits may fail with, and whether it may this time.
void JudgeCommit(Session& session, const Model::Commitment& begin, const Status& status, uint64_t version,
                 bool definite) {
  session.model().EndCommit(session.handle(), begin, status, definite);
  if (status.code() == StatusCode::kAlreadyExists && !session.handle().commits_itself &&
      !AKeyMayBeTaken(session, begin, version)) {
    session.model().Fail(session.handle().name + ": " + status.ToString() + ", but no version has such a key");
  }
  // One that was open has lost to what the handle may have seen since.
  bool lost_before = begin.was_open || session.handle().commits_itself || !Model::Alone(session.handle(), begin);
  if (status.code() == StatusCode::kConflict && session.model().newest() <= version && !lost_before) {
    session.model().Fail(session.handle().name + ": " + status.ToString() + ", but nobody else committed");
  }
  if (!session.is_open() || session.closing) return;
  uint64_t least = 0;
  if (status.ok()) {
    for (const ChangePtr& change : begin.accepted) least = std::max(least, change->version);
  }
  session.Version(least);
}

Status TryCommit(Worker& worker) {
  Session& session = worker.session;
  uint64_t version = session.Version();
  Model::Commitment begin = session.model().BeginCommit(session.handle());
  Call call(session, "commit", worker.random);
  Status status = session.collection().Commit(call.context());
  if (session.role() == Role::kReader) {
    call.Ended(status, {StatusCode::kReadOnly});
    session.model().EndCommit(session.handle(), begin, status, /*definite=*/true);
    return status;
  }
  StatusCode conflict =
      session.options().conflict_policy == ConflictPolicy::kFail ? StatusCode::kConflict : StatusCode::kAlreadyExists;
  if (!call.Ended(status, {StatusCode::kAlreadyExists, StatusCode::kFenced, conflict})) return status;
  JudgeCommit(session, begin, status, version, status.code() != StatusCode::kFenced);
  return status;
}

}  // namespace

void Insert(Worker& worker) {
  Session& session = worker.session;
  std::vector<Key> keys = DrawKeys(worker, worker.random.Below(3) == 0 ? 2 + worker.random.Below(8) : 1);
  std::vector<Row> rows;
  std::vector<std::pair<Key, RowPtr>> added;
  for (const Key& key : keys) {
    rows.push_back(MakeRow(worker, key.number()));
    added.emplace_back(key, std::make_shared<const Row>(rows.back()));
  }
  Model& model = session.model();
  uint64_t version = session.Version();
  Moment begin = model.Begin(session.handle(), version);
  Change insert;
  insert.what = "insert " + Numbers(keys);
  insert.keys = keys;
  insert.effect = [added](State& state) {
    for (const auto& [key, row] : added) state[key] = row;
  };
  insert.fits = [keys](const State& state) { return !ContainsAny(state, keys); };
  ChangePtr change = model.Propose(session.handle(), worker.lane, std::move(insert));
  session.Note(change->what);
  Call call(session, "insert", worker.random);
  Status status = rows.size() == 1 ? session.collection().Insert(std::move(rows[0]), call.context())
                                   : session.collection().InsertBatch(std::move(rows), call.context());
  // Before anything else can run: another task may discard or commit it.
  bool alive = session.process().alive();
  if (alive && status.ok()) model.Accept(*change);
  if (alive && !status.ok()) model.Drop(session.handle(), *change);
  // When too much is pending, that is committed first.
  const bool commits = session.handle().commits_itself;
  const StatusCode instead = commits ? StatusCode::kUnknown : StatusCode::kAlreadyExists;
  const StatusCode conflict = commits ? StatusCode::kConflict : StatusCode::kAlreadyExists;
  const StatusCode fenced = commits ? StatusCode::kFenced : StatusCode::kAlreadyExists;
  if (!call.Ended(status, {StatusCode::kAlreadyExists, instead, conflict, fenced})) return;
  version = std::max(session.Version(), version);
  if (status.ok()) {
    // Its own change does not count: `begin` was before.
    model.CheckRead(session.handle(), begin, version, change->what + " succeeded: what it saw",
                    [&](const State& state) { return !ContainsAny(state, keys); });
  } else if (status.code() == StatusCode::kAlreadyExists && !commits) {
    model.CheckRead(session.handle(), begin, version, change->what + " was refused: what it saw",
                    [&](const State& state) { return ContainsAny(state, keys); });
  }
}

void InsertBad(Worker& worker) {
  Session& session = worker.session;
  std::vector<Row> rows{MakeRow(worker, AnyKey(worker)), MakeRow(worker, AnyKey(worker))};
  switch (worker.random.Below(3)) {
    case 0: rows[1].vector.pop_back(); break;
    case 1: rows[1].vector[0] = std::numeric_limits<float>::quiet_NaN(); break;
    default: rows[1].key = Key("text"); break;
  }
  Call call(session, "insert bad rows", worker.random);
  Status status = session.collection().InsertBatch(std::move(rows), call.context());
  StatusCode wanted = session.role() == Role::kReader ? StatusCode::kReadOnly : StatusCode::kInvalidArgument;
  if (call.Ended(status, {wanted}) && status.ok()) session.model().Fail("bad rows were taken");
}

void Commit(Worker& worker) {
  Status status = TryCommit(worker);
  // Nothing else frees the handle from a row that will never be taken.
  if (status.code() == StatusCode::kAlreadyExists && worker.random.Below(4) > 0) Discard(worker);
}

void Discard(Worker& worker) {
  Session& session = worker.session;
  // What it does by itself finds out what became of a commit, too.
  bool by_itself = session.handle().commits_itself || session.handle().compacts_itself;
  bool uncertain = session.handle().uncertain && session.handle().committing == 0 && !by_itself;
  uint64_t commits = session.handle().commits;
  Call call(session, "discard", worker.random);
  Status status = session.collection().DiscardPending(call.context());
  bool alive = session.process().alive();
  if (alive && status.ok()) session.model().DropPending(session.handle());
  if (!call.Ended(status, {StatusCode::kUnknown})) return;
  if (status.ok() && uncertain && session.handle().commits == commits) {
    session.model().Fail(session.handle().name + ": rows were discarded though they may still be committed");
  }
}

void Compact(Worker& worker) {
  Session& session = worker.session;
  CompactOptions options;
  options.min_rows_for_cells = session.world().settings().min_rows_for_cells;
  options.cells = static_cast<uint32_t>(worker.random.Below(8));
  options.seed = worker.random.Next();
  if (worker.random.Below(2) == 0) options.max_object_bytes = 2048;
  uint64_t version = session.Version();
  Model::Commitment begin = session.model().BeginCommit(session.handle());
  Call call(session, "compact", worker.random);
  Status status = session.collection().Compact(options, {}, call.context());
  if (!call.Ended(status, {StatusCode::kAlreadyExists, StatusCode::kFenced, StatusCode::kConflict})) return;
  // The pending rows are committed first: an error does not say how that went.
  JudgeCommit(session, begin, status, version, /*definite=*/false);
}

void Close(Worker& worker) {
  Session& session = worker.session;
  if (worker.random.Below(4) == 0) {
    session.closing = true;  // and is destroyed
    return;
  }
  uint64_t version = session.Version();
  Model::Commitment begin = session.model().BeginCommit(session.handle());
  Call call(session, "close", worker.random);
  session.closing = true;
  Status status = session.collection().Close(call.context());
  if (!call.Ended(status, {StatusCode::kAlreadyExists, StatusCode::kFenced, StatusCode::kConflict})) return;
  JudgeCommit(session, begin, status, version, status.code() != StatusCode::kFenced);
}

void Finish(Worker& worker) {
  Session& session = worker.session;
  Model& model = session.model();
  if (session.role() != Role::kReader) {
    // It may lose to each of the others once or twice.
    Status status = Status::Unknown("");
    for (int attempts = 0; attempts < 20 && !status.ok() && session.process().alive(); ++attempts) {
      status = TryCommit(worker);
      if (attempts > 3 && !status.ok() && status.code() != StatusCode::kUnknown) Discard(worker);
    }
    if (!status.ok() && session.process().alive()) {
      model.Fail(session.handle().name + ": commits fail though all is well again: " + status.ToString());
    }
  }
  Model::Commitment begin = model.BeginCommit(session.handle());
  Call call(session, "close", worker.random);
  session.closing = true;
  Status status = session.collection().Close(call.context());
  if (!call.Ended(status)) return;
  JudgeCommit(session, begin, status, session.handle().version, /*definite=*/true);
}

}  // namespace isotherm::simulation
