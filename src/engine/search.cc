#include "engine/search.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_set>

#include "base/context_check.h"
#include "base/macros.h"
#include "base/precedence.h"
#include "engine/candidates.h"
#include "engine/exact_scan.h"
#include "engine/key_lookup.h"
#include "engine/missing_parts.h"
#include "engine/probe_plan.h"
#include "engine/rows_in_ram.h"
#include "index/partition.h"
#include "quant/residual8.h"
#include "segment/cell_block.h"

namespace isotherm {

namespace {

constexpr size_t kQueriesPerRound = 32;  // of a batch: bounds the blocks that are held at once
constexpr size_t kMoreWhenHidden = 16;
constexpr uint32_t kMaxGapBytes = 16 << 10;  // between extents, what is cached already among them

// A block that was read for this search.
struct Block {
  BlockAddress address;
  PinnedBlock bytes;
  CellBlock view;
  Status status;  // bad: it is missing
};

// Rows of segments are told apart by what they are numbered in: all cells together, or their flat segment.
uint64_t RowId(const Snapshot& snapshot, const BlockAddress& address, uint32_t ordinal) {
  bool cells = snapshot.head.segments[address.segment].kind == SegmentKind::kCells;
  return (uint64_t{cells ? 0 : address.segment + 1} << 32) | ordinal;
}

Metadata PickColumns(const Metadata& metadata, const std::vector<std::string>& columns) {
  Metadata picked;
  for (const std::string& name : columns) {
    if (auto field = metadata.find(name); field != metadata.end()) picked.insert(*field);
  }
  return picked;
}

bool NearerHit(const Hit& a, const Hit& b) {
  return a.distance != b.distance ? a.distance < b.distance : a.key < b.key;
}

// One hit and where the rest of its row lies.
struct FoundRow {
  Hit hit;
  RowAddress address;  // without a segment: the hit is complete
  bool missing = false;
};

// The searches of one round: a few queries that share the blocks they want.
class Round {
 public:
  Round(const ReadPath& path, const ReadView& view, const SearchOptions& options, const Context& context)
      : path_(path),
        view_(view),
        snapshot_(*view.snapshot),
        schema_(snapshot_.head.schema),
        options_(options),
        context_(context) {}

  Result<std::vector<SearchResult>> Run(std::span<const float> queries) {
    size_t count = queries.size() / schema_.dimension;
    results_.assign(count, {});
    for (size_t q = 0; q < count; ++q) queries_.push_back(queries.subspan(q * schema_.dimension, schema_.dimension));
    wanted_ = options_.exact ? options_.k : std::max(options_.k, options_.rerank);
    std::vector<std::vector<FoundRow>> found;
    if (options_.exact) {
      ASSIGN_OR_RETURN(found, ExactRows());
    } else {
      ASSIGN_OR_RETURN(found, RowsByCode());
    }
    const RowsInRam in_ram(view_, liveness_.get(), options_.exact, by_rows_);
    for (size_t q = 0; q < count; ++q) {
      AddRowsInRam(in_ram, q, found[q]);
      KeepNearest(found[q], wanted_);
      RETURN_IF_ERROR(Complete(q, found[q]));
    }
    return std::move(results_);
  }

 private:
  int64_t Now() const { return path_.env->clock->NowNs(); }

  // Which of the view's recent segments are searched by their rows in RAM: the others as segments are, from the blocks
  // that RAM has of them too. Decided once, since rows enter the graph meanwhile.
  std::vector<bool> RecentByRows() const {
    std::vector<bool> by_rows;
    if (view_.recent == nullptr) return by_rows;
    // A row that is wanted whole is had from RAM without a request.
    const bool whole = options_.exact || options_.rerank > 0 || options_.include_metadata || options_.include_payload ||
                       options_.include_vector;
    for (const RecentView& of : view_.recent->views) by_rows.push_back(whole || !of.recent->AreSearchedByCodes());
    return by_rows;
  }

