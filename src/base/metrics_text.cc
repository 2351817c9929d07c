#include <array>
#include <cmath>
#include <cstdio>

#include "base/json_text.h"
#include "isotherm/metrics.h"

namespace isotherm {

namespace {

// Bounds of the buckets that Prometheus gets: every power of two of nanoseconds from 16 µs to 69 s, less one.
constexpr int kFirstBoundBits = 14;
constexpr int kLastBoundBits = 36;

std::string NumberText(double value) {
  constexpr double kExact = 9007199254740992;  // 2^53
  if (std::floor(value) == value && std::abs(value) < kExact) return std::to_string(static_cast<int64_t>(value));
  return FloatToJson(value);
}

const char* TypeName(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter: return "counter";
    case MetricKind::kGauge: return "gauge";
    case MetricKind::kHistogram: return "histogram";
  }
  return "untyped";
}

// {kind="get",le="0.5"}; nothing where there is no label.
std::string LabelText(const MetricInfo& info, size_t label, const std::string& bound) {
  std::string text;
  if (info.label.name != nullptr) text = std::string(info.label.name) + "=\"" + info.label.values[label] + "\"";
  if (!bound.empty()) text += (text.empty() ? "le=\"" : ",le=\"") + bound + "\"";
  return text.empty() ? text : "{" + text + "}";
}

void AppendHistogram(std::string& out, const MetricInfo& info, size_t label, const HistogramSnapshot& histogram) {
  std::string name = info.name;
  auto bucket = [&](const std::string& bound, uint64_t count) {
    out += name + "_bucket" + LabelText(info, label, bound) + " " + std::to_string(count) + "\n";
  };
  for (int bits = kFirstBoundBits; bits <= kLastBoundBits; ++bits) {
    double bound = (std::ldexp(1.0, bits) - 1) * 1e-9;
    char text[32];
    std::snprintf(text, sizeof(text), "%.12g", bound);
    bucket(text, histogram.CountUpTo(bound));
  }
  bucket("+Inf", histogram.count());
  out += name + "_sum" + LabelText(info, label, "") + " " + NumberText(histogram.sum()) + "\n";
  out += name + "_count" + LabelText(info, label, "") + " " + std::to_string(histogram.count()) + "\n";
}

std::string HistogramJson(const HistogramSnapshot& histogram) {
  return "{\"count\":" + std::to_string(histogram.count()) + ",\"sum\":" + NumberText(histogram.sum()) +
         ",\"p50\":" + NumberText(histogram.Quantile(0.5)) + ",\"p95\":" + NumberText(histogram.Quantile(0.95)) +
         ",\"p99\":" + NumberText(histogram.Quantile(0.99)) + ",\"max\":" + NumberText(histogram.max()) + "}";
}

}  // namespace

std::string MetricsSnapshot::ToPrometheus() const {
  std::string out;
  for (const MetricInfo& info : AllMetrics()) {
    out += "# HELP " + std::string(info.name) + " " + info.meaning + "\n";
    out += "# TYPE " + std::string(info.name) + " " + TypeName(info.kind) + "\n";
    for (size_t label = 0; label < info.label.figures(); ++label) {
      if (info.kind == MetricKind::kHistogram) {
        AppendHistogram(out, info, label, Histogram(info.id, label));
      } else {
        out += info.name + LabelText(info, label, "") + " " + NumberText(Value(info.id, label)) + "\n";
      }
    }
  }
  return out;
}

std::string MetricsSnapshot::ToJson() const {
  std::string out = "{";
  for (const MetricInfo& info : AllMetrics()) {
    if (out.size() > 1) out += ",";
    AppendJsonString(out, info.name);
    out += info.label.name == nullptr ? ":" : ":{";
    for (size_t label = 0; label < info.label.figures(); ++label) {
      if (label > 0) out += ",";
      if (info.label.name != nullptr) {
        AppendJsonString(out, info.label.values[label]);
        out += ":";
      }
      out += info.kind == MetricKind::kHistogram ? HistogramJson(Histogram(info.id, label))
                                                 : NumberText(Value(info.id, label));
    }
    if (info.label.name != nullptr) out += "}";
  }
  return out + "}";
}

}  // namespace isotherm
