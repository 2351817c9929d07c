#include "engine/memtable_rows.h"

#include <mutex>
#include <utility>

#include "engine/row_table.h"
#include "segment/row_codec.h"
#include "segment/segment_writer.h"

namespace isotherm {

uint32_t MemtableRows::Add(std::shared_ptr<const Row> row, uint64_t sequence) {
  const uint32_t slot = size_.load(std::memory_order_relaxed);
  const uint32_t chunk = ChunkOf(slot);
  if (slot == ChunkBegin(chunk)) {
    memory_of_chunks_[chunk] = std::make_unique<Slot[]>(size_t{kFirstChunk} << chunk);
    chunks_[chunk].store(memory_of_chunks_[chunk].get(), std::memory_order_release);
  }
  if (row->expires_at_ms != 0) plain_.store(false, std::memory_order_relaxed);
  bytes_.fetch_add(EncodedRowBytes(*row), std::memory_order_relaxed);
  Slot& at = At(slot);
  at.row = std::move(row);
  at.from = sequence;
  size_.store(slot + 1, std::memory_order_release);
  return slot;
}

void MemtableRows::Hide(uint32_t slot, uint64_t sequence) {
  plain_.store(false, std::memory_order_relaxed);
  At(slot).until.store(sequence, std::memory_order_relaxed);
}

void MemtableRows::Hold(std::shared_ptr<const MemoryReservation> memory) {
  std::lock_guard lock(memory_mutex_);
  memory_.push_back(std::move(memory));
}

void MemtableRows::HoldAllOf(const MemtableRows& other) {
  std::scoped_lock lock(memory_mutex_, other.memory_mutex_);
  memory_.insert(memory_.end(), other.memory_.begin(), other.memory_.end());
}

uint64_t MemtableRows::bytes() const {
  const MemtableGraph* graph = graph_now_.load(std::memory_order_acquire);
  return bytes_.load(std::memory_order_relaxed) + (graph != nullptr ? graph->memory_bytes() : 0);
}

uint32_t MemtableRows::unlinked() const {
  const uint32_t rows = size();
  if (options_.m == 0 || rows < options_.graph_rows || stopped_.load(std::memory_order_relaxed)) return 0;
  return rows - std::min(rows, claimed_.load(std::memory_order_relaxed));
}

bool MemtableRows::Claim(uint32_t* slot) {
  uint32_t next = claimed_.load(std::memory_order_relaxed);
  do {
    if (next >= size()) return false;
  } while (!claimed_.compare_exchange_weak(next, next + 1, std::memory_order_relaxed));
  *slot = next;
  return true;
}

bool MemtableRows::LinkOne() {
  if (unlinked() == 0) return false;
  MemtableGraph* graph = GraphFor(size());
  uint32_t slot = 0;
  if (!Claim(&slot)) return false;
  Slot& at = At(slot);
  // What was replaced before anybody could see it needs no place.
  if (at.until.load(std::memory_order_relaxed) > at.from && !graph->Insert(slot, at.row->vector).ok()) {
    stopped_.store(true, std::memory_order_relaxed);
    return false;
  }
  at.linked.store(true, std::memory_order_release);
  uint32_t below = linked_below_.load(std::memory_order_relaxed);
  while (below < size() && At(below).linked.load(std::memory_order_acquire)) {
    if (linked_below_.compare_exchange_weak(below, below + 1, std::memory_order_release)) ++below;
  }
  return true;
}

MemtableGraph* MemtableRows::GraphFor(uint32_t rows) {
  if (MemtableGraph* graph = graph_now_.load(std::memory_order_acquire)) return graph;
  std::lock_guard lock(graph_mutex_);
  if (graph_ == nullptr) {
    MemtableGraphOptions options;
    options.dimension = options_.dimension;
    options.metric = options_.metric;
    options.m = options_.m;
    options.ef_construction = options_.ef_construction;
    const std::vector<float> centre = Centre(rows);
    options.centre = centre;
    graph_ = std::make_unique<MemtableGraph>(options, options_.memory);
    graph_now_.store(graph_.get(), std::memory_order_release);
  }
  return graph_.get();
}

// Of the rows as the graph codes them.
std::vector<float> MemtableRows::Centre(uint32_t rows) const {
  std::vector<double> sums(options_.dimension, 0.0);
  for (uint32_t slot = 0; slot < rows; ++slot) {
    const std::vector<float> vector = SearchVector(At(slot).row->vector, options_.metric);
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += vector[i];
  }
  std::vector<float> centre(sums.size());
  for (size_t i = 0; i < sums.size(); ++i) centre[i] = static_cast<float>(sums[i] / rows);
  return centre;
}

// False: all rows must be compared.
bool MemtableRows::SearchGraph(std::span<const float> query, size_t wanted, uint32_t rows, const SlotFilter& filter,
                               std::vector<Neighbour>* near) const {
  const MemtableGraph* graph = graph_now_.load(std::memory_order_acquire);
  // Their order by code is not quite the true one.
  const size_t asked = wanted + wanted / 4 + 20;
  if (graph == nullptr || asked > rows / 8) return false;
  if (plain()) {
    graph->Search(query, asked, 0, nullptr, near);
    std::erase_if(*near, [&](const Neighbour& row) { return row.slot >= rows || !filter.Accepts(row.slot); });
    // Rows that are newer than the search, or that something hides, leave room for few others now and then.
    if (near->size() >= wanted) return true;
  }
  class Known : public SlotFilter {
   public:
    Known(uint32_t rows, const SlotFilter& filter) : rows_(rows), filter_(filter) {}
    bool Accepts(uint32_t slot) const override { return slot < rows_ && filter_.Accepts(slot); }

   private:
    const uint32_t rows_;
    const SlotFilter& filter_;
  };
  const Known known(rows, filter);
  graph->Search(query, asked, 0, &known, near);
  return true;
}

uint64_t MemtableRows::Search(std::span<const float> query, size_t wanted, bool exact, const SlotFilter& filter,
                              uint32_t source, Candidates& out) const {
  const uint32_t rows = size();
  uint64_t compared = 0;
  auto compare = [&](uint32_t slot) { return ExactDistance(options_.metric, query, At(slot).row->vector); };
  auto scan = [&](uint32_t from, bool all) {
    for (uint32_t slot = from; slot < rows; ++slot) {
      if (!all && At(slot).linked.load(std::memory_order_acquire)) continue;
      const float distance = compare(slot);
      ++compared;
      if (!out.Wants(distance) || !filter.Accepts(slot)) continue;
      out.Add({distance, 0, (uint64_t{source} << 32) | slot, source, slot});
    }
  };
  // Before the graph is searched: a row that is put into it meanwhile may be found twice, but not missed.
  if (!exact) scan(linked_below_.load(std::memory_order_acquire), false);
  if (compared == rows && !exact) return compared;
  std::vector<Neighbour> near;
  if (exact || !SearchGraph(query, wanted, rows, filter, &near)) {
    scan(0, true);
    return compared;
  }
  for (const Neighbour& row : near) {
    out.Add({compare(row.slot), 0, (uint64_t{source} << 32) | row.slot, source, row.slot});
  }
  return compared + near.size();
}

}  // namespace isotherm
