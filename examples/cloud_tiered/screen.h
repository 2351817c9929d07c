// How the demo looks on a terminal, or in a file: then without colours and progress bars.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "chart.h"
#include "isotherm/collection.h"
#include "tools/terminal/progress_bar.h"
#include "tools/terminal/units.h"

namespace cloud_tiered {

class Screen {
 public:
  Screen();

  void Title(const std::string& text);
  void Scene(const std::string& text);  // numbered
  void Line(const std::string& text);
  void Fields(const std::vector<std::pair<std::string, std::string>>& fields);
  void Quote(const std::string& question);
  void Answer(float distance, const std::string& lemmas, const std::string& subject, const std::string& definition);
  void Show(const Chart& chart);

  // Vanishes when the next text comes.
  isotherm::terminal::ProgressBar& bar() { return bar_; }
  isotherm::Progress Stages(isotherm::terminal::ProgressUnit unit = isotherm::terminal::ProgressUnit::kCount);

  int64_t NowNs() const;

 private:
  void Print(const std::string& text);
  std::string Style(const char* code, const std::string& text) const;

  const bool colour_;
  const size_t width_;
  int scenes_ = 0;
  isotherm::terminal::ProgressBar bar_;
};

}  // namespace cloud_tiered
