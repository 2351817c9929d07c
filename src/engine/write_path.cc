// Taking changes in: what is checked, and what they make of the rows that the handle sees.
#include <algorithm>
#include <utility>

#include "base/macros.h"
#include "engine/collection_impl.h"
#include "engine/exact_scan.h"
#include "segment/row_codec.h"

namespace isotherm {

namespace {

Status CheckKey(const Key& key, KeyType type) {
  if (key.type() != type) {
    return Status::InvalidArgument(
        "key " + key.ToString() + " is " + (key.type() == KeyType::kInteger ? "an integer" : "a string") +
        "; this collection's keys are " + (type == KeyType::kInteger ? "integers" : "strings"));
  }
  if (type == KeyType::kString && (key.text().empty() || key.text().size() > kMaxKeyBytes)) {
    return Status::InvalidArgument("key of " + std::to_string(key.text().size()) + " bytes; 1 to " +
                                   std::to_string(kMaxKeyBytes) + " are allowed");
  }
  return Status::Ok();
}

Status CheckMetadata(const Metadata& metadata) {
  for (const auto& [name, value] : metadata) {
    if (name.empty() || name.size() > kMaxFieldNameBytes) {
      return Status::InvalidArgument("metadata field name of " + std::to_string(name.size()) + " bytes; 1 to " +
                                     std::to_string(kMaxFieldNameBytes) + " are allowed");
    }
    if (value.type() != Value::Type::kArray) continue;
    for (const Value& item : value.as_array()) {
      if (item.type() == Value::Type::kArray)
        return Status::InvalidArgument("metadata field '" + name + "': an array inside an array");
    }
  }
  std::string encoded;
  PutMetadata(encoded, metadata);
  if (encoded.size() > kMaxMetadataBytes) {
    return Status::InvalidArgument("metadata of " + std::to_string(encoded.size()) + " bytes; at most " +
                                   std::to_string(kMaxMetadataBytes) + " are allowed");
  }
  return Status::Ok();
}

Status CheckBatchSize(const WriteBatch& batch) {
  if (batch.empty()) return Status::InvalidArgument("the batch is empty");
  if (batch.size() > kMaxBatchRows) {
    return Status::InvalidArgument("batch of " + std::to_string(batch.size()) + " changes; at most " +
                                   std::to_string(kMaxBatchRows) + " are allowed: write several");
  }
  uint64_t bytes = 0;
  for (const Mutation& mutation : batch.mutations()) {
    const Row& row = mutation.row;
    bytes += row.vector.size() * sizeof(float) + row.payload.size();
    if (row.key.type() == KeyType::kString) bytes += row.key.text().size();
  }
  if (bytes > kMaxBatchBytes) {
    return Status::InvalidArgument("batch of " + std::to_string(bytes) + " bytes; at most " +
                                   std::to_string(kMaxBatchBytes) + " are allowed: write several");
  }
  return Status::Ok();
}

bool NeedsRow(const Mutation& mutation) {
  return mutation.kind == MutationKind::kInsert || mutation.kind == MutationKind::kPatch ||
         mutation.kind == MutationKind::kRestore || mutation.if_version != 0;
}

bool NeedsContent(const Mutation& mutation) {
  return mutation.kind == MutationKind::kPatch || mutation.kind == MutationKind::kRestore;
}

}  // namespace

Status CollectionImpl::CheckWritable() const {
  RETURN_IF_ERROR(CheckOpen());
  if (options_.read_only) return Status::ReadOnly("the collection was opened read-only");
  return Status::Ok();
}

Status CollectionImpl::CheckMutation(const Mutation& mutation) const {
  std::shared_ptr<const Snapshot> at = snapshot();
  const SegmentSchema& schema = at->head.schema;
  const Row& row = mutation.row;
  RETURN_IF_ERROR(CheckKey(row.key, schema.key_type));
  const std::string name = "row " + row.key.ToString();
  RETURN_IF_ERROR(CheckMetadata(mutation.patch.set).WithContext(name));
  if (mutation.kind != MutationKind::kInsert && mutation.kind != MutationKind::kUpsert) return Status::Ok();
  RETURN_IF_ERROR(CheckVector(schema, row.vector).WithContext(name));
  RETURN_IF_ERROR(CheckMetadata(row.metadata).WithContext(name));
  if (row.payload.size() > kMaxPayloadBytes) {
    return Status::InvalidArgument(name + ": payload of " + std::to_string(row.payload.size()) + " bytes; at most " +
                                   std::to_string(kMaxPayloadBytes) + " are allowed");
  }
  if (row.expires_at_ms < 0) {
    return Status::InvalidArgument(name + ": expires at " + std::to_string(row.expires_at_ms) +
                                   "; milliseconds since 1970 are wanted, or 0 for never");
  }
  return Status::Ok();
}

// Beyond twice the memtable's size the caller pays for the commit, so that no queue grows without bound.
Status CollectionImpl::MakeRoom(const Context& context) {
  uint64_t bytes = 0;
  {
    std::shared_lock state(state_mutex_);
    bytes = active_->bytes() + (committing_ != nullptr ? committing_->bytes() : 0);
  }
  if (bytes < 2 * options_.memtable_bytes) return Status::Ok();
  return Commit(context).WithContext("making room in the memtable");
}

Status CollectionImpl::LookUp(const ReadView& view, std::span<const std::optional<PendingChange>> pending,
                              const WriteBatch& batch, KnownRows& known, Contents& contents, const Context& context) {
  std::vector<Key> keys;
  for (const Mutation& mutation : batch.mutations()) {
    if (!NeedsRow(mutation)) continue;
    const auto& change = pending.front();
    pending = pending.subspan(1);
    // Of a key with a change the row below matters only where that is to be brought back.
    if (change && !(mutation.kind == MutationKind::kRestore && change->effect == Effect::kSoftDelete)) continue;
    if (known.try_emplace(mutation.row.key).second) keys.push_back(mutation.row.key);
  }
  if (keys.empty()) return Status::Ok();
  ASSIGN_OR_RETURN(std::vector<StoredRow> stored, FindRows(*path_, keys_, *view.snapshot, keys, context));
  for (size_t i = 0; i < keys.size(); ++i) known[keys[i]] = stored[i];
  std::vector<RowAddress> addresses;
  std::vector<Row> rows;
  for (const Mutation& mutation : batch.mutations()) {
    auto at = known.find(mutation.row.key);
    if (!NeedsContent(mutation) || at == known.end() || contents.contains(mutation.row.key)) continue;
    const StoredRow& row = at->second;
    if (row.state != StoredRow::State::kLive && row.state != StoredRow::State::kSoftDeleted) continue;
    if (row.row != nullptr) {
      contents[mutation.row.key] = *row.row;
      continue;
    }
    contents[mutation.row.key] = {};
    addresses.push_back({&view.snapshot->head.segments[row.place.segment], row.place.location});
    rows.emplace_back().key = mutation.row.key;
  }
  RETURN_IF_ERROR(ReadRows(*path_, view.snapshot->head.schema, addresses, {}, context, rows));
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].expires_at_ms = addresses[i].location.attributes.expires_at_ms;
    contents[rows[i].key] = std::move(rows[i]);
  }
  return Status::Ok();
}

