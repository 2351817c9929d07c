#include "tools/commands/output.h"

#include <algorithm>
#include <cstdio>

#include "tools/terminal/text.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

void Print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void PrintJson(const formats::Json& json) { Print(formats::DumpJson(json, 2) + "\n"); }

void PrintNote(std::string_view text) {
  std::string line = "isotherm: " + terminal::OneLine(text) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void PrintMissing(std::span<const MissingPart> missing) {
  constexpr size_t kShown = 5;
  if (missing.empty()) return;
  uint64_t rows = 0;
  for (const MissingPart& part : missing) rows += part.rows;
  PrintNote("not whole: " + Plural(missing.size(), "part", "parts") + " could not be read, with " +
            Plural(rows, "row", "rows") + " at most");
  for (const MissingPart& part : missing.first(std::min(missing.size(), kShown))) PrintNote(part.status.ToString());
  if (missing.size() > kShown) PrintNote("… and " + std::to_string(missing.size() - kShown) + " more: --json has all");
}

formats::Json MissingJson(std::span<const MissingPart> missing) {
  formats::Json list = formats::Json::array();
  for (const MissingPart& part : missing) {
    list.push_back({{"object", part.object}, {"rows", part.rows}, {"error", part.status.ToString()}});
  }
  return list;
}

formats::Json CostJson(const MeterSummary& cost) {
  return {{"waves", cost.waves},        {"gets", cost.gets()},           {"puts", cost.puts()},
          {"lists", cost.lists()},      {"bytes_read", cost.bytes_read}, {"bytes_written", cost.bytes_written},
          {"price_usd", PriceUsd(cost)}};
}

std::string CostText(const MeterSummary& cost) {
  std::string text = Plural(cost.waves, "wave", "waves") + ", " + Plural(cost.gets(), "GET", "GETs");
  if (cost.puts() > 0) text += ", " + Plural(cost.puts(), "PUT", "PUTs");
  if (cost.lists() > 0) text += ", " + Plural(cost.lists(), "LIST", "LISTs");
  text += ", " + terminal::FormatBytes(cost.bytes_read) + " read";
  if (cost.bytes_written > 0) text += ", " + terminal::FormatBytes(cost.bytes_written) + " written";
  return text;
}

std::string ValueText(const Value& value) {
  return value.type() == Value::Type::kString ? value.as_string() : value.ToString();
}

double Milliseconds(int64_t ns) { return static_cast<double>(ns) / 1e6; }
double Seconds(int64_t ns) { return static_cast<double>(ns) / 1e9; }

std::string Plural(uint64_t count, const char* one, const char* many) {
  return terminal::FormatCount(count) + " " + (count == 1 ? one : many);
}

}  // namespace isotherm::tool
