#include "base/environment.h"

#include <chrono>
#include <random>
#include <thread>

#include "base/precedence.h"
#include "base/random.h"
#include "base/thread_pool.h"

namespace isotherm {

namespace {

class SystemClock : public Clock {
 public:
  int64_t NowNs() override { return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1); }

  int64_t WallMs() override {
    return std::chrono::system_clock::now().time_since_epoch() / std::chrono::milliseconds(1);
  }

  void SleepUntilNs(int64_t monotonic_ns) override {
    using TimePoint = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;
    std::this_thread::sleep_until(TimePoint(std::chrono::nanoseconds(monotonic_ns)));
  }

  bool IsSteadyClock() const override { return true; }
};

// All 256 bits come from the system: two processes that started from 64 bits each could meet in one sequence, and
// object names are drawn from it.
SeededRandom::State StateFromSystem() {
  std::random_device device;
  SeededRandom::State state;
  for (uint64_t& word : state) word = (uint64_t{device()} << 32) | device();
  state[0] |= 1;
  return state;
}

}  // namespace

std::shared_ptr<Environment> Environment::Default() {
  // Never destroyed: threads of the program may use it until the process ends.
  static const std::shared_ptr<Environment>& environment =
      *std::make_unique<std::shared_ptr<Environment>>(
           std::make_shared<Environment>(Environment{
               .clock = std::make_shared<SystemClock>(),
               .random = std::make_shared<SeededRandom>(StateFromSystem()),
               .executor = std::make_shared<ThreadPool>(std::thread::hardware_concurrency()),
               .file_system = FileSystem::Posix(),
               .background =
                   std::make_shared<ThreadPool>(std::thread::hardware_concurrency(), ThreadPriority::kBackground),
               .precedence = std::make_shared<Precedence>(std::thread::hardware_concurrency()),
           }))
           .release();
  return environment;
}

}  // namespace isotherm
