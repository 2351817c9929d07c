// The tiers side by side on a logarithmic axis of time: on the terminal, and the same as an SVG file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace cloud_tiered {

enum class Temperature { kHot, kWarm, kCool, kCold };

struct Tier {
  std::string name;  // "RAM"
  std::string what;  // "the same question again"
  std::string cost;  // "no request"
  Temperature temperature = Temperature::kHot;
  std::vector<int64_t> samples_ns;  // > 0; not empty
};

struct Chart {
  std::string title;
  std::string note;  // where the figures come from
  std::vector<Tier> tiers;
};

// `width` ≥ 60. A dot is the median, the line reaches from the 5th to the 95th percentile.
std::string RenderText(const Chart& chart, size_t width, bool colour);
// Readable on light and on dark ground.
std::string RenderSvg(const Chart& chart);

}  // namespace cloud_tiered
