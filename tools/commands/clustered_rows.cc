#include "tools/commands/clustered_rows.h"

#include <random>

namespace isotherm::tool {

namespace {

constexpr uint32_t kLatent = 24;
constexpr float kSpread = 0.4F;  // of a cluster, against the distances between clusters
constexpr float kNoise = 0.02F;  // of a single number

// Four numbers in [-1, 1) of each draw.
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : random_(seed) {}
  uint64_t Below(uint64_t n) { return random_() % n; }
  float Next() {
    if (left_ == 0) bits_ = random_(), left_ = 4;
    --left_;
    auto number = static_cast<int16_t>(bits_ & 0xffff);
    bits_ >>= 16;
    return static_cast<float>(number) / 32768.0F;
  }

 private:
  std::mt19937_64 random_;
  uint64_t bits_ = 0;
  int left_ = 0;
};

}  // namespace

ClusteredRows::ClusteredRows(uint32_t dimension, uint32_t clusters) : dimension_(dimension), clusters_(clusters) {
  Numbers numbers(dimension);
  for (uint64_t i = 0; i < uint64_t{kLatent} * dimension; ++i) basis_.push_back(numbers.Next());
  for (uint64_t i = 0; i < uint64_t{kLatent} * clusters; ++i) centres_.push_back(numbers.Next());
}

Row ClusteredRows::At(uint64_t key, uint64_t generation) const {
  Numbers numbers(key * 0x100000001b3 + generation);
  const float* centre = &centres_[numbers.Below(clusters_) * kLatent];
  Row row;
  row.key = key;
  row.vector.resize(dimension_);
  for (float& number : row.vector) number = kNoise * numbers.Next();
  for (uint32_t l = 0; l < kLatent; ++l) {
    const float weight = centre[l] + kSpread * numbers.Next();
    const float* direction = &basis_[size_t{l} * dimension_];
    for (uint32_t d = 0; d < dimension_; ++d) row.vector[d] += weight * direction[d];
  }
  return row;
}

std::vector<Row> ClusteredRows::Range(uint64_t first_key, uint64_t count, uint64_t generation) const {
  std::vector<Row> rows;
  rows.reserve(count);
  for (uint64_t i = 0; i < count; ++i) rows.push_back(At(first_key + i, generation));
  return rows;
}

}  // namespace isotherm::tool
