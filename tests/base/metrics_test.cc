#include "isotherm/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

#include "isotherm/memory.h"
#include "isotherm/metering.h"

namespace isotherm {
namespace {

TEST(MetricNames, AreUniqueAndSayTheirKindAndUnit) {
  std::set<std::string> names;
  for (const MetricInfo& info : AllMetrics()) {
    std::string name = info.name;
    std::string unit = info.unit;
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_TRUE(std::regex_match(name, std::regex("isotherm_[a-z]+(_[a-z]+)*"))) << name;
    EXPECT_EQ(name.ends_with("_total"), info.kind == MetricKind::kCounter) << name;
    if (info.kind == MetricKind::kHistogram) {
      EXPECT_EQ(unit, "seconds") << name;
    }
    if (unit == "seconds" || unit == "bytes") {
      EXPECT_NE(name.find("_" + unit), std::string::npos) << name;
    }
    EXPECT_EQ(&InfoOf(info.id), &info);
    EXPECT_GT(std::string(info.meaning).size(), 0u);
  }
}

TEST(MetricNames, LabelsFollowTheEnumerationsThatTheyStandFor) {
  using namespace metric_table;
  for (size_t i = 0; i < kCode.figures(); ++i) {
    EXPECT_STREQ(kCodeValues[i], StatusCodeName(static_cast<StatusCode>(i + 1)));
  }
  EXPECT_EQ(kCode.figures(), static_cast<size_t>(StatusCode::kInternal));
  for (int i = 0; i < kMemoryUses; ++i) EXPECT_STREQ(kUseValues[i], MemoryUseName(static_cast<MemoryUse>(i)));
  EXPECT_EQ(kUse.figures(), kMemoryUses + 1u);
  EXPECT_EQ(kRequest.figures(), static_cast<size_t>(kRequestKinds));
}

TEST(MetricsTest, CountsByLabelAndShowsZeroForTheRest) {
  Metrics metrics;
  metrics.Add(MetricId::kCommits);
  metrics.Add(MetricId::kCommits, 4);
  metrics.Add(MetricId::kCacheBytes, 7, static_cast<size_t>(CacheTier::kDisk));
  metrics.AddError(MetricId::kErrors, StatusCode::kOk);
  metrics.AddError(MetricId::kErrors, StatusCode::kConflict);
  metrics.Observe(MetricId::kSearchSeconds, 2'000'000);
  metrics.Observe(MetricId::kStoreSeconds, -5, static_cast<size_t>(RequestKind::kList));
  MetricsSnapshot snapshot = metrics.Snapshot();
  EXPECT_EQ(snapshot.Value(MetricId::kCommits), 5);
  EXPECT_EQ(snapshot.Value(MetricId::kConflicts), 0);
  EXPECT_EQ(snapshot.Value(MetricId::kCacheBytes, 0), 0);
  EXPECT_EQ(snapshot.Value(MetricId::kCacheBytes, 1), 7);
  double errors = 0;
  for (size_t i = 0; i < InfoOf(MetricId::kErrors).label.figures(); ++i) errors += snapshot.Value(MetricId::kErrors, i);
  EXPECT_EQ(errors, 1);
  EXPECT_EQ(snapshot.Value(MetricId::kErrors, static_cast<size_t>(StatusCode::kConflict) - 1), 1);
  EXPECT_EQ(snapshot.Histogram(MetricId::kSearchSeconds).count(), 1u);
  EXPECT_NEAR(snapshot.Histogram(MetricId::kSearchSeconds).Quantile(0.5), 0.002, 1e-4);
  EXPECT_EQ(snapshot.Histogram(MetricId::kStoreSeconds, 3).count(), 1u) << "a clock that went back";
  EXPECT_EQ(snapshot.Histogram(MetricId::kStoreSeconds, 0).count(), 0u);
}

TEST(MetricsTest, CollectorsAreAddedUpAndTheirCountersOutliveThem) {
  Metrics metrics;
  metrics.Add(MetricId::kCacheEvictions, 100);
  auto collector = [](double memtable, double version) {
    return [=](MetricsWriter& writer) {
      writer.Add(MetricId::kMemtableRows, memtable);
      writer.Add(MetricId::kCacheEvictions, 10);
      writer.RaiseTo(MetricId::kVersion, version);
      writer.RaiseTo(MetricId::kMemoryRefused, 3);
    };
  };
  auto first = metrics.AddCollector(collector(5, 70));
  auto second = metrics.AddCollector(collector(6, 60));
  MetricsSnapshot both = metrics.Snapshot();
  EXPECT_EQ(both.Value(MetricId::kMemtableRows), 11);
  EXPECT_EQ(both.Value(MetricId::kCacheEvictions), 120);
  EXPECT_EQ(both.Value(MetricId::kVersion), 70);
  EXPECT_EQ(both.Value(MetricId::kMemoryRefused), 3);
  Metrics::CollectorRegistration moved = std::move(first);
  moved = {};
  MetricsSnapshot one = metrics.Snapshot();
  EXPECT_EQ(one.Value(MetricId::kMemtableRows), 6) << "a gauge goes with its collector";
  EXPECT_EQ(one.Value(MetricId::kCacheEvictions), 120) << "a counter never falls";
  EXPECT_EQ(one.Value(MetricId::kVersion), 60);
  second = {};
  EXPECT_EQ(metrics.Snapshot().Value(MetricId::kCacheEvictions), 120);
  EXPECT_EQ(metrics.Snapshot().Value(MetricId::kMemoryRefused), 0);
}

TEST(MetricsTest, ARegistrationMayOutliveItsMetrics) {
  auto metrics = std::make_unique<Metrics>();
  auto registration = metrics->AddCollector([](MetricsWriter& writer) { writer.Add(MetricId::kMemtableRows, 1); });
  metrics = nullptr;
  registration = {};
}

struct PrometheusText {
  std::map<std::string, double> figures;     // by name and labels
  std::map<std::string, std::string> types;  // by name
};

// By the exposition format's grammar; fails for anything else.
PrometheusText ParsePrometheus(const std::string& text) {
  static const std::regex kComment("# (HELP|TYPE) ([a-z_]+) (.+)");
  static const std::regex kSample("([a-z_]+(?:\\{[a-z]+=\"[^\"]*\"(?:,[a-z]+=\"[^\"]*\")*\\})?) ([-+.0-9e]+)");
  PrometheusText parsed;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, kComment)) {
      if (match[1] == "TYPE") parsed.types[match[2]] = match[3];
    } else if (std::regex_match(line, match, kSample)) {
      EXPECT_TRUE(parsed.figures.emplace(match[1], std::stod(match[2])).second) << line;
    } else {
      ADD_FAILURE() << "not the exposition format: " << line;
    }
  }
  return parsed;
}

