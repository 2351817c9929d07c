#include "chart.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "figures.h"
#include "tools/terminal/text.h"
#include "tools/terminal/units.h"

namespace cloud_tiered {

namespace {

using isotherm::terminal::DisplayWidth;
using isotherm::terminal::FormatDuration;
using isotherm::terminal::Truncate;

constexpr double kLowest = 0.05, kMiddle = 0.5, kHighest = 0.95;

std::string Print(const char* format, double a, double b = 0, double c = 0, double d = 0) {
  char buffer[256];
  std::snprintf(buffer, sizeof(buffer), format, a, b, c, d);
  return buffer;
}

// Whole decades of nanoseconds around all that is shown.
class Axis {
 public:
  explicit Axis(const std::vector<Tier>& tiers) {
    double low = 1e9, high = 1e3;
    for (const Tier& tier : tiers) {
      low = std::min(low, Quantile(tier.samples_ns, kLowest));
      high = std::max(high, Quantile(tier.samples_ns, kHighest));
    }
    // Nothing sticks to the left edge.
    first_ = static_cast<int>(std::floor(std::log10(std::max(low * 0.8, 1.0))));
    last_ = std::max(static_cast<int>(std::ceil(std::log10(high))), first_ + 1);
  }

  int first() const { return first_; }
  int decades() const { return last_ - first_; }
  // From 0 at the left end to 1 at the right one.
  double Place(double ns) const { return (std::log10(std::max(ns, 1.0)) - first_) / decades(); }
  // "10 µs" at the beginning of a decade.
  std::string Label(int decade) const {
    static constexpr const char* kUnits[] = {"ns", "µs", "ms", "s"};
    int power = first_ + decade;
    int unit = std::min(power / 3, 3);
    return std::to_string(static_cast<int64_t>(std::pow(10, power - 3 * unit))) + " " + kUnits[unit];
  }

