#include <gtest/gtest.h>

#include "tests/base/manual_clock.h"
#include "tests/tools/files.h"
#include "tools/terminal/progress_bar.h"
#include "tools/terminal/table.h"
#include "tools/terminal/text.h"
#include "tools/terminal/units.h"

namespace isotherm::terminal {
namespace {

TEST(Units, KeepThreeDigitsAndAUnitThatFits) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(117784), "117,784");
  EXPECT_EQ(FormatCount(~uint64_t{0}), "18,446,744,073,709,551,615");
  EXPECT_EQ(FormatBytes(999), "999 B");
  EXPECT_EQ(FormatBytes(1000), "1.00 kB");
  EXPECT_EQ(FormatBytes(999'499), "999 kB");
  EXPECT_EQ(FormatBytes(999'500), "1.00 MB");
  EXPECT_EQ(FormatBytes(1'620'000), "1.62 MB");
  EXPECT_EQ(FormatBytes(~uint64_t{0}), "18.4 EB");
  EXPECT_EQ(FormatDuration(0), "0 ns");
  EXPECT_EQ(FormatDuration(1250), "1.25 µs");
  EXPECT_EQ(FormatDuration(63'100'000), "63.1 ms");
  EXPECT_EQ(FormatDuration(-63'100'000), "-63.1 ms");
  EXPECT_EQ(FormatDuration(119'400'000'000), "119 s");
  EXPECT_EQ(FormatDuration(125'000'000'000), "2 min 5 s");
  EXPECT_EQ(FormatDuration(7'260'000'000'000), "2 h 1 min");
  EXPECT_EQ(FormatNumber(40), "40");
  EXPECT_EQ(FormatNumber(9.994), "9.99");
  EXPECT_EQ(FormatNumber(9.996), "10.0");
  EXPECT_EQ(FormatNumber(0.01234), "0.0123");
  EXPECT_EQ(FormatNumber(-12345.6), "-12,346");
  EXPECT_EQ(FormatPercent(0.0237), "2.37 %");
  EXPECT_EQ(FormatUsd(0), "$0.00");
  EXPECT_EQ(FormatUsd(12.5), "$12.50");
  EXPECT_EQ(FormatUsd(0.0000124), "$0.0000124");
}

TEST(Text, WidthIsCountedInColumns) {
  EXPECT_EQ(DisplayWidth("abc"), 3U);
  EXPECT_EQ(DisplayWidth("µs…"), 3U);
  EXPECT_EQ(DisplayWidth("漢字"), 4U);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1U);
  EXPECT_EQ(DisplayWidth("\xff\xfe"), 2U);
}

TEST(Text, CuttingNeverSplitsACharacter) {
  EXPECT_EQ(Truncate("abcdef", 6), "abcdef");
  EXPECT_EQ(Truncate("abcdef", 4), "abc…");
  EXPECT_EQ(Truncate("漢字漢字", 4), "漢…");
  EXPECT_EQ(Truncate("abc", 0), "");
  for (size_t width = 0; width < 12; ++width) EXPECT_LE(DisplayWidth(Truncate("a漢b字cµd", width)), width);
}

TEST(Text, OneLineCanMoveNoCursor) {
  EXPECT_EQ(OneLine("a\nb\tc\x1b[2Jd\x7f"), "a b c [2Jd ");
  EXPECT_EQ(OneLine("ok\xc3"), "ok�");
  EXPECT_EQ(OneLine("\u202e\u0085x"), "  x");
}

TEST(Tables, AlignByDisplayWidth) {
  Table table({{"name"}, {"rows", Align::kRight}, {"what"}});
  table.AddRow({"é", "7", "x"});
  table.AddRow({"long name", "1,000", ""});
  EXPECT_EQ(table.ToString(),
            "name        rows  what\n"
            "─────────  ─────  ────\n"
            "é              7  x\n"
            "long name  1,000\n");
}

TEST(Tables, AreCutToFit) {
  Table table({{"id"}, {"text"}});
  table.AddRow({"1", std::string(100, 'x')});
  EXPECT_EQ(table.ToString(20), "id  text\n──  ────────────────\n1   xxxxxxxxxxxxxxx…\n");
  EXPECT_NE(table.ToString(1).find("xxxxxxx…"), std::string::npos);
}

TEST(Tables, FieldsStandBelowEachOther) { EXPECT_EQ(Fields({{"a", "1"}, {"long", "2\n3"}}), "a     1\nlong  2 3\n"); }

TEST(ProgressLine, TellsShareSpeedAndTimeLeft) {
  ProgressState state{"importing", 500, 2000, 0, 1'000'000'000, ProgressUnit::kCount};
  EXPECT_EQ(RenderProgress(state, 200),
            "importing  ███████░░░░░░░░░░░░░░░░░░░░░  25 %  500 of 2,000  500/s  3.00 s left");
  state.unit = ProgressUnit::kBytes;
  state.total = 0;
  EXPECT_EQ(RenderProgress(state, 200), "importing  500 B  500 B/s");
  EXPECT_LE(DisplayWidth(RenderProgress(state, 12)), 12U);
}

TEST(ProgressLine, WhatWasDoneBeforeIsNoSpeed) {
  ProgressState state{"x", 900, 1000, 800, 1'000'000'000, ProgressUnit::kCount};
  EXPECT_NE(RenderProgress(state, 200).find("100/s  1.00 s left"), std::string::npos);
}

TEST(ProgressLine, MoreThanAllIsAll) {
  ProgressState state{"x", 5, 4, 0, 1, ProgressUnit::kCount};
  EXPECT_NE(RenderProgress(state, 200).find("100 %  4 of 4"), std::string::npos);
}

class Bars : public FilesTest {};

TEST_F(Bars, NothingIsDrawnWhereThereIsNoTerminal) {
  std::string path = Path("out");
  std::FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  {
    ProgressBar bar(file, std::make_shared<ManualClock>());
    bar.Begin("stage", 10);
    bar.Update(10);
    bar.Callback()("other", 1, 2);
  }
  std::fclose(file);
  EXPECT_EQ(ReadAll(path), "");
}

}  // namespace
}  // namespace isotherm::terminal
