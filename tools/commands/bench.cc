#include "tools/commands/bench.h"

#include <CLI/CLI.hpp>

namespace isotherm::tool {

void AddBench(CLI::App& tool, Chosen& chosen) {
  CLI::App* bench = AddCommand(tool, "bench", "Measure searches, inserts and kernels on this machine",
                               "  isotherm bench cold ./movies --queries queries.npy --profile s3\n"
                               "  isotherm bench warm ./movies --queries queries.npy --cache-dir /var/cache/isotherm\n"
                               "  isotherm bench insert --dimension 768\n"
                               "  isotherm bench upserts\n"
                               "  isotherm bench kernels\n");
  bench->require_subcommand(1);
  AddBenchCold(*bench, chosen);
  AddBenchWarm(*bench, chosen);
  AddBenchInsert(*bench, chosen);
  AddBenchIngest(*bench, chosen);
  AddBenchUpserts(*bench, chosen);
  AddBenchChurn(*bench, chosen);
  AddBenchMemory(*bench, chosen);
  AddBenchKeys(*bench, chosen);
  AddBenchKernels(*bench, chosen);
}

}  // namespace isotherm::tool
