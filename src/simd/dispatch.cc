#include "simd/dispatch.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>

#include "simd/units.h"

#if ISOTHERM_SIMD_X86
#include <cpuid.h>
#include <x86intrin.h>
#endif

namespace isotherm::simd {
namespace {

#if ISOTHERM_SIMD_X86

// __builtin_cpu_supports asks the operating system too: whether it saves the registers.
bool HasSse42() { return __builtin_cpu_supports("sse4.2"); }

// Not every compiler's __builtin_cpu_supports knows f16c; its registers are those of AVX2.
bool HasF16c() {
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}

bool HasAvx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && HasF16c(); }

bool HasAvx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool HasAvx512Vnni() { return HasAvx512() && __builtin_cpu_supports("avx512vnni"); }

const Kernels& Avx512VnniKernels() {
  static const Kernels kernels = [] {
    Kernels made = kAvx512Kernels;
    made.name = "avx512-vnni";
    made.dot_i8 = DotI8Avx512Vnni;
    made.l2_i8 = L2I8Avx512Vnni;
    return made;
  }();
  return kernels;
}

// Processor ticks of a few rows of the kernel that the searches spend their time in: the least of many runs, which
// leaves out interruptions and the wide registers' waking up. Some 10 µs a level.
uint64_t MeasureTicks(const Kernels& kernels) {
  constexpr size_t kDimension = 384, kRows = 8, kRuns = 100;
  std::array<float, kDimension> query;
  std::array<int8_t, kDimension * kRows> codes;
  std::array<float, kRows> out;
  query.fill(1);
  codes.fill(1);
  uint64_t least = std::numeric_limits<uint64_t>::max();
  for (size_t run = 0; run < kRuns; ++run) {
    const uint64_t start = __rdtsc();
    kernels.dot_f32_i8_rows(query.data(), codes.data(), kRows, kDimension, out.data());
    least = std::min<uint64_t>(least, __rdtsc() - start);
  }
  return least;
}

#else

// Only AVX-512 and AVX2 are ever measured.
uint64_t MeasureTicks(const Kernels&) { return 0; }

#endif

const Kernels* Find(const std::vector<Level>& levels, std::string_view name) {
  for (const Level& level : levels) {
    if (level.name == name) return level.kernels;
  }
  return nullptr;
}

}  // namespace

std::vector<Level> Levels() {
#if ISOTHERM_SIMD_X86
  __builtin_cpu_init();
  const Kernels* avx512_vnni = HasAvx512Vnni() ? &Avx512VnniKernels() : nullptr;
  const Kernels* avx512 = HasAvx512() ? &kAvx512Kernels : nullptr;
  const Kernels* avx2 = HasAvx2() ? &kAvx2Kernels : nullptr;
  const Kernels* sse42 = HasSse42() ? &kSse42Kernels : nullptr;
#else
  const Kernels *avx512_vnni = nullptr, *avx512 = nullptr, *avx2 = nullptr, *sse42 = nullptr;
#endif
#if ISOTHERM_SIMD_NEON
  const Kernels* neon = &kNeonKernels;
#else
  const Kernels* neon = nullptr;
#endif
  return {{"avx512-vnni", avx512_vnni}, {"avx512", avx512}, {"avx2", avx2}, {"sse4.2", sse42}, {"neon", neon},
          {"scalar", &kScalarKernels}};
}

const Kernels& SelectLevel(const std::vector<Level>& levels, const Wishes& wishes, Measure measure) {
  const std::string_view no_asm = wishes.no_asm != nullptr ? wishes.no_asm : "";
  if (!no_asm.empty() && no_asm != "0") return kScalarKernels;
  if (wishes.level != nullptr) {
    if (const Kernels* wished = Find(levels, wishes.level)) return *wished;
  }
  const auto best = std::find_if(levels.begin(), levels.end(), [](const Level& l) { return l.kernels != nullptr; });
  if (best == levels.end()) return kScalarKernels;
  const Kernels* avx2 = Find(levels, "avx2");
  if (best->name.starts_with("avx512") && avx2 != nullptr) {
    const uint64_t narrow = measure(*avx2);
    const uint64_t wide = measure(*best->kernels);
    if (narrow < wide - wide / 5) return *avx2;
  }
  return *best->kernels;
}

const Kernels& Active() {
  static const Kernels& active =
      SelectLevel(Levels(), {std::getenv("ISOTHERM_NOASM"), std::getenv("ISOTHERM_SIMD")}, MeasureTicks);
  return active;
}

}  // namespace isotherm::simd
