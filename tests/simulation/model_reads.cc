// What a handle may show, and what becomes of what it was asked for.
#include <algorithm>
#include <optional>

#include "tests/simulation/model.h"
#include "tests/simulation/process.h"

namespace isotherm::simulation {

namespace {

constexpr size_t kMostCombinations = 256;

// What a handle's changes make of a key, whatever lies below.
struct Net {
  enum class Kind : uint8_t {
    kRow,        // `entry`
    kAbsent,     //
    kSoftened,   // the row below, softly deleted
    kUntouched,  // the row below
  };
  Kind kind = Kind::kAbsent;
  Entry entry{};
  uint64_t if_version = 0;  // kSoftened: only where the row has this version; 0: whichever it has

  friend bool operator==(const Net& a, const Net& b) {
    if (a.kind != b.kind || a.entry.soft != b.entry.soft || a.if_version != b.if_version) return false;
    return a.entry.row == b.entry.row || (a.entry.row && b.entry.row && *a.entry.row == *b.entry.row);
  }
};

// For each key that has changes all that may have come of them: a patch, and a restoration, are of a row that was there
// when they were made, or that was there when they were to be committed.
class Overlay {
 public:
  Overlay(const Line& line, uint64_t newest) : line_(line), newest_(newest) {}

  // `perhaps`: or it is in the version already.
  void Add(const Change& change, bool perhaps) {
    for (const Mutation& mutation : change.mutations) AddOne(change, mutation, perhaps || change.may_be_nothing);
  }
  const std::map<Key, std::vector<Net>>& keys() const { return keys_; }

 private:
  void AddOne(const Change& change, const Mutation& mutation, bool perhaps) {
    auto [at, fresh] = keys_.try_emplace(mutation.row.key);
    if (fresh) at->second.push_back({.kind = Net::Kind::kUntouched});
    std::vector<Net> after;
    auto add = [&](const Net& net) {
      if (std::find(after.begin(), after.end(), net) == after.end()) after.push_back(net);
    };
    for (const Net& net : at->second) {
      if (perhaps) add(net);
      switch (mutation.kind) {
        case MutationKind::kInsert:
        case MutationKind::kUpsert: add({Net::Kind::kRow, {Uncommitted(mutation.row), false}}); break;
        case MutationKind::kDelete: add({.kind = Net::Kind::kAbsent}); break;
        case MutationKind::kSoftDelete: add(Softened(net, mutation.if_version)); break;
        case MutationKind::kPatch:
          for (const RowPtr& row : Below(change, mutation.row.key, net, /*soft=*/false)) {
            add({Net::Kind::kRow, {PatchedRow(*row, mutation.patch), false}});
          }
          break;
        case MutationKind::kRestore:
          if (!change.may_restore) break;
          for (const RowPtr& row : Below(change, mutation.row.key, net, /*soft=*/true)) {
            add({Net::Kind::kRow, {Uncommitted(*row), false}});
          }
          break;
      }
    }
    if (!after.empty()) at->second = std::move(after);
  }

  static Net Softened(const Net& net, uint64_t if_version) {
    Net out = net;
    if (net.kind == Net::Kind::kRow) out.entry.soft = true;
    if (net.kind == Net::Kind::kUntouched) {
      out.kind = Net::Kind::kSoftened;
      out.if_version = if_version;
    }
    return out;
  }

  // The rows that `net` may stand for: those that are softly deleted, or live.
  std::vector<RowPtr> Below(const Change& change, const Key& key, const Net& net, bool soft) const {
    std::vector<RowPtr> rows;
    if (net.kind == Net::Kind::kRow && net.entry.soft == soft) rows.push_back(net.entry.row);
    if (net.kind != Net::Kind::kUntouched && net.kind != Net::Kind::kSoftened) return rows;
    auto add = [&](uint64_t v) {
      const Line::Version* version = line_.Find(v);
      if (version == nullptr) return;
      auto found = version->state->find(key);
      if (found == version->state->end()) return;
      if (net.if_version != 0 && net.if_version != found->second.row->version) return;
      const bool is_soft = found->second.soft || net.kind == Net::Kind::kSoftened;
      const bool was_softened = soft && change.of_pending_deletion;
      if ((is_soft == soft || was_softened) && (rows.empty() || rows.back() != found->second.row))
        rows.push_back(found->second.row);
    };
    if (auto own = change.pending_in.find(key); own != change.pending_in.end()) add(own->second);
    for (uint64_t v = std::max<uint64_t>(change.base, 1); v <= newest_; ++v) add(v);
    return rows;
  }

