// The demo has nobody to hand an error to: what fails is thrown, and main prints it.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "isotherm/status.h"

namespace cloud_tiered {

inline void Check(const isotherm::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

template <typename T>
T Take(isotherm::Result<T> result) {
  Check(result.status());
  return std::move(result).value();
}

}  // namespace cloud_tiered