 private:
  int first_, last_;
};

std::string PadRight(const std::string& text, size_t columns) {
  size_t width = DisplayWidth(text);
  return text + std::string(columns - std::min(columns, width), ' ');
}

std::string PadLeft(const std::string& text, size_t columns) {
  size_t width = DisplayWidth(text);
  return std::string(columns - std::min(columns, width), ' ') + text;
}

// The terminal's own 256 colours.
const char* TerminalColour(Temperature temperature) {
  switch (temperature) {
    case Temperature::kHot: return "\x1b[38;5;202m";
    case Temperature::kWarm: return "\x1b[38;5;214m";
    case Temperature::kCool: return "\x1b[38;5;39m";
    case Temperature::kCold: return "\x1b[38;5;63m";
  }
  return "";
}

struct TextStyle {
  bool colour;
  std::string Paint(const char* code, const std::string& text) const { return colour ? code + text + "\x1b[0m" : text; }
  std::string Dim(const std::string& text) const { return Paint("\x1b[2m", text); }
  std::string Bold(const std::string& text) const { return Paint("\x1b[1m", text); }
};

// The plot of one tier: grid lines at the decades, the range, the median.
std::string TextPlot(const Tier& tier, const Axis& axis, size_t columns, const TextStyle& style) {
  auto column = [&](double ns) {
    return static_cast<size_t>(std::lround(axis.Place(ns) * static_cast<double>(columns - 1)));
  };
  size_t low = column(Quantile(tier.samples_ns, kLowest));
  size_t middle = column(Quantile(tier.samples_ns, kMiddle));
  size_t high = column(Quantile(tier.samples_ns, kHighest));
  std::vector<bool> grid(columns);
  for (int decade = 0; decade <= axis.decades(); ++decade) grid[column(std::pow(10, axis.first() + decade))] = true;
  const char* colour = TerminalColour(tier.temperature);
  std::string plot;
  for (size_t c = 0; c < columns;) {
    if (c < low || c > high) {
      plot += grid[c++] ? style.Dim("┊") : " ";
      continue;
    }
    std::string range;
    for (; c <= high; ++c) range += c == middle ? "●" : "━";
    plot += style.Paint(colour, range);
  }
  return plot;
}

// Each label below its grid line, the last one ending there.
std::string TextAxis(const Axis& axis, size_t columns) {
  std::string line;
  for (int decade = 0; decade <= axis.decades(); ++decade) {
    std::string label = axis.Label(decade);
    size_t width = DisplayWidth(label);
    auto at = static_cast<size_t>(
        std::lround(static_cast<double>(decade) / axis.decades() * static_cast<double>(columns - 1)));
    size_t begin = at - std::min(at, decade < axis.decades() ? width / 2 : width - 1);
    line = PadRight(line, begin) + label;
  }
  return line;
}

const char kSvgStyle[] = R"(  <style>
    text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; font-size: 13px; }
    .ground { fill: #ffffff; } .title { font-size: 18px; font-weight: 600; fill: #1b1f24; }
    .name { font-size: 14px; font-weight: 600; fill: #1b1f24; } .value { font-size: 14px; font-weight: 600; }
    .note { font-size: 12px; fill: #59636e; }
    .grid { stroke: #d1d9e0; stroke-width: 1; } .fine { stroke: #eff2f5; stroke-width: 1; }
    .range { stroke-width: 7; stroke-linecap: round; opacity: 0.35; }
    .hot { fill: #c2410c; stroke: #c2410c; } .warm { fill: #a16207; stroke: #a16207; }
    .cool { fill: #0369a1; stroke: #0369a1; } .cold { fill: #4338ca; stroke: #4338ca; }
    text.value { stroke: none; }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #0d1117; } .title, .name { fill: #f0f6fc; } .note { fill: #9198a1; }
      .grid { stroke: #3d444d; } .fine { stroke: #1c2128; }
      .hot { fill: #fb923c; stroke: #fb923c; } .warm { fill: #facc15; stroke: #facc15; }
      .cool { fill: #38bdf8; stroke: #38bdf8; } .cold { fill: #a5b4fc; stroke: #a5b4fc; }
    }
  </style>
)";

const char* SvgClass(Temperature temperature) {
  switch (temperature) {
    case Temperature::kHot: return "hot";
    case Temperature::kWarm: return "warm";
    case Temperature::kCool: return "cool";
    case Temperature::kCold: return "cold";
  }
  return "";
}

std::string Escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else {
      out += c;
    }
  }
  return out;
}

// Pixels of the drawing.
constexpr double kSvgWidth = 920, kPlotLeft = 215, kPlotRight = 690, kPlotTop = 92, kRowHeight = 58;

std::string SvgText(double x, double y, const char* look, const std::string& text) {
  return Print("  <text x=\"%.1f\" y=\"%.1f\" ", x, y) + look + ">" + Escaped(text) + "</text>\n";
}

std::string SvgGrid(const Axis& axis, double bottom) {
  std::string out;
  double decade_width = (kPlotRight - kPlotLeft) / axis.decades();
  for (int decade = 0; decade <= axis.decades(); ++decade) {
    double x = kPlotLeft + decade * decade_width;
    for (int times = 2; times <= 9 && decade < axis.decades(); ++times) {
      double fine = x + std::log10(times) * decade_width;
      out += Print("  <line class=\"fine\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", fine, kPlotTop, fine,
                   bottom);
    }
    out += Print("  <line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x, kPlotTop, x, bottom);
    out += SvgText(x, bottom + 20, "class=\"note\" text-anchor=\"middle\"", axis.Label(decade));
  }
  return out;
}

std::string SvgTier(const Tier& tier, const Axis& axis, double y) {
  auto x = [&](double fraction) {
    return kPlotLeft + axis.Place(Quantile(tier.samples_ns, fraction)) * (kPlotRight - kPlotLeft);
  };
  std::string colour = SvgClass(tier.temperature);
  auto median_ns = static_cast<int64_t>(Quantile(tier.samples_ns, kMiddle));
  std::string out = SvgText(24, y - 3, "class=\"name\"", tier.name) + SvgText(24, y + 15, "class=\"note\"", tier.what);
  out += "  <line class=\"range " + colour +
         Print("\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x(kLowest), y, x(kHighest), y);
  out += "  <circle class=\"" + colour + Print("\" cx=\"%.1f\" cy=\"%.1f\" r=\"6\"/>\n", x(kMiddle), y);
  out += SvgText(kPlotRight + 24, y - 3, ("class=\"value " + colour + "\"").c_str(), FormatDuration(median_ns));
  return out + SvgText(kPlotRight + 24, y + 15, "class=\"note\"", tier.cost);
}

}  // namespace

std::string RenderText(const Chart& chart, size_t width, bool colour) {
  constexpr size_t kMargin = 3, kValueColumns = 10, kWidestPlot = 81;
  Axis axis(chart.tiers);
  TextStyle style{colour};
  size_t columns = std::min(width - kMargin - kValueColumns, kWidestPlot);
  std::string margin(kMargin, ' ');
  std::string out =
      margin + style.Bold(chart.title) + "\n" + margin + style.Dim(Truncate(chart.note, width - kMargin)) + "\n\n";
  for (const Tier& tier : chart.tiers) {
    auto median_ns = static_cast<int64_t>(Quantile(tier.samples_ns, kMiddle));
    out += margin + style.Paint(TerminalColour(tier.temperature), tier.name);
    out += "  " + tier.what + style.Dim(": " + tier.cost) + "\n";
    out += margin + TextPlot(tier, axis, columns, style);
    out += style.Bold(PadLeft(FormatDuration(median_ns), kValueColumns)) + "\n";
  }
  return out + margin + style.Dim(TextAxis(axis, columns)) + "\n";
}

std::string RenderSvg(const Chart& chart) {
  Axis axis(chart.tiers);
  double bottom = kPlotTop + kRowHeight * static_cast<double>(chart.tiers.size());
  double height = bottom + 62;
  std::string out =
      Print("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\"",
            kSvgWidth, height, kSvgWidth, height);
  out += " role=\"img\">\n  <title>" + Escaped(chart.title) + "</title>\n" + kSvgStyle;
  out += Print("  <rect class=\"ground\" width=\"%.0f\" height=\"%.0f\" rx=\"8\"/>\n", kSvgWidth, height);
  out += SvgText(24, 38, "class=\"title\"", chart.title) + SvgText(24, 60, "class=\"note\"", chart.note);
  out += SvgGrid(axis, bottom);
  double y = kPlotTop + kRowHeight / 2;
  for (const Tier& tier : chart.tiers) {
    out += SvgTier(tier, axis, y);
    y += kRowHeight;
  }
  out += SvgText((kPlotLeft + kPlotRight) / 2, bottom + 44, "class=\"note\" text-anchor=\"middle\"",
                 "time to the answer, logarithmic; dot: median, bar: 5th to 95th percentile");
  return out + "</svg>\n";
}

}  // namespace cloud_tiered
