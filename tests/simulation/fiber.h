// A stack of its own for each simulated task, all on one thread: handing over costs a fraction of a microsecond.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <functional>

namespace isotherm::simulation {

// Not thread-safe: one thread owns a fiber and all that it runs. A fiber that is destroyed before its body has ended
// takes the objects on its stack with it, undestroyed.
class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // What the next Resume begins. The one before must have ended.
  void SetBody(std::function<void()> body);
  // Called from outside of all fibers: runs the body until it leaves or ends.
  void Resume();
  // Called by the body: back to where Resume was called.
  void Leave();
  bool ended() const { return ended_; }

 private:
  static void Enter(unsigned high, unsigned low);
  void RunBodies();
  void SwitchIn();
  void SwitchOut();

  void* stack_ = nullptr;  // with a guard page at its lower end
  ucontext_t inside_{};
  ucontext_t outside_{};
  std::function<void()> body_;
  bool ended_ = true;
  // What sanitizers want to know of a switch.
  [[maybe_unused]] void* inside_state_ = nullptr;
  [[maybe_unused]] void* outside_state_ = nullptr;
  [[maybe_unused]] const void* outside_stack_ = nullptr;
  [[maybe_unused]] size_t outside_stack_bytes_ = 0;
};

}  // namespace isotherm::simulation
