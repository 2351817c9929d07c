// How often memory was allocated by operator new, on any thread, since this was made. For the benchmarks: the tool
// replaces operator new to count.
#pragma once

#include <cstdint>

namespace isotherm::tool {

class AllocationCount {
 public:
  AllocationCount() : begin_(Total()) {}
  uint64_t count() const { return Total() - begin_; }

 private:
  static uint64_t Total();
  uint64_t begin_;
};

}  // namespace isotherm::tool
