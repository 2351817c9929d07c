#include <algorithm>
#include <limits>
#include <set>

#include "tests/simulation/operations.h"

namespace isotherm::simulation {

namespace {

constexpr uint64_t kKeysOfAHandle = 1'000'000;

const char* NameOf(MutationKind kind) {
  switch (kind) {
    case MutationKind::kInsert: return "insert";
    case MutationKind::kUpsert: return "upsert";
    case MutationKind::kPatch: return "patch";
    case MutationKind::kDelete: return "delete";
    case MutationKind::kSoftDelete: return "soft-delete";
    case MutationKind::kRestore: return "restore";
  }
  return "?";
}

std::string Describe(const std::vector<Mutation>& mutations) {
  std::string text;
  for (const Mutation& mutation : mutations) {
    text.append(text.empty() ? "" : ", ").append(NameOf(mutation.kind)).append(" ");
    text.append(mutation.row.key.ToString());
    if (mutation.if_version != 0) text.append(" if ").append(std::to_string(mutation.if_version));
  }
  return text;
}

// Of the worker's lane: a new one, or one that many writers want.
Key DrawKey(Worker& worker, bool is_new) {
  const size_t lanes = worker.session.handle().lanes.size();
  const uint64_t shared = worker.session.world().settings().shared_keys;
  uint64_t number =
      is_new ? worker.session.handle().id * kKeysOfAHandle / lanes + worker.new_keys++ : worker.random.Below(shared);
  return Key(number * lanes + worker.lane);
}

// Of the worker's lane, and there by now, if any is that is found soon.
Key DrawKnownKey(Worker& worker) {
  const Line& line = worker.session.line();
  const size_t lanes = worker.session.handle().lanes.size();
  if (line.newest() == 0 || worker.random.Below(6) == 0) return DrawKey(worker, false);
  const State& state = line.StateAt(line.newest());
  for (int attempts = 0; attempts < 4 && !state.empty(); ++attempts) {
    auto at = std::next(state.begin(), static_cast<ptrdiff_t>(worker.random.Below(state.size())));
    if (at->first.number() % lanes == worker.lane) return at->first;
  }
  return DrawKey(worker, false);
}

// Mostly the version that the handle sees.
uint64_t DrawCondition(Worker& worker, const Key& key) {
  const Line::Version* version = worker.session.line().Find(worker.session.handle().version);
  if (version == nullptr || worker.random.Below(3) > 0) return 0;
  auto found = version->state->find(key);
  const uint64_t is = found == version->state->end() ? 1 : found->second.row->version;
  return worker.random.Below(8) == 0 ? is + 1 : is;
}

MetadataPatch DrawPatch(SplitMix64& random) {
  MetadataPatch patch;
  patch.set["p"] = static_cast<int64_t>(random.Below(1'000'000));
  if (random.Below(3) == 0) patch.set["n"] = static_cast<int64_t>(random.Below(1000));
  if (random.Below(4) == 0) patch.remove.emplace_back("by");
  return patch;
}

Mutation DrawMutation(Worker& worker) {
  Mutation mutation;
  const uint64_t draw = worker.random.Below(16);
  if (draw < 6) {
    mutation.kind = MutationKind::kInsert;
    mutation.row = MakeRow(worker, DrawKey(worker, worker.random.Below(3) > 0).number());
    return mutation;
  }
  const Key key = DrawKnownKey(worker);
  if (draw < 9) {
    mutation.kind = MutationKind::kUpsert;
    mutation.row = MakeRow(worker, key.number());
  } else {
    mutation.kind = draw < 12 ? MutationKind::kPatch : draw < 14 ? MutationKind::kDelete : MutationKind::kSoftDelete;
    mutation.row.key = key;
    if (mutation.kind == MutationKind::kPatch) mutation.patch = DrawPatch(worker.random);
  }
  mutation.if_version = DrawCondition(worker, key);
  return mutation;
}

// One that may be brought back, if there is any.
Mutation DrawRestoration(Worker& worker) {
  Mutation mutation;
  mutation.kind = MutationKind::kRestore;
  mutation.row.key = DrawKnownKey(worker);
  const Line& line = worker.session.line();
  if (line.newest() == 0) return mutation;
  for (const auto& [key, entry] : line.StateAt(line.newest())) {
    if (!entry.soft || key.number() % worker.session.handle().lanes.size() != worker.lane) continue;
    mutation.row.key = key;
    if (worker.random.Below(3) == 0) break;
  }
  return mutation;
}

std::vector<Mutation> DrawMutations(Worker& worker) {
  if (worker.random.Below(10) == 0) return {DrawRestoration(worker)};
  std::vector<Mutation> mutations;
  uint64_t count = worker.random.Below(3) == 0 ? 2 + worker.random.Below(8) : 1;
  for (; count > 0; --count) mutations.push_back(DrawMutation(worker));
  return mutations;
}

// The rows of the mutations' keys, as Write may see them.
Shown ShownTo(const std::vector<Mutation>& mutations, const Seen& seen) {
  Shown shown;
  for (const Mutation& mutation : mutations) {
    const Key& key = mutation.row.key;
    if (auto found = seen.state.find(key); found != seen.state.end()) shown.state.insert(*found);
    if (auto own = seen.pending.find(key); own != seen.pending.end()) shown.pending.insert(*own);
  }
  return shown;
}

StatusCode OutcomeOf(const std::vector<Mutation>& mutations, Shown shown, int64_t now_ms) {
  for (const Mutation& mutation : mutations) {
    StatusCode code = Write(mutation, shown, now_ms);
    if (code != StatusCode::kOk) return code;
  }
  return StatusCode::kOk;
}

// A row expires during the call: parts of it may have been before that and parts after.
bool ExpiresMeanwhile(const Shown& shown, const WallRange& wall) {
  return std::ranges::any_of(shown.state, [&](const auto& each) {
    return ExpiredAt(*each.second.row, wall.latest_ms) && !ExpiredAt(*each.second.row, wall.earliest_ms);
  });
}

// Write looks at the clock once, when it takes the batch: rows of the batch itself may have expired by then.
bool MayHaveOutcome(const std::vector<Mutation>& mutations, const Shown& shown, int64_t now_ms, const WallRange& wall,
                    StatusCode code) {
  if (OutcomeOf(mutations, shown, now_ms) == code) return true;
  return std::ranges::any_of(mutations, [&](const Mutation& mutation) {
    const int64_t at_ms = mutation.row.expires_at_ms;
    return at_ms > wall.earliest_ms && at_ms <= wall.latest_ms && OutcomeOf(mutations, shown, at_ms) == code;
  });
}

// What Write said must be what it may have seen.
void JudgeWrite(Session& session, const Moment& begin, uint64_t version, const Change& change, StatusCode code) {
  const WallRange wall = session.process().WallSince(begin.begin_ns);
  session.model().CheckRead(
      session.handle(), begin, version,
      change.what + (code == StatusCode::kOk ? " succeeded" : " was refused") + ": what it saw", [&](const Seen& seen) {
        Shown shown = ShownTo(change.mutations, seen);
        return ExpiresMeanwhile(shown, wall) || MayHaveOutcome(change.mutations, shown, seen.now_ms, wall, code);
      });
}

// A restoration is nothing to do when the row is live.
void SettleRestoration(Session& session, const Moment& begin, uint64_t version, Change& change) {
  if (change.mutations.size() != 1 || change.mutations[0].kind != MutationKind::kRestore) return;
  const WallRange wall = session.process().WallSince(begin.begin_ns);
  bool saw_live = false;
  bool saw_soft = false;
  session.model().Possible(session.handle(), begin, version, [&](const Seen& seen) {
    Shown shown = ShownTo(change.mutations, seen);
    if (shown.state.empty()) return false;
    const Entry& entry = shown.state.begin()->second;
    const bool blurred = ExpiresMeanwhile(shown, wall);
    saw_live = saw_live || LiveAt(entry, seen.now_ms) || blurred;
    saw_soft = saw_soft || entry.soft || blurred;
    return false;
  });
  if (saw_live == saw_soft || session.handle().discards != begin.discards) return;
  change.may_be_nothing = saw_live;
  change.may_restore = saw_soft;
}

Status TryCommit(Worker& worker) {
  Session& session = worker.session;
  uint64_t version = session.Version();
  Model::Commitment begin = session.model().BeginCommit(session.handle());
  Call call(session, "commit", worker.random, CallEffect::kCommits);
  Status status = session.collection().Commit(call.context());
  if (session.read_only()) {
    call.Ended(status, {StatusCode::kReadOnly});
    session.model().EndCommit(session.handle(), begin, status, /*definite=*/true);
    return status;
  }
  if (!call.Ended(status,
                  {StatusCode::kAlreadyExists, StatusCode::kNotFound, StatusCode::kFenced, StatusCode::kConflict})) {
    return status;
  }
  JudgeCommit(session, begin, status, version, status.code() != StatusCode::kFenced);
  return status;
}

bool IsRefusal(StatusCode code) {
  return code == StatusCode::kAlreadyExists || code == StatusCode::kNotFound || code == StatusCode::kConflict;
}

}  // namespace

void JudgeCommit(Session& session, const Model::Commitment& begin, const Status& status, uint64_t version,
                 bool definite) {
  Model& model = session.model();
  const Handle& handle = session.handle();
  model.EndCommit(session.handle(), begin, status, definite);
  // One that was open has lost to what the handle may have seen since.
  const bool lost_before = begin.was_open || handle.commits_itself || handle.compacts_itself || handle.compacts ||
                           !Model::Alone(handle, begin);
  const bool others_came = session.line().newest() > version || lost_before;
  const bool fails_on_conflict = session.options().conflict_policy == ConflictPolicy::kFail || handle.compacts;
  if (IsRefusal(status.code()) && !handle.commits_itself && !session.line().gone &&
      !(status.code() == StatusCode::kConflict && fails_on_conflict && others_came) &&
      !model.MayBeRefused(handle, begin)) {
    model.Fail(handle.name + ": " + status.ToString() + ", but nothing happened to these rows");
  }
  if (!session.is_open() || session.closing) return;
  uint64_t least = 0;
  if (status.ok()) {
    for (const ChangePtr& change : begin.accepted) least = std::max(least, change->earliest);
  }
  session.Version(least);
}

void WriteRows(Worker& worker) {
  Session& session = worker.session;
  Model& model = session.model();
  Change proposed;
  proposed.mutations = DrawMutations(worker);
  proposed.what = Describe(proposed.mutations);
  proposed.may_be_nothing = proposed.mutations[0].kind == MutationKind::kRestore;
  uint64_t version = session.Version();
  proposed.base = version;
  Moment begin = model.Begin(session.handle(), version);
  ChangePtr change = model.Propose(session.handle(), worker.lane, std::move(proposed));
  session.Note(change->what);
  WriteBatch batch;
  for (const Mutation& mutation : change->mutations) batch.Add(mutation);
  Call call(session, "write", worker.random, CallEffect::kCommits);
  Status status = session.collection().Write(std::move(batch), call.context());
  // Before anything else can run: another task may discard or commit it.
  bool alive = session.process().alive();
  if (alive && status.ok()) change->accepted = true;
  if (alive && !status.ok()) model.Drop(session.handle(), *change);
  // When too much is pending, that is committed first, and the call has its error.
  const bool commits = session.handle().commits_itself;
  const StatusCode fenced = commits ? StatusCode::kFenced : StatusCode::kConflict;
  if (!call.Ended(status, {StatusCode::kAlreadyExists, StatusCode::kNotFound, StatusCode::kConflict, fenced})) return;
  version = std::max(session.Version(), version);
  if (status.ok()) SettleRestoration(session, begin, version, *change);
  // Its own change does not count: `begin` was before.
  if (status.ok() || (IsRefusal(status.code()) && !commits && !session.line().gone)) {
    JudgeWrite(session, begin, version, *change, status.code());
  }
}

void WriteBadRows(Worker& worker) {
  Session& session = worker.session;
  std::vector<Row> rows{MakeRow(worker, AnyKey(worker)), MakeRow(worker, AnyKey(worker))};
  switch (worker.random.Below(3)) {
    case 0: rows[1].vector.pop_back(); break;
    case 1: rows[1].vector[0] = std::numeric_limits<float>::quiet_NaN(); break;
    default: rows[1].key = Key("text"); break;
  }
  Call call(session, "write bad rows", worker.random);
  Status status = session.collection().InsertBatch(std::move(rows), call.context());
  StatusCode wanted = session.read_only() ? StatusCode::kReadOnly : StatusCode::kInvalidArgument;
  if (call.Ended(status, {wanted}) && status.ok()) session.model().Fail("bad rows were taken");
}

void CommitRows(Worker& worker) {
  Status status = TryCommit(worker);
  // Nothing else frees the handle from a row that will never be taken.
  if (IsRefusal(status.code()) && worker.random.Below(4) > 0) Discard(worker);
}

void Discard(Worker& worker) {
  Session& session = worker.session;
  const Handle& handle = session.handle();
  bool uncertain = handle.uncertain && !handle.perhaps_settled && handle.committing == 0 && !handle.commits_itself &&
                   !handle.compacts_itself && !handle.compacts;
  uint64_t commits = handle.commits;
  const size_t intents = handle.intents.size();
  const Moment begin = session.model().Begin(session.handle(), handle.version);
  Call call(session, "discard", worker.random);
  Status status = session.collection().DiscardPending(call.context());
  bool alive = session.process().alive();
  if (alive && status.ok()) session.model().DropPending(session.handle(), begin);
  if (!call.Ended(status, {StatusCode::kUnknown})) return;
  if (status.ok() && uncertain && handle.commits == commits && intents == 0 && handle.intents.empty()) {
    session.model().Fail(handle.name + ": rows were discarded though they may still be committed");
  }
}

void Compact(Worker& worker) {
  Session& session = worker.session;
  const Settings& settings = session.world().settings();
  CompactOptions options = settings.compaction;
  if (!settings.one_way_of_compacting) {
    if (worker.random.Below(4) == 0) {
      options.cells = static_cast<uint32_t>(worker.random.Below(8));
      options.seed = worker.random.Next();
      if (worker.random.Below(2) == 0) options.max_object_bytes = 2048;
    }
    options.keep_cells = worker.random.Below(3) == 0;
    if (worker.random.Below(2) == 0) options.scope = CompactScope::kPolicy;
  }
  uint64_t version = session.Version();
  session.handle().compacts = true;
  Model::Commitment begin = session.model().BeginCommit(session.handle());
  Call call(session, "compact", worker.random, CallEffect::kCommits);
  Status status = session.collection().Compact(options, {}, call.context());
  if (!call.Ended(status,
                  {StatusCode::kAlreadyExists, StatusCode::kNotFound, StatusCode::kFenced, StatusCode::kConflict})) {
    return;
  }
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
  Call call(session, "close", worker.random, CallEffect::kCommits);
  session.closing = true;
  Status status = session.collection().Close(call.context());
  if (!call.Ended(status,
                  {StatusCode::kAlreadyExists, StatusCode::kNotFound, StatusCode::kFenced, StatusCode::kConflict})) {
    return;
  }
  JudgeCommit(session, begin, status, version, status.code() != StatusCode::kFenced);
}

void Finish(Worker& worker) {
  Session& session = worker.session;
  Model& model = session.model();
  if (!session.read_only()) {
    // It may lose to each of the others once or twice.
    Status status = Status::Unknown("");
    for (int attempts = 0; attempts < 20 && !status.ok() && session.process().alive(); ++attempts) {
      status = TryCommit(worker);
      if (attempts > 3 && !status.ok() && status.code() != StatusCode::kUnknown) Discard(worker);
    }
    // There is nothing to commit to where the branch was deleted.
    if (session.line().gone || session.line().unchecked) return;
    if (!status.ok() && session.process().alive()) {
      model.Fail(session.handle().name + ": commits fail though all is well again: " + status.ToString());
    }
  }
  Model::Commitment begin = model.BeginCommit(session.handle());
  Call call(session, "close", worker.random, CallEffect::kCommits);
  session.closing = true;
  Status status = session.collection().Close(call.context());
  if (!call.Ended(status)) return;
  JudgeCommit(session, begin, status, session.handle().version, /*definite=*/true);
}

}  // namespace isotherm::simulation
