// Rows for measuring, where there are no real ones: they lie in clusters of few dimensions, as embeddings do.
#pragma once

#include <cstdint>
#include <vector>

#include "isotherm/row.h"

namespace isotherm::tool {

// Thread-safe. The same key and generation give the same row.
class ClusteredRows {
 public:
  ClusteredRows(uint32_t dimension, uint32_t clusters);

  // `generation`: another vector of the same kind for each.
  Row At(uint64_t key, uint64_t generation) const;
  std::vector<Row> Range(uint64_t first_key, uint64_t count, uint64_t generation) const;

 private:
  const uint32_t dimension_;
  const uint32_t clusters_;
  std::vector<float> basis_;    // kLatent x dimension
  std::vector<float> centres_;  // clusters x kLatent
};

}  // namespace isotherm::tool
