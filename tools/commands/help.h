// How the help looks, and what the command line says when it is wrong.
#pragma once

#include <memory>
#include <string>

namespace CLI {
class App;
class FormatterBase;
}  // namespace CLI

namespace isotherm::tool {

// Descriptions wrapped to lines, what is required and the defaults named behind them.
std::shared_ptr<CLI::FormatterBase> MakeHelpFormatter();

// "isotherm create": the command that the line named, as far as it was understood.
std::string CommandPath(const CLI::App& app);

}  // namespace isotherm::tool
