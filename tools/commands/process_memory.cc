#include "tools/commands/process_memory.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace isotherm::tool {

namespace {

uint64_t StatusBytes(std::string_view name) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with(name)) return std::stoull(line.substr(name.size())) * 1024;
  }
  return 0;
}

}  // namespace

uint64_t AnonymousBytes() { return StatusBytes("RssAnon:"); }

uint64_t ResidentBytes() { return StatusBytes("VmRSS:"); }

void GiveBackFreePages() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

void GiveBackLargePieces() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
#endif
}

MemoryPeak::MemoryPeak()
    : thread_([this] {
        std::unique_lock lock(mutex_);
        while (!ended_) {
          Look();
          changed_.wait_for(lock, std::chrono::milliseconds(5));
        }
      }) {}

MemoryPeak::~MemoryPeak() {
  {
    std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void MemoryPeak::Look() {
  const uint64_t now = AnonymousBytes();
  uint64_t peak = peak_;
  while (now > peak && !peak_.compare_exchange_weak(peak, now)) {
  }
}

uint64_t MemoryPeak::Peak() {
  Look();
  return peak_;
}

}  // namespace isotherm::tool