  void AddRowsInRam(const RowsInRam& rows, size_t q, std::vector<FoundRow>& found) {
    const Precedence::First comparing(path_.env->precedence.get());
    uint64_t& compared = results_[q].explain.distances_exact;
    for (const Candidate& candidate : rows.Search(queries_[q], wanted_, &compared)) {
      const Row& row = rows.row(candidate);
      found.push_back({{row.key, candidate.distance, row.metadata, row.payload, row.vector}, {}});
    }
  }

  static void KeepNearest(std::vector<FoundRow>& found, size_t keep) {
    std::sort(found.begin(), found.end(), [](const FoundRow& a, const FoundRow& b) { return NearerHit(a.hit, b.hit); });
    if (found.size() > keep) found.resize(keep);
  }

  // Which blocks each query looks into: its cells, and all of every flat segment whose rows are not searched in RAM.
  std::vector<std::vector<BlockAddress>> Plan(const std::vector<std::vector<float>>& search_queries) {
    int64_t begin = Now();
    std::vector<BlockAddress> flat;
    for (uint32_t s = 0; s < snapshot_.head.segments.size(); ++s) {
      const uint32_t recent = view_.RecentOf(s);
      const bool by_rows = recent != kNoSlot && by_rows_[recent];
      if (snapshot_.head.segments[s].kind != SegmentKind::kFlat || by_rows) continue;
      for (BlockAddress& block : SegmentBlocks(snapshot_, s)) flat.push_back(std::move(block));
    }
    std::vector<std::vector<BlockAddress>> plan(queries_.size(), flat);
    if (snapshot_.routing != nullptr) {
      const Routing& routing = *snapshot_.routing;
      size_t probes = options_.probes != 0 ? options_.probes : routing.default_probes;
      for (size_t q = 0; q < queries_.size(); ++q) {
        std::vector<uint32_t> cells =
            PlanProbes(snapshot_, RankCells(search_queries[q], routing.centroids, schema_.metric, probes));
        results_[q].explain.cells = routing.cells();
        results_[q].explain.cells_probed = cells.size();
        for (uint32_t cell : cells) plan[q].push_back(CellAddress(snapshot_, cell));
      }
    }
    for (SearchResult& result : results_) result.explain.plan_ns = Now() - begin;
    return plan;
  }

  // Of rows that this handle committed a while ago.
  PinnedBlock BlockInRam(const BlockAddress& address) const {
    const uint32_t recent = view_.RecentOf(address.segment);
    return recent != kNoSlot ? view_.recent->views[recent].recent->blocks->Find(address.extent) : PinnedBlock();
  }

  // Reads each block once, however many queries want it. blocks_of[q] are indexes into blocks_.
  Result<std::vector<std::vector<uint32_t>>> ReadBlocks(const std::vector<std::vector<BlockAddress>>& plan) {
    int64_t begin = Now();
    std::map<std::pair<uint32_t, uint64_t>, uint32_t> index;  // (segment, offset) -> block
    std::vector<std::vector<uint32_t>> blocks_of(plan.size());
    std::vector<Extent> extents;
    for (size_t q = 0; q < plan.size(); ++q) {
      for (const BlockAddress& address : plan[q]) {
        auto [at, fresh] =
            index.try_emplace({address.segment, address.extent.offset}, static_cast<uint32_t>(blocks_.size()));
        if (fresh) {
          blocks_.push_back({address, BlockInRam(address), {}, {}});
          if (!blocks_.back().bytes.valid()) extents.push_back(address.extent);
        }
        blocks_of[q].push_back(at->second);
      }
    }
    // What tells which rows are deleted comes in the same wave.
    std::optional<Extent> deletions = snapshot_.UnreadDeletions();
    if (deletions) extents.push_back(*deletions);
    FetchCounts counts;
    std::vector<FetchedExtent> fetched = path_.Fetch(context_, extents, {.max_gap_bytes = kMaxGapBytes}, &counts);
    if (deletions) {
      RETURN_IF_ERROR(fetched.back().status);
      RETURN_IF_ERROR(snapshot_.SetDeletions(fetched.back().block.bytes()));
    }
    liveness_ = snapshot_.KnownDeletions();
    auto next = fetched.begin();
    for (Block& block : blocks_) {
      if (block.bytes.valid()) {
        ++counts.ram_hits;
        counts.ram_bytes += block.address.extent.length;
      } else {
        block.status = std::move(next->status);
        block.bytes = std::move(next++->block);
      }
      if (block.status.ok()) Parse(block);
    }
    for (size_t q = 0; q < plan.size(); ++q) {
      for (uint32_t b : blocks_of[q]) {
        const Block& block = blocks_[b];
        if (block.status.ok()) continue;
        const BlockAddress& at = block.address;
        RETURN_IF_ERROR(LeaveOut(MissingOf(q), at.extent.object, at.primary_rows, block.status));
      }
    }
    // Of a batch the first query's account carries what all share.
    Explain& explain = results_.front().explain;
    explain.extents_from_ram += counts.ram_hits;
    explain.extents_from_disk += counts.disk_hits;
    explain.extents_from_store += counts.misses;
    explain.bytes_from_ram += counts.ram_bytes;
    explain.bytes_from_disk += counts.disk_bytes;
    for (SearchResult& result : results_) result.explain.fetch_ns = Now() - begin;
    return blocks_of;
  }

