// Text on a terminal: how wide it is, and cutting it to fit.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace isotherm::terminal {

// Columns that `utf8` takes: two for wide characters, none for combining ones.
size_t DisplayWidth(std::string_view utf8);
// At most `columns` wide; what is cut off becomes "…".
std::string Truncate(std::string_view utf8, size_t columns);
// One line without anything that would move the cursor: control characters become spaces, broken UTF-8 becomes "�".
std::string OneLine(std::string_view text);

bool IsTerminal(int file_descriptor);
// 80 where it is not known.
size_t TerminalWidth(int file_descriptor);

}  // namespace isotherm::terminal
