// Simulated machines, and processes on them that can be killed: from then on nothing that they do has an effect.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/environment.h"
#include "tests/base/simulated_file_system.h"
#include "tests/simulation/faults.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/state.h"

namespace isotherm::simulation {

struct Machine {
  std::string name;
  std::shared_ptr<SimulatedFileSystem> disk = std::make_shared<SimulatedFileSystem>();
  int64_t wall_offset_ms = 0;
  // When the wall clock was moved, and from what.
  std::vector<std::pair<int64_t, int64_t>> former_offsets_ms{};

  void MoveClock(int64_t now_ns, int64_t by_ms) {
    former_offsets_ms.emplace_back(now_ns, wall_offset_ms);
    wall_offset_ms += by_ms;
  }
  // Of disk caches, without their locks; at once and without failure.
  std::vector<std::string> CacheFiles() const;
  std::string ReadAll(const std::string& path) const;
};

// Lives until the end of the run, as its tasks do: a process that was killed winds down by itself, as every call to its
// environment fails at once.
class Process {
 public:
  Process(std::string name, Machine& machine, Scheduler& scheduler, Faults& faults, uint64_t seed);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  const std::string& name() const { return group_.name; }
  Machine& machine() { return machine_; }
  Scheduler& scheduler() { return scheduler_; }
  Faults& faults() { return faults_; }
  const std::shared_ptr<Environment>& environment() const { return environment_; }

  bool alive() const { return alive_; }
  // Gives back the locks of files that it holds.
  void Kill();
  // For who started it: set when its main task has ended, or by who killed it.
  Event& over() { return over_; }
  // None of its tasks runs before.
  void PauseUntilNs(int64_t when_ns) { group_.paused_until_ns = when_ns; }
  bool paused() const { return group_.paused_until_ns > scheduler_.now_ns(); }

  void Spawn(std::string task, std::function<void()> body) {
    scheduler_.Spawn(group_, std::move(task), std::move(body));
  }

  // Its own wall clock, which may differ from that of others on the machine.
  int64_t WallMs() const;
  // All that it may have shown since then.
  WallRange WallSince(int64_t begin_ns) const;
  void SkewClock(int64_t by_ms) { wall_offset_ms_ = by_ms; }

  // Of everything that its local disk refused it.
  uint64_t disk_failures() const { return disk_failures_; }

 private:
  friend class ProcessFiles;

  Machine& machine_;
  Scheduler& scheduler_;
  Faults& faults_;
  TaskGroup group_;
  Event over_;
  bool alive_ = true;
  uint64_t disk_failures_ = 0;
  int64_t wall_offset_ms_ = 0;
  uint64_t last_lock_ = 0;
  std::map<uint64_t, std::shared_ptr<std::unique_ptr<FileLock>>> locks_;
  std::shared_ptr<Environment> environment_;
};

// The machine's files as a process sees them: with the errors of a disk, and with a death in the middle of a write.
std::shared_ptr<FileSystem> MakeProcessFiles(Process& process);

}  // namespace isotherm::simulation
