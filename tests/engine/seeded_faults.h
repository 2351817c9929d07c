// What a network does to commits.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/random.h"
#include "blob/fault_store.h"
#include "engine/head.h"

namespace isotherm::testing_support {

// Of ten puts of the head one loses its answer, one fails without being executed, and one loses its answer and lands up
// to four requests later.
inline FaultHook SeededHeadFaults(uint64_t seed) {
  auto random = std::make_shared<SeededRandom>(seed);
  return [random](uint64_t, RequestKind kind, std::string_view name) -> Fault {
    if (kind != RequestKind::kPut || name != kHeadObject) return {};
    switch (random->Next() % 10) {
      case 0: return {FaultKind::kLoseAnswer};
      case 1: return {FaultKind::kFail};
      case 2: {
        Fault late{FaultKind::kLate};
        late.after_requests = 1 + random->Next() % 4;
        return late;
      }
      default: return {};
    }
  };
}

}  // namespace isotherm::testing_support