// Under state_mutex_, exclusively.
Status CollectionImpl::ApplyOne(Mutation& mutation, bool deferred, const KnownRows& known, const Contents& contents,
                                int64_t now_ms) {
  const Key key = mutation.row.key;
  std::optional<PendingChange> visible = active_->Find(key);
  const bool frozen = !visible && committing_ != nullptr && (visible = committing_->Find(key)).has_value();
  // A row that has expired meanwhile is none.
  if (visible && visible->effect == Effect::kPut && IsExpired(visible->row->expires_at_ms, now_ms)) {
    visible->effect = Effect::kDelete;
  }
  if (visible) RETURN_IF_ERROR(CheckOver(*visible, mutation));
  StoredRow stored;
  if (auto at = known.find(key); at != known.end()) stored = at->second;
  const bool live = stored.state == StoredRow::State::kLive;
  if (!visible && mutation.kind == MutationKind::kInsert && live) {
    return Status::AlreadyExists("key " + key.ToString() + " is there already");
  }
  if (!visible && mutation.if_version != 0 && (!live || stored.version != mutation.if_version)) {
    return Status::Conflict("the row of key " + key.ToString() + " " +
                            (live ? "has version " + std::to_string(stored.version) : std::string("is gone")) +
                            "; expected was version " + std::to_string(mutation.if_version));
  }
  PendingChange change;
  change.first_sequence = sequence_;
  change.deferred = deferred && !active_->FindSeen(key);
  if (mutation.if_version != 0) change.expectation = {Expectation::Kind::kVersion, mutation.if_version};
  const uint64_t below = frozen ? Expectation::kUncommitted : stored.version;
  mutation.row.version = 0;
  switch (mutation.kind) {
    case MutationKind::kInsert:
      change.expectation = {Expectation::Kind::kAbsent, 0};
      change.row = std::make_shared<const Row>(std::move(mutation.row));
      break;
    case MutationKind::kUpsert: change.row = std::make_shared<const Row>(std::move(mutation.row)); break;
    case MutationKind::kPatch: {
      if (!visible && !live) return Status::NotFound("no row has the key " + key.ToString());
      Row row = Patched(visible ? *visible->row : contents.at(key), mutation.patch);
      RETURN_IF_ERROR(CheckMetadata(row.metadata).WithContext("row " + key.ToString()));
      change.row = std::make_shared<const Row>(std::move(row));
      change.expectation = {Expectation::Kind::kVersion, below};
      // One that is of a certain version is not made again from a later one.
      if (mutation.if_version == 0) change.patch = std::make_shared<const MetadataPatch>(std::move(mutation.patch));
      break;
    }
    case MutationKind::kDelete: change.effect = Effect::kDelete; break;
    // Also where the handle sees no row: as any deletion it is of what is there when it is committed, which another
    // writer may have restored or written, and a row that has expired is back when the clock is moved back.
    case MutationKind::kSoftDelete: change.effect = Effect::kSoftDelete; break;
    case MutationKind::kRestore: {
      if (visible ? IsLive(*visible) : live) return Status::Ok();
      RETURN_IF_ERROR(RestoredRow(key, visible, frozen, stored, contents, now_ms, change));
      break;
    }
  }
  active_->Add(key, std::move(change));
  return Status::Ok();
}

