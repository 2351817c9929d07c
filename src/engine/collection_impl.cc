#include "engine/collection_impl.h"

#include <algorithm>

#include "base/macros.h"
#include "engine/exact_scan.h"
#include "engine/search.h"

namespace isotherm {

CollectionImpl::CollectionImpl(std::unique_ptr<ReadPath> path, const Options& options,
                               std::shared_ptr<const Snapshot> snapshot, std::string disk_cache_note)
    : path_(std::move(path)),
      options_(options),
      disk_cache_note_(std::move(disk_cache_note)),
      keys_(*path_),
      log_(path_->store, path_->env),
      snapshot_(std::move(snapshot)) {}

CollectionImpl::~CollectionImpl() {
  Status closed = Close({});
  (void)closed;  // documented: call Close where a failure matters
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

Result<std::vector<SearchResult>> CollectionImpl::BatchSearch(std::span<const float> queries,
                                                              const SearchOptions& options, const Context& context) {
  RETURN_IF_ERROR(CheckOpen());
  std::shared_ptr<const Snapshot> at;
  std::vector<TableHits> pending;
  {
    std::shared_lock state(state_mutex_);
    at = snapshot_;
    const SegmentSchema& schema = at->head.schema;
    RETURN_IF_ERROR(CheckSearch(schema, queries, options));
    for (size_t i = 0; i < queries.size(); i += schema.dimension) {
      pending.push_back(
          SearchTable(pending_, schema, queries.subspan(i, schema.dimension), std::max(options.k, options.rerank)));
    }
  }
  return RunSearch(*path_, *at, queries, options, std::move(pending), context);
}

Result<Row> CollectionImpl::Get(const Key& key, const Context& context) {
  RETURN_IF_ERROR(CheckOpen());
  std::shared_ptr<const Snapshot> at;
  {
    std::shared_lock state(state_mutex_);
    at = snapshot_;
    if (const Row* row = pending_.Find(key)) return *row;
  }
  const SegmentSchema& schema = at->head.schema;
  if (key.type() != schema.key_type) {
    return Status::InvalidArgument("key " + key.ToString() + ": this collection's keys are " +
                                   (schema.key_type == KeyType::kInteger ? "integers" : "strings"));
  }
  if (const Row* row = at->rows.Find(key)) return *row;
  ASSIGN_OR_RETURN(auto found, keys_.Find(*at, {&key, 1}, context));
  if (found.empty()) return Status::NotFound("no row has the key " + key.ToString());
  const KeyPlace& place = found.begin()->second;
  RowAddress address{&at->head.segments[place.segment], place.location};
  Row row;
  row.key = key;
  RETURN_IF_ERROR(ReadRows(*path_, schema, {&address, 1}, {}, context, {&row, 1}));
  return row;
}

Result<std::vector<bool>> CollectionImpl::Contains(std::span<const Key> keys, const Context& context) {
  RETURN_IF_ERROR(CheckOpen());
  std::vector<bool> contained(keys.size(), false);
  std::shared_ptr<const Snapshot> at;
  {
    std::shared_lock state(state_mutex_);
    at = snapshot_;
    for (size_t i = 0; i < keys.size(); ++i) contained[i] = pending_.Find(keys[i]) != nullptr;
  }
  ASSIGN_OR_RETURN(auto stored, keys_.Find(*at, keys, context));
  for (const auto& found : stored) contained[found.first] = true;
  for (size_t i = 0; i < keys.size(); ++i) contained[i] = contained[i] || at->rows.Find(keys[i]) != nullptr;
  return contained;
}

Status CollectionImpl::Scan(const std::function<Status(Row)>& visit, const ScanOptions& options,
                            const Context& context) {
  RETURN_IF_ERROR(CheckOpen());
  std::shared_ptr<const Snapshot> at;
  RowTable pending;
  {
    std::shared_lock state(state_mutex_);
    at = snapshot_;
    pending = pending_;
  }
  // A pending row may be in the snapshot already, see Search.
  std::vector<Row> rows = pending.rows();
  for (const Row& row : at->rows.rows()) {
    if (pending.Find(row.key) == nullptr) rows.push_back(row);
  }
  auto pick = [&](Row row) {
    if (!options.include_vector) row.vector.clear();
    if (!options.include_metadata) row.metadata.clear();
    if (!options.include_payload) row.payload.clear();
    return row;
  };
  for (Row& row : rows) row = pick(std::move(row));
  ScanParts parts{options.include_vector, options.include_metadata || options.include_payload};
  for (uint32_t s = 0; s < at->head.segments.size(); ++s) {
    RETURN_IF_ERROR(ScanSegment(*path_, *at, s, parts, context, [&](uint32_t, Row row) {
      if (pending.Find(row.key) != nullptr) return Status::Ok();
      if (!options.in_key_order) return visit(pick(std::move(row)));
      rows.push_back(pick(std::move(row)));
      return Status::Ok();
    }));
  }
  if (options.in_key_order)
    std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.key < b.key; });
  for (Row& row : rows) RETURN_IF_ERROR(visit(std::move(row)));
  return Status::Ok();
}

Status CollectionImpl::Refresh(const Context& context) {
  RETURN_IF_ERROR(CheckOpen());
  std::shared_ptr<const Snapshot> current = snapshot();
  ASSIGN_OR_RETURN(auto next, LoadSnapshot(*path_, current.get(), context));
  Publish(std::move(next), 0);
  return Status::Ok();
}

CollectionStats CollectionImpl::Stats() const {
  std::shared_lock state(state_mutex_);
  const Head& head = snapshot_->head;
  CollectionStats stats;
  stats.version = head.version;
  stats.dimension = head.schema.dimension;
  stats.metric = head.schema.metric;
  stats.key_type = head.schema.key_type;
  stats.filter_columns = head.schema.filter_columns;
  stats.rows = snapshot_->row_count();
  stats.pending_rows = pending_.size();
  stats.conflicts = conflicts_;
  stats.inline_rows = snapshot_->rows.size();
  stats.cells = snapshot_->routing != nullptr ? snapshot_->routing->cells() : 0;
  stats.default_probes = snapshot_->routing != nullptr ? snapshot_->routing->default_probes : 0;
  stats.routing_generation = head.routing.generation;
  stats.head_bytes = snapshot_->head_bytes;
  stats.routing_bytes = head.routing.bytes;
  stats.stored_bytes = stats.head_bytes + stats.routing_bytes;
  for (const SegmentInfo& segment : head.segments) {
    stats.stored_bytes += segment.bytes;
    stats.segments.push_back({segment.name, segment.kind == SegmentKind::kCells ? "cells" : "flat", segment.rows,
                              segment.entries, segment.cell_count, segment.bytes});
  }
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
  std::lock_guard write(write_mutex_);
  if (!CheckOpen().ok()) return Status::Ok();
  if (!options_.read_only && options_.commit_on_close) RETURN_IF_ERROR(CommitLocked(false, context));
  if (path_->disk != nullptr) path_->disk->Flush();
  std::unique_lock state(state_mutex_);
  closed_ = true;
  return Status::Ok();
}

}  // namespace isotherm
