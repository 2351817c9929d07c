// Who runs when, and what time it is: both decided by one seed.
//
// Tasks run one at a time, each until it waits, sleeps, ends, or may yield and is made to. Time stands still while a
// task runs, but for a microsecond a decision, and jumps to the next timer when no task can run.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "base/splitmix.h"
#include "base/sync.h"
#include "tests/simulation/fiber.h"
#include "tests/simulation/trace.h"

namespace isotherm::simulation {

// Tasks that are stopped together. Outlives them.
struct TaskGroup {
  std::string name;
  int64_t paused_until_ns = 0;  // none of its tasks runs before
};

struct SchedulerOptions {
  uint64_t seed = 1;
  // Where a task may yield it does so one time in `yield_one_in`; 0: never.
  uint64_t yield_one_in = 8;
  uint64_t max_switches = 20'000'000;  // more is taken for a run that never ends
};

class Scheduler : public Blocking {
 public:
  static constexpr int64_t kForever = INT64_MAX;

  Scheduler(const SchedulerOptions& options, Trace& trace);
  ~Scheduler() override;

  // May be called by tasks, by events, and before Run.
  void Spawn(TaskGroup& group, std::string name, std::function<void()> body);
  // Runs `event` at that time, outside of all tasks: it may not wait.
  void At(int64_t when_ns, std::function<void()> event);
  // Until all tasks have ended; events of later times never happen. Empty, or why it can't go on: then the tasks that
  // have not ended never will.
  std::string Run();

  int64_t now_ns() const { return now_ns_; }
  uint64_t switches() const { return switches_; }
  // Below(n) of the seed's sequence.
  uint64_t Draw(uint64_t n) { return random_.Below(n); }
  Trace& trace() { return trace_; }
  // The name of the task that runs, or "" between tasks.
  std::string_view task_name() const;

  // For tasks.
  void Yield();
  void SleepUntilNs(int64_t when_ns);
  void MayYield(const void* what) override;
  void Wait(const void* what, int64_t deadline_ns) override;
  void WakeOne(const void* what) override;
  void WakeAll(const void* what) override;

 private:
  struct Task {
    uint64_t id = 0;
    std::string name;
    TaskGroup* group = nullptr;
    std::unique_ptr<Fiber> fiber;
    const void* waits_for = nullptr;
    int64_t waits_since_ns = 0;
    uint64_t wait = 0;  // the number of its last wait: a timer of an earlier one is void
  };
  struct Timer {
    int64_t when_ns = 0;
    uint64_t order = 0;  // of those at one time the first set goes first
    Task* task = nullptr;
    uint64_t task_id = 0;
    uint64_t wait = 0;
    std::function<void()> event;
  };
  struct Later {
    bool operator()(const Timer& a, const Timer& b) const {
      return a.when_ns != b.when_ns ? a.when_ns > b.when_ns : a.order > b.order;
    }
  };

  void Suspend(const void* what, int64_t deadline_ns);
  void MakeRunnable(Task& task);
  void AddTimer(int64_t when_ns, Task* task, std::function<void()> event);
  void FireDueTimers();
  void RunOne();
  void End(Task& task);
  std::string Describe(const std::string& problem) const;

  const SchedulerOptions options_;
  Trace& trace_;
  SplitMix64 random_;
  int64_t now_ns_ = 1'000'000'000;
  uint64_t switches_ = 0;
  uint64_t last_id_ = 0;
  uint64_t last_wait_ = 0;
  uint64_t last_timer_ = 0;
  Task* current_ = nullptr;
  std::vector<std::unique_ptr<Task>> tasks_;  // that have not ended
  std::vector<Task*> runnable_;
  std::vector<Task*> waiting_;  // for Wake, longest first
  std::priority_queue<Timer, std::vector<Timer>, Later> timers_;
  std::vector<std::unique_ptr<Fiber>> idle_fibers_;
};

// Set once; tasks wait for it.
class Event {
 public:
  explicit Event(Scheduler& scheduler) : scheduler_(scheduler) {}
  bool set() const { return set_; }
  void Set() {
    set_ = true;
    scheduler_.WakeAll(this);
  }
  void Wait() {
    while (!set_) scheduler_.Wait(this, Scheduler::kForever);
  }

 private:
  Scheduler& scheduler_;
  bool set_ = false;
};

}  // namespace isotherm::simulation
