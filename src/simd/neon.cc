// NEON, which every AArch64 processor has, its half-precision conversions included.
#include "simd/units.h"

#if ISOTHERM_SIMD_NEON
#include <arm_neon.h>

#include "simd/vector_kernels.h"

namespace isotherm::simd {
namespace {

// The first n ≤ 16 bytes, zeros above them.
inline uint8x16_t LoadBytes128(const void* from, size_t n) {
  if (n < 8) return vcombine_u8(vcreate_u8(LoadBytes(from, n)), vcreate_u8(0));
  const auto* bytes = static_cast<const uint8_t*>(from);
  return vcombine_u8(vld1_u8(bytes), vcreate_u8(LoadBytes(bytes + 8, n - 8)));
}

inline size_t AtMost(size_t n, size_t limit) { return n < limit ? n : limit; }

// Four registers at a time, so that one load of codes fills them.
struct Floats {
  struct Reg {
    float32x4_t v[4];
  };
  static constexpr size_t kLanes = 16, kUnroll = 1, kRows = 4;

  static Reg Zero() { return Spread(vdupq_n_f32(0)); }
  static Reg Add(Reg a, Reg b) {
    for (int i = 0; i < 4; ++i) a.v[i] = vaddq_f32(a.v[i], b.v[i]);
    return a;
  }
  static Reg Sub(Reg a, Reg b) {
    for (int i = 0; i < 4; ++i) a.v[i] = vsubq_f32(a.v[i], b.v[i]);
    return a;
  }
  static Reg Fma(Reg a, Reg b, Reg c) {
    for (int i = 0; i < 4; ++i) c.v[i] = vfmaq_f32(c.v[i], a.v[i], b.v[i]);
    return c;
  }

  static Reg Load(const float* p) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(p);
    Reg reg;
    for (int i = 0; i < 4; ++i) reg.v[i] = vreinterpretq_f32_u8(vld1q_u8(bytes + 16 * i));
    return reg;
  }
  static Reg Load(const float* p, size_t n) {
    Reg reg;
    for (size_t i = 0; i < 4; ++i) {
      const size_t from = AtMost(n, 4 * i);
      reg.v[i] = vreinterpretq_f32_u8(LoadBytes128(p + from, 4 * AtMost(n - from, 4)));
    }
    return reg;
  }
  static Reg Load(const float16_t* p) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(p);
    return WidenHalves(vld1q_u8(bytes), vld1q_u8(bytes + 16));
  }
  static Reg Load(const float16_t* p, size_t n) {
    const size_t low = AtMost(n, 8);
    return WidenHalves(LoadBytes128(p, 2 * low), LoadBytes128(p + low, 2 * (n - low)));
  }
  static Reg Load(const int8_t* p) { return WidenCodes(vld1q_s8(p)); }
  static Reg Load(const int8_t* p, size_t n) { return WidenCodes(vreinterpretq_s8_u8(LoadBytes128(p, n))); }

  static float Sum(Reg v) { return vaddvq_f32(vaddq_f32(vaddq_f32(v.v[0], v.v[1]), vaddq_f32(v.v[2], v.v[3]))); }
  static void Store(float* p, Reg v) {
    for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, v.v[i]);
  }
  static void StoreHalf(simd::float16_t* p, Reg v) {
    for (int i = 0; i < 4; ++i) vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(v.v[i])));
  }

 private:
  static Reg Spread(float32x4_t v) { return {{v, v, v, v}}; }
  static Reg WidenHalves(uint8x16_t low, uint8x16_t high) {
    const float16x8_t a = vreinterpretq_f16_u8(low);
    const float16x8_t b = vreinterpretq_f16_u8(high);
    return {{vcvt_f32_f16(vget_low_f16(a)), vcvt_high_f32_f16(a), vcvt_f32_f16(vget_low_f16(b)), vcvt_high_f32_f16(b)}};
  }
  static Reg WidenCodes(int8x16_t codes) {
    const int16x8_t low = vmovl_s8(vget_low_s8(codes));
    const int16x8_t high = vmovl_high_s8(codes);
    return {{vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), vcvtq_f32_s32(vmovl_high_s16(low)),
             vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))), vcvtq_f32_s32(vmovl_high_s16(high))}};
  }
};

struct Ints {
  using Wide = int16x8_t;
  using Sums = int32x4_t;
  static constexpr size_t kLanes = 8;

  static Sums Zero() { return vdupq_n_s32(0); }
  static Wide Load(const int8_t* p) { return vmovl_s8(vld1_s8(p)); }
  static Wide Load(const int8_t* p, size_t n) { return vmovl_s8(vcreate_s8(LoadBytes(p, n))); }
  static Wide Sub(Wide a, Wide b) { return vsubq_s16(a, b); }
  static Sums MulAdd(Wide a, Wide b, Sums sums) {
    return vmlal_high_s16(vmlal_s16(sums, vget_low_s16(a), vget_low_s16(b)), a, b);
  }
  static Sums Add(Sums a, Sums b) { return vaddq_s32(a, b); }
  static int32_t Sum(Sums v) { return vaddvq_s32(v); }
};

}  // namespace

constinit const Kernels kNeonKernels = MakeKernels<Floats, Ints>("neon");

}  // namespace isotherm::simd
#endif