  const Line& line_;
  const uint64_t newest_;
  std::map<Key, std::vector<Net>> keys_;
};

void Apply(const Key& key, const Net& net, State& state) {
  switch (net.kind) {
    case Net::Kind::kRow: state[key] = net.entry; return;
    case Net::Kind::kAbsent: state.erase(key); return;
    case Net::Kind::kSoftened:
      if (auto at = state.find(key); at != state.end()) at->second.soft = true;
      return;
    case Net::Kind::kUntouched: return;
  }
}

// At each moment at which another row has expired.
bool AllowsAtSomeTime(const State& state, const Pending& pending, const WallRange& wall, const Allows& allows) {
  if (allows({state, pending, wall.earliest_ms})) return true;
  std::set<int64_t> moments;
  for (const auto& [key, entry] : state) {
    const int64_t at_ms = entry.row->expires_at_ms;
    if (at_ms > wall.earliest_ms && at_ms <= wall.latest_ms) moments.insert(at_ms);
  }
  return std::ranges::any_of(moments, [&](int64_t now_ms) { return allows({state, pending, now_ms}); });
}

// All combinations of what may have come of each key's changes.
bool AllowsSome(const State& base, const Overlay& overlay, const WallRange& wall, const Allows& allows) {
  static const Pending nothing;
  if (overlay.keys().empty()) return AllowsAtSomeTime(base, nothing, wall, allows);
  std::vector<size_t> choice(overlay.keys().size(), 0);
  for (size_t tried = 0; tried < kMostCombinations; ++tried) {
    State state = base;
    Pending pending;
    size_t i = 0;
    for (const auto& [key, nets] : overlay.keys()) {
      const Net& net = nets[choice[i++]];
      Apply(key, net, state);
      if (net.kind != Net::Kind::kUntouched) pending.emplace(key, net.if_version);
    }
    if (AllowsAtSomeTime(state, pending, wall, allows)) return true;
    i = 0;
    for (const auto& [key, nets] : overlay.keys()) {
      if (++choice[i] < nets.size()) break;
      choice[i++] = 0;
    }
    if (i == choice.size()) return false;
  }
  return true;
}

}  // namespace

Moment Model::Begin(const Handle& handle, uint64_t version) const {
  Moment moment;
  moment.version = version;
  moment.begin_ns = scheduler_.now_ns();
  moment.discards = handle.discards;
  for (const Lane& lane : handle.lanes) {
    moment.accepted.push_back(lane.Pending(Lane::Which::kAccepted));
    moment.under_way.push_back(lane.Pending(Lane::Which::kUnderWay));
    moment.changes.push_back(lane.changes.size());
  }
  return moment;
}

bool Model::Possible(const Handle& handle, const Moment& begin, uint64_t version, const Allows& allows) const {
  // What a discard hid at some time in between is not worth telling.
  const Line& line = *handle.line;
  if (handle.discards != begin.discards || !failure_.empty() || line.unchecked) return true;
  // Of each lane: what was there for certain, and then what came during the read.
  std::vector<std::vector<ChangePtr>> lanes = begin.accepted;
  std::vector<size_t> least;
  std::set<uint64_t> landed{0};
  for (size_t l = 0; l < lanes.size(); ++l) {
    least.push_back(lanes[l].size());
    const std::vector<ChangePtr>& all = handle.lanes[l].changes;
    std::vector<ChangePtr> more = begin.under_way[l];
    more.insert(more.end(), all.begin() + static_cast<ptrdiff_t>(begin.changes[l]), all.end());
    std::ranges::copy_if(more, std::back_inserter(lanes[l]), [](const ChangePtr& c) { return !c->dropped; });
    for (const ChangePtr& change : lanes[l]) landed.insert(change->version);
  }
  const WallRange wall = handle.process->WallSince(begin.begin_ns);
  for (uint64_t v = version; v >= begin.version && v > 0; --v) {
    // What is in a version is still pending for a handle that does not know yet how its commit went.
    std::set<uint64_t> known{v};
    for (uint64_t at : landed) {
      if (at < v && landed.upper_bound(at) != landed.end() && *landed.upper_bound(at) <= v) known.insert(at);
    }
    for (auto settled = known.rbegin(); settled != known.rend(); ++settled) {
      std::vector<size_t> count = least;
      while (true) {
        Overlay overlay(line, line.newest());
        for (size_t l = 0; l < lanes.size(); ++l) {
          for (size_t i = 0; i < count[l]; ++i) {
            const Change& change = *lanes[l][i];
            const bool in_base = change.version != 0 && change.version <= *settled;
            if (!in_base || change.maybe_later) overlay.Add(change, in_base);
          }
        }
        if (AllowsSome(line.StateAt(v), overlay, wall, allows)) return true;
        size_t l = 0;
        while (l < count.size() && ++count[l] > lanes[l].size()) {
          count[l] = least[l];
          ++l;
        }
        if (l == count.size()) break;
      }
    }
  }
  return false;
}

// For whoever reads the trace of a failure.
void Model::NoteState(const Handle& handle, uint64_t version) const {
  if (!scheduler_.trace().has_text()) return;
  std::string text = "version " + std::to_string(version) + ":";
  for (const auto& [key, entry] : handle.line->StateAt(version)) {
    text += " " + key.ToString() + "@" + std::to_string(entry.row->version) + (entry.soft ? " soft" : "");
    if (entry.row->expires_at_ms != 0) text += " until " + std::to_string(entry.row->expires_at_ms);
  }
  text += "; now " + std::to_string(handle.process->WallMs()) + "; pending:";
  for (const Lane& lane : handle.lanes) {
    for (const ChangePtr& change : lane.Pending(Lane::Which::kBoth)) {
      text += " (" + change->what + (change->accepted ? "" : ", perhaps") + (change->version == 0 ? "" : ", in ") +
              (change->version == 0 ? "" : std::to_string(change->version)) + ")";
    }
  }
  scheduler_.trace().Note(scheduler_.now_ns(), "model", text);
}

void Model::CheckRead(const Handle& handle, const Moment& begin, uint64_t version, const std::string& what,
                      const Allows& allows) {
  if (handle.line->unchecked || version > handle.line->newest() || Possible(handle, begin, version, allows)) return;
  NoteState(handle, version);
  Fail(handle.name + ": " + what + " is of no state that it may show at versions " + std::to_string(begin.version) +
       " to " + std::to_string(version));
}

ChangePtr Model::Propose(Handle& handle, size_t lane, Change change) {
  const Key& key = change.mutations.front().row.key;
  for (const ChangePtr& before : handle.lanes.at(lane).Pending(Lane::Which::kBoth)) {
    change.of_pending_deletion =
        change.of_pending_deletion || std::ranges::any_of(before->mutations, [&](const Mutation& mutation) {
          return mutation.kind == MutationKind::kSoftDelete && mutation.row.key == key;
        });
    for (const Mutation& mutation : before->mutations) {
      if (before->version == 0 || !change.Touches(mutation.row.key)) continue;
      uint64_t& newest = change.pending_in[mutation.row.key];
      newest = std::max(newest, before->version);
    }
  }
  handle.lanes.at(lane).changes.push_back(std::make_shared<Change>(std::move(change)));
  return handle.lanes.at(lane).changes.back();
}

void Model::Drop(Handle& handle, Change& change) {
  if (change.version != 0 && !change.maybe_later)
    Fail(handle.name + ": " + change.what + " was refused, but is in version " + std::to_string(change.version));
  change.dropped = true;
  for (Lane& lane : handle.lanes) lane.Trim();
}

void Model::DropPending(Handle& handle, const Moment& begin) {
  ++handle.discards;
  handle.uncertain = false;
  for (const std::vector<ChangePtr>& lane : begin.accepted) {
    for (const ChangePtr& change : lane) (change->version == 0 ? change->dropped : change->told) = true;
  }
  for (Lane& lane : handle.lanes) {
    lane.Trim();
    // What came meanwhile was there at that moment or not.
    for (const ChangePtr& change : lane.Pending(Lane::Which::kBoth)) change->may_be_nothing = true;
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

bool Model::MayBeRefused(const Handle& handle, const Commitment& begin) const {
  const Line& line = *handle.line;
  if (line.unchecked) return true;
  const int64_t latest_ms = handle.process->WallSince(handle.opened_ns).latest_ms;
  for (const ChangePtr& change : PendingSince(handle, begin)) {
    for (const Mutation& mutation : change->mutations) {
      const Line::Version* base = line.Find(std::max<uint64_t>(change->base, 1));
      for (uint64_t v = change->base; v <= line.newest(); ++v) {
        const Line::Version* version = line.Find(v);
        if (base == nullptr || version == nullptr) return true;
        auto was = base->state->find(mutation.row.key);
        auto is = version->state->find(mutation.row.key);
        const bool absent = is == version->state->end();
        if ((was == base->state->end()) != absent) return true;
        if (absent) continue;
        if (was->second.row != is->second.row || was->second.soft != is->second.soft) return true;
        if (ExpiredAt(*is->second.row, latest_ms)) return true;
      }
    }
  }
  return false;
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
    handle.perhaps_settled = false;
    return;
  }
  handle.uncertain = false;
  if (status.ok()) {
    for (const ChangePtr& change : begin.accepted) {
      if (change->version == 0 && !change->dropped && !handle.line->unchecked && MakesADifference(handle, *change)) {
        Fail(handle.name + ": a commit was acknowledged, but no version has '" + change->what + "'");
      }
      change->told = true;
    }
    for (Lane& lane : handle.lanes) lane.Trim();
    handle.unsettled = false;
    return;
  }
  if (status.code() == StatusCode::kFenced) {
    // Whatever became of it: it is pending, and may be committed once more.
    for (const Lane& lane : handle.lanes) {
      for (const ChangePtr& change : lane.Pending(Lane::Which::kBoth)) change->maybe_later = change->version != 0;
    }
  }
  // One that was open before, also a compaction's, is settled first, and then the rest may fail.
  if (!definite || begin.was_open || handle.commits_itself || !Alone(handle, begin)) return;
  for (const ChangePtr& change : begin.accepted) {
    bool before = std::find(begin.landed.begin(), begin.landed.end(), change) != begin.landed.end();
    if (change->version == 0 || before) continue;
    Fail(handle.name + ": a commit failed with " + status.ToString() + ", but '" + change->what + "' is in version " +
         std::to_string(change->version));
  }
}

// Whether every version that the handle may be at would be another one with it. What is done to a row that has expired
// makes none.
bool Model::MakesADifference(const Handle& handle, const Change& change) const {
  if (change.may_be_nothing) return false;
  const int64_t latest_ms = handle.process->WallSince(handle.opened_ns).latest_ms;
  for (uint64_t v = handle.version; v <= handle.line->newest(); ++v) {
    const Line::Version* version = handle.line->Find(v);
    if (version == nullptr) continue;
    State with = *version->state;
    const bool fits = std::ranges::all_of(change.mutations, [&](const auto& m) { return Commit(m, with, latest_ms); });
    if (fits && DifferenceOf(*version->state, with, 0, latest_ms).empty()) return false;
  }
  return true;
}

IntentPtr Model::BeginIntent(Handle& handle, Intent intent) {
  intent.base = handle.version;
  intent.since_ns = scheduler_.now_ns();
  intent.landings_before = handle.landings[intent.kind];
  handle.intents.push_back(std::make_shared<Intent>(std::move(intent)));
  return handle.intents.back();
}

void Model::EndIntent(Handle& handle, Intent& intent, const Status& status) {
  handle.perhaps_settled = true;
  if (status.ok() && handle.landings[intent.kind] == intent.landings_before && !handle.line->unchecked) {
    Fail(handle.name + ": a change of the head was acknowledged, but no version has it");
  }
  // A request that was given up, to another branch's head, may still be executed.
  const bool may_follow = status.code() == StatusCode::kUnknown || intent.kind == Intent::Kind::kCreateBranch ||
                          intent.kind == Intent::Kind::kVacuum || intent.kind == Intent::Kind::kErase;
  if (!status.ok() && may_follow) return;
  intent.over = true;
  std::erase_if(handle.intents, [](const IntentPtr& each) { return each->over; });
}

}  // namespace isotherm::simulation
