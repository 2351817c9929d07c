// Who acts in a run: processes that are started again when they end, and what happens to them.
#pragma once

#include "tests/simulation/world.h"

namespace isotherm::simulation {

// Spawns the run's first tasks. When all tasks have ended, the run is over and everything in it was checked.
void StartActors(World& world);

}  // namespace isotherm::simulation
