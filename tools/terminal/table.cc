#include "tools/terminal/table.h"

#include <algorithm>

#include "tools/terminal/text.h"

namespace isotherm::terminal {

namespace {

constexpr size_t kBetween = 2;
constexpr size_t kNarrowest = 8;

std::string Spaces(size_t n) { return std::string(n, ' '); }

void EndLine(std::string& out) {
  out.erase(out.find_last_not_of(' ') + 1);
  out.push_back('\n');
}

}  // namespace

void Table::AddRow(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = OneLine(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::ToString(size_t width) const {
  std::vector<size_t> widths;
  size_t total = kBetween * (columns_.size() - std::min<size_t>(columns_.size(), 1));
  for (size_t c = 0; c < columns_.size(); ++c) {
    widths.push_back(DisplayWidth(columns_[c].title));
    for (const auto& row : rows_) widths[c] = std::max(widths[c], DisplayWidth(row[c]));
    total += widths[c];
  }
  for (; width > 0 && total > width; --total) {
    auto widest = std::max_element(widths.begin(), widths.end());
    if (*widest <= kNarrowest) break;
    --*widest;
  }

  std::string out;
  auto add_line = [&](auto&& cell_of) {
    std::string line;
    for (size_t c = 0; c < columns_.size(); ++c) {
      std::string cell = Truncate(cell_of(c), widths[c]);
      std::string padding = Spaces(widths[c] - DisplayWidth(cell));
      line += columns_[c].align == Align::kRight ? padding + cell : cell + padding;
      if (c + 1 < columns_.size()) line += Spaces(kBetween);
    }
    EndLine(line);
    out += line;
  };
  add_line([&](size_t c) { return columns_[c].title; });
  add_line([&](size_t c) {
    std::string rule;
    for (size_t i = 0; i < widths[c]; ++i) rule += "─";
    return rule;
  });
  for (const auto& row : rows_) add_line([&](size_t c) { return row[c]; });
  return out;
}

std::string Fields(const std::vector<std::pair<std::string, std::string>>& fields) {
  size_t widest = 0;
  for (const auto& field : fields) widest = std::max(widest, DisplayWidth(field.first));
  std::string out;
  for (const auto& [name, value] : fields) {
    std::string line = name + Spaces(widest - DisplayWidth(name) + kBetween) + OneLine(value);
    EndLine(line);
    out += line;
  }
  return out;
}

}  // namespace isotherm::terminal
