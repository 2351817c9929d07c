// What an erasure may change, what it must leave nothing of, and what it may not bring to an end.
#include <algorithm>
#include <ranges>

#include "engine/history.h"
#include "tests/simulation/model.h"
#include "tests/simulation/process.h"

namespace isotherm::simulation {

namespace {

// The first marker among the bytes that is one of these; "": there is none.
std::string FindMarker(std::string_view bytes, const std::set<std::string>& markers) {
  for (size_t at = bytes.find(kMarkerBegin); at != std::string_view::npos; at = bytes.find(kMarkerBegin, at + 1)) {
    std::string marker(bytes.substr(at, kMarkerBytes));
    if (markers.contains(marker)) return marker;
  }
  return {};
}

}  // namespace

std::set<std::string> Model::MarkersOf(const std::set<Key>& keys) const {
  std::set<std::string> markers;
  for (const auto& [branch, line] : lines_) {
    for (const Key& key : keys) {
      for (auto at = line->written.lower_bound({key, 0}); at != line->written.end() && at->first.first == key; ++at) {
        markers.insert(MarkerOf(*at->second));
      }
    }
  }
  return markers;
}

bool Model::MayHold(const Line& line, uint64_t version, const std::set<Key>& keys) const {
  const Line::Version* known = line.Find(version);
  if (known == nullptr) return true;
  if (std::ranges::any_of(keys, [&](const Key& key) { return known->state->contains(key); })) return true;
  const std::set<std::string> markers = MarkersOf(keys);
  return std::ranges::any_of(*known->objects, [&](const std::string& name) {
    auto object = cloud_.objects().find(name);
    return object != cloud_.objects().end() && !FindMarker(*object->second.bytes, markers).empty();
  });
}

bool Model::MayBreak(const LeaseRecord& lease, const Handle& handle) const {
  return std::ranges::any_of(handle.intents, [&](const IntentPtr& intent) {
    return intent->kind == Intent::Kind::kErase && intent->break_leases &&
           MayHold(*lease.line, lease.version, intent->keys);
  });
}

bool Model::IsErasing(const Handle& handle) {
  return std::ranges::any_of(handle.intents, [](const auto& each) { return each->kind == Intent::Kind::kErase; });
}

std::string Model::ExplainErase(Handle& handle, const Line& line, const Head& head, const State& before,
                                const State& now) {
  if (head.oldest_version < line.oldest) return "versions that were given up are to be kept again";
  const bool deletes = head.erasure.version == head.version;
  std::string why = "nobody asked for an erasure";
  // Of one that failed something may still happen; the newest is the one under way.
  for (const IntentPtr& intent : std::ranges::reverse_view(handle.intents)) {
    if (intent->kind != Intent::Kind::kErase) continue;
    auto began = intent->deleted_in.find(line.shared_from_this());
    const uint64_t newest_erased = began == intent->deleted_in.end() ? line.newest() : began->second;
    State expected = before;
    std::erase_if(expected, [&](const auto& each) {
      return deletes && intent->keys.contains(each.first) && each.second.row->version <= newest_erased;
    });
    why = DifferenceOf(expected, now, 0, INT64_MIN);
    if (why.empty() && head.oldest_version > line.oldest && !MayHold(line, head.oldest_version - 1, intent->keys)) {
      why = "version " + std::to_string(head.oldest_version - 1) + ", which held none of the rows, was to be kept";
    }
    if (!why.empty()) continue;
    if (deletes) intent->deleted_in.emplace(line.shared_from_this(), head.version);
    intent->newest_write = cloud_.writes();
    ++handle.landings[intent->kind];
    return {};
  }
  return why;
}

// Whatever an erasure's own vacuum could not have seen came after this.
void Model::NoteCollection(const Handle& handle, const Line& line) {
  if (handle.line.get() != &line) return;
  for (const IntentPtr& intent : handle.intents) intent->collected_write = intent->newest_write;
}

// Erased rows come back only where somebody commits them who had not been told that they were committed before.
void Model::CheckForErased(const std::string& title, const Line& line, const Head& head, const State& state) {
  const State* before = line.versions.empty() ? nullptr : line.versions.back().state.get();
  for (const auto& [key, entry] : state) {
    if (erased_.empty()) return;
    if (before != nullptr) {
      auto known = before->find(key);
      if (known != before->end() && known->second.row == entry.row) continue;
    }
    auto erased = erased_.find(MarkerOf(*entry.row));
    if (erased == erased_.end()) continue;
    if (head.operation.operation != Operation::kCommit) {
      Fail(title + " brings back the row of key " + key.ToString() + ", which was erased");
      return;
    }
    erased_.erase(erased);
  }
}

void Model::CheckOpenedAfterErasure(const Handle& handle, uint64_t version) {
  const Line::Version* known = handle.line->Find(version);
  if (known == nullptr || handle.line->unchecked) return;
  for (const auto& [key, entry] : *known->state) {
    auto erased = erased_.find(MarkerOf(*entry.row));
    if (erased == erased_.end() || erased->second >= handle.opened_ns) continue;
    return Fail(handle.name + " opened version " + std::to_string(version) + ", which has the row of key " +
                key.ToString() + ", which was erased");
  }
}

bool Model::IsNeeded(const std::string& object) const {
  if (auto branch = BranchOfHead(object)) {
    auto line = LineOf(*branch);
    return line != nullptr && !line->gone && !line->unchecked;
  }
  for (const auto& [branch, line] : lines_) {
    const std::string prefix = BranchPrefix(branch);
    if (line->gone || line->unchecked || !object.starts_with(prefix)) continue;
    auto version = ParseVersionName(std::string_view(object).substr(prefix.size()));
    if (version && version->version >= line->oldest && version->version <= line->newest()) return true;
  }
  auto needed = needed_.find(object);
  return needed != needed_.end() && std::ranges::any_of(needed->second, [](const auto& each) {
           return !each.first->gone && !each.first->unchecked && each.second >= each.first->oldest;
         });
}

// What is there of a branch that was deleted, and is taken for the next one's of that name.
bool Model::IsOfAnotherOfItsName(const std::string& object) const {
  return std::ranges::any_of(lines_, [&](const auto& each) {
    return each.second->unchecked && !each.first.empty() && object.starts_with(BranchPrefix(each.first));
  });
}

Model::Erasing Model::BeginErasure(Handle& handle, std::set<Key> keys, bool break_leases) {
  Erasing begin;
  begin.markers = MarkersOf(keys);
  for (const auto& line : Lines()) begin.lines.push_back(line);
  Intent intent{.kind = Intent::Kind::kErase, .keys = std::move(keys), .break_leases = break_leases};
  intent.vacuum.keep_soft_deleted = true;
  begin.intent = BeginIntent(handle, std::move(intent));
  return begin;
}

std::set<std::string> Model::Survivors(const Intent& intent) const {
  std::set<std::string> markers;
  for (const auto& [branch, line] : lines_) {
    auto deleted = intent.deleted_in.find(line);
    if (deleted == intent.deleted_in.end()) continue;
    for (const auto& [name, row] : line->written) {
      if (name.second > deleted->second && intent.keys.contains(name.first)) markers.insert(MarkerOf(*row));
    }
  }
  return markers;
}

void Model::CheckErased(const Handle& handle, const Erasing& begin, const std::map<std::string, std::string>& files) {
  const Intent& intent = *begin.intent;
  const std::string title = handle.name + " erased rows, which was complete, ";
  for (const auto& line : begin.lines) {
    if (line->gone || line->unchecked || intent.deleted_in.contains(line)) continue;
    Fail(title + "but not of branch '" + line->branch + "'");
  }
  std::set<std::string> gone = begin.markers;
  for (const std::string& marker : Survivors(intent)) gone.erase(marker);
  for (const auto& line : Lines()) {
    for (uint64_t v = line->oldest; v <= line->newest() && !line->unchecked; ++v) {
      const Line::Version* version = line->Find(v);
      if (version == nullptr) continue;
      for (const Key& key : intent.keys) {
        auto found = version->state->find(key);
        if (found == version->state->end() || !gone.contains(MarkerOf(*found->second.row))) continue;
        Fail(title + "but version " + std::to_string(v) + " of branch '" + line->branch + "' has the row of key " +
             key.ToString() + " of version " + std::to_string(found->second.row->version));
      }
    }
  }
  for (const auto& [name, object] : cloud_.objects()) {
    // What was put later is nobody's, or was not to be erased.
    if ((object.write > intent.collected_write && !IsNeeded(name)) || IsOfAnotherOfItsName(name)) continue;
    const std::string marker = FindMarker(*object.bytes, gone);
    if (!marker.empty()) Fail(title + "but " + name + " has " + marker);
  }
  for (const auto& [path, bytes] : files) {
    const std::string marker = FindMarker(bytes, gone);
    if (!marker.empty()) Fail(title + "but " + path + " on the disk has " + marker);
  }
  for (const std::string& marker : gone) erased_[marker] = scheduler_.now_ns();
}

void Model::CheckErasureHolds(const Handle& handle, const Intent& intent, const ErasureReport& report) {
  int64_t until_ms = 0;
  for (const ErasureHold& hold : report.holds) {
    until_ms = std::max(until_ms, hold.until_ms);
    auto lease = leases_.find(hold.lease);
    // One that a late request put again holds what is left of its version, which may be nothing.
    if (lease == leases_.end() || lease->second.objects == nullptr || lease->second.line->unchecked) continue;
    const LeaseRecord& record = lease->second;
    if (record.version != hold.version || record.line->branch != hold.branch ||
        record.expires_ms + kLeaseSkewMs != hold.until_ms || !MayHold(*record.line, record.version, intent.keys)) {
      Fail(handle.name + " is kept from erasing by " + hold.lease + ", which holds no such row");
    }
  }
  if (report.blocked_until_ms != until_ms) Fail(handle.name + " reports that it is blocked until another time");
}

}  // namespace isotherm::simulation
