#include "engine/commit_plan.h"

#include <algorithm>
#include <unordered_set>

#include "base/macros.h"
#include "base/planted.h"
#include "segment/row_codec.h"

namespace isotherm {

namespace {

// A row that has expired since the change was made is still the row that the change was made of.
Status CheckExpectation(const Key& key, const Expectation& expectation, const StoredRow& stored) {
  const bool live = stored.state == StoredRow::State::kLive || stored.state == StoredRow::State::kExpired;
  const bool soft = stored.state == StoredRow::State::kSoftDeleted;
  const bool same = stored.version == expectation.version;
  switch (expectation.kind) {
    case Expectation::Kind::kNothing: return Status::Ok();
    case Expectation::Kind::kAbsent:
      if (stored.state != StoredRow::State::kLive || Planted(Bug::kNoSecondLook)) return Status::Ok();
      return Status::AlreadyExists("key " + key.ToString() + " is there already");
    case Expectation::Kind::kPresent:
      if (live) return Status::Ok();
      return Status::NotFound("the row of key " + key.ToString() + " that was patched is gone");
    case Expectation::Kind::kVersion:
      if (live && (same || Planted(Bug::kConditionOnce))) return Status::Ok();
      break;
    case Expectation::Kind::kSoftVersion:
      if (soft && same) return Status::Ok();
      break;
    case Expectation::Kind::kEither:
      if ((live || soft) && same) return Status::Ok();
      break;
  }
  std::string is = stored.state == StoredRow::State::kLive
                       ? "has version " + std::to_string(stored.version)
                       : std::string(stored.state == StoredRow::State::kSoftDeleted ? "is softly deleted" : "is gone");
  return Status::Conflict("the row of key " + key.ToString() + " " + is + "; expected was version " +
                          std::to_string(expectation.version));
}

class Planner {
 public:
  Planner(const Snapshot& base, const Liveness& liveness, const PlanOptions& options) : base_(base), options_(options) {
    plan_.next = base.head;
    plan_.deletions = liveness.now;
  }

  Status Apply(const Key& key, const PendingChange& change, const StoredRow& stored) {
    bool live = stored.state == StoredRow::State::kLive;
    // A patch that demands no version wants a row, whichever it is.
    if (change.patch != nullptr && !live && stored.state != StoredRow::State::kExpired) {
      RETURN_IF_ERROR(CheckExpectation(key, {Expectation::Kind::kPresent, 0}, stored));
    }
    RETURN_IF_ERROR(CheckExpectation(key, change.expectation, stored));
    switch (change.effect) {
      case Effect::kPut:
        Remove(key, stored);
        added_.push_back({change.row, change.soft});
        ++plan_.rows_written;
        break;
      case Effect::kDelete: Remove(key, stored); break;
      case Effect::kSoftDelete:
        if (live) SoftDelete(key, stored);
        break;
    }
    plan_.rows_deleted += live ? 1 : 0;
    return Status::Ok();
  }

  CommitPlan Finish() {
    std::vector<Added> kept = KeptInline();
    uint64_t kept_bytes = 0;
    for (const Added& row : kept) kept_bytes += EncodedRowBytes(*row.row);
    uint64_t added_bytes = 0;
    for (const Added& row : added_) added_bytes += EncodedRowBytes(*row.row);
    uint64_t room = base_.head.segments.empty() ? options_.inline_bytes : options_.inline_bytes / 8;
    bool all_inline = !options_.force_segment && kept_bytes + added_bytes <= room;
    // A few rows that find no room take those of the head along; many make a segment of their own, which fits any base.
    bool take_along = options_.force_segment || added_bytes <= room;
    if (!all_inline && take_along) {
      plan_.with_inline_rows = !kept.empty();
      kept.insert(kept.end(), added_.begin(), added_.end());
      added_ = std::move(kept);
      kept.clear();
    }
    uint64_t version = base_.head.version + 1;
    for (const Added& row : kept) plan_.next.inline_rows.push_back({*row.row, row.soft});
    for (const Added& row : added_) {
      if (!all_inline) {
        if (row.soft) plan_.segment_soft.Add(static_cast<uint32_t>(plan_.segment_rows.size()));
        plan_.segment_rows.push_back(row.row);
        continue;
      }
      plan_.next.inline_rows.push_back({*row.row, row.soft});
      plan_.next.inline_rows.back().row.version = version;
    }
    return std::move(plan_);
  }

