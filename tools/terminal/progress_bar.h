// A line on a terminal that says how far some work is. Where the output is no terminal, nothing is printed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "base/environment.h"
#include "isotherm/collection.h"

namespace isotherm::terminal {

enum class ProgressUnit { kCount, kBytes };

struct ProgressState {
  std::string stage;
  uint64_t done = 0;
  uint64_t total = 0;  // 0: not known
  uint64_t first = 0;  // what was done before the stage began: no part of its speed
  int64_t elapsed_ns = 0;
  ProgressUnit unit = ProgressUnit::kCount;
};

// One line of at most `width` columns: stage, bar, share, speed, time left.
std::string RenderProgress(const ProgressState& state, size_t width);

// One thread at a time.
class ProgressBar {
 public:
  // Draws on `out` if that is a terminal.
  explicit ProgressBar(std::FILE* out = stderr, std::shared_ptr<Clock> clock = Environment::Default()->clock);
  ~ProgressBar() { Clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // A stage of the work begins, of which `done` is done already.
  void Begin(std::string_view stage, uint64_t total, ProgressUnit unit = ProgressUnit::kCount, uint64_t done = 0);
  // Draws, but not more than some times a second, and nothing of work that is done at once.
  void Update(uint64_t done);
  // Removes the line, so that other output can follow.
  void Clear();

  // For calls of the library that report progress: a new stage whenever its name or total changes. Lives no longer than
  // the bar.
  Progress Callback(ProgressUnit unit = ProgressUnit::kCount);

 private:
  std::FILE* const out_;
  const std::shared_ptr<Clock> clock_;
  const bool visible_;
  bool drawn_ = false;
  int64_t begin_ns_ = 0;
  int64_t next_draw_ns_ = 0;
  ProgressState state_;
};

}  // namespace isotherm::terminal
