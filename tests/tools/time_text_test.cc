#include "tools/formats/time_text.h"

#include <gtest/gtest.h>

#include <ctime>
#include <random>

namespace isotherm::formats {
namespace {

int64_t MustParse(const std::string& text) {
  auto ms = ParseTime(text);
  EXPECT_TRUE(ms.ok()) << ms.status();
  return ms.ok() ? *ms : -1;
}

TEST(TimeText, IsWhatTheSystemsCalendarSays) {
  std::mt19937_64 random(1);
  std::uniform_int_distribution<int64_t> any(0, int64_t{4'102'444'800'000});  // to the year 2100
  for (int i = 0; i < 2000; ++i) {
    const int64_t ms = any(random);
    const time_t seconds = ms / 1000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[64];
    size_t length = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(text + length, sizeof(text) - length, ".%03dZ", static_cast<int>(ms % 1000));
    EXPECT_EQ(FormatTime(ms), text);
    EXPECT_EQ(MustParse(text), ms);
  }
}

TEST(TimeText, ZonesFractionsAndLetters) {
  const int64_t noon = MustParse("2026-03-01T12:00:00Z");
  EXPECT_EQ(noon, 1'772'366'400'000);
  for (const char* same :
       {"2026-03-01t12:00:00z", "2026-03-01 12:00:00Z", "2026-03-01T13:30:00+01:30", "2026-03-01T00:15:00-11:45",
        "2026-02-28T23:59:00-12:01", "2026-03-01T12:00:00.000+00:00", "2026-03-01T11:59:60Z"}) {
    EXPECT_EQ(MustParse(same), noon) << same;
  }
  EXPECT_EQ(MustParse("2026-03-01T12:00:00.5Z"), noon + 500);
  EXPECT_EQ(MustParse("2026-03-01T12:00:00.05Z"), noon + 50);
  EXPECT_EQ(MustParse("2026-03-01T12:00:00.0079999999999999999999Z"), noon + 7);
  EXPECT_EQ(MustParse("1969-12-31T23:59:59.999Z"), -1);
  EXPECT_EQ(FormatTime(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(MustParse("2024-02-29T00:00:00Z") + 86'400'000, MustParse("2024-03-01T00:00:00Z"));
}

TEST(TimeText, WhatIsNoTimeIsRefusedAndNamed) {
  for (const char* wrong : {"",
                            "2026",
                            "2026-03-01",
                            "2026-03-01T12:00:00",
                            "2026-03-01T12:00Z",
                            "2026-3-1T12:00:00Z",
                            "2026-13-01T12:00:00Z",
                            "2025-02-29T12:00:00Z",
                            "2026-03-01T24:00:00Z",
                            "2026-03-01T12:60:00Z",
                            "2026-03-01T12:00:61Z",
                            "2026-03-01T12:00:00.Z",
                            "2026-03-01T12:00:00+0100",
                            "2026-03-01T12:00:00+01",
                            "2026-03-01T12:00:00+24:00",
                            "2026-03-01T12:00:00+01:60",
                            "2026-03-01T12:00:00ZZ",
                            " 2026-03-01T12:00:00Z",
                            "2026-03-01X12:00:00Z",
                            "+026-03-01T12:00:00Z",
                            "2026-03-01T12:00:-1Z"}) {
    auto parsed = ParseTime(wrong);
    ASSERT_FALSE(parsed.ok()) << wrong;
    EXPECT_EQ(parsed.status().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(parsed.status().message().find("'" + std::string(wrong) + "'"), std::string::npos);
  }
}

TEST(TimeText, SpansHaveOneUnit) {
  const std::pair<const char*, int64_t> spans[] = {
      {"0s", 0},
      {"90s", 90'000},
      {"30m", 1'800'000},
      {"12h", 43'200'000},
      {"7d", 604'800'000},
      {"2w", 1'209'600'000},
      {"15250284452w", 9'223'372'036'569'600'000},
  };
  for (const auto& [text, ms] : spans) {
    auto parsed = ParseSpan(text);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, ms) << text;
  }
  for (const char* wrong : {"", "7", "d", "7 d", "-7d", "+7d", "7dd", "1d12h", "1.5d", "7D", "7y", "15250284453w",
                            "99999999999999999999s"}) {
    EXPECT_EQ(ParseSpan(wrong).status().code(), StatusCode::kInvalidArgument) << wrong;
  }
}

}  // namespace
}  // namespace isotherm::formats
