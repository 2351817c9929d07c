// A generator that gives the same numbers for the same seed.
#pragma once

#include <array>
#include <cstdint>

#include "base/environment.h"
#include "base/sync.h"

namespace isotherm {

// xoshiro256** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021), its state filled by
// splitmix64. Thread-safe; from several threads the order in which they get the numbers is not defined.
class SeededRandom : public Random {
 public:
  using State = std::array<uint64_t, 4>;

  explicit SeededRandom(uint64_t seed);
  // All 256 bits of the state; not all zero.
  explicit SeededRandom(const State& state) : state_(state) {}

  uint64_t Next() override;

 private:
  Mutex mutex_;
  State state_;
};

// Uniform in [0, 1).
inline double UniformDouble(Random& random) { return static_cast<double>(random.Next() >> 11) * 0x1p-53; }

}  // namespace isotherm
