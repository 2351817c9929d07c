#include "cache/hint_table.h"

#include <gtest/gtest.h>

#include <string>

namespace isotherm {
namespace {

TEST(HintTableTest, KeepsTheLastValueOfEveryName) {
  HintTable hints(1000);
  EXPECT_EQ(hints.Get("a"), "");
  EXPECT_TRUE(hints.Put("a", "1"));
  EXPECT_FALSE(hints.Put("a", "1"));
  EXPECT_TRUE(hints.Put("a", "2"));
  EXPECT_TRUE(hints.Put("", std::string("\0x", 2)));
  EXPECT_EQ(hints.Get("a"), "2");
  EXPECT_EQ(hints.Get(""), std::string("\0x", 2));

  HintTable copy(1000);
  ASSERT_TRUE(copy.Decode(hints.Encode()).ok());
  EXPECT_EQ(copy.Get("a"), "2");
  EXPECT_EQ(copy.Get(""), std::string("\0x", 2));
  EXPECT_EQ(copy.Encode(), hints.Encode());
}

TEST(HintTableTest, TheOldestMakeRoomAlsoAfterARestart) {
  HintTable hints(200);
  EXPECT_FALSE(hints.Put("name", std::string(200, 'x')));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(hints.Put("name" + std::to_string(i), "value"));
    ASSERT_LE(hints.Encode().size(), 200u);
    ASSERT_EQ(hints.Get("name" + std::to_string(i)), "value");
  }
  EXPECT_EQ(hints.Get("name0"), "");
  EXPECT_EQ(hints.Get("name95"), "value");
  hints.Put("name95", "newer");
  HintTable restarted(200);
  ASSERT_TRUE(restarted.Decode(hints.Encode()).ok());
  for (int i = 100; i < 108; ++i) restarted.Put("name" + std::to_string(i), "value");
  EXPECT_EQ(restarted.Get("name95"), "newer");
  EXPECT_EQ(restarted.Get("name99"), "");
}

TEST(HintTableTest, BytesThatAreNotWhatWasEncodedChangeNothing) {
  HintTable hints(1000);
  hints.Put("name", "value");
  hints.Put("other", "more");
  std::string good = hints.Encode();
  HintTable victim(1000);
  victim.Put("kept", "yes");
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_EQ(victim.Decode(std::string_view(good).substr(0, length)).code(), StatusCode::kCorruption);
  }
  for (size_t i = 0; i < good.size() * 8; ++i) {
    std::string bad = good;
    bad[i / 8] = static_cast<char>(bad[i / 8] ^ 1 << i % 8);
    EXPECT_EQ(victim.Decode(bad).code(), StatusCode::kCorruption);
  }
  EXPECT_EQ(victim.Decode(good + "x").code(), StatusCode::kCorruption);
  EXPECT_EQ(victim.Get("kept"), "yes");
  EXPECT_EQ(victim.Get("name"), "");
}

}  // namespace
}  // namespace isotherm
