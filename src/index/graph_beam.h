// What a walk through a graph has seen and will look at next.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace isotherm {

inline constexpr uint32_t kNoSlot = UINT32_MAX;

struct Neighbour {
  float distance = 0;
  uint32_t slot = 0;
};

inline bool Nearer(const Neighbour& a, const Neighbour& b) { return a.distance < b.distance; }

// Which slots a query may return. Thread-safe; cheap: it is asked for every row that comes near.
class SlotFilter {
 public:
  virtual ~SlotFilter() = default;
  virtual bool Accepts(uint32_t slot) const = 0;
};

// The nearest rows seen, at most `width`, in order: where a walk goes on and what it finds are one list.
class SortedBeam {
 public:
  static constexpr uint32_t kMaxSlot = UINT32_MAX / 2;

  void Reset(size_t width) {
    const size_t room = (width + kRun - 1) / kRun * kRun;
    if (distances_.size() < room) {
      distances_.resize(room);
      slots_.resize(room);
    }
    std::fill_n(distances_.begin(), room, std::numeric_limits<float>::infinity());
    width_ = width;
    size_ = next_ = 0;
  }

  // Only nearer rows are of interest.
  float bound() const { return distances_[width_ - 1]; }

  // `slot` ≤ kMaxSlot; nearer than bound().
  void Offer(float distance, uint32_t slot) {
    const size_t at = Rank(distance);
    size_ = std::min(size_ + 1, width_);
    const size_t behind = size_ - 1 - at;
    std::memmove(&distances_[at + 1], &distances_[at], behind * sizeof(float));
    std::memmove(&slots_[at + 1], &slots_[at], behind * sizeof(uint32_t));
    distances_[at] = distance;
    slots_[at] = slot;
    next_ = std::min(next_, at);
  }

  // The nearest row that it has not returned before; false: all were.
  bool Next(uint32_t* slot) {
    while (next_ < size_ && (slots_[next_] & kReturned) != 0) ++next_;
    if (next_ == size_) return false;
    *slot = slots_[next_];
    slots_[next_++] |= kReturned;
    return true;
  }

  // What Next will probably return next; kNoSlot: nothing.
  uint32_t Peek() const {
    for (size_t i = next_; i < size_; ++i) {
      if ((slots_[i] & kReturned) == 0) return slots_[i];
    }
    return kNoSlot;
  }

  // After the last Next: all, nearest first.
  void Finish(std::vector<Neighbour>* out) const {
    out->resize(size_);
    for (size_t i = 0; i < size_; ++i) (*out)[i] = {distances_[i], slots_[i] & ~kReturned};
  }

 private:
  static constexpr uint32_t kReturned = kMaxSlot + 1;
  static constexpr size_t kRun = 64;

  // How many are not farther. No branch depends on a distance: none could be foreseen. The run that the place is in is
  // found by the last of each run, the place by counting, which compilers do several at a time.
  size_t Rank(float distance) const {
    const float* distances = distances_.data();
    const float* run = distances;
    for (size_t last = kRun - 1; last < size_; last += kRun) run += distances[last] <= distance ? kRun : 0;
    uint32_t count = 0;
    for (size_t i = 0; i < kRun; ++i) count += run[i] <= distance ? 1 : 0;
    return static_cast<size_t>(run - distances) + count;
  }

  std::vector<float> distances_;  // whole runs; infinite where there is no row
  std::vector<uint32_t> slots_;
  size_t width_ = 0;
  size_t size_ = 0;
  size_t next_ = 0;  // all before it were returned
};

// The same where a filter decides what is found: the walk goes through rows that are not accepted, until `width` that
// are have been found and no nearer row is left.
class FilteredBeam {
 public:
  void Reset(size_t width, const SlotFilter* filter) {
    width_ = width;
    filter_ = filter;
    frontier_.clear();
    found_.clear();
  }

  float bound() const {
    return found_.size() < width_ ? std::numeric_limits<float>::infinity() : found_.front().distance;
  }

  void Offer(float distance, uint32_t slot) {
    frontier_.push_back({distance, slot});
    std::push_heap(frontier_.begin(), frontier_.end(), Farther);
    OfferFound(distance, slot);
  }

  // A row that the walk does not have to go through.
  void OfferFound(float distance, uint32_t slot) {
    if (!filter_->Accepts(slot)) return;
    if (found_.size() == width_) {
      std::pop_heap(found_.begin(), found_.end(), Nearer);
      found_.pop_back();
    }
    found_.push_back({distance, slot});
    std::push_heap(found_.begin(), found_.end(), Nearer);
  }

  bool Next(uint32_t* slot) {
    if (frontier_.empty() || frontier_.front().distance > bound()) return false;
    std::pop_heap(frontier_.begin(), frontier_.end(), Farther);
    *slot = frontier_.back().slot;
    frontier_.pop_back();
    return true;
  }

  uint32_t Peek() const { return frontier_.empty() ? kNoSlot : frontier_.front().slot; }

  // In no order.
  void Finish(std::vector<Neighbour>* out) const { out->assign(found_.begin(), found_.end()); }

 private:
  static bool Farther(const Neighbour& a, const Neighbour& b) { return a.distance > b.distance; }

  size_t width_ = 0;
  const SlotFilter* filter_ = nullptr;
  std::vector<Neighbour> frontier_;  // heap, nearest in front
  std::vector<Neighbour> found_;     // heap, farthest in front
};

}  // namespace isotherm
