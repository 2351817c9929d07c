// The choice of a level, apart from what it is made of, for tests.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "simd/kernels.h"

namespace isotherm::simd {

// What the environment says; null where a variable is not set.
struct Wishes {
  const char* no_asm = nullptr;  // ISOTHERM_NOASM
  const char* level = nullptr;   // ISOTHERM_SIMD
};

// Time of some fixed work, in any unit.
using Measure = uint64_t (*)(const Kernels&);

// The level for these wishes. Without one it is the first of `levels` that is there; but where that is an AVX-512 level
// and AVX2 is there too, AVX2 if `measure` finds it to need less than 4/5 of the time: some processors pay for the wide
// registers with their clock. The margin is wide so that one machine, measured twice, chooses twice the same, and its
// results do not differ in their last bits from run to run.
const Kernels& SelectLevel(const std::vector<Level>& levels, const Wishes& wishes, Measure measure);

}  // namespace isotherm::simd
