#include "tools/commands/help.h"

#include <CLI/CLI.hpp>
#include <sstream>
#include <string_view>

namespace isotherm::tool {

namespace {

constexpr size_t kNameColumns = 30;
constexpr size_t kTextColumns = 84;

std::string Wrap(const std::string& text) {
  std::istringstream words(text);
  std::string out, word;
  size_t column = 0;
  while (words >> word) {
    if (column > 0 && column + 1 + word.size() > kTextColumns) {
      out += '\n';
      column = 0;
    }
    if (column > 0) out += ' ';
    column += word.size() + (column > 0 ? 1 : 0);
    out += word;
  }
  return out;
}

class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(kNameColumns); }

  // Without what CLI11 adds to the form of a flag that turns it off.
  std::string make_option_name(const CLI::Option* option, bool positional) const override {
    constexpr std::string_view kAddition = "{false}";
    std::string name = CLI::Formatter::make_option_name(option, positional);
    size_t at = name.find(kAddition);
    return at == std::string::npos ? name : name.erase(at, kAddition.size());
  }

  std::string make_option_opts(const CLI::Option* option) const override {
    // A positional's name says what it is.
    if (option->get_expected_max() == 0 || option->get_positional()) return {};
    return " " + option->get_type_name();
  }

  std::string make_option_desc(const CLI::Option* option) const override {
    std::string text = option->get_description();
    if (option->get_required() && !option->get_positional()) text += " (required)";
    if (!option->get_default_str().empty()) text += " (default: " + option->get_default_str() + ")";
    return Wrap(text);
  }
};

}  // namespace

std::shared_ptr<CLI::FormatterBase> MakeHelpFormatter() { return std::make_shared<HelpFormatter>(); }

std::string CommandPath(const CLI::App& app) {
  auto chosen = app.get_subcommands();
  return chosen.empty() ? app.get_name() : app.get_name() + " " + CommandPath(*chosen.front());
}

std::string UsageMessage(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* deepest = &app;
  while (!deepest->get_subcommands().empty()) deepest = deepest->get_subcommands().front();
  if (deepest->get_require_subcommand_min() == 0) return error.what();
  std::vector<std::string> unknown = deepest->remaining();
  if (unknown.empty()) return "a command is wanted behind '" + CommandPath(app) + "'";
  return "'" + CommandPath(app) + "' has no command '" + unknown.front() + "'";
}

}  // namespace isotherm::tool