 private:
  struct Added {
    std::shared_ptr<const Row> row;
    bool soft = false;
  };

  void Remove(const Key& key, const StoredRow& stored) {
    if (stored.state == StoredRow::State::kAbsent) return;
    if (stored.row != nullptr) {
      removed_.insert(key);
      return;
    }
    SegmentDeletions& of = plan_.deletions[base_.head.segments[stored.place.segment].name];
    of.hard.Add(stored.place.location.ordinal);
    of.soft.Remove(stored.place.location.ordinal);
  }

  void SoftDelete(const Key& key, const StoredRow& stored) {
    if (stored.row != nullptr) {
      softened_.insert(key);
    } else {
      plan_.deletions[base_.head.segments[stored.place.segment].name].soft.Add(stored.place.location.ordinal);
    }
  }

  std::vector<Added> KeptInline() const {
    std::vector<Added> kept;
    for (const Row& row : base_.rows.rows()) {
      if (!removed_.contains(row.key)) kept.push_back({std::make_shared<const Row>(row), softened_.contains(row.key)});
    }
    for (const Row& row : base_.soft_rows.rows()) {
      if (!removed_.contains(row.key)) kept.push_back({std::make_shared<const Row>(row), true});
    }
    return kept;
  }

  const Snapshot& base_;
  const PlanOptions& options_;
  CommitPlan plan_;
  std::vector<Added> added_;
  std::unordered_set<Key, KeyHash> removed_;  // of the head's rows
  std::unordered_set<Key, KeyHash> softened_;
};

}  // namespace

std::vector<size_t> StalePatches(std::span<const KeyedChange> changes, std::span<const StoredRow> stored) {
  std::vector<size_t> stale;
  for (size_t i = 0; i < changes.size(); ++i) {
    const PendingChange& change = changes[i].second;
    bool there = stored[i].state == StoredRow::State::kLive || stored[i].state == StoredRow::State::kExpired;
    if (change.patch == nullptr || !there || Planted(Bug::kConditionOnce)) continue;
    if (change.expectation.kind == Expectation::Kind::kVersion && change.expectation.version != stored[i].version) {
      stale.push_back(i);
    }
  }
  return stale;
}

Result<CommitPlan> PlanCommit(const Snapshot& base, const Liveness& liveness, std::span<const KeyedChange> changes,
                              std::span<const StoredRow> stored, const PlanOptions& options) {
  Planner planner(base, liveness, options);
  for (size_t i = 0; i < changes.size(); ++i) {
    RETURN_IF_ERROR(planner.Apply(changes[i].first, changes[i].second, stored[i]));
  }
  return planner.Finish();
}

Result<std::vector<StoredRow>> PlaceCache::Rows(const ReadPath& path, KeyLookup& lookup, const Snapshot& base,
                                                std::span<const KeyedChange> changes, const Context& context) {
  std::vector<uint32_t> unasked;
  for (uint32_t s = 0; s < base.head.segments.size(); ++s) {
    if (!places_.contains(base.head.segments[s].name)) unasked.push_back(s);
  }
  std::vector<Key> keys;
  for (const KeyedChange& change : changes) keys.push_back(change.first);
  ASSIGN_OR_RETURN(std::shared_ptr<const Liveness> liveness, base.Deletions(path, context));
  ASSIGN_OR_RETURN(auto found, lookup.Find(base, keys, unasked, context));
  for (uint32_t s : unasked) places_.try_emplace(base.head.segments[s].name);
  for (size_t i = 0; i < keys.size(); ++i) {
    for (const KeyPlace& place : found[i]) places_[base.head.segments[place.segment].name][keys[i]] = place.location;
  }
  // Few segments have any of the keys.
  std::vector<std::pair<uint32_t, const std::map<Key, KeyLocation>*>> that_have_some;
  for (uint32_t s = 0; s < base.head.segments.size(); ++s) {
    const auto& of_segment = places_[base.head.segments[s].name];
    if (!of_segment.empty()) that_have_some.emplace_back(s, &of_segment);
  }
  int64_t now_ms = path.env->clock->WallMs();
  std::vector<StoredRow> rows;
  for (const Key& key : keys) {
    std::vector<KeyPlace> places;
    for (const auto& [s, of_segment] : that_have_some) {
      if (auto at = of_segment->find(key); at != of_segment->end()) places.push_back({s, at->second});
    }
    rows.push_back(RowOfKey(base, *liveness, key, places, now_ms));
  }
  return rows;
}

}  // namespace isotherm
