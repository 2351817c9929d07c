// The best rows of a search so far.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace isotherm {

struct Candidate {
  float distance = 0;
  float error = 0;        // how far off the distance may be: of two copies of a row the more exact one counts
  uint64_t row = 0;       // identifies the row within the search: its copies share it
  uint32_t source = 0;    // which block or table
  uint32_t position = 0;  // in the source
};

// Keeps the `wanted` nearest rows; feeding costs an append, and now and then a selection.
class Candidates {
 public:
  explicit Candidates(size_t wanted) : wanted_(std::min(wanted, kMaxWanted)), shrink_at_(2 * wanted_ + kSlack) {}

  // NaN is no distance; such a row is farther than all.
  bool Wants(float distance) const { return distance <= limit_; }

  void Add(const Candidate& candidate) {
    if (!Wants(candidate.distance)) return;
    list_.push_back(candidate);
    if (list_.size() >= shrink_at_) Shrink();
  }

  // The rows in order of distance, at most `wanted`, and all that tie with the last one.
  std::vector<Candidate> Take();

 private:
  static constexpr size_t kSlack = 1024;
  static constexpr size_t kMaxWanted = size_t{1} << 48;  // more rows than there can be

  void DropCopies();
  void Shrink();

  size_t wanted_;
  size_t shrink_at_;  // grows when many rows tie, so that selecting stays rare
  float limit_ = std::numeric_limits<float>::infinity();
  std::vector<Candidate> list_;
};

}  // namespace isotherm
