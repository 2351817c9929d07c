// How the help looks, and what the command line says when it is wrong.
#pragma once

#include <memory>
#include <string>

namespace CLI {
class App;
class FormatterBase;
class ParseError;
}  // namespace CLI

namespace isotherm::tool {

// Descriptions wrapped to lines, what is required and the defaults named behind them.
std::shared_ptr<CLI::FormatterBase> MakeHelpFormatter();

// "isotherm create": the command that the line named, as far as it was understood.
std::string CommandPath(const CLI::App& app);
// What is wrong with the line.
std::string UsageMessage(const CLI::App& app, const CLI::ParseError& error);

}  // namespace isotherm::tool
