// Which of the library's planted bugs is there at the moment; see base/planted.h.
#pragma once

#include <string>
#include <vector>

#include "base/planted.h"

namespace isotherm::simulation {

struct PlantedBug {
  Bug bug;
  const char* name;  // as the enumerator, without its k
};
// All of them.
const std::vector<PlantedBug>& PlantedBugs();

// Only in programs that have them compiled in. kNone: none. Not while a run is under way.
void Plant(Bug bug);

}  // namespace isotherm::simulation
