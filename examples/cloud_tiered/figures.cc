#include "figures.h"

#include <algorithm>
#include <cmath>

namespace cloud_tiered {

namespace {

using isotherm::formats::Json;

// No more digits than were measured.
double Rounded(double value, int digits) {
  double scale = std::pow(10, digits);
  return std::round(value * scale) / scale;
}

double Milliseconds(double ns) { return Rounded(ns / 1e6, 3); }
double Microseconds(double ns) { return Rounded(ns / 1e3, 1); }

double MedianNs(const std::vector<Cost>& costs) { return Quantile(Column(costs, &Cost::ns), 0.5); }

uint64_t Largest(const std::vector<Cost>& costs, uint64_t Cost::*field) {
  uint64_t largest = 0;
  for (const Cost& cost : costs) largest = std::max(largest, cost.*field);
  return largest;
}

void AddCold(const Figures& figures, Json& json) {
  std::vector<Cost> opens = CostsOf(figures.cold_starts, &ColdStart::open);
  std::vector<Cost> searches = CostsOf(figures.cold_starts, &ColdStart::search);
  std::vector<Cost> totals = CostsOf(figures.cold_starts, &ColdStart::total);
  const std::vector<Cost>& questions = figures.cold_questions;
  json["open_ms"] = Milliseconds(MedianNs(opens));
  json["cold_ms"] = Milliseconds(MedianNs(totals));
  json["cold_p90_ms"] = Milliseconds(Quantile(Column(totals, &Cost::ns), 0.9));
  json["cold_query_ms"] = Milliseconds(MedianNs(searches));
  json["cold_query_waves"] = Mean(searches, &Cost::waves);
  json["cold_query_gets"] = Mean(searches, &Cost::gets);
  json["cold_query_bytes"] = std::round(Mean(searches, &Cost::bytes));
  json["cold_process_ms"] = Milliseconds(Quantile(Column(figures.cold_starts, &ColdStart::process_ns), 0.5));
  json["cold_starts"] = figures.cold_starts.size();
  json["cold_starts_waves_max"] = Largest(totals, &Cost::waves);
  json["cold_waves"] = Mean(questions, &Cost::waves);
  json["cold_waves_max"] = Largest(questions, &Cost::waves);
  json["cold_gets"] = Mean(questions, &Cost::gets);
  json["cold_other_requests"] = Mean(questions, &Cost::other_requests);
  json["cold_bytes"] = std::round(Mean(questions, &Cost::bytes));
  json["cold_questions"] = questions.size();
  json["recall_at_10"] = Rounded(figures.recall_at_10, 4);
  json["price_usd"] = Rounded(Mean(questions, &Cost::usd), 15);
}

void AddWarm(const Figures& figures, Json& json) {
  std::vector<Cost> opens = CostsOf(figures.warm_starts, &WarmStart::open);
  std::vector<Cost> searches = CostsOf(figures.warm_starts, &WarmStart::search);
  json["texts_ms"] = Milliseconds(MedianNs(figures.texts));
  json["texts_waves"] = Mean(figures.texts, &Cost::waves);
  json["texts_gets"] = Mean(figures.texts, &Cost::gets);
  json["texts_bytes"] = std::round(Mean(figures.texts, &Cost::bytes));
  json["warm_ram_us"] = Microseconds(Quantile(figures.warm_ram_ns, 0.5));
  json["warm_ram_queries"] = figures.warm_ram_ns.size();
  json["warm_ram_requests"] = figures.warm_ram_requests;
  json["warm_disk_us"] = Microseconds(MedianNs(searches));
  json["warm_disk_queries"] = searches.size();
  json["warm_disk_requests"] = Mean(searches, &Cost::gets) + Mean(searches, &Cost::other_requests);
  json["restart_open_ms"] = Milliseconds(MedianNs(opens));
  json["restart_open_waves"] = Mean(opens, &Cost::waves);
  json["restart_open_gets"] = Mean(opens, &Cost::gets);
  json["restart_open_bytes"] = std::round(Mean(opens, &Cost::bytes));
}

}  // namespace

double Quantile(std::vector<int64_t> samples, double fraction) {
  if (samples.empty()) return 0;
  std::sort(samples.begin(), samples.end());
  double place = fraction * static_cast<double>(samples.size() - 1);
  auto below = static_cast<size_t>(place);
  size_t above = std::min(below + 1, samples.size() - 1);
  auto low = static_cast<double>(samples[below]), high = static_cast<double>(samples[above]);
  return low + (high - low) * (place - static_cast<double>(below));
}

Json ToJson(const Figures& figures) {
  Json json;
  json["store"] = figures.store;
  json["profile"] = figures.profile;
  json["rows"] = figures.rows;
  json["dimension"] = figures.dimension;
  json["cells"] = figures.cells;
  json["stored_bytes"] = figures.stored_bytes;
  json["build_ms"] = Milliseconds(static_cast<double>(figures.build_ns));
  json["upload_ms"] = Milliseconds(static_cast<double>(figures.upload_ns));
  AddCold(figures, json);
  AddWarm(figures, json);
  return json;
}

}  // namespace cloud_tiered
