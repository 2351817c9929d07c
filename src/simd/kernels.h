// Distance kernels, one translation unit per instruction set, chosen once at start-up.
#pragma once

#include <string_view>
#include <vector>

#include "simd/kernel_table.h"

namespace isotherm::simd {

// The best level that this processor has. ISOTHERM_NOASM, at build time or in the environment (any value but "0" and
// the empty one), forces scalar; ISOTHERM_SIMD=name forces that level, and is ignored when the processor lacks it.
const Kernels& Active();

struct Level {
  std::string_view name;
  const Kernels* kernels;  // null: not compiled in, or the processor lacks it
};
// Every level the project knows, best first, for tests and benchmarks.
std::vector<Level> Levels();

}  // namespace isotherm::simd