  void Parse(Block& block) const {
    auto view = ParseBlock(block.bytes.bytes(), block.address, schema_.block());
    block.status = view.status();
    if (view.ok()) block.view = std::move(view).value();
  }

  std::vector<MissingPart>* MissingOf(size_t q) { return options_.partial ? &results_[q].missing : nullptr; }

  Result<std::vector<std::vector<FoundRow>>> RowsByCode() {
    std::vector<std::vector<float>> search_queries;
    for (std::span<const float> query : queries_) search_queries.push_back(SearchVector(query, schema_.metric));
    ASSIGN_OR_RETURN(auto blocks_of, ReadBlocks(Plan(search_queries)));
    std::vector<std::vector<FoundRow>> found(queries_.size());
    const Precedence::First comparing(path_.env->precedence.get());
    path_.env->executor->ParallelFor(queries_.size(), [&](size_t q) {
      int64_t begin = Now();
      for (const Candidate& candidate : Score(q, search_queries[q], blocks_of[q])) {
        found[q].push_back(Describe(blocks_[candidate.source], candidate));
      }
      results_[q].explain.score_ns = Now() - begin;
    });
    return found;
  }

  std::vector<Candidate> Score(size_t q, std::span<const float> query, const std::vector<uint32_t>& blocks) {
    Candidates candidates(wanted_);
    ResidualQuery residual(schema_.metric, query);
    std::vector<float> distances;
    for (uint32_t b : blocks) {
      const Block& block = blocks_[b];
      const CellBlock& view = block.view;
      if (!block.status.ok()) continue;
      residual.Reset(view.centroid().empty() ? snapshot_.routing->centroid(block.address.cell) : view.centroid());
      distances.resize(view.rows());
      residual.Distances(view.codes(), view.scales(), view.norms2(), view.rows(), distances.data());
      const OrdinalSet& absent = liveness_->AbsentIn(SegmentOfBlock(block), block.address.segment);
      for (uint32_t row = 0; row < view.rows(); ++row) {
        if (!candidates.Wants(distances[row])) continue;
        uint32_t ordinal = view.ordinal(row);
        if (absent.Contains(ordinal) || IsExpired(view.expires_at_ms(row), view_.now_ms)) continue;
        if (hides_ && view_.Hides(view.key(row))) continue;
        candidates.Add(
            {distances[row], residual.spread() * view.scales()[row], RowId(snapshot_, block.address, ordinal), b, row});
      }
      results_[q].explain.codes_evaluated += view.rows();
    }
    return candidates.Take();
  }

  const SegmentInfo& SegmentOfBlock(const Block& block) const { return snapshot_.head.segments[block.address.segment]; }

  FoundRow Describe(const Block& block, const Candidate& candidate) const {
    const CellBlock& view = block.view;
    uint32_t ordinal = view.ordinal(candidate.position);
    FoundRow found;
    found.hit.key = view.key(candidate.position);
    found.hit.distance = candidate.distance;
    found.hit.metadata = view.columns().Row(schema_.filter_columns, candidate.position);
    found.address = {SegmentOf(snapshot_, block.address.segment, ordinal),
                     {ordinal, view.document(candidate.position), {}}};
    return found;
  }

