// Hashes of what blocks are known by.
#pragma once

#include <cstdint>

#include "cache/block_cache.h"

namespace isotherm {

// Both halves of the product folded into one: every bit of the result hangs on every bit of both factors.
inline uint64_t FoldedProduct(uint64_t a, uint64_t b) {
  __extension__ using Uint128 = unsigned __int128;
  Uint128 product = static_cast<Uint128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// Odd constants with about as many ones as zeros: the fractions of the square roots of 2, 3, 5 and 7.
inline constexpr uint64_t kRoot2 = 0x6a09e667f3bcc909;
inline constexpr uint64_t kRoot3 = 0xbb67ae8584caa73b;
inline constexpr uint64_t kRoot5 = 0x3c6ef372fe94f82b;
inline constexpr uint64_t kRoot7 = 0xa54ff53a5f1d36f1;

// 64 evenly distributed bits, also of keys that nobody mixed.
inline uint64_t HashOf(const BlockKey& key) { return FoldedProduct(key.low ^ kRoot2, key.high ^ kRoot7); }

struct BlockKeyHash {
  size_t operator()(const BlockKey& key) const { return HashOf(key); }
};

}  // namespace isotherm
