// What changes of rows come to, said as simply as it can be: a map of what is committed, and for each handle a log of
// what it changed and what that makes of each key. Changes are applied again, one by one, to what is there at commit.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "isotherm/isotherm.h"

namespace isotherm::testing_support {

// A committed row, live, expired or softly deleted. `row.version`: of the commit that wrote it.
struct ModelRow {
  Row row;
  bool soft = false;
};
using ModelState = std::map<Key, ModelRow>;
using MutationLog = std::vector<Mutation>;

inline bool HasExpired(const Row& row, int64_t now_ms) { return row.expires_at_ms != 0 && row.expires_at_ms <= now_ms; }

inline Row WithPatch(Row row, const MetadataPatch& patch) {
  for (const auto& [name, value] : patch.set) row.metadata[name] = value;
  for (const std::string& name : patch.remove) row.metadata.erase(name);
  return row;
}

// A log made on what is committed by now.
struct Replayed {
  bool ok = true;
  ModelState state;
  std::set<Key> written;  // rows of the new version
};

class Replay {
 public:
  Replay(ModelState state, uint64_t version, int64_t now_ms) : version_(version), now_ms_(now_ms) {
    out_.state = std::move(state);
  }

  Replayed Run(const MutationLog& log) {
    for (const Mutation& mutation : log) out_.ok = out_.ok && Apply(mutation);
    return std::move(out_);
  }

 private:
  // What has expired since the change was made still is what the change was made of.
  bool Apply(const Mutation& mutation) {
    const Key& key = mutation.row.key;
    auto found = out_.state.find(key);
    ModelRow* row = found == out_.state.end() ? nullptr : &found->second;
    bool there = row != nullptr && !row->soft;
    if (mutation.if_version != 0 && (!there || row->row.version != mutation.if_version)) return false;
    switch (mutation.kind) {
      case MutationKind::kInsert:
        if (there && !HasExpired(row->row, now_ms_)) return false;
        Put(key, mutation.row);
        return true;
      case MutationKind::kUpsert: Put(key, mutation.row); return true;
      case MutationKind::kPatch:
        if (there) Put(key, WithPatch(row->row, mutation.patch));
        return there;
      case MutationKind::kDelete:
        out_.state.erase(key);
        out_.written.erase(key);
        return true;
      case MutationKind::kSoftDelete:
        if (there && (out_.written.contains(key) || !HasExpired(row->row, now_ms_))) row->soft = true;
        return true;
      case MutationKind::kRestore:
        if (row != nullptr && row->soft) Put(key, row->row);
        return row != nullptr;
    }
    return false;
  }

  void Put(const Key& key, Row row) {
    row.version = version_;
    out_.state[key] = {std::move(row), false};
    out_.written.insert(key);
  }

  const uint64_t version_;
  const int64_t now_ms_;
  Replayed out_;
};

// What one handle shows: a committed state, which may be an old one, and over it what the handle changed. A commit
// whose outcome is not known yet freezes what it would commit; later changes lie over that.
class ModelHandle {
 public:
  void Show(ModelState state) { base_ = std::move(state); }
  const ModelState& base() const { return base_; }

  // As Collection::Write: on anything but ok nothing has changed.
  StatusCode Write(const MutationLog& batch, int64_t now_ms) {
    Layer before = active_;
    for (const Mutation& mutation : batch) {
      StatusCode code = Apply(mutation, now_ms);
      if (code == StatusCode::kOk) continue;
      active_ = std::move(before);
      return code;
    }
    return StatusCode::kOk;
  }

  const MutationLog& frozen_log() const { return frozen_.log; }
  const MutationLog& active_log() const { return active_.log; }
  MutationLog WholeLog() const {
    MutationLog log = frozen_.log;
    log.insert(log.end(), active_.log.begin(), active_.log.end());
    return log;
  }
  bool HasPending() const { return !frozen_.log.empty() || !active_.log.empty(); }

  void Freeze() {
    for (auto& [key, effect] : active_.effects) {
      auto below = frozen_.effects.find(key);
      bool soft = effect.kind == Kind::kSoftOfBelow && below != frozen_.effects.end();
      if (soft && below->second.kind == Kind::kRow) below->second.kind = Kind::kSoftRow;
      if (!soft) frozen_.effects[key] = effect;
    }
    frozen_.log = WholeLog();
    active_ = {};
  }
  void ForgetFrozen() { frozen_ = {}; }
  void ForgetAll() { frozen_ = active_ = {}; }