  // The true nearest rows: every raw vector is read, then the blocks of those that won. What hides a row by its key or
  // its expiry is known only when its block is read; then the next best ones are looked for, until k are left.
  Result<std::vector<std::vector<FoundRow>>> ExactRows() {
    ASSIGN_OR_RETURN(liveness_, snapshot_.Deletions(path_, context_));
    std::vector<std::vector<FoundRow>> found;
    for (size_t wanted = wanted_;; wanted = wanted * 2 + kMoreWhenHidden) {
      size_t fewest = 0;
      ASSIGN_OR_RETURN(found, ExactRowsAmong(wanted, &fewest));
      bool enough = true;
      for (const auto& rows : found) enough = enough && rows.size() >= wanted_;
      // Fewer than asked for are all there are.
      if (enough || fewest < wanted) return found;
    }
  }

  // Of the `wanted` nearest rows those that are not hidden; `fewest`: how many a query had, hidden ones among them.
  Result<std::vector<std::vector<FoundRow>>> ExactRowsAmong(size_t wanted, size_t* fewest) {
    int64_t begin = Now();
    blocks_.clear();
    std::vector<Candidates> candidates(queries_.size(), Candidates(wanted));
    std::vector<MissingPart> missing;
    for (uint32_t s = 0; s < snapshot_.head.segments.size(); ++s) {
      if (view_.IsInRam(s)) continue;
      const OrdinalSet& absent = liveness_->AbsentIn(snapshot_.head.segments[s], s);
      auto compare = [&](uint32_t ordinal, std::span<const float> row) {
        if (absent.Contains(ordinal)) return;
        for (size_t q = 0; q < queries_.size(); ++q) {
          candidates[q].Add(
              {ExactDistance(schema_.metric, queries_[q], row), 0, (uint64_t{s} << 32) | ordinal, s, ordinal});
        }
      };
      RETURN_IF_ERROR(ScanVectors(path_, snapshot_, s, options_.partial ? &missing : nullptr, context_, compare));
    }
    for (SearchResult& result : results_) result.missing = missing;
    std::vector<std::vector<BlockAddress>> plan(queries_.size());
    std::vector<std::vector<Candidate>> winners(queries_.size());
    for (size_t q = 0; q < queries_.size(); ++q) {
      for (uint32_t s = 0; s < snapshot_.head.segments.size(); ++s) {
        if (!view_.IsInRam(s)) results_[q].explain.distances_exact += snapshot_.head.segments[s].live_rows();
      }
      winners[q] = candidates[q].Take();
      *fewest = q == 0 ? winners[q].size() : std::min(*fewest, winners[q].size());
      for (const Candidate& winner : winners[q])
        plan[q].push_back(PrimaryBlock(snapshot_, winner.source, winner.position));
    }
    ASSIGN_OR_RETURN(auto blocks_of, ReadBlocks(plan));
    std::vector<std::vector<FoundRow>> found(queries_.size());
    for (size_t q = 0; q < queries_.size(); ++q) {
      for (size_t i = 0; i < winners[q].size(); ++i) {
        const Block& block = blocks_[blocks_of[q][i]];
        if (!block.status.ok()) continue;
        Candidate at = winners[q][i];
        at.position -= block.address.first_ordinal;
        if (at.position >= block.view.primary_rows())
          return Status::Corruption(block.address.extent.object + ": rows missing");
        if (IsExpired(block.view.expires_at_ms(at.position), view_.now_ms) ||
            (hides_ && view_.Hides(block.view.key(at.position)))) {
          continue;
        }
        found[q].push_back(Describe(block, at));
      }
      results_[q].explain.score_ns = Now() - begin;
    }
    return found;
  }

