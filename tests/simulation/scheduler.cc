#include "tests/simulation/scheduler.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <utility>

namespace isotherm::simulation {

namespace {

constexpr int64_t kDecisionNs = 1000;

}  // namespace

Scheduler::Scheduler(const SchedulerOptions& options, Trace& trace)
    : options_(options), trace_(trace), random_(options.seed) {}

Scheduler::~Scheduler() = default;

std::string_view Scheduler::task_name() const { return current_ == nullptr ? "" : std::string_view(current_->name); }

void Scheduler::Spawn(TaskGroup& group, std::string name, std::function<void()> body) {
  auto task = std::make_unique<Task>();
  task->id = ++last_id_;
  task->name = std::move(name);
  task->group = &group;
  if (idle_fibers_.empty()) {
    task->fiber = std::make_unique<Fiber>();
  } else {
    task->fiber = std::move(idle_fibers_.back());
    idle_fibers_.pop_back();
  }
  task->fiber->SetBody(std::move(body));
  runnable_.push_back(task.get());
  tasks_.push_back(std::move(task));
}

void Scheduler::At(int64_t when_ns, std::function<void()> event) { AddTimer(when_ns, nullptr, std::move(event)); }

void Scheduler::AddTimer(int64_t when_ns, Task* task, std::function<void()> event) {
  Timer timer;
  timer.when_ns = when_ns;
  timer.order = ++last_timer_;
  timer.task = task;
  timer.task_id = task == nullptr ? 0 : task->id;
  timer.wait = task == nullptr ? 0 : task->wait;
  timer.event = std::move(event);
  timers_.push(std::move(timer));
}

std::string Scheduler::Run() {
  while (!tasks_.empty()) {
    FireDueTimers();
    if (runnable_.empty()) {
      if (timers_.empty()) return Describe("all tasks wait, and nothing will wake them");
      now_ns_ = std::max(now_ns_, timers_.top().when_ns);
      continue;
    }
    if (++switches_ > options_.max_switches) return Describe("the tasks run on and on");
    RunOne();
  }
  return {};
}

void Scheduler::FireDueTimers() {
  while (!timers_.empty() && timers_.top().when_ns <= now_ns_) {
    Timer timer = timers_.top();
    timers_.pop();
    if (timer.event) {
      timer.event();
      continue;
    }
    auto waits = [&](const Task* task) { return task->id == timer.task_id && task->wait == timer.wait; };
    auto found = std::find_if(waiting_.begin(), waiting_.end(), waits);
    if (found == waiting_.end()) continue;
    Task& task = **found;
    waiting_.erase(found);
    MakeRunnable(task);
  }
}

void Scheduler::RunOne() {
  size_t chosen = random_.Below(runnable_.size());
  Task& task = *runnable_[chosen];
  runnable_[chosen] = runnable_.back();
  runnable_.pop_back();
  now_ns_ += kDecisionNs;
  if (task.group->paused_until_ns > now_ns_) {
    task.wait = ++last_wait_;
    task.waits_for = task.group;
    task.waits_since_ns = now_ns_;
    waiting_.push_back(&task);
    AddTimer(task.group->paused_until_ns, &task, nullptr);
    return;
  }
  trace_.Add("run", {task.id, static_cast<uint64_t>(now_ns_)});
  current_ = &task;
  SetOfThisThread(this);
  task.fiber->Resume();
  SetOfThisThread(nullptr);
  current_ = nullptr;
  if (task.fiber->ended()) End(task);
}

void Scheduler::End(Task& task) {
  idle_fibers_.push_back(std::move(task.fiber));
  auto found = std::find_if(tasks_.begin(), tasks_.end(), [&](const auto& each) { return each.get() == &task; });
  tasks_.erase(found);
}

void Scheduler::MakeRunnable(Task& task) {
  task.waits_for = nullptr;
  runnable_.push_back(&task);
}

void Scheduler::Yield() {
  MakeRunnable(*current_);
  current_->fiber->Leave();
}

void Scheduler::MayYield(const void*) {
  if (options_.yield_one_in != 0 && random_.Below(options_.yield_one_in) == 0) Yield();
}

void Scheduler::SleepUntilNs(int64_t when_ns) {
  // Others may run meanwhile, however short it is.
  Suspend(current_, std::max(when_ns, now_ns_));
}

void Scheduler::Wait(const void* what, int64_t deadline_ns) { Suspend(what, deadline_ns); }

void Scheduler::Suspend(const void* what, int64_t deadline_ns) {
  assert(current_ != nullptr);
  Task& task = *current_;
  task.wait = ++last_wait_;
  task.waits_for = what;
  task.waits_since_ns = now_ns_;
  waiting_.push_back(&task);
  if (deadline_ns != kForever) AddTimer(deadline_ns, &task, nullptr);
  task.fiber->Leave();
}

void Scheduler::WakeAll(const void* what) {
  // Every lock that is given back comes here, and seldom does anybody wait for it.
  if (std::none_of(waiting_.begin(), waiting_.end(), [&](Task* t) { return t->waits_for == what; })) return;
  auto stay = std::stable_partition(waiting_.begin(), waiting_.end(), [&](Task* t) { return t->waits_for != what; });
  std::vector<Task*> woken(stay, waiting_.end());
  waiting_.erase(stay, waiting_.end());
  for (Task* task : woken) MakeRunnable(*task);
}

void Scheduler::WakeOne(const void* what) {
  std::vector<size_t> candidates;
  for (size_t i = 0; i < waiting_.size(); ++i) {
    if (waiting_[i]->waits_for == what) candidates.push_back(i);
  }
  if (candidates.empty()) return;
  size_t chosen = candidates[random_.Below(candidates.size())];
  Task& task = *waiting_[chosen];
  waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(chosen));
  MakeRunnable(task);
}

std::string Scheduler::Describe(const std::string& problem) const {
  std::string text = problem + " (at " + std::to_string(now_ns_ / 1'000'000) + " ms):";
  std::map<const void*, size_t> numbers;
  for (const auto& task : tasks_) {
    text += "\n  " + task->name + " of " + task->group->name;
    if (task->waits_for == nullptr) {
      text += " can run";
      continue;
    }
    size_t number = numbers.emplace(task->waits_for, numbers.size() + 1).first->second;
    text +=
        " waits for #" + std::to_string(number) + " since " + std::to_string(task->waits_since_ns / 1'000'000) + " ms";
  }
  return text;
}

}  // namespace isotherm::simulation
