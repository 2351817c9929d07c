// Counters and latency histograms, cheap enough to be always on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "isotherm/metric_names.h"
#include "isotherm/status.h"

namespace isotherm {

// The distribution of what was recorded, in seconds. A plain value.
class HistogramSnapshot {
 public:
  uint64_t count() const { return count_; }
  double sum() const { return sum_; }
  double max() const { return max_; }  // exact; of a difference: within 6.3 % above
  // The smallest recorded value that at least a share `q` (0 … 1) of all do not exceed, within 3.2 %; 0 when there is
  // none.
  double Quantile(double q) const;
  // How many are at most `seconds`. Exact for a power of two of nanoseconds, less one.
  uint64_t CountUpTo(double seconds) const;
  // What was recorded after `earlier` was taken of the same histogram.
  HistogramSnapshot Since(const HistogramSnapshot& earlier) const;

 private:
  friend class Histogram;
  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
  double sum_ = 0;
  double max_ = 0;
};

// All figures at one moment. `label`: which of the metric's label values.
class MetricsSnapshot {
 public:
  double Value(MetricId counter_or_gauge, size_t label = 0) const;
  const HistogramSnapshot& Histogram(MetricId histogram, size_t label = 0) const;

  // The text exposition format 0.0.4 of Prometheus.
  std::string ToPrometheus() const;
  // One object: "name": figure, or {label value: figure, …}. A histogram's figure is {"count", "sum", "p50", "p95",
  // "p99", "max"}.
  std::string ToJson() const;

 private:
  friend class Metrics;
  std::vector<double> values_;
  std::vector<HistogramSnapshot> histograms_;
};

// Where a collector puts what it finds.
class MetricsWriter {
 public:
  // Adds to what was counted, and to what other collectors found.
  void Add(MetricId counter_or_gauge, double value, size_t label = 0);
  // Makes it at least `value`: for what several collectors find alike.
  void RaiseTo(MetricId counter_or_gauge, double value, size_t label = 0);

 private:
  friend class Metrics;
  std::vector<double> added_;
  std::vector<double> raised_;
};

// Thread-safe; Add and Observe take no lock and allocate nothing. May be shared by several collections: their figures
// are then added up. About 55 KiB.
class Metrics {
 private:
  struct State;

 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void Add(MetricId counter, uint64_t delta = 1, size_t label = 0);
  void Observe(MetricId histogram, int64_t nanoseconds, size_t label = 0);
  // Counts under the label value of `code`; nothing for kOk.
  void AddError(MetricId counter, StatusCode code);

  // Reads what is counted elsewhere, at each Snapshot; one runs at a time. It must not use these Metrics.
  using Collector = std::function<void(MetricsWriter&)>;
  // Ends with its life, after a call that is under way; the counters that it found last stay counted.
  class CollectorRegistration {
   public:
    CollectorRegistration() = default;
    CollectorRegistration(std::shared_ptr<State> state, uint64_t id);
    CollectorRegistration(CollectorRegistration&& other) noexcept = default;
    CollectorRegistration& operator=(CollectorRegistration&& other) noexcept;
    ~CollectorRegistration() { Remove(); }

   private:
    void Remove();
    std::shared_ptr<State> state_;
    uint64_t id_ = 0;
  };
  [[nodiscard]] CollectorRegistration AddCollector(Collector collector);

  MetricsSnapshot Snapshot() const;

 private:
  const std::shared_ptr<State> state_;
};

}  // namespace isotherm
