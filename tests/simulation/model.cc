#include "tests/simulation/model.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/macros.h"
#include "base/random.h"
#include "tests/base/manual_clock.h"

namespace isotherm::simulation {

namespace {

constexpr char kHead[] = "head";

// One thread, no disk, and a clock that stands still: the model's own handle must not touch the run.
class InlineExecutor : public Executor {
 public:
  void Schedule(std::function<void()> task) override { task(); }
  void ParallelFor(size_t n, const std::function<void(size_t)>& body) override {
    for (size_t i = 0; i < n; ++i) body(i);
  }
  size_t Concurrency() const override { return 1; }
};

bool IsSettled(const Change& change) { return change.told || change.dropped; }

enum class Which : uint8_t { kAccepted, kUnderWay, kBoth };

std::vector<ChangePtr> Pending(const Lane& lane, Which which) {
  std::vector<ChangePtr> pending;
  for (size_t i = lane.settled; i < lane.changes.size(); ++i) {
    const ChangePtr& change = lane.changes[i];
    bool wanted = which == Which::kBoth || change->accepted == (which == Which::kAccepted);
    if (wanted && !IsSettled(*change)) pending.push_back(change);
  }
  return pending;
}

void Trim(Lane& lane) {
  while (lane.settled < lane.changes.size() && IsSettled(*lane.changes[lane.settled])) ++lane.settled;
}

// What `state` says of `keys`.
State Restrict(const State& state, const std::set<Key>& keys) {
  State part;
  for (const Key& key : keys) {
    if (auto found = state.find(key); found != state.end()) part.insert(*found);
  }
  return part;
}

// Whether a read may have seen the version `base` under the first `count` of each lane's changes.
struct Overlay {
  std::vector<std::vector<ChangePtr>> lanes;
  std::vector<size_t> least;  // so many of each lane for certain
};

State Show(const State& base, uint64_t version, const Overlay& overlay, const std::vector<size_t>& count,
           bool unsettled) {
  State shown = base;
  for (size_t l = 0; l < overlay.lanes.size(); ++l) {
    for (size_t i = 0; i < count[l]; ++i) {
      const Change& change = *overlay.lanes[l][i];
      bool in_base = change.version != 0 && change.version <= version;
      if (!in_base || unsettled) change.effect(shown);
    }
  }
  return shown;
}

}  // namespace

std::string DifferenceOf(const State& expected, const State& found) {
  std::string text;
  size_t differences = 0;
  auto add = [&](const char* what, const Key& key) {
    if (++differences <= 5) text.append(text.empty() ? "" : ", ").append(what).append(" ").append(key.ToString());
  };
  for (const auto& [key, row] : expected) {
    auto other = found.find(key);
    if (other == found.end()) {
      add("missing:", key);
    } else if (other->second != row && *other->second != *row) {
      add("differs:", key);
    }
  }
  for (const auto& [key, row] : found) {
    if (!expected.contains(key)) add("too many:", key);
  }
  if (differences > 5) text += ", " + std::to_string(differences - 5) + " more";
  return text;
}

Model::Model(Scheduler& scheduler, const Cloud& cloud)
    : scheduler_(scheduler),
      cloud_(cloud),
      environment_(std::make_shared<Environment>(Environment{
          .clock = std::make_shared<ManualClock>(),
          .random = std::make_shared<SeededRandom>(1),
          .executor = std::make_shared<InlineExecutor>(),
          .file_system = nullptr,
      })) {}

Model::~Model() = default;

void Model::Fail(const std::string& what) {
  if (!failure_.empty()) return;
  failure_ = "at " + std::to_string(scheduler_.now_ns() / 1'000'000) + " ms: " + what;
  scheduler_.trace().Note(scheduler_.now_ns(), "model", failure_);
}

Handle& Model::AddHandle(std::string name) {
  handles_.push_back(std::make_unique<Handle>());
  handles_.back()->id = handles_.size();
  handles_.back()->name = std::move(name);
  return *handles_.back();
}

Result<State> Model::ReadWhole(uint64_t* version) {
  Options options;
  options.read_only = true;
  options.block_cache_bytes = 0;
  options.env = environment_;
  ASSIGN_OR_RETURN(std::unique_ptr<Collection> collection, Open(MakeReadOnlyView(cloud_.objects()), options));
  State state;
  ScanOptions scan;
  scan.in_key_order = false;
  Status twice;
  RETURN_IF_ERROR(collection->Scan(
      [&](Row row) {
        Key key = row.key;
        bool is_new = state.emplace(key, std::make_shared<const Row>(std::move(row))).second;
        return is_new ? Status::Ok() : Status::Internal("key " + key.ToString() + " is there twice");
      },
      scan));
  *version = collection->Stats().version;
  return state;
}

void Model::OnWrite(uint64_t client, const std::string& name, bool deleted) {
  if (name != kHead || !failure_.empty()) return;
  Handle& handle = *handles_.at(client - 1);
  if (deleted) return Fail(handle.name + " deleted the head");
  uint64_t version = 0;
  auto now = ReadWhole(&version);
  std::string title = "version " + std::to_string(versions_.size()) + " by " + handle.name;
  if (!now.ok()) return Fail(title + " can't be read: " + now.status().ToString());
  if (version != versions_.size()) return Fail(title + " calls itself " + std::to_string(version));
  Explain(handle, versions_.back(), *now);
  versions_.push_back(std::move(*now));
}

// As many of the lane's changes as make `now` of `before`, none or more.
bool Model::ExplainLane(const Lane& lane, const State& before, const State& now, State& expected) {
  std::vector<ChangePtr> candidates;
  std::set<Key> keys;
  for (const ChangePtr& change : Pending(lane, Which::kBoth)) {
    if (change->version != 0) continue;
    candidates.push_back(change);
    keys.insert(change->keys.begin(), change->keys.end());
  }
  State wanted = Restrict(now, keys);
  State state = Restrict(before, keys);
  size_t landed = 0;
  bool found = DifferenceOf(state, wanted).empty();
  for (size_t n = 1; n <= candidates.size() && candidates[n - 1]->fits(state); ++n) {
    candidates[n - 1]->effect(state);
    if (!DifferenceOf(state, wanted).empty()) continue;
    found = true;
    landed = n;
  }
  if (!found) return false;
  for (size_t i = 0; i < landed; ++i) {
    candidates[i]->effect(expected);
    candidates[i]->version = versions_.size();
  }
  return true;
}

void Model::Explain(Handle& handle, const State& before, const State& now) {
  std::string title = "version " + std::to_string(versions_.size()) + " by " + handle.name;
  if (handle.committing == 0 && !handle.uncertain && !handle.unsettled && !handle.commits_itself) {
    if (handle.compacts_itself && DifferenceOf(before, now).empty()) return;
    return Fail(title + ": nothing of that handle was being committed");
  }
  State expected = before;
  for (const Lane& lane : handle.lanes) {
    if (!ExplainLane(lane, before, now, expected)) {
      return Fail(title +
                  " is not the version before with pending changes of that handle: " + DifferenceOf(before, now));
    }
  }
  if (std::string difference = DifferenceOf(expected, now); !difference.empty()) {
    Fail(title + " changes what that handle was not asked to change: " + difference);
  }
}

void Model::CheckVersion(Handle& handle, uint64_t version, uint64_t least) {
  std::string title = handle.name + " is at version " + std::to_string(version);
  if (version < handle.version) Fail(title + ", but was at " + std::to_string(handle.version));
  if (version > newest()) Fail(title + ", but there are only " + std::to_string(newest()));
  if (version < least) Fail(title + ", but " + std::to_string(least) + " was there when it was asked to look");
  handle.version = std::max(handle.version, version);
}

Moment Model::Begin(const Handle& handle, uint64_t version) const {
  Moment moment;
  moment.version = version;
  moment.discards = handle.discards;
  for (const Lane& lane : handle.lanes) {
    moment.accepted.push_back(Pending(lane, Which::kAccepted));
    moment.under_way.push_back(Pending(lane, Which::kUnderWay));
    moment.changes.push_back(lane.changes.size());
  }
  return moment;
}

bool Model::Possible(const Handle& handle, const Moment& begin, uint64_t version,
                     const std::function<bool(const State&)>& allows) const {
  // What a discard hid at some time in between is not worth telling.
  if (handle.discards != begin.discards || !failure_.empty()) return true;
  Overlay overlay{begin.accepted, {}};
  for (size_t l = 0; l < handle.lanes.size(); ++l) {
    std::vector<ChangePtr>& lane = overlay.lanes[l];
    overlay.least.push_back(lane.size());
    auto add = [&](const ChangePtr& change) {
      if (!change->dropped) lane.push_back(change);
    };
    for (const ChangePtr& change : begin.under_way[l]) add(change);
    for (size_t i = begin.changes[l]; i < handle.lanes[l].changes.size(); ++i) add(handle.lanes[l].changes[i]);
  }
  for (uint64_t v = version; v >= begin.version && v > 0; --v) {
    for (bool unsettled : {false, true}) {
      std::vector<size_t> count = overlay.least;
      while (true) {
        if (allows(Show(versions_.at(v), v, overlay, count, unsettled))) return true;
        size_t l = 0;
        while (l < count.size() && ++count[l] > overlay.lanes[l].size()) {
          count[l] = overlay.least[l];
          ++l;
        }
        if (l == count.size()) break;
      }
    }
  }
  return false;
}

void Model::CheckRead(const Handle& handle, const Moment& begin, uint64_t version, const std::string& what,
                      const std::function<bool(const State&)>& allows) {
  if (version > newest() || Possible(handle, begin, version, allows)) return;
  Fail(handle.name + ": " + what + " is of no state that it may show at versions " + std::to_string(begin.version) +
       " to " + std::to_string(version));
}

ChangePtr Model::Propose(Handle& handle, size_t lane, Change change) {
  handle.lanes.at(lane).changes.push_back(std::make_shared<Change>(std::move(change)));
  return handle.lanes.at(lane).changes.back();
}

void Model::Drop(Handle& handle, Change& change) {
  if (change.version != 0)
    Fail(handle.name + ": " + change.what + " was refused, but is in version " + std::to_string(change.version));
  change.dropped = true;
  for (Lane& lane : handle.lanes) Trim(lane);
}

void Model::DropPending(Handle& handle) {
  ++handle.discards;
  for (Lane& lane : handle.lanes) {
    for (const ChangePtr& change : Pending(lane, Which::kAccepted)) {
      (change->version == 0 ? change->dropped : change->told) = true;
    }
    Trim(lane);
  }
}

std::vector<ChangePtr> Model::PendingSince(const Handle& handle, const Commitment& begin) {
  std::vector<ChangePtr> pending = begin.accepted;
  for (size_t l = 0; l < handle.lanes.size(); ++l) {
    const std::vector<ChangePtr>& under_way = begin.moment.under_way[l];
    const std::vector<ChangePtr>& all = handle.lanes[l].changes;
    pending.insert(pending.end(), under_way.begin(), under_way.end());
    pending.insert(pending.end(), all.begin() + static_cast<ptrdiff_t>(begin.moment.changes[l]), all.end());
  }
  return pending;
}

Model::Commitment Model::BeginCommit(Handle& handle) {
  Commitment begin;
  begin.moment = Begin(handle, handle.version);
  for (const std::vector<ChangePtr>& lane : begin.moment.accepted) {
    for (const ChangePtr& change : lane) {
      begin.accepted.push_back(change);
      if (change->version != 0) begin.landed.push_back(change);
    }
  }
  begin.was_uncertain = handle.uncertain;
  begin.was_open = handle.uncertain || handle.unsettled;
  begin.number = ++handle.commits;
  begin.alone = handle.committing++ == 0;
  return begin;
}

void Model::EndCommit(Handle& handle, const Commitment& begin, const Status& status, bool definite) {
  --handle.committing;
  if (!definite && !status.ok()) handle.unsettled = true;
  if (status.code() == StatusCode::kUnknown) {
    handle.uncertain = handle.uncertain || definite;
    return;
  }
  handle.uncertain = false;
  if (status.ok()) {
    for (const ChangePtr& change : begin.accepted) {
      if (change->version == 0 && !change->dropped) {
        Fail(handle.name + ": a commit was acknowledged, but no version has '" + change->what + "'");
      }
      change->told = true;
    }
    for (Lane& lane : handle.lanes) Trim(lane);
    handle.unsettled = false;
    return;
  }
  if (!definite || begin.was_uncertain || handle.commits_itself || !Alone(handle, begin)) return;
  for (const ChangePtr& change : begin.accepted) {
    bool before = std::find(begin.landed.begin(), begin.landed.end(), change) != begin.landed.end();
    if (change->version == 0 || before) continue;
    Fail(handle.name + ": a commit failed with " + status.ToString() + ", but '" + change->what + "' is in version " +
         std::to_string(change->version));
  }
}

}  // namespace isotherm::simulation
