#include "tests/simulation/state.h"

#include <algorithm>
#include <iterator>

namespace isotherm::simulation {

std::string NewMarker(uint64_t number) {
  std::string digits = std::to_string(number);
  return kMarkerBegin + std::string(kMarkerBytes - std::size(kMarkerBegin) - digits.size(), '0') + digits + ";";
}

size_t LiveRows(const State& state) {
  return static_cast<size_t>(std::count_if(state.begin(), state.end(), [](const auto& e) { return !e.second.soft; }));
}

bool IsSame(const Entry* expected, const Entry* found, uint64_t new_version, int64_t latest_ms) {
  if (expected == nullptr) return found == nullptr;
  const bool may_be_expired = ExpiredAt(*expected->row, latest_ms);
  if (found == nullptr) return may_be_expired;
  if (expected->soft != found->soft && !may_be_expired) return false;
  if (expected->row == found->row) return true;
  const uint64_t version = expected->row->version == 0 ? new_version : expected->row->version;
  return version == found->row->version && *expected->row == *found->row;
}

std::string DifferenceOf(const State& expected, const State& found, uint64_t new_version, int64_t latest_ms) {
  std::string text;
  size_t differences = 0;
  auto add = [&](const char* what, const Key& key) {
    if (++differences <= 5) text.append(text.empty() ? "" : ", ").append(what).append(" ").append(key.ToString());
  };
  auto other = found.begin();
  for (const auto& [key, entry] : expected) {
    for (; other != found.end() && other->first < key; ++other) add("too many:", other->first);
    const bool there = other != found.end() && other->first == key;
    if (!IsSame(&entry, there ? &other->second : nullptr, new_version, latest_ms)) {
      add(!there ? "missing:" : other->second.soft != entry.soft ? "deleted softly, or not:" : "differs:", key);
    }
    if (there) ++other;
  }
  for (; other != found.end(); ++other) add("too many:", other->first);
  if (differences > 5) text += ", " + std::to_string(differences - 5) + " more";
  return text;
}

RowPtr Uncommitted(const Row& row) {
  auto copy = std::make_shared<Row>(row);
  copy->version = 0;
  return copy;
}

RowPtr PatchedRow(const Row& row, const MetadataPatch& patch) {
  auto copy = std::make_shared<Row>(row);
  for (const auto& [name, value] : patch.set) copy->metadata[name] = value;
  for (const std::string& name : patch.remove) copy->metadata.erase(name);
  copy->version = 0;
  return copy;
}

bool Commit(const Mutation& mutation, State& state, int64_t latest_ms) {
  const Key& key = mutation.row.key;
  auto at = state.find(key);
  const bool there = at != state.end() && !at->second.soft;
  if (mutation.if_version != 0 && (!there || at->second.row->version != mutation.if_version)) return false;
  switch (mutation.kind) {
    case MutationKind::kInsert:
      if (there && !ExpiredAt(*at->second.row, latest_ms)) return false;
      [[fallthrough]];
    case MutationKind::kUpsert: state[key] = {Uncommitted(mutation.row), false}; return true;
    case MutationKind::kPatch:
      if (!there) return false;
      at->second.row = PatchedRow(*at->second.row, mutation.patch);
      return true;
    case MutationKind::kDelete: state.erase(key); return true;
    case MutationKind::kSoftDelete:
      if (there) at->second.soft = true;
      return true;
    case MutationKind::kRestore:
      // Where the deletion was not committed yet, a rollback may have made the row live again, which is written anew.
      if (at == state.end()) return false;
      at->second = {Uncommitted(*at->second.row), false};
      return true;
  }
  return false;
}

StatusCode Write(const Mutation& mutation, Shown& shown, int64_t now_ms) {
  const Key& key = mutation.row.key;
  auto at = shown.state.find(key);
  const bool there = at != shown.state.end();
  const bool live = there && LiveAt(at->second, now_ms);
  if (mutation.kind == MutationKind::kInsert && live) return StatusCode::kAlreadyExists;
  if (mutation.if_version != 0) {
    if (shown.pending.contains(key) || !live || at->second.row->version != mutation.if_version) {
      return StatusCode::kConflict;
    }
  }
  switch (mutation.kind) {
    case MutationKind::kInsert:
    case MutationKind::kUpsert: shown.state[key] = {Uncommitted(mutation.row), false}; break;
    case MutationKind::kPatch:
      if (!live) return StatusCode::kNotFound;
      at->second.row = PatchedRow(*at->second.row, mutation.patch);
      break;
    case MutationKind::kDelete: shown.state.erase(key); break;
    case MutationKind::kSoftDelete:
      if (there) at->second.soft = true;
      break;
    case MutationKind::kRestore:
      if (live) return StatusCode::kOk;
      if (!there || ExpiredAt(*at->second.row, now_ms)) return StatusCode::kNotFound;
      if (auto own = shown.pending.find(key); own != shown.pending.end()) {
        if (own->second != 0 && own->second != at->second.row->version) return StatusCode::kConflict;
      }
      at->second = {Uncommitted(*at->second.row), false};
      break;
  }
  shown.pending.emplace(key, 0);
  return StatusCode::kOk;
}

}  // namespace isotherm::simulation
