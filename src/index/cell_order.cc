#include "index/cell_order.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "simd/kernels.h"

namespace isotherm {

namespace {

constexpr uint32_t kGroupAbove = 4096;

// A subtree of the hierarchy: its weighted mean, and its leaves in order.
struct Subtree {
  std::vector<float> mean;
  float weight = 0;
  std::vector<uint32_t> leaves;
};

class WardOrder {
 public:
  WardOrder(std::span<const float> centroids, uint32_t dimension, std::span<const uint32_t> cells,
            std::span<const uint32_t> sizes)
      : centroids_(centroids), dimension_(dimension) {
    for (uint32_t cell : cells) {
      const float* c = Centroid(cell);
      // An empty cell has a place too.
      trees_.push_back({{c, c + dimension}, static_cast<float>(std::max(sizes[cell], 1U)), {cell}});
    }
  }

  // The nearest-neighbour chain: follow nearest neighbours until two are each other's nearest, join them, go on from
  // what is left of the chain. Ward's distance is reducible, so the joins are those of the greedy algorithm.
  std::vector<uint32_t> Run() {
    std::vector<uint32_t> active(trees_.size());
    std::iota(active.begin(), active.end(), 0);
    std::vector<uint32_t> chain;
    while (active.size() > 1) {
      if (chain.empty()) chain.push_back(active.front());
      uint32_t top = chain.back();
      uint32_t previous = chain.size() > 1 ? chain[chain.size() - 2] : UINT32_MAX;
      uint32_t next = NearestTree(top, previous, active);
      if (next != previous) {
        chain.push_back(next);
        continue;
      }
      chain.resize(chain.size() - 2);
      Join(previous, top);
      active.erase(std::find(active.begin(), active.end(), top));
    }
    return active.empty() ? std::vector<uint32_t>{} : trees_[active.front()].leaves;
  }

 private:
  const float* Centroid(uint32_t cell) const { return centroids_.data() + size_t{cell} * dimension_; }

  // The nearest by Ward's distance; `favoured` wins a tie, so that the chain ends.
  uint32_t NearestTree(uint32_t tree, uint32_t favoured, const std::vector<uint32_t>& active) const {
    const Subtree& self = trees_[tree];
    // In double: a squared distance times two weights is beyond what a float holds.
    double best = std::numeric_limits<double>::infinity();
    uint32_t best_tree = favoured;
    for (uint32_t other : active) {
      if (other == tree) continue;
      const Subtree& that = trees_[other];
      double squared = simd::Active().l2_f32(self.mean.data(), that.mean.data(), dimension_);
      double distance = squared * self.weight * that.weight / (self.weight + that.weight);
      if (distance < best || (distance == best && other == favoured)) best = distance, best_tree = other;
    }
    return best_tree;
  }

  // `b` becomes part of `a`; of the four ways to put the two lists end to end, the one whose meeting leaves are
  // nearest.
  void Join(uint32_t a, uint32_t b) {
    Subtree& left = trees_[a];
    Subtree& right = trees_[b];
    float best = std::numeric_limits<float>::infinity();
    int best_way = 0;
    for (int way = 0; way < 4; ++way) {
      uint32_t end = (way & 1) != 0 ? left.leaves.front() : left.leaves.back();
      uint32_t begin = (way & 2) != 0 ? right.leaves.back() : right.leaves.front();
      float distance = simd::Active().l2_f32(Centroid(end), Centroid(begin), dimension_);
      if (distance < best) best = distance, best_way = way;
    }
    if ((best_way & 1) != 0) std::reverse(left.leaves.begin(), left.leaves.end());
    if ((best_way & 2) != 0) std::reverse(right.leaves.begin(), right.leaves.end());
    left.leaves.insert(left.leaves.end(), right.leaves.begin(), right.leaves.end());
    float weight = left.weight + right.weight;
    for (uint32_t i = 0; i < dimension_; ++i) {
      left.mean[i] = (left.mean[i] * left.weight + right.mean[i] * right.weight) / weight;
    }
    left.weight = weight;
    right = {};
  }

  std::span<const float> centroids_;
  uint32_t dimension_;
  std::vector<Subtree> trees_;
};

// Cuts the cells in two by their nearness to two far points, until a part is small enough to order exactly.
void OrderPart(std::span<const float> centroids, uint32_t dimension, std::span<const uint32_t> sizes,
               std::vector<uint32_t> cells, std::vector<uint32_t>& order) {
  if (cells.size() <= kGroupAbove) {
    std::vector<uint32_t> part = WardOrder(centroids, dimension, cells, sizes).Run();
    order.insert(order.end(), part.begin(), part.end());
    return;
  }
  auto distance = [&](uint32_t a, uint32_t b) {
    return simd::Active().l2_f32(centroids.data() + size_t{a} * dimension, centroids.data() + size_t{b} * dimension,
                                 dimension);
  };
  auto farthest = [&](uint32_t from) {
    return *std::max_element(cells.begin(), cells.end(),
                             [&](uint32_t a, uint32_t b) { return distance(from, a) < distance(from, b); });
  };
  uint32_t one = farthest(cells.front());
  uint32_t other = farthest(one);
  std::vector<std::pair<float, uint32_t>> side;
  for (uint32_t cell : cells) side.emplace_back(distance(cell, one) - distance(cell, other), cell);
  std::sort(side.begin(), side.end());
  std::vector<uint32_t> half[2];
  for (size_t i = 0; i < side.size(); ++i) half[i < side.size() / 2 ? 0 : 1].push_back(side[i].second);
  OrderPart(centroids, dimension, sizes, std::move(half[0]), order);
  OrderPart(centroids, dimension, sizes, std::move(half[1]), order);
}

}  // namespace

std::vector<uint32_t> OrderCells(std::span<const float> centroids, uint32_t dimension,
                                 std::span<const uint32_t> sizes) {
  std::vector<uint32_t> cells(sizes.size());
  std::iota(cells.begin(), cells.end(), 0);
  std::vector<uint32_t> order;
  order.reserve(cells.size());
  OrderPart(centroids, dimension, sizes, std::move(cells), order);
  return order;
}

}  // namespace isotherm
