// This program again, as a process of its own.
#pragma once

#include <string>
#include <vector>

#include "isotherm/status.h"

namespace isotherm::tool {

// What it prints on standard output; its standard error is this one's. An exit code other than 0 is kInternal.
Result<std::string> RunSelf(const std::vector<std::string>& arguments);

}  // namespace isotherm::tool
