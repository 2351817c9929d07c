// The kernels written once over a vector type; each unit gives its own types and takes a table made of them. In an
// anonymous namespace: units.h says why.
//
// A float vector type V has
//   Reg, kLanes        a register, or several seen as one, and the floats in it
//   kUnroll, kRows     sums kept for one row, and rows read side by side: together they hide an addition's latency and
//                      must fit the registers
//   Zero, Sub, Add     as named; Fma(a, b, c) = a * b + c
//   Load(p)            kLanes elements of float, float16_t or int8_t, as floats
//   Load(p, n)         the first n < kLanes, zeros above: zeros change no sum
//   Sum(reg), Store(p, reg), StoreHalf(p, reg)
// An integer vector type W has
//   Wide, kLanes       int16 lanes
//   Sums, Zero         int32 lanes
//   Load(p), Load(p, n)  int8_t, as int16
//   Sub(a, b), MulAdd(a, b, sums) = sums + products, added up into lanes anyhow; Add, Sum
#pragma once

#include "simd/half.h"
#include "simd/kernel_table.h"
#include "simd/partial.h"

namespace isotherm::simd {
namespace {

struct DotOp {
  template <class V>
  static typename V::Reg Add(typename V::Reg sum, typename V::Reg a, typename V::Reg b) {
    return V::Fma(a, b, sum);
  }
};

struct L2Op {
  template <class V>
  static typename V::Reg Add(typename V::Reg sum, typename V::Reg a, typename V::Reg b) {
    const auto difference = V::Sub(a, b);
    return V::Fma(difference, difference, sum);
  }
};

template <class V>
typename V::Reg Fold(const typename V::Reg (&sums)[V::kUnroll]) {
  typename V::Reg total = sums[0];
  for (size_t u = 1; u < V::kUnroll; ++u) total = V::Add(total, sums[u]);
  return total;
}

// R rows of n elements, one behind the other, against a. One row's operations and their order are the same for any R.
template <class V, class Op, size_t R, typename B>
inline __attribute__((always_inline)) void Rows(const float* a, const B* rows, size_t n, float* out) {
  using Reg = typename V::Reg;
  constexpr size_t kStep = V::kLanes * V::kUnroll;
  Reg sums[R][V::kUnroll];
#pragma GCC unroll 8
  for (size_t r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (size_t u = 0; u < V::kUnroll; ++u) sums[r][u] = V::Zero();
  }
  size_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    if constexpr (R > 1) {
      // The processor's own prefetcher loses its way among R short streams. One block and a page ahead: far enough for
      // the memory's latency whatever n is. A prefetch past the matrix's end reads nothing.
      const auto here = reinterpret_cast<uintptr_t>(rows + R * i);
      const uintptr_t ahead = here + R * n * sizeof(B) + 4096;
#pragma GCC unroll 16
      for (size_t line = 0; line < R * kStep * sizeof(B); line += 64) {
        __builtin_prefetch(reinterpret_cast<const void*>(ahead + line));
      }
    }
#pragma GCC unroll 8
    for (size_t u = 0; u < V::kUnroll; ++u) {
      const Reg x = V::Load(a + i + u * V::kLanes);
#pragma GCC unroll 8
      for (size_t r = 0; r < R; ++r) {
        sums[r][u] = Op::template Add<V>(sums[r][u], x, V::Load(rows + r * n + i + u * V::kLanes));
      }
    }
  }
  for (; i + V::kLanes <= n; i += V::kLanes) {
    const Reg x = V::Load(a + i);
#pragma GCC unroll 8
    for (size_t r = 0; r < R; ++r) sums[r][0] = Op::template Add<V>(sums[r][0], x, V::Load(rows + r * n + i));
  }
  if (i < n) {
    const Reg x = V::Load(a + i, n - i);
#pragma GCC unroll 8
    for (size_t r = 0; r < R; ++r) sums[r][0] = Op::template Add<V>(sums[r][0], x, V::Load(rows + r * n + i, n - i));
  }
#pragma GCC unroll 8
  for (size_t r = 0; r < R; ++r) out[r] = V::Sum(Fold<V>(sums[r]));
}

template <class V, class Op, typename B>
float OneRow(const float* a, const B* b, size_t n) {
  float sum;
  Rows<V, Op, 1>(a, b, n, &sum);
  return sum;
}

template <class V, class Op, typename B>
void ManyRows(const float* a, const B* rows, size_t count, size_t n, float* out) {
  size_t r = 0;
  for (; r + V::kRows <= count; r += V::kRows) Rows<V, Op, V::kRows>(a, rows + r * n, n, out + r);
  for (; r < count; ++r) out[r] = OneRow<V, Op>(a, rows + r * n, n);
}

template <class V>
struct CosineSums {
  typename V::Reg dot = V::Zero(), norm_a = V::Zero(), norm_b = V::Zero();

