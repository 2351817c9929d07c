#include "screen.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tools/terminal/table.h"
#include "tools/terminal/text.h"

namespace cloud_tiered {

namespace {

constexpr size_t kWidest = 120;
constexpr char kBold[] = "\x1b[1m", kDim[] = "\x1b[2m", kItalic[] = "\x1b[3m";

// no-color.org
bool WantsColour() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return isotherm::terminal::IsTerminal(STDOUT_FILENO) && (no_colour == nullptr || *no_colour == '\0') &&
         (terminal == nullptr || std::string_view(terminal) != "dumb");
}

}  // namespace

Screen::Screen()
    : colour_(WantsColour()),
      width_(std::clamp<size_t>(isotherm::terminal::TerminalWidth(STDOUT_FILENO), 60, kWidest)),
      bar_(stdout) {}

void Screen::Title(const std::string& text) { Print(std::string("\n") + Style(kBold, text) + "\n"); }

void Screen::Scene(const std::string& text) {
  std::string numbered = std::to_string(++scenes_) + "  " + text;
  Print(std::string("\n") + Style(kBold, numbered) + "\n");
}

void Screen::Line(const std::string& text) { Print("   " + text + "\n"); }

void Screen::Fields(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string text = isotherm::terminal::Fields(fields);
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find('\n', begin);
    Line(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

void Screen::Quote(const std::string& question) { Print("\n   " + Style(kItalic, "“" + question + "”") + "\n"); }

void Screen::Answer(float distance, const std::string& lemmas, const std::string& subject,
                    const std::string& definition) {
  constexpr size_t kMargin = 11;  // before the lemmas
  char number[16];
  std::snprintf(number, sizeof(number), "%.3f", static_cast<double>(distance));
  std::string words = isotherm::terminal::Truncate(lemmas, width_ / 3);
  size_t taken = kMargin + isotherm::terminal::DisplayWidth(words) + subject.size() + 6;
  std::string rest = isotherm::terminal::Truncate(definition, width_ - std::min(width_ - 8, taken));
  Line("  " + std::string(number) + "  " + Style(kBold, words) + Style(kDim, " (" + subject + ")") + ": " + rest);
}

void Screen::Show(const Chart& chart) { Print(std::string("\n") + RenderText(chart, width_, colour_) + "\n"); }

isotherm::Progress Screen::Stages(isotherm::terminal::ProgressUnit unit) {
  isotherm::Progress progress = bar_.Callback(unit);
  return [progress](std::string_view stage, uint64_t done, uint64_t total) {
    progress("  " + std::string(stage), done, total);
  };
}

int64_t Screen::NowNs() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void Screen::Print(const std::string& text) {
  bar_.Clear();
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

std::string Screen::Style(const char* code, const std::string& text) const {
  return colour_ ? code + text + "\x1b[0m" : text;
}

}  // namespace cloud_tiered
