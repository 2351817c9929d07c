#include "tools/terminal/text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdint>

namespace isotherm::terminal {

namespace {

struct Character {
  char32_t code = 0;
  size_t bytes = 1;
  bool valid = false;
};

// The character that `text` (not empty) begins with; one byte when it is no UTF-8.
Character First(std::string_view text) {
  auto byte = static_cast<unsigned char>(text[0]);
  if (byte < 0x80) return {byte, 1, true};
  size_t bytes = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
  if (byte < 0xc2 || byte > 0xf4 || text.size() < bytes) return {};
  char32_t code = byte & (0x7f >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0) != 0x80) return {};
    code = (code << 6) | (next & 0x3f);
  }
  static constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[bytes] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return {};
  return {code, bytes, true};
}

bool In(char32_t code, char32_t first, char32_t last) { return code >= first && code <= last; }

// The ranges that matter of Unicode's East Asian Width W and F, and of its combining marks.
size_t Columns(char32_t code) {
  if (In(code, 0x300, 0x36f) || In(code, 0x200b, 0x200f) || In(code, 0xfe00, 0xfe0f)) return 0;
  if (In(code, 0x1100, 0x115f) || In(code, 0x2e80, 0xa4cf) || In(code, 0xac00, 0xd7a3) || In(code, 0xf900, 0xfaff) ||
      In(code, 0xfe30, 0xfe6f) || In(code, 0xff00, 0xff60) || In(code, 0xffe0, 0xffe6) || In(code, 0x1f300, 0x1faff) ||
      In(code, 0x20000, 0x3fffd)) {
    return 2;
  }
  return 1;
}

bool IsControl(char32_t code) {
  return code < 0x20 || In(code, 0x7f, 0x9f) || In(code, 0x2028, 0x202e) || In(code, 0x2066, 0x2069);
}

}  // namespace

size_t DisplayWidth(std::string_view utf8) {
  size_t width = 0;
  while (!utf8.empty()) {
    Character next = First(utf8);
    width += next.valid ? Columns(next.code) : 1;
    utf8.remove_prefix(next.bytes);
  }
  return width;
}

std::string Truncate(std::string_view utf8, size_t columns) {
  if (DisplayWidth(utf8) <= columns) return std::string(utf8);
  if (columns == 0) return {};
  size_t width = 0, bytes = 0;
  while (true) {
    Character next = First(utf8.substr(bytes));
    width += next.valid ? Columns(next.code) : 1;
    if (width + 1 > columns) return std::string(utf8.substr(0, bytes)) + "…";
    bytes += next.bytes;
  }
}

std::string OneLine(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    Character next = First(text);
    if (!next.valid) {
      out += "�";
    } else if (IsControl(next.code)) {
      out += ' ';
    } else {
      out += text.substr(0, next.bytes);
    }
    text.remove_prefix(next.bytes);
  }
  return out;
}

bool IsTerminal(int file_descriptor) { return isatty(file_descriptor) == 1; }

size_t TerminalWidth(int file_descriptor) {
  winsize size{};
  if (ioctl(file_descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace isotherm::terminal