// What brings the row back that is softly deleted, by `visible` or in the snapshot.
Status CollectionImpl::RestoredRow(const Key& key, const std::optional<PendingChange>& visible, bool frozen,
                                   const StoredRow& stored, const Contents& contents, int64_t now_ms,
                                   PendingChange& change) const {
  Status absent = Status::NotFound("no row of the key " + key.ToString() + " to be restored");
  if (visible && visible->effect == Effect::kPut) {
    change.row = visible->row;
    change.expectation = {Expectation::Kind::kSoftVersion, Expectation::kUncommitted};
    if (!frozen) change.patch = visible->patch;
    return Status::Ok();
  }
  // Only the deletion is in active_: the row itself may be committing, or an earlier deletion, which then tells of what
  // lies below both.
  std::optional<PendingChange> first = visible;
  if (visible && !frozen && committing_ != nullptr) {
    auto below = committing_->Find(key);
    if (below && below->effect == Effect::kDelete) return absent;
    if (below && below->effect == Effect::kPut) {
      if (IsExpired(below->row->expires_at_ms, now_ms)) return absent;
      change.row = below->row;
      change.expectation = {Expectation::Kind::kEither, Expectation::kUncommitted};
      return Status::Ok();
    }
    if (below) first = std::move(below);
  }
  bool there = stored.state == StoredRow::State::kSoftDeleted || (visible && stored.state == StoredRow::State::kLive);
  if (!there || IsExpired(stored.expires_at_ms, now_ms)) return absent;
  // What is brought back is the row that is deleted, or nothing.
  const bool of_version = first && first->expectation.kind == Expectation::Kind::kVersion;
  if (of_version && first->expectation.version != stored.version) {
    return Status::Conflict("the row of key " + key.ToString() + " has version " + std::to_string(stored.version) +
                            "; its deletion, which is not committed yet, expects version " +
                            std::to_string(first->expectation.version));
  }
  Row row = contents.at(key);
  row.version = 0;
  change.row = std::make_shared<const Row>(std::move(row));
  change.expectation = {visible ? Expectation::Kind::kEither : Expectation::Kind::kSoftVersion, stored.version};
  return Status::Ok();
}

