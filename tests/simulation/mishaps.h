// What happens to processes, machines and local files from outside.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/simulation/world.h"

namespace isotherm::simulation {

class Mishaps {
 public:
  explicit Mishaps(World& world) : world_(world), random_(world.NewSeed()) {}

  // One of those that this run has, now and then; for a task that calls it again and again.
  void Strike();
  // The disks have space again.
  void Stop();

 private:
  using Files = std::map<std::string, std::string>;

  void Crash();
  void LosePower();
  void Pause();
  void JumpClock();
  void FillDisk();
  void DamageCache();
  // What RestoreCache goes back to.
  void RememberCache(Machine& machine);
  void RestoreCache(Machine& machine);

  Machine& AnyMachine();
  std::vector<Process*> Alive(const Machine* machine);
  void Note(const std::string& who, const std::string& what);

  World& world_;
  SplitMix64 random_;
  std::map<Machine*, Files> remembered_;
};

}  // namespace isotherm::simulation
