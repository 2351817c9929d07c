#include "isotherm/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "base/context_check.h"
#include "base/macros.h"
#include "isotherm/metering.h"
#include "tests/base/manual_clock.h"

namespace isotherm {

namespace {

Result<int> Half(int n) {
  if (n % 2 != 0) return Status::InvalidArgument(std::to_string(n) + " is odd");
  return n / 2;
}

Result<int> Quarter(int n) {
  ASSIGN_OR_RETURN(int half, Half(n));
  ASSIGN_OR_RETURN(half, Half(half));
  return half;
}

Status CheckQuarter(int n) {
  RETURN_IF_ERROR(Quarter(n).status());
  return Status::Ok();
}

RequestRecord Request(int64_t start_ns, int64_t end_ns, RequestKind kind = RequestKind::kGet, uint64_t bytes = 0) {
  return {kind, start_ns, end_ns, bytes, StatusCode::kOk};
}

}  // namespace

TEST(StatusTest, EveryCodeHasANameOfItsOwn) {
  std::set<std::string> names;
  for (int code = 0; code <= static_cast<int>(StatusCode::kInternal); ++code) {
    names.insert(StatusCodeName(static_cast<StatusCode>(code)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(StatusCode::kInternal) + 1);
  EXPECT_FALSE(names.contains("?"));
}

TEST(StatusTest, TellsCodeAndMessage) {
  Status status = Status::Corruption("bad checksum").WithContext("extent 3").WithContext("segment x");
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_EQ(status.ToString(), "Corruption: segment x: extent 3: bad checksum");
  EXPECT_TRUE(Status::Ok().WithContext("anything").ok());
  EXPECT_EQ(Status::Ok().ToString(), "Ok");
}

TEST(ResultTest, AnErrorReturnsEarly) {
  EXPECT_EQ(*Quarter(12), 3);
  EXPECT_EQ(Quarter(6).status().message(), "3 is odd");
  EXPECT_EQ(Quarter(5).status().message(), "5 is odd");
  EXPECT_TRUE(CheckQuarter(8).ok());
  EXPECT_EQ(CheckQuarter(7).code(), StatusCode::kInvalidArgument);
}

TEST(ResultTest, HoldsWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 5);
}

TEST(ContextCheckTest, ADeadlineOrACancellationEndsTheWork) {
  ManualClock clock(100);
  Context context;
  EXPECT_TRUE(CheckContext(context, clock, "work").ok());
  context.deadline_ns = 101;
  EXPECT_TRUE(CheckContext(context, clock, "work").ok());
  clock.AdvanceNs(1);
  Status late = CheckContext(context, clock, "work");
  EXPECT_EQ(late.code(), StatusCode::kDeadlineExceeded);
  EXPECT_NE(late.message().find("work"), std::string::npos);
  CancelToken cancel;
  context.cancel = &cancel;
  EXPECT_EQ(CheckContext(context, clock, "work").code(), StatusCode::kDeadlineExceeded);
  cancel.Cancel();
  EXPECT_EQ(CheckContext(context, clock, "work").code(), StatusCode::kCancelled);
}

TEST(MeterTest, SumsRequestsAndBytesByKind) {
  Meter meter;
  meter.Add(Request(10, 20, RequestKind::kGet, 100));
  meter.Add(Request(5, 15, RequestKind::kPut, 7));
  meter.Add(Request(30, 40, RequestKind::kList, 3));
  MeterSummary summary = meter.Summary();
  EXPECT_EQ(summary.gets(), 1u);
  EXPECT_EQ(summary.puts(), 1u);
  EXPECT_EQ(summary.lists(), 1u);
  EXPECT_EQ(summary.bytes_read, 103u);
  EXPECT_EQ(summary.bytes_written, 7u);
  EXPECT_EQ(summary.span_ns, 35);
  EXPECT_DOUBLE_EQ(PriceUsd(summary), 2 * 0.005 / 1000 + 0.0004 / 1000);
  meter.Reset();
  EXPECT_EQ(meter.Summary().gets(), 0u);
  EXPECT_EQ(meter.Summary().waves, 0u);
}

TEST(MeterTest, WavesAreRequestsThatHadToBeWaitedFor) {
  Meter meter;
  for (int i = 0; i < 5; ++i) meter.Add(Request(0, 10 + i));
  EXPECT_EQ(meter.Summary().waves, 1u);
  meter.Add(Request(15, 30));
  meter.Add(Request(16, 20));
  EXPECT_EQ(meter.Summary().waves, 2u);
  meter.Add(Request(31, 40));
  EXPECT_EQ(meter.Summary().waves, 3u);
  meter.Add(Request(0, 100));
  EXPECT_EQ(meter.Summary().waves, 3u) << "one beside all the others adds none";
}

}  // namespace isotherm