// What waits for a commit is committed when the budget has no room for more.
Result<MemoryReservation> CollectionImpl::ReserveFor(const WriteBatch& batch, const Context& context) {
  if (options_.memory == nullptr) return MemoryReservation();
  uint64_t bytes = 0;
  for (const Mutation& mutation : batch.mutations()) bytes += kChangeBytes + EncodedRowBytes(mutation.row);
  auto memory = options_.memory->Reserve(MemoryUse::kMemtable, bytes);
  if (memory.ok() || memory.status().code() != StatusCode::kResourceExhausted) return memory;
  RETURN_IF_ERROR(Commit(context).WithContext("making room in the memory budget"));
  return ReserveMemoryPatiently(options_.memory.get(), MemoryUse::kMemtable, bytes, context, *path_->env->clock);
}

Status CollectionImpl::Write(WriteBatch batch, const Context& context) {
  RETURN_IF_ERROR(CheckWritable());
  RETURN_IF_ERROR(CheckBatchSize(batch));
  for (const Mutation& mutation : batch.mutations()) RETURN_IF_ERROR(CheckMutation(mutation));
  RETURN_IF_ERROR(MakeRoom(context));
  ASSIGN_OR_RETURN(MemoryReservation memory, ReserveFor(batch, context));
  std::vector<Key> keys;
  for (const Mutation& mutation : batch.mutations()) {
    if (NeedsRow(mutation)) keys.push_back(mutation.row.key);
  }
  for (bool moved_on = false;;) {
    std::vector<std::optional<PendingChange>> pending;
    ReadView view = View(BufferRows::kNone, keys, &pending, true);
    KnownRows known;
    Contents contents;
    if (Status looked = LookUp(view, pending, batch, known, contents, context); !looked.ok()) {
      if (moved_on || !(moved_on = MovedOn(*view.snapshot, looked, context))) return looked;
      continue;
    }
    std::unique_lock state(state_mutex_);
    if (closed_) return Status::Closed("the collection was closed");
    // What was looked up is of another state by now.
    if (snapshot_ != view.snapshot || active_ != view.buffers.front()) continue;
    if (committing_ != (view.buffers.size() > 1 ? view.buffers.back() : nullptr)) continue;
    ++sequence_;
    std::vector<std::pair<Key, std::optional<PendingChange>>> before;
    for (Mutation& mutation : batch.mutations()) {
      Key key = mutation.row.key;
      before.emplace_back(key, active_->Find(key));
      Status applied = ApplyOne(mutation, batch.deferred(), known, contents, view.now_ms);
      if (applied.ok()) continue;
      for (auto undo = before.rbegin(); undo != before.rend(); ++undo) active_->Reset(undo->first, undo->second);
      return applied;
    }
    for (const auto& [key, change] : before) active_->Show(key, sequence_);
    active_->Hold(std::move(memory));
    if (active_->bytes() >= options_.memtable_bytes && !flush_started_) {
      flush_started_ = true;
      background_.Start([this](const Context& of_task) {
        Status flushed = CommitBecause(kFlush, of_task);
        // Else the changes stay pending: the next Commit tells, or the next Write that finds no room.
        if (flushed.ok()) CompactWhenDue();
        std::unique_lock after(state_mutex_);
        flush_started_ = false;
      });
    }
    state.unlock();
    LinkWhenDue();
    return Status::Ok();
  }
}

Status CollectionImpl::DiscardPending(const Context& context) {
  RETURN_IF_ERROR(CheckWritable());
  std::lock_guard write(write_mutex_);
  if (uncertain_) return Status::Unknown("a commit's outcome is open; call Commit to settle it");
  ForgetPrepared(context);
  places_.Clear();
  untold_ = Status::Ok();
  std::unique_lock state(state_mutex_);
  active_ = NewBuffer();
  committing_ = nullptr;
  return Status::Ok();
}

}  // namespace isotherm
