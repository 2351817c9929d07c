// Tables and lists of fields in plain text.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace isotherm::terminal {

enum class Align { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell a column; a cell becomes one line of printable text.
  void AddRow(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  // Titles, a rule, the rows. Lines end without spaces. `width` > 0: the last column is cut so that lines fit, but
  // never below eight columns.
  std::string ToString(size_t width = 0) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// "name   value" lines, the values below each other.
std::string Fields(const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace isotherm::terminal