TEST(MetricsTest, PrometheusTextHoldsEveryFigure) {
  Metrics metrics;
  metrics.Add(MetricId::kCommits, 3);
  metrics.Add(MetricId::kStoreRequests, 2, static_cast<size_t>(RequestKind::kPut));
  auto gauge = metrics.AddCollector([](MetricsWriter& writer) { writer.Add(MetricId::kSnapshotAgeSeconds, 0.25); });
  for (int64_t ns : {int64_t{10'000}, int64_t{20'000}, int64_t{1'000'000}, int64_t{100'000'000'000}}) {
    metrics.Observe(MetricId::kGetSeconds, ns);
  }
  PrometheusText text = ParsePrometheus(metrics.Snapshot().ToPrometheus());
  EXPECT_EQ(text.types.size(), AllMetrics().size());
  EXPECT_EQ(text.types["isotherm_commits_total"], "counter");
  EXPECT_EQ(text.types["isotherm_get_seconds"], "histogram");
  EXPECT_EQ(text.types["isotherm_version"], "gauge");
  EXPECT_EQ(text.figures["isotherm_commits_total"], 3);
  EXPECT_EQ(text.figures["isotherm_store_requests_total{kind=\"put\"}"], 2);
  EXPECT_EQ(text.figures["isotherm_store_requests_total{kind=\"get\"}"], 0);
  EXPECT_EQ(text.figures["isotherm_snapshot_age_seconds"], 0.25);
  EXPECT_EQ(text.figures["isotherm_get_seconds_bucket{le=\"1.6383e-05\"}"], 1);
  EXPECT_EQ(text.figures["isotherm_get_seconds_bucket{le=\"3.2767e-05\"}"], 2);
  EXPECT_EQ(text.figures["isotherm_get_seconds_bucket{le=\"68.719476735\"}"], 3);
  EXPECT_EQ(text.figures["isotherm_get_seconds_bucket{le=\"+Inf\"}"], 4);
  EXPECT_EQ(text.figures["isotherm_get_seconds_count"], 4);
  EXPECT_NEAR(text.figures["isotherm_get_seconds_sum"], 100.00103, 1e-9);
  EXPECT_TRUE(text.figures.contains("isotherm_store_request_seconds_bucket{kind=\"list\",le=\"+Inf\"}"));
}

TEST(MetricsTest, JsonHoldsEveryFigure) {
  Metrics metrics;
  metrics.Add(MetricId::kCacheHits, 9, static_cast<size_t>(CacheTier::kRam));
  metrics.Observe(MetricId::kFlushSeconds, 5);
  std::string json = metrics.Snapshot().ToJson();
  for (const char* part : {"{\"isotherm_commits_total\":0,", "\"isotherm_cache_hits_total\":{\"ram\":9,\"disk\":0},",
                           "\"isotherm_flush_seconds\":{\"count\":1,\"sum\":5e-09,\"p50\":5e-09,\"p95\":5e-09,"
                           "\"p99\":5e-09,\"max\":5e-09},"}) {
    EXPECT_NE(json.find(part), std::string::npos) << part << " in " << json;
  }
  for (const MetricInfo& info : AllMetrics()) {
    EXPECT_NE(json.find(std::string("\"") + info.name + "\":"), std::string::npos) << info.name;
  }
  EXPECT_EQ(std::count(json.begin(), json.end(), '{'), std::count(json.begin(), json.end(), '}'));
}

TEST(MetricsTest, ManyThreadsCountWhileOthersLookAndCollectorsComeAndGo) {
  Metrics metrics;
  constexpr int kThreads = 3;
  constexpr int kEach = 5'000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        metrics.Add(MetricId::kRowsInserted);
        metrics.Observe(MetricId::kCommitSeconds, i);
        if (i % 50 != 0) continue;
        auto registration =
            metrics.AddCollector([](MetricsWriter& writer) { writer.Add(MetricId::kCacheEvictions, 1); });
      }
    });
  }
  double rows = 0;
  double evictions = 0;
  for (int i = 0; i < 200; ++i) {
    MetricsSnapshot snapshot = metrics.Snapshot();
    EXPECT_GE(snapshot.Value(MetricId::kRowsInserted), rows);
    EXPECT_GE(snapshot.Value(MetricId::kCacheEvictions), evictions);
    rows = snapshot.Value(MetricId::kRowsInserted);
    evictions = snapshot.Value(MetricId::kCacheEvictions);
  }
  for (std::thread& thread : threads) thread.join();
  MetricsSnapshot last = metrics.Snapshot();
  EXPECT_EQ(last.Value(MetricId::kRowsInserted), kThreads * kEach);
  EXPECT_EQ(last.Histogram(MetricId::kCommitSeconds).count(), uint64_t{kThreads} * kEach);
  EXPECT_EQ(last.Value(MetricId::kCacheEvictions), kThreads * kEach / 50);
}

}  // namespace
}  // namespace isotherm
