#include "tests/simulation/trace.h"

#include <iomanip>

namespace isotherm::simulation {

void Trace::Note(int64_t now_ns, std::string_view who, std::string_view what) {
  if (out_ == nullptr) return;
  *out_ << std::fixed << std::setprecision(3) << std::setw(12) << static_cast<double>(now_ns) / 1e6 << " ms  "
        << std::left << std::setw(14) << who << std::right << ' ' << what << '\n';
}

}  // namespace isotherm::simulation
