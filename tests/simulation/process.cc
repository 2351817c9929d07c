#include "tests/simulation/process.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/random.h"

namespace isotherm::simulation {

namespace {

constexpr int64_t kEpochMs = 1'800'000'000'000;

class ProcessClock : public Clock {
 public:
  explicit ProcessClock(Process& process) : process_(process) {}
  int64_t NowNs() override { return process_.scheduler().now_ns(); }
  int64_t WallMs() override { return process_.WallMs(); }
  void SleepUntilNs(int64_t monotonic_ns) override { process_.scheduler().SleepUntilNs(monotonic_ns); }

 private:
  Process& process_;
};

// Every task that is scheduled is a task of the simulation; a loop is done by several, in an order that the seed gives.
class ProcessExecutor : public Executor {
 public:
  ProcessExecutor(Process& process, size_t width) : process_(process), width_(width) {}

  void Schedule(std::function<void()> task) override { process_.Spawn("background", std::move(task)); }

  void ParallelFor(size_t n, const std::function<void(size_t)>& body) override {
    if (n == 0) return;
    Scheduler& scheduler = process_.scheduler();
    auto loop = std::make_shared<Loop>();
    loop->left.resize(n);
    for (size_t i = 0; i < n; ++i) loop->left[i] = i;
    loop->undone = n;
    loop->body = &body;
    for (size_t helper = 1; helper < std::min(width_, n); ++helper) {
      process_.Spawn("parallel", [loop, &scheduler] { loop->Work(scheduler); });
    }
    loop->Work(scheduler);
    while (loop->undone > 0) scheduler.Wait(loop.get(), Scheduler::kForever);
  }

  size_t Concurrency() const override { return width_; }

 private:
  struct Loop {
    std::vector<size_t> left;
    size_t undone = 0;
    const std::function<void(size_t)>* body = nullptr;  // valid while there are indexes left

    void Work(Scheduler& scheduler) {
      while (!left.empty()) {
        std::swap(left[scheduler.Draw(left.size())], left.back());
        size_t index = left.back();
        left.pop_back();
        (*body)(index);
        if (--undone == 0) scheduler.WakeAll(this);
        scheduler.MayYield(this);
      }
    }
  };

  Process& process_;
  const size_t width_;
};

}  // namespace

std::vector<std::string> Machine::CacheFiles() const {
  std::vector<std::string> paths;
  auto folders = disk->ListDirectory("cache");
  if (!folders.ok()) return paths;
  for (const FileInfo& folder : *folders) {
    auto files = disk->ListDirectory("cache/" + folder.name);
    if (!files.ok()) continue;
    for (const FileInfo& file : *files) {
      if (!file.is_directory && file.name != "lock") paths.push_back("cache/" + folder.name + "/" + file.name);
    }
  }
  return paths;
}

std::string Machine::ReadAll(const std::string& path) const {
  auto file = disk->Open(path, OpenMode::kRead);
  if (!file.ok()) return {};
  auto size = (*file)->Size();
  if (!size.ok()) return {};
  std::string bytes(*size, '\0');
  auto got = (*file)->Read(0, bytes);
  bytes.resize(got.ok() ? *got : 0);
  return bytes;
}

Process::Process(std::string name, Machine& machine, Scheduler& scheduler, Faults& faults, uint64_t seed)
    : machine_(machine), scheduler_(scheduler), faults_(faults), group_{std::move(name)}, over_(scheduler) {
  environment_ = std::make_shared<Environment>(Environment{
      .clock = std::make_shared<ProcessClock>(*this),
      .random = std::make_shared<SeededRandom>(seed),
      .executor = std::make_shared<ProcessExecutor>(*this, 1 + seed % 4),
      .file_system = MakeProcessFiles(*this),
  });
}

Process::~Process() = default;

int64_t Process::WallMs() const {
  return kEpochMs + scheduler_.now_ns() / 1'000'000 + machine_.wall_offset_ms + wall_offset_ms_;
}

WallRange Process::WallSince(int64_t begin_ns) const {
  int64_t least = machine_.wall_offset_ms;
  int64_t most = machine_.wall_offset_ms;
  for (const auto& [until_ns, offset_ms] : machine_.former_offsets_ms) {
    if (until_ns < begin_ns) continue;
    least = std::min(least, offset_ms);
    most = std::max(most, offset_ms);
  }
  const int64_t base_ms = kEpochMs + wall_offset_ms_;
  return {base_ms + begin_ns / 1'000'000 + least, base_ms + scheduler_.now_ns() / 1'000'000 + most};
}

void Process::Kill() {
  if (!alive_) return;
  alive_ = false;
  auto locks = std::exchange(locks_, {});
  for (const auto& [number, lock] : locks) lock->reset();
}

}  // namespace isotherm::simulation
