#include "tests/simulation/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define ISOTHERM_ASAN_FIBERS 1
#elif defined(__SANITIZE_THREAD__)
#define ISOTHERM_TSAN_FIBERS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ISOTHERM_ASAN_FIBERS 1
#elif __has_feature(thread_sanitizer)
#define ISOTHERM_TSAN_FIBERS 1
#endif
#endif

#ifdef ISOTHERM_ASAN_FIBERS
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef ISOTHERM_TSAN_FIBERS
#include <sanitizer/tsan_interface.h>
#endif

namespace isotherm::simulation {

namespace {

// Only what is touched takes memory.
constexpr size_t kStackBytes = size_t{1} << 20;

size_t PageBytes() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::abort();
}

}  // namespace

Fiber::Fiber() {
  stack_ = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stack_ == MAP_FAILED || mprotect(stack_, PageBytes(), PROT_NONE) != 0) Die("a fiber's stack");
  if (getcontext(&inside_) != 0) Die("getcontext");
  inside_.uc_stack.ss_sp = static_cast<char*>(stack_) + PageBytes();
  inside_.uc_stack.ss_size = kStackBytes - PageBytes();
  inside_.uc_link = nullptr;
  auto self = reinterpret_cast<uintptr_t>(this);
  // makecontext passes numbers only.
  makecontext(&inside_, reinterpret_cast<void (*)()>(&Fiber::Enter), 2, static_cast<unsigned>(uint64_t{self} >> 32),
              static_cast<unsigned>(self));
#ifdef ISOTHERM_TSAN_FIBERS
  inside_state_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
#ifdef ISOTHERM_TSAN_FIBERS
  __tsan_destroy_fiber(inside_state_);
#endif
  munmap(stack_, kStackBytes);
}

void Fiber::SetBody(std::function<void()> body) {
  body_ = std::move(body);
  ended_ = false;
}

void Fiber::Enter(unsigned high, unsigned low) {
  auto self = static_cast<uintptr_t>(uint64_t{high} << 32 | low);
  reinterpret_cast<Fiber*>(self)->RunBodies();
}

void Fiber::RunBodies() {
#ifdef ISOTHERM_ASAN_FIBERS
  __sanitizer_finish_switch_fiber(nullptr, &outside_stack_, &outside_stack_bytes_);
#endif
  while (true) {
    body_();
    body_ = nullptr;
    ended_ = true;
    SwitchOut();
  }
}

void Fiber::Resume() { SwitchIn(); }

void Fiber::Leave() { SwitchOut(); }

void Fiber::SwitchIn() {
#ifdef ISOTHERM_ASAN_FIBERS
  __sanitizer_start_switch_fiber(&outside_state_, inside_.uc_stack.ss_sp, inside_.uc_stack.ss_size);
#endif
#ifdef ISOTHERM_TSAN_FIBERS
  outside_state_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(inside_state_, 0);
#endif
  if (swapcontext(&outside_, &inside_) != 0) Die("swapcontext");
#ifdef ISOTHERM_ASAN_FIBERS
  __sanitizer_finish_switch_fiber(outside_state_, nullptr, nullptr);
#endif
}

void Fiber::SwitchOut() {
#ifdef ISOTHERM_ASAN_FIBERS
  __sanitizer_start_switch_fiber(&inside_state_, outside_stack_, outside_stack_bytes_);
#endif
#ifdef ISOTHERM_TSAN_FIBERS
  __tsan_switch_to_fiber(outside_state_, 0);
#endif
  if (swapcontext(&inside_, &outside_) != 0) Die("swapcontext");
#ifdef ISOTHERM_ASAN_FIBERS
  __sanitizer_finish_switch_fiber(inside_state_, &outside_stack_, &outside_stack_bytes_);
#endif
}

}  // namespace isotherm::simulation
