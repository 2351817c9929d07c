// The parts of `isotherm bench`.
#pragma once

#include "tools/commands/command.h"

namespace isotherm::tool {

void AddBenchCold(CLI::App& bench, Chosen& chosen);
void AddBenchWarm(CLI::App& bench, Chosen& chosen);
void AddBenchInsert(CLI::App& bench, Chosen& chosen);
void AddBenchIngest(CLI::App& bench, Chosen& chosen);
void AddBenchUpserts(CLI::App& bench, Chosen& chosen);
void AddBenchChurn(CLI::App& bench, Chosen& chosen);
void AddBenchMemory(CLI::App& bench, Chosen& chosen);
void AddBenchKeys(CLI::App& bench, Chosen& chosen);
void AddBenchKernels(CLI::App& bench, Chosen& chosen);

}  // namespace isotherm::tool
