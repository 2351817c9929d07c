#include "tools/terminal/progress_bar.h"

#include <algorithm>

#include "tools/terminal/text.h"
#include "tools/terminal/units.h"

namespace isotherm::terminal {

namespace {

constexpr int64_t kBetweenDrawsNs = 80'000'000;
constexpr int64_t kBeforeFirstNs = 150'000'000;
constexpr size_t kBarColumns = 28;
constexpr char kEraseLine[] = "\r\x1b[K";

std::string Amount(uint64_t amount, ProgressUnit unit) {
  return unit == ProgressUnit::kBytes ? FormatBytes(amount) : FormatCount(amount);
}

std::string Bar(uint64_t done, uint64_t total) {
  auto filled = static_cast<size_t>(static_cast<double>(done) / static_cast<double>(total) * kBarColumns);
  std::string bar;
  for (size_t i = 0; i < kBarColumns; ++i) bar += i < filled ? "█" : "░";
  return bar;
}

}  // namespace

std::string RenderProgress(const ProgressState& state, size_t width) {
  uint64_t done = state.total > 0 ? std::min(state.done, state.total) : state.done;
  std::string line = OneLine(state.stage);
  if (state.total > 0) {
    line += "  " + Bar(done, state.total) + "  " + std::to_string(done * 100 / state.total) + " %  " +
            Amount(done, state.unit) + " of " + Amount(state.total, state.unit);
  } else {
    line += "  " + Amount(done, state.unit);
  }
  uint64_t fresh = done - std::min(done, state.first);
  if (fresh > 0 && state.elapsed_ns > 0) {
    double per_ns = static_cast<double>(fresh) / static_cast<double>(state.elapsed_ns);
    line += "  " + Amount(static_cast<uint64_t>(per_ns * 1e9), state.unit) + "/s";
    if (state.total > done) {
      line += "  " + FormatDuration(static_cast<int64_t>(static_cast<double>(state.total - done) / per_ns)) + " left";
    }
  }
  return Truncate(line, width);
}

ProgressBar::ProgressBar(std::FILE* out, std::shared_ptr<Clock> clock)
    : out_(out), clock_(std::move(clock)), visible_(IsTerminal(fileno(out))) {}

void ProgressBar::Begin(std::string_view stage, uint64_t total, ProgressUnit unit, uint64_t done) {
  state_ = {std::string(stage), done, total, done, 0, unit};
  begin_ns_ = clock_->NowNs();
  // A line that would only flash up does not appear at all.
  next_draw_ns_ = drawn_ ? begin_ns_ : begin_ns_ + kBeforeFirstNs;
  Update(done);
}

void ProgressBar::Update(uint64_t done) {
  state_.done = done;
  if (!visible_) return;
  int64_t now_ns = clock_->NowNs();
  bool complete = drawn_ && state_.total > 0 && done >= state_.total;
  if (now_ns < next_draw_ns_ && !complete) return;
  next_draw_ns_ = now_ns + kBetweenDrawsNs;
  state_.elapsed_ns = now_ns - begin_ns_;
  // The last column stays free: some terminals wrap when it is filled.
  std::string line = kEraseLine + RenderProgress(state_, TerminalWidth(fileno(out_)) - 1);
  std::fwrite(line.data(), 1, line.size(), out_);
  std::fflush(out_);
  drawn_ = true;
}

void ProgressBar::Clear() {
  if (!drawn_) return;
  std::fputs(kEraseLine, out_);
  std::fflush(out_);
  drawn_ = false;
}

Progress ProgressBar::Callback(ProgressUnit unit) {
  return [this, unit](std::string_view stage, uint64_t done, uint64_t total) {
    if (state_.stage != stage || state_.total != total) Begin(stage, total, unit);
    Update(done);
  };
}

}  // namespace isotherm::terminal