  // Live rows; the version of those that are not committed is 0.
  std::map<Key, Row> Live(int64_t now_ms) const { return Seen(now_ms, false); }
  // Softly deleted ones.
  std::map<Key, Row> Soft(int64_t now_ms) const { return Seen(now_ms, true); }

 private:
  enum class Kind : uint8_t { kRow, kSoftRow, kSoftOfBelow, kAbsent };
  struct Effect {
    Kind kind = Kind::kAbsent;
    Row row;
  };
  struct Layer {
    MutationLog log;
    std::map<Key, Effect> effects;
  };

  // Softly deleted rows too; nothing for what is absent or has expired.
  std::optional<ModelRow> Find(const Key& key, int64_t now_ms) const {
    std::optional<ModelRow> row;
    if (auto committed = base_.find(key); committed != base_.end()) row = committed->second;
    for (const Layer* layer : {&frozen_, &active_}) {
      auto found = layer->effects.find(key);
      if (found == layer->effects.end()) continue;
      const Effect& effect = found->second;
      if (effect.kind == Kind::kSoftOfBelow) {
        if (row) row->soft = true;
      } else if (effect.kind == Kind::kAbsent) {
        row.reset();
      } else {
        row = ModelRow{effect.row, effect.kind == Kind::kSoftRow};
      }
    }
    if (row && HasExpired(row->row, now_ms)) row.reset();
    return row;
  }

  std::map<Key, Row> Seen(int64_t now_ms, bool soft) const {
    std::set<Key> keys;
    for (const auto& [key, row] : base_) keys.insert(key);
    for (const Layer* layer : {&frozen_, &active_}) {
      for (const auto& [key, effect] : layer->effects) keys.insert(key);
    }
    std::map<Key, Row> rows;
    for (const Key& key : keys) {
      auto row = Find(key, now_ms);
      if (row && row->soft == soft) rows.emplace(key, std::move(row->row));
    }
    return rows;
  }

  bool IsPending(const Key& key) const { return frozen_.effects.contains(key) || active_.effects.contains(key); }

  void Set(const Mutation& mutation, Kind kind, Row row = {}) {
    row.version = 0;
    active_.effects[mutation.row.key] = {kind, std::move(row)};
    active_.log.push_back(mutation);
  }

  StatusCode Apply(const Mutation& mutation, int64_t now_ms) {
    const Key& key = mutation.row.key;
    std::optional<ModelRow> row = Find(key, now_ms);
    bool live = row && !row->soft;
    if (mutation.if_version != 0 && (IsPending(key) || !live || row->row.version != mutation.if_version)) {
      return StatusCode::kConflict;
    }
    switch (mutation.kind) {
      case MutationKind::kInsert:
        if (live) return StatusCode::kAlreadyExists;
        Set(mutation, Kind::kRow, mutation.row);
        break;
      case MutationKind::kUpsert: Set(mutation, Kind::kRow, mutation.row); break;
      case MutationKind::kPatch:
        if (!live) return StatusCode::kNotFound;
        Set(mutation, Kind::kRow, WithPatch(row->row, mutation.patch));
        break;
      case MutationKind::kDelete: Set(mutation, Kind::kAbsent); break;
      case MutationKind::kSoftDelete: {
        auto own = active_.effects.find(key);
        if (own == active_.effects.end()) {
          Set(mutation, Kind::kSoftOfBelow);
        } else {
          Effect effect = own->second;  // of a row that may have expired
          if (effect.kind == Kind::kRow) effect.kind = Kind::kSoftRow;
          Set(mutation, effect.kind, effect.row);
        }
        break;
      }
      case MutationKind::kRestore:
        if (live) break;
        if (!row) return StatusCode::kNotFound;
        Set(mutation, Kind::kRow, row->row);
        break;
    }
    return StatusCode::kOk;
  }

  ModelState base_;
  Layer frozen_;
  Layer active_;
};

}  // namespace isotherm::testing_support
