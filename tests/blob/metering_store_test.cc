#include "blob/metering_store.h"

#include <gtest/gtest.h>

#include "blob/latency_store.h"
#include "blob/memory_store.h"
#include "tests/base/manual_clock.h"
#include "tests/blob/conformance.h"

namespace isotherm {

namespace {

class MeteringBlobStoreTest : public testing::Test {
 protected:
  MeteringBlobStoreTest() {
    auto environment = EnvironmentWithClock(std::make_shared<ManualClock>());
    LatencyOptions latency{.profile = LatencyProfile::Fixed(std::chrono::milliseconds(20)), .seed = 1};
    auto distant =
        std::make_shared<LatencyBlobStore>(std::make_shared<MemoryBlobStore>(environment), environment, latency);
    store_ = std::make_shared<MeteringBlobStore>(distant, environment, &total_);
    context_.meter = &call_;
  }

  std::vector<ReadResult> Read(const std::vector<std::string>& names) {
    std::vector<ReadRequest> requests;
    for (const std::string& name : names) requests.push_back({.name = name, .range = {}, .if_match = {}});
    return store_->Read(context_, requests);
  }

  Meter total_;
  Meter call_;
  Context context_;
  std::shared_ptr<BlobStore> store_;
};

}  // namespace

INSTANTIATE_TEST_SUITE_P(Metered, BlobStoreConformance,
                         testing::Values(StoreFactory{"metered",
                                                      [] {
                                                        auto environment = Environment::Default();
                                                        return std::make_shared<MeteringBlobStore>(
                                                            std::make_shared<MemoryBlobStore>(environment),
                                                            environment);
                                                      }}),
                         StoreFactoryName);

TEST_F(MeteringBlobStoreTest, CountsRequestsAndBytesOfEveryKind) {
  ASSERT_TRUE(store_->Put(context_, "a", "12345").ok());
  ASSERT_TRUE(store_->Put(context_, "b", "678").ok());
  Read({"a", "b", "missing"});
  ASSERT_TRUE(store_->List(context_, "").ok());
  ASSERT_TRUE(store_->Delete(context_, "a").ok());
  auto writer = store_->CreateWriter(context_, "c");
  ASSERT_TRUE((*writer)->Append("12").ok());
  ASSERT_TRUE((*writer)->Append("34").ok());
  ASSERT_TRUE((*writer)->Finish().ok());
  MeterSummary summary = total_.Summary();
  EXPECT_EQ(summary.puts(), 3u);
  EXPECT_EQ(summary.gets(), 3u);
  EXPECT_EQ(summary.lists(), 1u);
  EXPECT_EQ(summary.requests[static_cast<int>(RequestKind::kDelete)], 1u);
  EXPECT_EQ(summary.bytes_written, 12u);
  EXPECT_EQ(summary.bytes_read, 8u + 2 * (1 + 8));
}

TEST_F(MeteringBlobStoreTest, EveryCopyOfAPutIsPaidFor) {
  const PutRequest requests[] = {{"a", "12345", 2, {}}, {"b", "123", 1, {}}};
  for (const PutResult& result : store_->PutAll(context_, requests)) ASSERT_TRUE(result.status.ok());
  EXPECT_EQ(total_.Summary().puts(), 3u);
  EXPECT_EQ(total_.Summary().bytes_written, 13u);
  EXPECT_EQ(total_.Summary().waves, 1u);
}

TEST_F(MeteringBlobStoreTest, ABatchIsOneWaveAndASecondOneAnother) {
  ASSERT_TRUE(store_->Put({}, "a", "x").ok());
  total_.Reset();
  Read({"a", "a", "a", "missing"});
  EXPECT_EQ(total_.Summary().waves, 1u);
  EXPECT_EQ(total_.Summary().span_ns, 20'000'000);
  Read({"a", "a"});
  EXPECT_EQ(total_.Summary().waves, 2u);
  EXPECT_EQ(total_.Summary().span_ns, 40'000'000);
}

TEST_F(MeteringBlobStoreTest, TheCallersMeterGetsTheCallersRequestsOnly) {
  ASSERT_TRUE(store_->Put({}, "a", "x").ok());
  EXPECT_TRUE(call_.Records().empty());
  Read({"a"});
  ASSERT_EQ(call_.Records().size(), 1u);
  EXPECT_EQ(call_.Records()[0].kind, RequestKind::kGet);
  EXPECT_EQ(total_.Records().size(), 2u);
}

TEST_F(MeteringBlobStoreTest, FailedRequestsAreCountedWithTheirCode) {
  Read({"missing"});
  EXPECT_FALSE(store_->Put(context_, "a", "x", PutCondition::IfMatch("none")).ok());
  auto records = total_.Records();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].code, StatusCode::kNotFound);
  EXPECT_EQ(records[1].code, StatusCode::kConflict);
}

TEST_F(MeteringBlobStoreTest, MetricsHaveRequestsBytesTimesAndErrorsByKind) {
  auto metrics = std::make_shared<Metrics>();
  auto environment = EnvironmentWithClock(std::make_shared<ManualClock>());
  MeteringBlobStore metered(store_, environment, nullptr, metrics);
  ASSERT_TRUE(metered.Put({}, "a", "12345").ok());
  std::vector<ReadRequest> requests(2);
  requests[0].name = "a";
  requests[1].name = "missing";
  metered.Read({}, requests);
  auto writer = metered.CreateWriter({}, "b");
  ASSERT_TRUE((*writer)->Append("678").ok());
  ASSERT_TRUE((*writer)->Finish().ok());
  EXPECT_FALSE(metered.Put({}, "a", "again", PutCondition::IfAbsent()).ok());
  ASSERT_TRUE(metered.Delete({}, "a").ok());
  MetricsSnapshot snapshot = metrics->Snapshot();
  auto requests_of = [&](RequestKind kind) {
    auto label = static_cast<size_t>(kind);
    EXPECT_EQ(snapshot.Histogram(MetricId::kStoreSeconds, label).count(),
              snapshot.Value(MetricId::kStoreRequests, label));
    return snapshot.Value(MetricId::kStoreRequests, label);
  };
  EXPECT_EQ(requests_of(RequestKind::kGet), 2);
  EXPECT_EQ(requests_of(RequestKind::kPut), 3);
  EXPECT_EQ(requests_of(RequestKind::kDelete), 1);
  EXPECT_EQ(requests_of(RequestKind::kList), 0);
  EXPECT_EQ(snapshot.Value(MetricId::kStoreBytes, static_cast<size_t>(RequestKind::kGet)), 5);
  EXPECT_EQ(snapshot.Value(MetricId::kStoreBytes, static_cast<size_t>(RequestKind::kPut)), 13);
  EXPECT_EQ(snapshot.Value(MetricId::kStoreErrors, static_cast<size_t>(StatusCode::kNotFound) - 1), 1);
  double errors = 0;
  for (size_t i = 0; i < InfoOf(MetricId::kStoreErrors).label.figures(); ++i) {
    errors += snapshot.Value(MetricId::kStoreErrors, i);
  }
  EXPECT_EQ(errors, 2);
  EXPECT_NEAR(snapshot.Histogram(MetricId::kStoreSeconds, static_cast<size_t>(RequestKind::kGet)).max(), 0.02, 1e-9);
}

}  // namespace isotherm
