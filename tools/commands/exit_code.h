// What the tool ends with, so that scripts can tell what went wrong.
#pragma once

#include "isotherm/status.h"

namespace isotherm::tool {

enum ExitCode : int {
  kExitOk = 0,
  kExitBadAnswer = 1,  // the command worked; what it found is bad
  kExitUsage = 2,
  kExitRequest = 3,
  kExitNotFound = 4,
  kExitExists = 5,
  kExitAccess = 6,
  kExitConflict = 7,
  kExitLater = 8,
  kExitCorruption = 9,
  kExitIo = 10,
  kExitUnknown = 11,
  kExitInternal = 12,
};

int ExitCodeOf(StatusCode code);

// For the help.
extern const char kExitCodeHelp[];

}  // namespace isotherm::tool
