#include "isotherm/metrics.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <utility>

#include "base/histogram.h"
#include "base/sync.h"

namespace isotherm {

namespace {

constexpr size_t kMetricCount = std::size(metric_table::kMetrics);
constexpr uint16_t kNoPlace = UINT16_MAX;

// Where each metric's figures are: counters and gauges in one array, histograms in another.
struct Layout {
  std::array<uint16_t, kMetricCount> first = {};
  size_t values = 0;
  size_t histograms = 0;
};

constexpr Layout MakeLayout() {
  Layout layout;
  for (size_t i = 0; i < kMetricCount; ++i) {
    const MetricInfo& info = metric_table::kMetrics[i];
    size_t& next = info.kind == MetricKind::kHistogram ? layout.histograms : layout.values;
    layout.first[i] = static_cast<uint16_t>(next);
    next += info.label.figures();
  }
  return layout;
}

constexpr Layout kLayout = MakeLayout();

// kNoPlace, and an assertion that fails, for a metric of another kind or a label that it has not.
size_t PlaceOf(MetricId id, bool histogram, size_t label) {
  const MetricInfo& info = InfoOf(id);
  bool fits = (info.kind == MetricKind::kHistogram) == histogram && label < info.label.figures();
  assert(fits);
  return fits ? kLayout.first[static_cast<size_t>(id)] + label : kNoPlace;
}

bool IsCounter(size_t place) {
  for (const MetricInfo& info : AllMetrics()) {
    size_t first = kLayout.first[static_cast<size_t>(info.id)];
    if (info.kind != MetricKind::kHistogram && place >= first && place < first + info.label.figures()) {
      return info.kind == MetricKind::kCounter;
    }
  }
  return false;
}

}  // namespace

struct Metrics::State {
  struct RegisteredCollector {
    uint64_t id;
    Collector collect;
  };

  std::array<std::atomic<uint64_t>, kLayout.values> values = {};  // of gauges: never used
  std::array<Histogram, kLayout.histograms> histograms;
  Mutex collectors_mutex;  // guards the rest; held while collectors run
  std::vector<RegisteredCollector> collectors;
  uint64_t next_id = 1;

  void Remove(uint64_t id);
};

void Metrics::State::Remove(uint64_t id) {
  std::lock_guard lock(collectors_mutex);
  std::erase_if(collectors, [&](const RegisteredCollector& each) {
    if (each.id != id) return false;
    MetricsWriter last;
    last.added_.resize(kLayout.values);
    last.raised_.resize(kLayout.values);
    each.collect(last);
    for (size_t place = 0; place < kLayout.values; ++place) {
      if (last.added_[place] > 0 && IsCounter(place)) values[place] += static_cast<uint64_t>(last.added_[place]);
    }
    return true;
  });
}

Metrics::Metrics() : state_(std::make_shared<State>()) {}

Metrics::~Metrics() = default;

void Metrics::Add(MetricId counter, uint64_t delta, size_t label) {
  size_t place = PlaceOf(counter, /*histogram=*/false, label);
  if (place != kNoPlace) state_->values[place].fetch_add(delta, std::memory_order_relaxed);
}

void Metrics::Observe(MetricId histogram, int64_t nanoseconds, size_t label) {
  size_t place = PlaceOf(histogram, /*histogram=*/true, label);
  // A clock that an environment injects may stand still or be set back.
  if (place != kNoPlace) state_->histograms[place].Observe(nanoseconds > 0 ? static_cast<uint64_t>(nanoseconds) : 0);
}

void Metrics::AddError(MetricId counter, StatusCode code) {
  if (code != StatusCode::kOk) Add(counter, 1, static_cast<size_t>(code) - 1);
}

Metrics::CollectorRegistration Metrics::AddCollector(Collector collector) {
  std::lock_guard lock(state_->collectors_mutex);
  uint64_t id = state_->next_id++;
  state_->collectors.push_back({id, std::move(collector)});
  return {state_, id};
}

Metrics::CollectorRegistration::CollectorRegistration(std::shared_ptr<State> state, uint64_t id)
    : state_(std::move(state)), id_(id) {}

Metrics::CollectorRegistration& Metrics::CollectorRegistration::operator=(CollectorRegistration&& other) noexcept {
  if (this != &other) {
    Remove();
    state_ = std::move(other.state_);
    id_ = other.id_;
  }
  return *this;
}

void Metrics::CollectorRegistration::Remove() {
  if (std::shared_ptr<State> state = std::move(state_); state != nullptr) state->Remove(id_);
}

MetricsSnapshot Metrics::Snapshot() const {
  MetricsWriter found;
  found.added_.resize(kLayout.values);
  found.raised_.resize(kLayout.values);
  MetricsSnapshot snapshot;
  {
    // Together, so that what a collector leaves behind when it ends is counted once.
    std::lock_guard lock(state_->collectors_mutex);
    for (const auto& each : state_->collectors) each.collect(found);
    for (const auto& value : state_->values) {
      snapshot.values_.push_back(static_cast<double>(value.load(std::memory_order_relaxed)));
    }
  }
  for (size_t place = 0; place < kLayout.values; ++place) {
    double& value = snapshot.values_[place];
    value = std::max(value + found.added_[place], found.raised_[place]);
  }
  for (const Histogram& histogram : state_->histograms) snapshot.histograms_.push_back(histogram.Snapshot());
  return snapshot;
}

void MetricsWriter::Add(MetricId counter_or_gauge, double value, size_t label) {
  size_t place = PlaceOf(counter_or_gauge, /*histogram=*/false, label);
  if (place != kNoPlace) added_[place] += value;
}

void MetricsWriter::RaiseTo(MetricId counter_or_gauge, double value, size_t label) {
  size_t place = PlaceOf(counter_or_gauge, /*histogram=*/false, label);
  if (place != kNoPlace) raised_[place] = std::max(raised_[place], value);
}

double MetricsSnapshot::Value(MetricId counter_or_gauge, size_t label) const {
  size_t place = PlaceOf(counter_or_gauge, /*histogram=*/false, label);
  return place < values_.size() ? values_[place] : 0;
}

const HistogramSnapshot& MetricsSnapshot::Histogram(MetricId histogram, size_t label) const {
  static const HistogramSnapshot kEmpty;
  size_t place = PlaceOf(histogram, /*histogram=*/true, label);
  return place < histograms_.size() ? histograms_[place] : kEmpty;
}

}  // namespace isotherm
