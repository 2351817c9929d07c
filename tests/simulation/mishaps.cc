#include "tests/simulation/mishaps.h"

#include <utility>

namespace isotherm::simulation {

namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kHourMs = 3'600'000;

}  // namespace

void Mishaps::Strike() {
  switch (random_.Below(8)) {
    case 0:
    case 1: return Crash();
    case 2: return LosePower();
    case 3: return Pause();
    case 4: return JumpClock();
    case 5: return FillDisk();
    case 6: return DamageCache();
    default: return RememberCache(AnyMachine());
  }
}

void Mishaps::Stop() {
  for (const auto& machine : world_.machines()) machine->disk->SetCapacity(std::nullopt);
}

Machine& Mishaps::AnyMachine() { return *world_.machines()[random_.Below(world_.machines().size())]; }

std::vector<Process*> Mishaps::Alive(const Machine* machine) {
  std::vector<Process*> alive;
  for (const auto& process : world_.processes()) {
    if (process->alive() && !process->over().set() && (machine == nullptr || &process->machine() == machine)) {
      alive.push_back(process.get());
    }
  }
  return alive;
}

void Mishaps::Note(const std::string& who, const std::string& what) {
  world_.trace().AddText(what);
  world_.trace().Note(world_.scheduler().now_ns(), who, what);
}

void Mishaps::Crash() {
  std::vector<Process*> alive = Alive(nullptr);
  if (!world_.faults().enabled(Fault::kCrash) || alive.empty()) return;
  Process& victim = *alive[random_.Below(alive.size())];
  world_.faults().Hit(Fault::kCrash);
  Note(victim.name(), "is killed");
  victim.Kill();
  victim.over().Set();
}

void Mishaps::LosePower() {
  if (!world_.faults().enabled(Fault::kPowerLoss)) return;
  Machine& machine = AnyMachine();
  world_.faults().Hit(Fault::kPowerLoss);
  Note(machine.name, "loses its power");
  std::vector<Process*> victims = Alive(&machine);
  for (Process* process : victims) process->Kill();
  machine.disk->PowerLoss(random_.Next());
  RestoreCache(machine);
  // Only now may new processes start.
  for (Process* process : victims) process->over().Set();
}

void Mishaps::Pause() {
  std::vector<Process*> alive = Alive(nullptr);
  if (!world_.faults().enabled(Fault::kPause) || alive.empty()) return;
  Process& victim = *alive[random_.Below(alive.size())];
  world_.faults().Hit(Fault::kPause);
  int64_t span_ms = static_cast<int64_t>(random_.Below(4) == 0 ? random_.Below(5 * kHourMs) : random_.Below(60'000));
  Note(victim.name(), "stands still for " + std::to_string(span_ms) + " ms");
  victim.PauseUntilNs(world_.scheduler().now_ns() + span_ms * kMs);
}

void Mishaps::JumpClock() {
  if (!world_.faults().enabled(Fault::kClockJump)) return;
  Machine& machine = AnyMachine();
  world_.faults().Hit(Fault::kClockJump);
  int64_t by_ms = static_cast<int64_t>(random_.Below(6 * kHourMs)) - 3 * kHourMs;
  Note(machine.name, "has its clock moved by " + std::to_string(by_ms) + " ms");
  machine.MoveClock(world_.scheduler().now_ns(), by_ms);
}

void Mishaps::FillDisk() {
  if (!world_.faults().enabled(Fault::kDiskFull)) return;
  Machine& machine = AnyMachine();
  Note(machine.name, "has no space left");
  machine.disk->SetCapacity(random_.Below(20'000));
  world_.scheduler().At(world_.scheduler().now_ns() + static_cast<int64_t>(random_.Below(20'000)) * kMs,
                        [disk = machine.disk] { disk->SetCapacity(std::nullopt); });
}

void Mishaps::DamageCache() {
  Machine& machine = AnyMachine();
  std::vector<std::string> paths = machine.CacheFiles();
  if (!world_.faults().enabled(Fault::kCorruptCache) || paths.empty()) return;
  const std::string& path = paths[random_.Below(paths.size())];
  std::string bytes = machine.ReadAll(path);
  auto file = machine.disk->Open(path, OpenMode::kReadWrite);
  if (bytes.empty() || !file.ok()) return;
  for (uint64_t bits = 1 + random_.Below(20); bits > 0; --bits) {
    uint64_t at = random_.Below(bytes.size());
    bytes[at] = static_cast<char>(random_.Below(256));
  }
  Status written = (*file)->Write(0, bytes);
  if (!written.ok()) return;
  world_.faults().Hit(Fault::kCorruptCache);
  Note(machine.name, "has a damaged " + path);
}

void Mishaps::RememberCache(Machine& machine) {
  if (!world_.faults().enabled(Fault::kStaleCache)) return;
  Files files;
  for (const std::string& path : machine.CacheFiles()) files[path] = machine.ReadAll(path);
  remembered_[&machine] = std::move(files);
}

void Mishaps::RestoreCache(Machine& machine) {
  auto found = remembered_.find(&machine);
  if (!world_.faults().enabled(Fault::kStaleCache) || found == remembered_.end() || found->second.empty()) return;
  for (const std::string& path : machine.CacheFiles()) static_cast<void>(machine.disk->Remove(path));
  for (const auto& [path, bytes] : found->second) {
    // The directory may be gone with the power.
    static_cast<void>(machine.disk->CreateDirectories(path.substr(0, path.rfind('/'))));
    auto file = machine.disk->Open(path, OpenMode::kReadWrite);
    if (file.ok()) static_cast<void>((*file)->Write(0, bytes));
  }
  world_.faults().Hit(Fault::kStaleCache);
  Note(machine.name, "finds its cache as it was");
}

}  // namespace isotherm::simulation
