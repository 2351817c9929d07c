// How the memtable's graph compares rows: by 8-bit codes (quant/residual8.h) around one centre for all rows.
//
// A row x is seen as x' = c + s code, with the centre c and the row's scale s. Every metric between two such rows is
// bias + bias' - weight weight' (code · code'), with
//   kL2            weight = √2 s    bias = |s code|²
//   kCosine        weight = s       bias = |s code|² / 2        (rows brought to length one before they are coded)
//   kInnerProduct  weight = s       bias = -(c · s code) - |c|² / 2
// so that the metric matters to the encoding only. Between two coded rows this is exact: the graph is built over the
// rows as they are coded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "isotherm/row.h"
#include "simd/kernels.h"

namespace isotherm {

struct CodeFactors {
  float weight = 0;
  float bias = 0;
};

// A query, coded as a row is for the walk, and in single precision for the distances that the caller sees.
struct CodedQuery {
  std::vector<int8_t> code;
  CodeFactors factors;
  std::vector<float> vector;    // for kCosine of length one
  std::vector<float> weighted;  // the query minus the centre, times its weight
  float bias = 0;               // of `weighted`
};

// Thread-safe.
class GraphCodec {
 public:
  // `centre` is empty (zero) or of this dimension; the nearer it is to the rows' mean, the finer the codes.
  GraphCodec(Metric metric, uint32_t dimension, std::span<const float> centre);

  uint32_t dimension() const { return static_cast<uint32_t>(centre_.size()); }

  // Allocates only where `query` has not been used with this dimension before. `vector`: finite.
  void Encode(std::span<const float> vector, CodedQuery* query) const;

  // Never NaN, whatever overflowed on the way.
  float Distance(CodeFactors a, const int8_t* code_a, CodeFactors b, const int8_t* code_b) const {
    const auto dot = static_cast<float>(kernels_.dot_i8(code_a, code_b, centre_.size()));
    return Finite(a.bias + b.bias - a.weight * b.weight * dot);
  }
  // Exact in the query.
  float Distance(const CodedQuery& query, CodeFactors row, const int8_t* code) const;

 private:
  static float Finite(float distance) {
    constexpr float kLargest = std::numeric_limits<float>::max();
    return distance < kLargest ? distance : kLargest;
  }

  const simd::Kernels& kernels_;
  const Metric metric_;
  std::vector<float> centre_;
  float centre_norm2_;
};

}  // namespace isotherm
