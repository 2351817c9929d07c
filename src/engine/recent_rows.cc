#include "engine/recent_rows.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace isotherm {

namespace {

constexpr uint32_t kFewestRows = 2000;

uint64_t BytesOf(const RecentRows& recent) {
  return recent.rows->bytes() + recent.places.size() * sizeof(RecentRows::Place);
}

uint32_t Find(const Head& head, const std::string& name) {
  for (size_t s = 0; s < head.segments.size(); ++s) {
    if (head.segments[s].name == name) return static_cast<uint32_t>(s);
  }
  return kNoSlot;
}

RecentView ViewOf(const Head& head, const std::shared_ptr<const RecentRows>& recent) {
  RecentView view{recent, {}};
  for (const std::string& name : recent->segments) view.segments.push_back(Find(head, name));
  return view;
}

bool IsGone(const RecentView& view) {
  return std::all_of(view.segments.begin(), view.segments.end(), [](uint32_t s) { return s == kNoSlot; });
}

}  // namespace

std::shared_ptr<const RecentRows> MakeRecentRows(std::span<const SegmentInfo> segments,
                                                 std::shared_ptr<MemtableRows> rows,
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
  return recent;
}

RecentSegments::Forgotten RecentSegments::Add(std::shared_ptr<const RecentRows> rows) {
  Forgotten forgotten;
  std::lock_guard lock(mutex_);
  all_.push_back(std::move(rows));
  uint64_t bytes = 0;
  for (auto at = all_.rbegin(); at != all_.rend(); ++at) {
    bytes += BytesOf(**at);
    if (bytes <= limit_bytes_) continue;
    forgotten.assign(all_.begin(), at.base());
    all_.erase(all_.begin(), at.base());
    break;
  }
  return forgotten;
}

RecentSegments::Forgotten RecentSegments::KeepOf(const Head& head) {
  Forgotten forgotten;
  std::lock_guard lock(mutex_);
  std::erase_if(all_, [&](auto& rows) {
    if (!IsGone(ViewOf(head, rows))) return false;
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
      oldest = std::move(all_.front());
      all_.erase(all_.begin());
    }
    oldest->rows->StopLinking();
    if (oldest.use_count() == 1 && oldest->rows.use_count() == 1) freed += BytesOf(*oldest);
  }
  return freed;
}

std::vector<RecentView> RecentSegments::Of(const Head& head) const {
  std::vector<RecentView> of;
  std::lock_guard lock(mutex_);
  for (const auto& rows : all_) {
    of.push_back(ViewOf(head, rows));
    if (IsGone(of.back())) of.pop_back();
  }
  return of;
}

std::vector<std::shared_ptr<const RecentRows>> RecentSegments::All() const {
  std::lock_guard lock(mutex_);
  return all_;
}

}  // namespace isotherm
