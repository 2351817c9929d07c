// What the process takes of the machine's memory.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

namespace isotherm::tool {

// Of /proc/self/status; 0 where there is none. Pages of files are not in the first.
uint64_t AnonymousBytes();
uint64_t ResidentBytes();

// All that is free goes back to the system now.
void GiveBackFreePages();

// What is freed in large pieces goes back to the system at once from here on, so that memory in use is what is seen.
// glibc otherwise keeps it after a while; MALLOC_MMAP_THRESHOLD_=262144 says the same to any program.
void GiveBackLargePieces();

// The most of it from Reset to Peak, looked at every few milliseconds.
class MemoryPeak {
 public:
  MemoryPeak();
  ~MemoryPeak();
  MemoryPeak(const MemoryPeak&) = delete;
  MemoryPeak& operator=(const MemoryPeak&) = delete;

  void Reset() { peak_ = 0; }
  uint64_t Peak();

 private:
  void Look();

  std::atomic<uint64_t> peak_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace isotherm::tool
