#include "engine/collection_impl.h"

#include <algorithm>

#include "base/macros.h"
#include "base/memory_budget.h"
#include "base/planted.h"
#include "cache/cache_metrics.h"
#include "engine/exact_scan.h"
#include "engine/search.h"

namespace isotherm {

namespace {

MemtableOptions MemtableOptionsOf(const Options& options, const SegmentSchema& schema) {
  MemtableOptions memtable;
  memtable.dimension = schema.dimension;
  memtable.metric = schema.metric;
  memtable.m = options.graph_m;
  memtable.ef_construction = options.graph_ef_construction;
  memtable.memory = options.memory;
  return memtable;
}

// A row takes 32 bytes of them.
uint64_t MostKeyPageBytes(const Options& options) {
  const uint64_t limit = options.memory != nullptr ? options.memory->Usage().limit_bytes : 0;
  const uint64_t most = options.block_cache_bytes / 8;
  return limit != 0 ? std::min(most, limit / 16) : most;
}

}  // namespace

CollectionImpl::CollectionImpl(std::unique_ptr<ReadPath> path, const Options& options,
                               std::shared_ptr<const Snapshot> snapshot, std::string disk_cache_note)
    : path_(std::move(path)),
      options_(options),
      branch_(options.branch),
      memtable_(MemtableOptionsOf(options, snapshot->head.schema)),
      disk_cache_note_(std::move(disk_cache_note)),
      observer_(options.metrics, options.events, path_->env),
      policy_(options.compaction_policy != nullptr ? options.compaction_policy : SizeTieredCompaction()),
      keys_(*path_, MostKeyPageBytes(options)),
      compactions_(path_->env),
      background_(path_->env),
      recent_(options.recent_bytes),
      log_(path_->store, path_->env, path_->branch_prefix, options.put_copies),
      snapshot_(std::move(snapshot)),
      active_(NewBuffer()),
      newest_at_ns_(path_->env->clock->NowNs()) {
  if (options_.metrics != nullptr) {
    collector_ = options_.metrics->AddCollector([this](MetricsWriter& writer) { WriteGauges(writer); });
  }
  if (options_.memory != nullptr) {
    reclaimer_ = options_.memory->AddReclaimer([this](uint64_t wanted) { return recent_.Free(wanted); });
  }
}

void CollectionImpl::WriteGauges(MetricsWriter& writer) const {
  WriteMetrics(path_->ram->Stats(), writer);
  if (path_->disk != nullptr) WriteMetrics(path_->disk->Stats(), writer);
  if (options_.memory != nullptr) WriteMetrics(UsageOf(*options_.memory), writer);
  std::shared_lock state(state_mutex_);
  for (const auto& buffer : {active_, committing_}) {
    if (buffer == nullptr) continue;
    writer.Add(MetricId::kMemtableBytes, static_cast<double>(buffer->bytes()));
    writer.Add(MetricId::kMemtableRows, static_cast<double>(buffer->size()));
  }
  writer.RaiseTo(MetricId::kVersion, static_cast<double>(snapshot_->head.version));
  constexpr double kSecond = 1e9;
  writer.RaiseTo(MetricId::kSnapshotAgeSeconds,
                 static_cast<double>(path_->env->clock->NowNs() - newest_at_ns_) / kSecond);
}

CollectionImpl::~CollectionImpl() {
  Status closed = Close({});
  (void)closed;  // documented: call Close where a failure matters
  background_.Stop();
}

std::shared_ptr<const Snapshot> CollectionImpl::snapshot() const {
  std::shared_lock state(state_mutex_);
  return snapshot_;
}

Status CollectionImpl::CheckOpen() const {
  std::shared_lock state(state_mutex_);
  return closed_ ? Status::Closed("the collection was closed") : Status::Ok();
}

Result<SearchResult> CollectionImpl::Search(std::span<const float> query, const SearchOptions& options,
                                            const Context& context) {
  if (query.size() != snapshot()->head.schema.dimension) {
    return Status::InvalidArgument("query of " + std::to_string(query.size()) +
                                   " numbers; the collection's dimension is " +
                                   std::to_string(snapshot()->head.schema.dimension));
  }
  ASSIGN_OR_RETURN(std::vector<SearchResult> results, BatchSearch(query, options, context));
  return std::move(results.front());
}

ReadView CollectionImpl::View(BufferRows rows, std::span<const Key> keys,
                              std::vector<std::optional<PendingChange>>* changes, bool deferred) {
  RenewLease();
  ReadView view;
  view.now_ms = path_->env->clock->WallMs();
  if (Planted(Bug::kExpiryByOtherClock)) view.now_ms = path_->env->clock->NowNs() / 1'000'000;
  std::shared_lock state(state_mutex_);
  view.snapshot = snapshot_;
  view.recent = recent_.Of(snapshot_->head);
  view.sequence = sequence_;
  view.buffers.push_back(active_);
  if (committing_ != nullptr) view.buffers.push_back(committing_);
  if (rows == BufferRows::kLive) AddLiveRows(view);
  if (rows == BufferRows::kSoftDeleted) AddSoftRows(view);
  auto find = [&](const WriteBuffer& buffer, const Key& key) {
    return deferred ? buffer.Find(key) : buffer.FindSeen(key);
  };
  for (const Key& key : keys) {
    changes->push_back(find(*active_, key));
    if (!changes->back() && committing_ != nullptr) changes->back() = find(*committing_, key);
  }
  return view;
}

void CollectionImpl::AddLiveRows(ReadView& view) const {
  for (size_t b = 0; b < view.buffers.size(); ++b) {
    for (auto& row : view.buffers[b]->LiveRows()) {
      if (IsExpired(row->expires_at_ms, view.now_ms)) continue;
      if (b > 0 && active_->FindSeen(row->key)) continue;
      view.rows.push_back(std::move(row));
    }
  }
}

void CollectionImpl::AddSoftRows(ReadView& view) const {
  for (size_t b = 0; b < view.buffers.size(); ++b) {
    for (const auto& [key, change] : view.buffers[b]->Changes()) {
      if (change.deferred || (b > 0 && active_->FindSeen(key))) continue;
      std::shared_ptr<const Row> row = change.effect == Effect::kPut && change.soft ? change.row : nullptr;
      if (change.effect == Effect::kSoftDelete) {
        std::optional<PendingChange> below;
        if (b == 0 && committing_ != nullptr) below = committing_->FindSeen(key);
        if (below && below->effect == Effect::kPut) row = below->row;
        if (!below || below->effect == Effect::kSoftDelete) view.softened.insert(key);
      }
      if (row != nullptr && !IsExpired(row->expires_at_ms, view.now_ms)) view.rows.push_back(std::move(row));
    }
  }
}

// Without a lease a vacuum may have removed what `from` names: then there is a newer version, to be read instead.
bool CollectionImpl::MovedOn(const Snapshot& from, const Status& failed, const Context& context) {
  return failed.code() == StatusCode::kCorruption && Refresh(context).ok() &&
         snapshot()->head.version != from.head.version;
}

template <typename Read>
auto CollectionImpl::OnKeptSnapshot(const Read& read, const Context& context) -> decltype(read()) {
  std::shared_ptr<const Snapshot> before = snapshot();
  auto result = read();
  return MovedOn(*before, result.status(), context) ? read() : result;
}

Result<std::vector<SearchResult>> CollectionImpl::BatchSearch(std::span<const float> queries,
                                                              const SearchOptions& options, const Context& context) {
  RETURN_IF_ERROR(CheckOpen());
  RETURN_IF_ERROR(CheckSearch(snapshot()->head.schema, queries, options));
  const int64_t begin_ns = observer_.Now();
  RETURN_IF_ERROR(BeFresh(options.consistency, context));
  auto results =
      OnKeptSnapshot([&] { return RunSearch(*path_, View(BufferRows::kNone), queries, options, context); }, context);
  if (results.ok()) observer_.Took(MetricId::kSearchSeconds, begin_ns);
  RETURN_IF_ERROR(observer_.Ended(results.status()));
  return results;
}

Result<Row> CollectionImpl::Get(const Key& key, const Consistency& consistency, const Context& context) {
  RETURN_IF_ERROR(CheckOpen());
  const int64_t begin_ns = observer_.Now();
  RETURN_IF_ERROR(BeFresh(consistency, context));
  auto row = OnKeptSnapshot([&] { return GetOnce(key, context); }, context);
  if (row.ok()) observer_.Took(MetricId::kGetSeconds, begin_ns);
  return row;
}

Result<Row> CollectionImpl::GetOnce(const Key& key, const Context& context) {
  std::vector<std::optional<PendingChange>> pending;
  ReadView view = View(BufferRows::kNone, {&key, 1}, &pending);
  const Snapshot& at = *view.snapshot;
  const SegmentSchema& schema = at.head.schema;
  if (key.type() != schema.key_type) {
    return Status::InvalidArgument("key " + key.ToString() + ": this collection's keys are " +
                                   (schema.key_type == KeyType::kInteger ? "integers" : "strings"));
  }
  Status absent = Status::NotFound("no row has the key " + key.ToString());
  if (const auto& change = pending.front()) {
    if (!IsLive(*change) || IsExpired(change->row->expires_at_ms, view.now_ms)) return absent;
    return *change->row;
  }
  ASSIGN_OR_RETURN(std::vector<StoredRow> found, FindRows(*path_, keys_, at, {&key, 1}, context));
  const StoredRow& stored = found.front();
  if (stored.state != StoredRow::State::kLive) return absent;
  if (stored.row != nullptr) return *stored.row;
  RowAddress address{&at.head.segments[stored.place.segment], stored.place.location};
  Row row;
  row.key = key;
  row.version = stored.version;
  row.expires_at_ms = stored.expires_at_ms;
  RETURN_IF_ERROR(ReadRows(*path_, schema, {&address, 1}, {}, context, {&row, 1}));
  return row;
}

Result<std::vector<bool>> CollectionImpl::Contains(std::span<const Key> keys, const Context& context) {
  RETURN_IF_ERROR(CheckOpen());
  return OnKeptSnapshot([&] { return ContainsOnce(keys, context); }, context);
}

Result<std::vector<bool>> CollectionImpl::ContainsOnce(std::span<const Key> keys, const Context& context) {
  std::vector<std::optional<PendingChange>> pending;
  ReadView view = View(BufferRows::kNone, keys, &pending);
  ASSIGN_OR_RETURN(std::vector<StoredRow> stored, FindRows(*path_, keys_, *view.snapshot, keys, context));
  std::vector<bool> contained(keys.size(), false);
  for (size_t i = 0; i < keys.size(); ++i) {
    contained[i] = stored[i].state == StoredRow::State::kLive;
    if (const auto& change = pending[i]) {
      contained[i] = IsLive(*change) && !IsExpired(change->row->expires_at_ms, view.now_ms);
    }
  }
  return contained;
}

Status CollectionImpl::Refresh(const Context& context) {
  RETURN_IF_ERROR(CheckOpen());
  if (options_.as_of_version != 0 || options_.as_of_ms != 0) return Status::Ok();
  const int64_t asked_ns = path_->env->clock->NowNs();
  std::shared_ptr<const Snapshot> current = snapshot();
  ASSIGN_OR_RETURN(auto next, LoadSnapshot(*path_, current.get(), context));
  if (next->head.version > current->head.version) observer_.Refreshed(next->head.version);
  Publish(std::move(next), 0);
  std::unique_lock state(state_mutex_);
  newest_at_ns_ = std::max(newest_at_ns_, asked_ns);
  return Status::Ok();
}

Status CollectionImpl::BeFresh(const Consistency& consistency, const Context& context) {
  constexpr int64_t kNsPerMs = 1'000'000;
  int64_t age_ns = 0;
  uint64_t version = 0;
  {
    std::shared_lock state(state_mutex_);
    age_ns = path_->env->clock->NowNs() - newest_at_ns_;
    version = snapshot_->head.version;
  }
  const bool strong = consistency.kind == Consistency::Kind::kStrong;
  bool stale = (strong && !(Planted(Bug::kStaleHead) && age_ns < 1000 * kNsPerMs)) ||
               (consistency.kind == Consistency::Kind::kBounded && age_ns > consistency.max_age_ms * kNsPerMs);
  if (stale || version < consistency.at_least_version) {
    RETURN_IF_ERROR(Refresh(context));
    version = snapshot()->head.version;
  } else if (options_.refresh_interval_ms > 0 && age_ns > options_.refresh_interval_ms * kNsPerMs) {
    RefreshWhenDue();
  }
  if (version >= consistency.at_least_version) return Status::Ok();
  return Status::NotFound("version " + std::to_string(consistency.at_least_version) +
                          " is not there yet; the newest one is " + std::to_string(version));
}

void CollectionImpl::RefreshWhenDue() {
  {
    std::unique_lock state(state_mutex_);
    if (refresh_started_) return;
    refresh_started_ = true;
  }
  background_.Start([this](const Context& context) {
    Status refreshed = Refresh(context);
    (void)refreshed;  // the age goes on telling, and the next read tries again
    std::unique_lock state(state_mutex_);
    refresh_started_ = false;
  });
}

CollectionStats CollectionImpl::Stats() const {
  std::shared_lock state(state_mutex_);
  const Head& head = snapshot_->head;
  CollectionStats stats;
  stats.version = head.version;
  stats.age_ms = (path_->env->clock->NowNs() - newest_at_ns_) / 1'000'000;
  stats.dimension = head.schema.dimension;
  stats.metric = head.schema.metric;
  stats.key_type = head.schema.key_type;
  stats.filter_columns = head.schema.filter_columns;
  stats.rows = snapshot_->row_count();
  stats.pending_rows = active_->size() + (committing_ != nullptr ? committing_->size() : 0);
  for (const RecentView& recent : recent_.Of(head)->views) {
    for (uint32_t s : recent.segments) stats.recent_rows += s == kNoSlot ? 0 : head.segments[s].rows;
    stats.unlinked_rows += recent.recent->rows->unlinked();
  }
  for (const auto& buffer : {active_, committing_}) {
    if (buffer != nullptr) stats.unlinked_rows += buffer->rows()->unlinked();
  }
  stats.conflicts = conflicts_;
  stats.inline_rows = snapshot_->rows.size();
  stats.soft_deleted_rows = snapshot_->soft_rows.size();
  stats.cells = snapshot_->routing != nullptr ? snapshot_->routing->cells() : 0;
  stats.default_probes = snapshot_->routing != nullptr ? snapshot_->routing->default_probes : 0;
  stats.routing_generation = head.routing.generation;
  stats.head_bytes = snapshot_->head_bytes;
  stats.routing_bytes = head.routing.bytes;
  stats.stored_bytes = stats.head_bytes + stats.routing_bytes + head.deletions.bytes;
  for (const SegmentInfo& segment : head.segments) {
    stats.stored_bytes += segment.bytes;
    stats.soft_deleted_rows += segment.soft_deleted;
    stats.segments.push_back({segment.name, segment.kind == SegmentKind::kCells ? "cells" : "flat", segment.rows,
                              segment.hard_deleted + segment.soft_deleted, segment.entries, segment.cell_count,
                              segment.bytes});
  }
  CompactionCounts compactions = compactions_.counts();
  stats.compactions = compactions.published;
  stats.compactions_lost = compactions.lost;
  stats.compactions_failed = compactions.failed;
  stats.compaction_bytes_read = compactions.bytes_read;
  stats.compaction_bytes_written = compactions.bytes_written;
  stats.compactions_resumed = compactions.resumed;
  stats.compaction_bytes_resumed = compactions.bytes_resumed;
  stats.commit_bytes_written = compactions.commit_bytes;
  stats.row_bytes_written = compactions.row_bytes;
  FetchCounts totals = path_->extents->Totals();
  stats.ram_hits = totals.ram_hits;
  stats.disk_hits = totals.disk_hits;
  stats.misses = totals.misses;
  stats.ram_cache_bytes = path_->ram->Stats().used_bytes;
  stats.disk_cache_bytes = path_->disk != nullptr ? path_->disk->Stats().used_bytes : 0;
  stats.disk_cache_note = disk_cache_note_;
  return stats;
}

Status CollectionImpl::Close(const Context& context) {
  const CompactionControl::Pause pause(compactions_);
  {
    std::lock_guard write(write_mutex_);
    if (!CheckOpen().ok()) return Status::Ok();
    if (!options_.read_only && options_.commit_on_close) {
      // A Commit that waits for this one is served by it.
      uint64_t covered = 0;
      {
        std::lock_guard group(group_mutex_);
        covered = commit_tickets_;
      }
      RETURN_IF_ERROR(CommitLocked(false, "close", context));
      std::lock_guard group(group_mutex_);
      Serve(covered, Status::Ok());
    }
    // A head that is lost while nobody writes can be recovered whole.
    if (committed_version_ == snapshot()->head.version) {
      Status archived = Archive(*snapshot(), context);
      (void)archived;  // whoever commits next does it
    }
    std::unique_lock state(state_mutex_);
    closed_ = true;
  }
  background_.Stop();
  if (path_->disk != nullptr) path_->disk->Close();
  if (!lease_.name().empty()) RemoveObjects({lease_.name()}, context);
  return Status::Ok();
}

}  // namespace isotherm
