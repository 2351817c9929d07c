#include "blob/latency_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "blob/memory_store.h"
#include "tests/base/manual_clock.h"
#include "tests/blob/conformance.h"

namespace isotherm {

namespace {

constexpr int64_t kMs = 1'000'000;

class LatencyBlobStoreTest : public testing::Test {
 protected:
  std::shared_ptr<BlobStore> Make(const LatencyOptions& options) {
    return std::make_shared<LatencyBlobStore>(memory_, environment_, options);
  }

  // Of one call.
  template <typename Call>
  int64_t TimeNs(Call call) {
    int64_t start_ns = clock_->NowNs();
    call();
    return clock_->NowNs() - start_ns;
  }

  std::vector<ReadResult> Read(BlobStore& store, size_t count, uint64_t bytes, const Context& context = {}) {
    std::vector<ReadRequest> requests(count, {.name = "object", .range = ByteRange{0, bytes}, .if_match = {}});
    return store.Read(context, requests);
  }

  void SetUp() override { ASSERT_TRUE(memory_->Put({}, "object", RandomBytes(20'000'000, 1)).ok()); }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<Environment> environment_ = EnvironmentWithClock(clock_);
  std::shared_ptr<MemoryBlobStore> memory_ = std::make_shared<MemoryBlobStore>(environment_);
};

LatencyOptions Fixed20() { return {.profile = LatencyProfile::Fixed(std::chrono::milliseconds(20)), .seed = 1}; }

}  // namespace

INSTANTIATE_TEST_SUITE_P(NoLatency, BlobStoreConformance,
                         testing::Values(StoreFactory{
                             "latency",
                             [] {
                               auto environment = Environment::Default();
                               LatencyOptions options{.profile = LatencyProfile::Fixed({}), .seed = 1};
                               return std::make_shared<LatencyBlobStore>(std::make_shared<MemoryBlobStore>(environment),
                                                                         environment, options);
                             }}),
                         StoreFactoryName);

TEST_F(LatencyBlobStoreTest, TheMeasuredProfileHasItsPercentiles) {
  auto store = Make({.profile = LatencyProfile::S3(), .seed = 7});
  std::vector<int64_t> gets;
  std::vector<int64_t> puts;
  for (int i = 0; i < 4000; ++i) {
    gets.push_back(TimeNs([&] { Read(*store, 1, 1); }));
    puts.push_back(TimeNs([&] { static_cast<void>(store->Put({}, "small", "x")); }));
  }
  std::sort(gets.begin(), gets.end());
  std::sort(puts.begin(), puts.end());
  EXPECT_NEAR(static_cast<double>(gets[2000]) / kMs, 63, 0.5);
  EXPECT_NEAR(static_cast<double>(gets[3960]) / kMs, 78, 1.5);
  EXPECT_NEAR(static_cast<double>(puts[2000]) / kMs, 100, 2);
  EXPECT_NEAR(static_cast<double>(puts[3960]) / kMs, 195, 15);
}

TEST_F(LatencyBlobStoreTest, ASeedRepeatsItself) {
  std::vector<int64_t> times[2];
  for (auto& mine : times) {
    auto store = Make({.profile = LatencyProfile::S3(), .seed = 3});
    for (int i = 0; i < 20; ++i) mine.push_back(TimeNs([&] { Read(*store, 3, 10); }));
  }
  EXPECT_EQ(times[0], times[1]);
}

TEST_F(LatencyBlobStoreTest, ABatchTakesAsLongAsItsSlowestRequest) {
  auto store = Make({.profile = LatencyProfile::S3(), .seed = 5});
  int64_t start_ns = clock_->NowNs();
  std::vector<ReadResult> results = Read(*store, 30, 100);
  int64_t slowest_ns = 0;
  for (const ReadResult& result : results) {
    EXPECT_EQ(result.start_ns, start_ns);
    slowest_ns = std::max(slowest_ns, result.end_ns);
  }
  EXPECT_EQ(clock_->NowNs(), slowest_ns);
  EXPECT_NE(results[0].end_ns, results[1].end_ns);
}

TEST_F(LatencyBlobStoreTest, OfSeveralCopiesTheFirstAnswerCounts) {
  auto median_ms = [&](uint32_t copies, size_t requests) {
    auto store = Make({.profile = LatencyProfile::S3(), .seed = 9});
    std::vector<int64_t> times;
    const std::vector<PutRequest> batch(requests, {"copied", "x", copies, {}});
    for (int i = 0; i < 4000; ++i) {
      times.push_back(TimeNs([&] {
        for (const PutResult& result : store->PutAll({}, batch)) EXPECT_EQ(result.requests, copies);
      }));
    }
    std::nth_element(times.begin(), times.begin() + 2000, times.end());
    return static_cast<double>(times[2000]) / kMs;
  };
  // What the log-normal distribution of the profile comes to: p50 of the fastest of `copies`, of the slowest of these.
  EXPECT_NEAR(median_ms(1, 1), 100, 2);
  EXPECT_NEAR(median_ms(2, 1), 85.5, 2);
  EXPECT_NEAR(median_ms(1, 5), 138, 2.5);
  EXPECT_NEAR(median_ms(2, 5), 111, 2);
}

TEST_F(LatencyBlobStoreTest, BytesFlowAtTheConnectionsRate) {
  LatencyOptions options = Fixed20();
  options.profile.mb_per_s = 100;
  auto store = Make(options);
  EXPECT_EQ(TimeNs([&] { Read(*store, 1, 10'000'000); }), 120 * kMs);
  EXPECT_EQ(TimeNs([&] { Read(*store, 8, 10'000'000); }), 120 * kMs) << "each on a connection of its own";
  EXPECT_EQ(TimeNs([&] { ASSERT_TRUE(store->Put({}, "new", std::string(5'000'000, 'x')).ok()); }), 70 * kMs);
}

TEST_F(LatencyBlobStoreTest, ARequestOverTheConnectionsWaitsForTheFirstFreeOne) {
  LatencyOptions options = Fixed20();
  auto store = Make(options);
  EXPECT_EQ(TimeNs([&] { Read(*store, 64, 1); }), 20 * kMs);
  EXPECT_EQ(TimeNs([&] { Read(*store, 65, 1); }), 40 * kMs);
  options.max_connections = 2;
  auto narrow = Make(options);
  EXPECT_EQ(TimeNs([&] { Read(*narrow, 5, 1); }), 60 * kMs);
}

TEST_F(LatencyBlobStoreTest, AnObjectInPiecesTakesAsLongAsItsSlowestPart) {
  LatencyOptions options = Fixed20();
  options.profile.mb_per_s = 100;
  auto store = Make(options);
  for (auto [bytes, expected_ms] :
       {std::pair<size_t, double>{1'000'000, 20 + 10.0}, {20'000'000, 20 + 20 + (size_t{8} << 20) / 1e5 + 20}}) {
    Context context;
    auto writer = store->CreateWriter(context, "written");
    ASSERT_TRUE((*writer)->Append(std::string(bytes, 'x')).ok());
    int64_t time_ns = TimeNs([&] { ASSERT_TRUE((*writer)->Finish().ok()); });
    EXPECT_NEAR(static_cast<double>(time_ns) / kMs, expected_ms, 0.001);
  }
}

TEST_F(LatencyBlobStoreTest, EveryKindOfRequestTakesItsTime) {
  auto store = Make(Fixed20());
  EXPECT_EQ(TimeNs([&] { static_cast<void>(store->List({}, "")); }), 20 * kMs);
  EXPECT_EQ(TimeNs([&] { static_cast<void>(store->Delete({}, "missing")); }), 20 * kMs);
  ReadRequest missing{.name = "missing", .range = {}, .if_match = {}};
  EXPECT_EQ(TimeNs([&] { store->Read({}, {&missing, 1}); }), 20 * kMs);
}

TEST_F(LatencyBlobStoreTest, ADeadlineEndsTheWait) {
  LatencyOptions options = Fixed20();
  options.profile.mb_per_s = 100;
  auto store = Make(options);
  std::vector<ReadRequest> requests{{.name = "object", .range = ByteRange{0, 1'000'000}, .if_match = {}},
                                    {.name = "object", .range = ByteRange{0, 9'000'000}, .if_match = {}}};
  Context context;
  context.deadline_ns = clock_->NowNs() + 50 * kMs;
  std::vector<ReadResult> results;
  EXPECT_EQ(TimeNs([&] { results = store->Read(context, requests); }), 50 * kMs);
  EXPECT_TRUE(results[0].status.ok()) << "it was there before";
  EXPECT_EQ(results[0].data.size(), 1'000'000u);
  EXPECT_EQ(results[1].status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(results[1].data.empty());

  context.deadline_ns = clock_->NowNs() + 5 * kMs;
  EXPECT_EQ(store->Put(context, "late", "x").status().code(), StatusCode::kDeadlineExceeded);
  context.deadline_ns = Context::kNoDeadline;
  ReadRequest late{.name = "late", .range = {}, .if_match = {}};
  EXPECT_EQ(store->Read(context, {&late, 1})[0].data, "x") << "it happened all the same";
}

TEST_F(LatencyBlobStoreTest, ACancellationEndsTheWaitSoon) {
  // Cancels at the third look at the clock during the wait.
  class CancellingClock : public ManualClock {
   public:
    void SleepUntilNs(int64_t monotonic_ns) override {
      if (++sleeps == 3) token.Cancel();
      ManualClock::SleepUntilNs(monotonic_ns);
    }
    int sleeps = 0;
    CancelToken token;
  };
  auto clock = std::make_shared<CancellingClock>();
  LatencyBlobStore store(memory_, EnvironmentWithClock(clock), Fixed20());
  Context context;
  context.cancel = &clock->token;
  int64_t start_ns = clock->NowNs();
  EXPECT_EQ(Read(store, 1, 1, context)[0].status.code(), StatusCode::kCancelled);
  EXPECT_LE(clock->NowNs() - start_ns, 5 * kMs);
}

TEST_F(LatencyBlobStoreTest, TheStoresOwnTimeCountsInside) {
  // Takes 15 ms by itself.
  class SlowStore : public MemoryBlobStore {
   public:
    SlowStore(std::shared_ptr<Environment> environment, std::shared_ptr<ManualClock> clock)
        : MemoryBlobStore(std::move(environment)), clock_(std::move(clock)) {}
    std::vector<ReadResult> Read(const Context& context, std::span<const ReadRequest> requests) override {
      clock_->AdvanceNs(15 * kMs);
      return MemoryBlobStore::Read(context, requests);
    }
    std::shared_ptr<ManualClock> clock_;
  };
  auto slow = std::make_shared<SlowStore>(environment_, clock_);
  LatencyBlobStore store(slow, environment_, Fixed20());
  EXPECT_EQ(TimeNs([&] { Read(store, 1, 1); }), 20 * kMs);
}

TEST(LatencyProfileTest, DescribesItself) {
  EXPECT_EQ(LatencyProfile::S3().Describe(),
            "s3: GET p50 63 ms, p99 78 ms; PUT p50 100 ms, p99 195 ms; 100 MB/s a connection");
  EXPECT_EQ(LatencyProfile::Fixed(std::chrono::milliseconds(20)).Describe(),
            "fixed: GET p50 20 ms, p99 20 ms; PUT p50 20 ms, p99 20 ms; no limit on bytes");
}

}  // namespace isotherm
