// This program again, as a process of its own.
#pragma once

#include <string>
#include <vector>

#include "isotherm/status.h"

namespace isotherm::tool {

struct SelfRun {
  int exit_code = 0;
  std::string output;  // on standard output; its standard error is this process's
};

// kInternal when it was ended by a signal.
Result<SelfRun> RunSelf(const std::vector<std::string>& arguments);

}  // namespace isotherm::tool