  void Add(typename V::Reg a, typename V::Reg b) {
    dot = V::Fma(a, b, dot);
    norm_a = V::Fma(a, a, norm_a);
    norm_b = V::Fma(b, b, norm_b);
  }
  void Add(const CosineSums& other) {
    dot = V::Add(dot, other.dot);
    norm_a = V::Add(norm_a, other.norm_a);
    norm_b = V::Add(norm_b, other.norm_b);
  }
};

template <class V, typename B>
DotAndNorms Cosine(const float* a, const B* b, size_t n) {
  constexpr size_t kStep = V::kLanes * V::kUnroll;
  CosineSums<V> sums[V::kUnroll];
  size_t i = 0;
  for (; i + kStep <= n; i += kStep) {
#pragma GCC unroll 8
    for (size_t u = 0; u < V::kUnroll; ++u) {
      sums[u].Add(V::Load(a + i + u * V::kLanes), V::Load(b + i + u * V::kLanes));
    }
  }
  for (; i + V::kLanes <= n; i += V::kLanes) sums[0].Add(V::Load(a + i), V::Load(b + i));
  if (i < n) sums[0].Add(V::Load(a + i, n - i), V::Load(b + i, n - i));
  CosineSums<V> total = sums[0];
#pragma GCC unroll 8
  for (size_t u = 1; u < V::kUnroll; ++u) total.Add(sums[u]);
  return {V::Sum(total.dot), V::Sum(total.norm_a), V::Sum(total.norm_b)};
}

template <class V>
void HalvesToFloats(const float16_t* in, float* out, size_t n) {
  size_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) V::Store(out + i, V::Load(in + i));
  for (; i < n; ++i) out[i] = HalfToFloat(LoadUnaligned<float16_t>(in + i));
}

template <class V>
void FloatsToHalves(const float* in, float16_t* out, size_t n) {
  size_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) V::StoreHalf(out + i, V::Load(in + i));
  for (; i < n; ++i) out[i] = FloatToHalf(LoadUnaligned<float>(in + i));
}

template <class W>
struct DotI8Op {
  static typename W::Sums Add(typename W::Sums sums, typename W::Wide a, typename W::Wide b) {
    return W::MulAdd(a, b, sums);
  }
};

template <class W>
struct L2I8Op {
  static typename W::Sums Add(typename W::Sums sums, typename W::Wide a, typename W::Wide b) {
    const auto difference = W::Sub(a, b);
    return W::MulAdd(difference, difference, sums);
  }
};

template <class W, class Op>
int32_t SumI8(const int8_t* a, const int8_t* b, size_t n) {
  constexpr size_t kLanes = W::kLanes;
  auto even = W::Zero();
  auto odd = W::Zero();
  size_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    even = Op::Add(even, W::Load(a + i), W::Load(b + i));
    odd = Op::Add(odd, W::Load(a + i + kLanes), W::Load(b + i + kLanes));
  }
  for (; i + kLanes <= n; i += kLanes) even = Op::Add(even, W::Load(a + i), W::Load(b + i));
  if (i < n) odd = Op::Add(odd, W::Load(a + i, n - i), W::Load(b + i, n - i));
  return W::Sum(W::Add(even, odd));
}

template <class V, class W>
constexpr Kernels MakeKernels(const char* name) {
  return {
      .name = name,
      .dot_f32 = OneRow<V, DotOp, float>,
      .l2_f32 = OneRow<V, L2Op, float>,
      .cosine_f32 = Cosine<V, float>,
      .dot_f32_f16 = OneRow<V, DotOp, float16_t>,
      .l2_f32_f16 = OneRow<V, L2Op, float16_t>,
      .cosine_f32_f16 = Cosine<V, float16_t>,
      .dot_i8 = SumI8<W, DotI8Op<W>>,
      .l2_i8 = SumI8<W, L2I8Op<W>>,
      .dot_f32_i8 = OneRow<V, DotOp, int8_t>,
      .dot_f32_i8_rows = ManyRows<V, DotOp, int8_t>,
      .l2_f32_rows = ManyRows<V, L2Op, float>,
      .dot_f32_rows = ManyRows<V, DotOp, float>,
      .f16_to_f32 = HalvesToFloats<V>,
      .f32_to_f16 = FloatsToHalves<V>,
  };
}

}  // namespace
}  // namespace isotherm::simd
