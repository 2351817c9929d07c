// Inserting and committing.
#include <algorithm>
#include <utility>

#include "base/context_check.h"
#include "base/macros.h"
#include "engine/collection_impl.h"
#include "engine/exact_scan.h"
#include "engine/object_writer.h"
#include "segment/row_codec.h"
#include "segment/segment_writer.h"

namespace isotherm {

namespace {

std::vector<Key> FirstKeys(const RowTable& table, size_t count) {
  std::vector<Key> keys;
  for (size_t i = 0; i < count; ++i) keys.push_back(table.rows()[i].key);
  return keys;
}

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

}  // namespace

Status CollectionImpl::CheckWritable() const {
  RETURN_IF_ERROR(CheckOpen());
  if (options_.read_only) return Status::ReadOnly("the collection was opened read-only");
  return Status::Ok();
}

Status CollectionImpl::CheckRow(const Row& row) const {
  std::shared_ptr<const Snapshot> at = snapshot();
  const SegmentSchema& schema = at->head.schema;
  RETURN_IF_ERROR(CheckKey(row.key, schema.key_type));
  RETURN_IF_ERROR(CheckVector(schema, row.vector).WithContext("row " + row.key.ToString()));
  RETURN_IF_ERROR(CheckMetadata(row.metadata).WithContext("row " + row.key.ToString()));
  if (row.payload.size() > kMaxPayloadBytes) {
    return Status::InvalidArgument("row " + row.key.ToString() + ": payload of " + std::to_string(row.payload.size()) +
                                   " bytes; at most " + std::to_string(kMaxPayloadBytes) + " are allowed");
  }
  return Status::Ok();
}

Status CollectionImpl::CheckAbsent(const Snapshot& at, std::span<const Key> keys, const Context& context) {
  for (const Key& key : keys) {
    if (at.rows.Find(key) != nullptr) return Status::AlreadyExists("key " + key.ToString() + " is there already");
  }
  ASSIGN_OR_RETURN(auto found, keys_.Find(at, keys, context));
  if (found.empty()) return Status::Ok();
  return Status::AlreadyExists("key " + keys[found.begin()->first].ToString() + " is there already");
}

Status CollectionImpl::Insert(Row row, const Context& context) {
  std::vector<Row> rows;
  rows.push_back(std::move(row));
  return InsertBatch(std::move(rows), context);
}

Status CollectionImpl::InsertBatch(std::vector<Row> rows, const Context& context) {
  RETURN_IF_ERROR(CheckWritable());
  if (rows.empty()) return Status::InvalidArgument("the batch is empty");
  for (const Row& row : rows) RETURN_IF_ERROR(CheckRow(row));
  std::lock_guard write(write_mutex_);
  RETURN_IF_ERROR(CheckWritable());
  std::vector<Key> keys;
  for (const Row& row : rows) {
    if (pending_.Find(row.key) != nullptr)
      return Status::AlreadyExists("key " + row.key.ToString() + " is there already");
    keys.push_back(row.key);
  }
  std::vector<Key> sorted = keys;
  std::sort(sorted.begin(), sorted.end());
  if (auto twice = std::adjacent_find(sorted.begin(), sorted.end()); twice != sorted.end()) {
    return Status::AlreadyExists("key " + twice->ToString() + " is twice in the batch");
  }
  std::shared_ptr<const Snapshot> at = snapshot();
  RETURN_IF_ERROR(CheckAbsent(*at, keys, context));
  std::unique_lock state(state_mutex_);
  checked_version_ = pending_.size() == 0 ? at->head.version : std::min(checked_version_, at->head.version);
  for (Row& row : rows) pending_.Add(std::move(row));
  return Status::Ok();
}

Status CollectionImpl::DiscardPending(const Context&) {
  RETURN_IF_ERROR(CheckWritable());
  std::lock_guard write(write_mutex_);
  if (uncertain_) return Status::Unknown("a commit's outcome is open; call Commit to settle it");
  std::unique_lock state(state_mutex_);
  pending_ = RowTable();
  return Status::Ok();
}

Status CollectionImpl::Commit(const Context& context) {
  RETURN_IF_ERROR(CheckWritable());
  std::lock_guard write(write_mutex_);
  return CommitLocked(false, context);
}

Status CollectionImpl::CommitLocked(bool force_segment, const Context& context) {
  RETURN_IF_ERROR(CheckOpen());
  if (uncertain_) {
    bool landed = false;
    bool of_rows = uncertain_rows_ > 0;
    RETURN_IF_ERROR(AfterSwap(log_.Settle(context), uncertain_rows_, context, &landed));
    if (!landed && of_rows && options_.conflict_policy == ConflictPolicy::kFail) return OtherWasFaster();
  }
  size_t count = pending_.size();
  bool spill = force_segment && snapshot()->rows.size() > 0;
  if (count == 0 && !spill) return Status::Ok();
  return CommitRows(count, force_segment, context);
}

Status CollectionImpl::CommitRows(size_t count, bool force_segment, const Context& context) {
  while (true) {
    RETURN_IF_ERROR(CheckContext(context, *path_->env->clock, "commit"));
    std::shared_ptr<const Snapshot> base = snapshot();
    if (base->head.version != checked_version_) {
      RETURN_IF_ERROR(CheckAbsent(*base, FirstKeys(pending_, count), context));
      checked_version_ = base->head.version;
    }
    ASSIGN_OR_RETURN(SwapResult swap, TrySwap(*base, count, force_segment, context));
    bool landed = false;
    RETURN_IF_ERROR(AfterSwap(std::move(swap), count, context, &landed));
    if (landed) return Status::Ok();
    if (options_.conflict_policy == ConflictPolicy::kFail) return OtherWasFaster();
  }
}

Status CollectionImpl::OtherWasFaster() const {
  return Status::Conflict("another writer committed version " + std::to_string(snapshot()->head.version) + " first");
}

Result<SwapResult> CollectionImpl::TrySwap(const Snapshot& base, size_t count, bool force_segment,
                                           const Context& context) {
  Head next = base.head;
  size_t bytes = base.rows.encoded_bytes() + pending_.encoded_bytes();
  uint64_t room = next.segments.empty() ? options_.inline_bytes : options_.inline_bytes / 8;
  std::vector<Row> rows = base.rows.rows();
  rows.insert(rows.end(), pending_.rows().begin(), pending_.rows().begin() + static_cast<ptrdiff_t>(count));
  if (force_segment || bytes > room) {
    std::string name = "segment-" + NonceHex(MakeNonce(*path_->env->random));
    ASSIGN_OR_RETURN(SegmentInfo info,
                     WriteObject<SegmentInfo>(*path_->store, context, name, [&](const ByteSink& sink) {
                       return WriteFlatSegment(next.schema, name, rows, sink);
                     }));
    new_segment_ = name;
    next.segments.push_back(std::move(info));
  } else {
    next.inline_rows = std::move(rows);
  }
  return log_.Swap({base.head, base.etag, base.head_bytes}, std::move(next), context);
}

// What a swap's outcome means for this handle. What was written for it may be removed only when it is known to be lost.
Status CollectionImpl::AfterSwap(SwapResult swap, size_t count, const Context& context, bool* landed) {
  uncertain_ = swap.outcome == SwapOutcome::kUncertain;
  uncertain_rows_ = uncertain_ ? count : 0;
  if (uncertain_) {
    return Status::Unknown("the commit may or may not have happened (" + swap.status.ToString() +
                           "); call Commit again to settle it");
  }
  *landed = swap.outcome == SwapOutcome::kLanded;
  std::string segment = std::exchange(new_segment_, {});
  if (*landed) return Adopt(std::move(swap.head), count, context);
  if (swap.outcome == SwapOutcome::kFenced) {
    RETURN_IF_ERROR(Adopt(std::move(swap.head), 0, context));
    return Status::Fenced(
        "whether the commit happened can't be told any more: it was not settled within an hour, and another writer "
        "took over "
        "this one's place in the head. The rows are still pending: Commit says kAlreadyExists if they are there");
  }
  if (!segment.empty()) {
    // An orphan does no harm: failing to remove it is no failure of the commit's.
    Status removed = path_->store->Delete(context, segment);
    (void)removed;
  }
  RETURN_IF_ERROR(swap.status);
  {
    std::unique_lock state(state_mutex_);
    ++conflicts_;
  }
  return Adopt(std::move(swap.head), 0, context);
}

// Moves on to `head`, or further. `committed`: so many of the first pending rows are in it.
Status CollectionImpl::Adopt(LoadedHead head, size_t committed, const Context& context) {
  std::shared_ptr<const Snapshot> current = snapshot();
  std::shared_ptr<const Snapshot> next;
  // Refresh may have come further already.
  if (head.head.version > current->head.version) {
    if (head.head.routing.sha256_hex == current->head.routing.sha256_hex) {
      next = MakeSnapshot(std::move(head.head), std::move(head.etag), head.bytes, current->routing);
    } else {
      ASSIGN_OR_RETURN(next, LoadSnapshot(*path_, current.get(), context));
    }
  }
  Publish(std::move(next), committed);
  return Status::Ok();
}

// What is searched never goes back to an older version.
void CollectionImpl::Publish(std::shared_ptr<const Snapshot> next, size_t committed) {
  std::unique_lock state(state_mutex_);
  if (next != nullptr && next->head.version > snapshot_->head.version) snapshot_ = std::move(next);
  if (committed > 0) pending_.RemoveFirst(committed);
}

}  // namespace isotherm
