#include "engine/recent_rows.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "engine/snapshot.h"

namespace isotherm {

namespace {

constexpr uint32_t kFewestRows = 2000;

uint64_t BytesOf(const RecentRows& recent) {
  return recent.rows->bytes() + recent.places.size() * sizeof(RecentRows::Place) + recent.blocks->bytes();
}

using SegmentIndex = std::unordered_map<std::string_view, uint32_t>;  // by name

SegmentIndex IndexOf(const Head& head) {
  SegmentIndex index;
  for (size_t s = 0; s < head.segments.size(); ++s) index[head.segments[s].name] = static_cast<uint32_t>(s);
  return index;
}

RecentView ViewOf(const SegmentIndex& index, const std::shared_ptr<const RecentRows>& recent) {
  RecentView view{recent, {}};
  for (const std::string& name : recent->segments) {
    auto at = index.find(name);
    view.segments.push_back(at == index.end() ? kNoSlot : at->second);
  }
  return view;
}

bool IsGone(const RecentView& view) {
  return std::all_of(view.segments.begin(), view.segments.end(), [](uint32_t s) { return s == kNoSlot; });
}

}  // namespace

std::shared_ptr<const RecentRows> MakeRecentRows(std::span<const SegmentInfo> segments,
                                                 std::shared_ptr<MemtableRows> rows,
                                                 std::shared_ptr<const CodeBlocks> blocks,
                                                 std::span<const std::shared_ptr<const Row>> written,
                                                 const OrdinalSet& soft) {
  if (rows->size() < kFewestRows || written.size() < kFewestRows) return nullptr;
  auto recent = std::make_shared<RecentRows>();
  std::unordered_map<const Row*, RecentRows::Place> place_of;
  uint32_t segment = 0;
  uint32_t ordinal = 0;
  for (const SegmentInfo& info : segments) recent->segments.push_back(info.name);
  for (size_t i = 0; i < written.size(); ++i) {
    if (ordinal == segments[segment].rows) ordinal = 0, ++segment;
    if (!soft.Contains(static_cast<uint32_t>(i))) place_of[written[i].get()] = {segment, ordinal};
    ++ordinal;
  }
  size_t found = 0;
  for (uint32_t slot = 0; slot < rows->size(); ++slot) {
    auto at = place_of.find(rows->row(slot).get());
    recent->places.push_back(at == place_of.end() ? RecentRows::Place() : at->second);
    found += at == place_of.end() ? 0 : 1;
  }
  if (found != place_of.size()) return nullptr;
  recent->rows = std::move(rows);
  recent->blocks = std::move(blocks);
  return recent;
}

// Under mutex_.
RecentSegments::Forgotten RecentSegments::OldestFor(const std::shared_ptr<const RecentRows>& rows) const {
  uint64_t bytes = BytesOf(*rows);
  if (bytes > limit_bytes_) {
    Forgotten all = all_;
    all.push_back(rows);
    return all;
  }
  size_t kept = all_.size();
  while (kept > 0 && bytes + BytesOf(*all_[kept - 1]) <= limit_bytes_) bytes += BytesOf(*all_[--kept]);
  return {all_.begin(), all_.begin() + static_cast<ptrdiff_t>(kept)};
}

RecentSegments::Forgotten RecentSegments::PushedOutBy(const std::shared_ptr<const RecentRows>& rows) const {
  std::lock_guard lock(mutex_);
  return OldestFor(rows);
}

RecentSegments::Forgotten RecentSegments::Add(std::shared_ptr<const RecentRows> rows) {
  std::lock_guard lock(mutex_);
  table_.reset();
  Forgotten forgotten = OldestFor(rows);
  all_.push_back(std::move(rows));
  all_.erase(all_.begin(), all_.begin() + static_cast<ptrdiff_t>(forgotten.size()));
  return forgotten;
}

RecentSegments::Forgotten RecentSegments::KeepOf(const Head& head) {
  const SegmentIndex index = IndexOf(head);
  Forgotten forgotten;
  std::lock_guard lock(mutex_);
  table_.reset();
  std::erase_if(all_, [&](auto& rows) {
    if (!IsGone(ViewOf(index, rows))) return false;
    forgotten.push_back(std::move(rows));
    return true;
  });
  return forgotten;
}

uint64_t RecentSegments::Free(uint64_t wanted) {
  uint64_t freed = 0;
  while (freed < wanted) {
    std::shared_ptr<const RecentRows> oldest;
    {
      std::lock_guard lock(mutex_);
      if (all_.empty()) break;
      table_.reset();
      oldest = std::move(all_.front());
      all_.erase(all_.begin());
    }
    oldest->rows->StopLinking();
    if (oldest.use_count() == 1 && oldest->rows.use_count() == 1) freed += BytesOf(*oldest);
  }
  return freed;
}

std::shared_ptr<const RecentTable> RecentSegments::Of(const Head& head) const {
  std::lock_guard lock(mutex_);
  if (table_ != nullptr && table_of_ == head.write) return table_;
  const SegmentIndex index = IndexOf(head);
  auto table = std::make_shared<RecentTable>();
  table->of_segment.assign(head.segments.size(), kNoSlot);
  for (const auto& rows : all_) {
    RecentView view = ViewOf(index, rows);
    if (IsGone(view)) continue;
    for (uint32_t s : view.segments) {
      if (s != kNoSlot) table->of_segment[s] = static_cast<uint32_t>(table->views.size());
    }
    table->views.push_back(std::move(view));
  }
  table_ = std::move(table);
  table_of_ = head.write;
  return table_;
}

std::vector<std::shared_ptr<const RecentRows>> RecentSegments::All() const {
  std::lock_guard lock(mutex_);
  return all_;
}

}  // namespace isotherm
