// What fuzz targets share: inputs get the checksums that they should have, so that what stands behind them is reached.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "base/crc32c.h"

namespace isotherm::fuzz {

inline std::string_view ViewOf(const uint8_t* data, size_t size) { return {reinterpret_cast<const char*>(data), size}; }

template <typename T>
void SetFixed(std::string& bytes, size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(value));
}

// Ends the run: what must hold does not.
inline void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace isotherm::fuzz
