#include "engine/write_buffer.h"

#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "segment/row_codec.h"

namespace isotherm {

namespace {

uint64_t BytesOf(const PendingChange& change) {
  return kChangeBytes + (change.row != nullptr ? EncodedRowBytes(*change.row) : 0);
}

// Either may be null; `above` is applied after `below`.
std::shared_ptr<const MetadataPatch> Combine(const std::shared_ptr<const MetadataPatch>& below,
                                             const std::shared_ptr<const MetadataPatch>& above) {
  if (below == nullptr || above == nullptr) return below == nullptr ? above : below;
  MetadataPatch both = *below;
  for (const auto& [name, value] : above->set) {
    both.set[name] = value;
    std::erase(both.remove, name);
  }
  for (const std::string& name : above->remove) {
    both.set.erase(name);
    both.remove.push_back(name);
  }
  return std::make_shared<const MetadataPatch>(std::move(both));
}

bool IsRestored(const PendingChange& change) {
  const Expectation::Kind kind = change.expectation.kind;
  return IsLive(change) && (kind == Expectation::Kind::kSoftVersion || kind == Expectation::Kind::kEither);
}

// Whether `above` brings back the very row that `below` deletes softly, also patched since then.
bool BringsBack(const PendingChange& below, const PendingChange& above) {
  return below.effect == Effect::kPut && above.effect == Effect::kPut &&
         (above.row == below.row || above.patch_of_restored != nullptr);
}

// What both changes come to.
PendingChange Compose(const PendingChange& below, const PendingChange& above) {
  PendingChange out = above;
  out.expectation = below.expectation;
  out.first_sequence = below.first_sequence;
  out.deferred = below.deferred && above.deferred;
  // A row that is deleted softly and restored is the one that was read for that, which lies below both.
  bool restores = below.effect == Effect::kSoftDelete && above.expectation.kind == Expectation::Kind::kEither;
  if (restores && below.expectation.kind == Expectation::Kind::kNothing) out.expectation = above.expectation;
  if (above.patch != nullptr) {
    // A patch of a row of the caller's own is no patch of what lies below. Of two patches the second is applied again
    // from the first one's row when that one has to be.
    out.patch = below.patch != nullptr ? Combine(below.patch, above.patch) : nullptr;
    if (IsRestored(below)) out.patch_of_restored = Combine(below.patch_of_restored, above.patch);
  }
  if (BringsBack(below, above)) {
    out.patch = below.patch != nullptr ? Combine(below.patch, above.patch_of_restored) : nullptr;
    out.patch_of_restored = Combine(below.patch_of_restored, above.patch_of_restored);
  }
  if (below.effect == Effect::kPut && out.effect == Effect::kSoftDelete) {
    out.soft = true;
    out.effect = Effect::kPut;
    out.row = below.row;
    out.patch = below.patch;
    out.patch_of_restored = below.patch_of_restored;
  } else if (below.effect == Effect::kDelete && out.effect == Effect::kSoftDelete) {
    out.effect = Effect::kDelete;
  }
  // What takes a patch's place does not need the row that was patched, only that there was one.
  if (below.patch != nullptr && out.patch == nullptr) out.expectation = {Expectation::Kind::kPresent, 0};
  return out;
}

}  // namespace

Row Patched(Row row, const MetadataPatch& patch) {
  for (const auto& [name, value] : patch.set) row.metadata[name] = value;
  for (const std::string& name : patch.remove) row.metadata.erase(name);
  row.version = 0;
  return row;
}

Status CheckOver(const PendingChange& visible, const Mutation& mutation) {
  const std::string key = mutation.row.key.ToString();
  if (mutation.if_version != 0) {
    return Status::Conflict("key " + key + " has a change that is not committed yet; its version is not " +
                            std::to_string(mutation.if_version));
  }
  switch (mutation.kind) {
    case MutationKind::kInsert:
      if (IsLive(visible)) return Status::AlreadyExists("key " + key + " is there already");
      break;
    case MutationKind::kPatch:
      if (!IsLive(visible)) return Status::NotFound("no row has the key " + key);
      break;
    case MutationKind::kRestore:
      if (visible.effect == Effect::kDelete) return Status::NotFound("no row of the key " + key + " to be restored");
      break;
    case MutationKind::kUpsert:
    case MutationKind::kDelete:
    case MutationKind::kSoftDelete: break;
  }
  return Status::Ok();
}

std::optional<PendingChange> WriteBuffer::Find(const Key& key) const {
  std::shared_lock lock(mutex_);
  auto at = index_.find(key);
  if (at == index_.end()) return std::nullopt;
  return entries_[at->second].change;
}

std::optional<PendingChange> WriteBuffer::FindSeen(const Key& key) const {
  std::optional<PendingChange> found = Find(key);
  if (found && found->deferred) found.reset();
  return found;
}

bool WriteBuffer::Hides(const Key& key, uint64_t sequence) const {
  std::shared_lock lock(mutex_);
  auto at = index_.find(key);
  if (at == index_.end()) return false;
  const PendingChange& change = entries_[at->second].change;
  return change.first_sequence <= sequence && !change.deferred;
}

void WriteBuffer::Set(const Key& key, PendingChange change) {
  auto [at, fresh] = index_.try_emplace(key, entries_.size());
  bytes_ += BytesOf(change);
  hides_any_.store(true, std::memory_order_release);
  if (fresh) {
    entries_.push_back({key, std::move(change), kNoSlot});
    return;
  }
  Entry& entry = entries_[at->second];
  bytes_ -= BytesOf(entry.change);
  entry.change = std::move(change);
}

void WriteBuffer::Add(const Key& key, PendingChange change) {
  std::unique_lock lock(mutex_);
  auto at = index_.find(key);
  if (at != index_.end()) change = Compose(entries_[at->second].change, change);
  Set(key, std::move(change));
}

void WriteBuffer::Reset(const Key& key, std::optional<PendingChange> before) {
  std::unique_lock lock(mutex_);
  if (before) {
    Set(key, std::move(*before));
    return;
  }
  auto at = index_.find(key);
  if (at == index_.end()) return;
  size_t hole = at->second;
  bytes_ -= BytesOf(entries_[hole].change);
  entries_.erase(entries_.begin() + static_cast<ptrdiff_t>(hole));
  index_.erase(at);
  // A batch that is undone from its end leaves no hole.
  if (hole == entries_.size()) return;
  for (auto& [other, index] : index_) index -= index > hole ? 1 : 0;
}

void WriteBuffer::Merge(const WriteBuffer& newer) {
  for (auto& [key, change] : newer.Changes()) {
    const uint64_t sequence = change.first_sequence;
    Add(key, std::move(change));
    Show(key, sequence);
  }
  rows_->HoldAllOf(*newer.rows_);
}

void WriteBuffer::Show(const Key& key, uint64_t sequence) {
  std::unique_lock lock(mutex_);
  auto at = index_.find(key);
  if (at == index_.end()) return;
  Entry& entry = entries_[at->second];
  const Row* seen = IsLive(entry.change) && !entry.change.deferred ? entry.change.row.get() : nullptr;
  if (entry.slot != kNoSlot) {
    const Row* before = rows_->row(entry.slot).get();
    if (before == seen) return;
    rows_->Hide(entry.slot, sequence);
    // Searches that are under way may still look at it, so it stays as long as the buffer.
    bytes_ += EncodedRowBytes(*before);
    entry.slot = kNoSlot;
  }
  if (seen != nullptr) entry.slot = rows_->Add(entry.change.row, sequence);
}

void WriteBuffer::Rebase(const Key& key, const PendingChange& before, const PendingChange& below, uint64_t sequence) {
  std::optional<PendingChange> change = Find(key);
  if (!change || change->effect != Effect::kPut || change->expectation.version != Expectation::kUncommitted) return;
  const MetadataPatch* patch = change->patch != nullptr ? change->patch.get() : change->patch_of_restored.get();
  if (patch != nullptr) {
    change->row = std::make_shared<const Row>(Patched(*below.row, *patch));
  } else if (change->row == before.row) {
    change->row = below.row;
  } else {
    return;
  }
  Reset(key, std::move(change));
  Show(key, sequence);
}

void WriteBuffer::Hold(MemoryReservation memory) {
  if (!memory.counted()) return;
  rows_->Hold(std::make_shared<const MemoryReservation>(std::move(memory)));
}

void WriteBuffer::CommittedBelow(uint64_t version) {
  std::unique_lock lock(mutex_);
  for (Entry& entry : entries_) {
    Expectation& expectation = entry.change.expectation;
    if (expectation.version == Expectation::kUncommitted) expectation.version = version;
  }
}

size_t WriteBuffer::size() const {
  std::shared_lock lock(mutex_);
  return entries_.size();
}

uint64_t WriteBuffer::bytes() const {
  std::shared_lock lock(mutex_);
  return bytes_;
}

std::vector<std::pair<Key, PendingChange>> WriteBuffer::Changes() const {
  std::shared_lock lock(mutex_);
  std::vector<std::pair<Key, PendingChange>> out;
  out.reserve(entries_.size());
  for (const Entry& entry : entries_) out.emplace_back(entry.key, entry.change);
  return out;
}

std::vector<std::shared_ptr<const Row>> WriteBuffer::LiveRows() const {
  std::shared_lock lock(mutex_);
  std::vector<std::shared_ptr<const Row>> out;
  for (const Entry& entry : entries_) {
    if (IsLive(entry.change) && !entry.change.deferred) out.push_back(entry.change.row);
  }
  return out;
}

}  // namespace isotherm
