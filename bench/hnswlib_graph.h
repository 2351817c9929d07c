// hnswlib's graph behind an interface without its headers: they choose their instructions by the compiler's flags.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace isotherm::bench {

class HnswlibGraph {
 public:
  virtual ~HnswlibGraph() = default;
  virtual void Insert(uint32_t slot, const float* vector) = 0;
  // Slots, nearest first.
  virtual std::vector<uint32_t> Search(const float* query, size_t k, size_t ef) = 0;
};

// By inner product, for vectors of length one. Null: built without hnswlib.
std::unique_ptr<HnswlibGraph> MakeHnswlibGraph(size_t dimension, size_t max_rows, size_t m, size_t ef_construction);

}  // namespace isotherm::bench
