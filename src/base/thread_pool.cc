#include "base/thread_pool.h"

#if defined(__linux__)
#include <sys/resource.h>
#endif

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

namespace isotherm {

namespace {

// What the threads that work on one ParallelFor share. A thread that comes late finds no index left and never touches
// `body`, which lives only as long as the call.
struct Loop {
  Loop(size_t count, const std::function<void(size_t)>& each) : n(count), body(each) {}

  const size_t n;
  const std::function<void(size_t)>& body;
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::condition_variable all_done;
  size_t done = 0;

  void Work() {
    size_t mine = 0;
    for (size_t i = next.fetch_add(1); i < n; i = next.fetch_add(1)) {
      body(i);
      ++mine;
    }
    if (mine == 0) return;
    std::lock_guard lock(mutex);
    done += mine;
    if (done == n) all_done.notify_all();
  }

  void Wait() {
    std::unique_lock lock(mutex);
    all_done.wait(lock, [this] { return done == n; });
  }
};

// Of the calling thread.
void SetPriority(ThreadPriority priority) {
  if (priority == ThreadPriority::kNormal) return;
#if defined(__linux__)
  // A tenth of what the others get that want to run on the same core. On Linux this is the thread's alone.
  constexpr int kNicer = 10;
  constexpr int kNicest = 19;
  setpriority(PRIO_PROCESS, 0, std::min(kNicest, getpriority(PRIO_PROCESS, 0) + kNicer));
#endif
}

}  // namespace

ThreadPool::ThreadPool(size_t width, ThreadPriority priority) : width_(std::max<size_t>(width, 1)) {
  threads_.reserve(width_);
  for (size_t i = 0; i < width_; ++i) {
    threads_.emplace_back([this, priority] {
      SetPriority(priority);
      RunTasks();
    });
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::Schedule(std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_one();
}

void ThreadPool::ParallelFor(size_t n, const std::function<void(size_t)>& body) {
  size_t others = std::min(n, width_) - (n > 0 ? 1 : 0);
  if (others == 0) {
    for (size_t i = 0; i < n; ++i) body(i);
    return;
  }
  auto loop = std::make_shared<Loop>(n, body);
  {
    // Somebody waits for these: they go before tasks that were scheduled for some time.
    std::lock_guard lock(mutex_);
    for (size_t i = 0; i < others; ++i) tasks_.emplace_front([loop] { loop->Work(); });
  }
  for (size_t i = 0; i < others; ++i) changed_.notify_one();
  loop->Work();
  loop->Wait();
}

void ThreadPool::RunTasks() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
  }
}

}  // namespace isotherm
