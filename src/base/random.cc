#include "base/random.h"

#include <bit>

#include "base/splitmix.h"

namespace isotherm {

SeededRandom::SeededRandom(uint64_t seed) {
  SplitMix64 filler(seed);
  for (uint64_t& word : state_) word = filler.Next();
}

uint64_t SeededRandom::Next() {
  std::lock_guard lock(mutex_);
  auto& [a, b, c, d] = state_;
  uint64_t result = std::rotl(b * 5, 7) * 9;
  uint64_t shifted = b << 17;
  c ^= a;
  d ^= b;
  b ^= c;
  a ^= d;
  c ^= shifted;
  d = std::rotl(d, 45);
  return result;
}

}  // namespace isotherm