  // Raw vectors and documents, where asked for: one wave. Then the k nearest.
  Status Complete(size_t q, std::vector<FoundRow>& found) {
    int64_t begin = Now();
    bool rerank = options_.rerank > 0 && !options_.exact;
    RowParts parts{rerank || options_.include_vector, options_.include_metadata || options_.include_payload, true};
    std::vector<RowAddress> addresses;
    std::vector<FoundRow*> stored;
    for (FoundRow& row : found) {
      if (row.address.segment == nullptr) continue;
      addresses.push_back(row.address);
      stored.push_back(&row);
    }
    if ((parts.vector || parts.document) && !addresses.empty()) {
      std::vector<Row> rows(addresses.size());
      std::vector<bool> there;
      RETURN_IF_ERROR(ReadRowsOrLeaveOut(path_, schema_, addresses, parts, context_, rows, MissingOf(q), there));
      for (size_t i = 0; i < rows.size(); ++i) {
        Hit& hit = stored[i]->hit;
        stored[i]->missing = !there[i];
        if (!there[i]) continue;
        if (rerank) hit.distance = ExactDistance(schema_.metric, queries_[q], rows[i].vector);
        if (options_.include_metadata) hit.metadata = std::move(rows[i].metadata);
        hit.payload = std::move(rows[i].payload);
        hit.vector = std::move(rows[i].vector);
      }
      if (rerank) results_[q].explain.distances_exact += rows.size();
    }
    std::erase_if(found, [](const FoundRow& row) { return row.missing; });
    KeepNearest(found, options_.k);
    for (FoundRow& row : found) {
      if (!options_.include_metadata) row.hit.metadata = PickColumns(row.hit.metadata, schema_.filter_columns);
      if (!options_.include_payload) row.hit.payload.clear();
      if (!options_.include_vector) row.hit.vector.clear();
      results_[q].hits.push_back(std::move(row.hit));
    }
    results_[q].explain.rerank_ns = Now() - begin;
    return Status::Ok();
  }

  const ReadPath& path_;
  const ReadView& view_;
  const Snapshot& snapshot_;
  const SegmentSchema& schema_;
  const SearchOptions& options_;
  const Context& context_;
  const bool hides_ = view_.HidesAny();
  const std::vector<bool> by_rows_ = RecentByRows();
  std::shared_ptr<const Liveness> liveness_;
  size_t wanted_ = 0;
  std::vector<std::span<const float>> queries_;
  std::vector<Block> blocks_;
  std::vector<SearchResult> results_;
};

}  // namespace

Status CheckSearch(const SegmentSchema& schema, std::span<const float> queries, const SearchOptions& options) {
  if (options.k == 0) return Status::InvalidArgument("k is 0; at least 1 row must be asked for");
  if (queries.empty() || queries.size() % schema.dimension != 0) {
    return Status::InvalidArgument("query of " + std::to_string(queries.size()) +
                                   " numbers; the collection's dimension is " + std::to_string(schema.dimension));
  }
  for (size_t i = 0; i < queries.size(); i += schema.dimension) {
    RETURN_IF_ERROR(CheckVector(schema, queries.subspan(i, schema.dimension)).WithContext("query"));
  }
  return Status::Ok();
}

Result<std::vector<SearchResult>> RunSearch(const ReadPath& path, const ReadView& view, std::span<const float> queries,
                                            const SearchOptions& options, const Context& context) {
  size_t dimension = view.snapshot->head.schema.dimension;
  size_t count = queries.size() / dimension;
  std::vector<SearchResult> results;
  for (size_t begin = 0; begin < count; begin += kQueriesPerRound) {
    RETURN_IF_ERROR(CheckContext(context, *path.env->clock, "search"));
    size_t end = std::min(count, begin + kQueriesPerRound);
    Meter meter;
    Context metered = context;
    metered.meter = &meter;
    Round round(path, view, options, metered);
    auto answered = round.Run(queries.subspan(begin * dimension, (end - begin) * dimension));
    if (context.meter != nullptr) {
      for (const RequestRecord& record : meter.Records()) context.meter->Add(record);
    }
    if (!answered.ok()) return answered.status();
    Explain& shared = answered->front().explain;
    shared.store = meter.Summary();
    shared.price_usd = PriceUsd(shared.store);
    for (SearchResult& result : *answered) {
      result.explain.version = view.snapshot->head.version;
      results.push_back(std::move(result));
    }
  }
  return results;
}

}  // namespace isotherm
