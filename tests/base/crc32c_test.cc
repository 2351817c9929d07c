#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string>

#include "base/splitmix.h"

namespace isotherm {

namespace {

// One bit at a time, from the definition: the slowest and plainest way.
uint32_t BitwiseCrc32c(std::string_view bytes) {
  uint32_t crc = ~uint32_t{0};
  for (unsigned char byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82f63b78 : crc >> 1;
  }
  return ~crc;
}

std::string RandomText(size_t n, uint64_t seed) {
  SplitMix64 random(seed);
  std::string text(n, '\0');
  for (char& c : text) c = static_cast<char>(random.Next() >> 56);
  return text;
}

}  // namespace

// RFC 3720, appendix B.4.
TEST(Crc32cTest, KnownVectors) {
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  std::string ascending;
  for (char c = 0; c < 32; ++c) ascending.push_back(c);
  EXPECT_EQ(Crc32c(ascending), 0x46dd794eu);
  EXPECT_EQ(Crc32c(std::string(ascending.rbegin(), ascending.rend())), 0x113fdb5cu);
  std::string read_command(48, '\0');
  read_command[0] = 0x01;
  read_command[1] = '\xc0';
  read_command[16] = 0x14;
  read_command[22] = 0x04;
  read_command[27] = 0x14;
  read_command[31] = 0x18;
  read_command[32] = 0x28;
  read_command[40] = 0x02;
  EXPECT_EQ(Crc32c(read_command), 0xd9963a56u);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(""), 0u);
}

TEST(Crc32cTest, InstructionAndTableAgreeWithTheDefinition) {
  std::string text = RandomText(10'000, 1);
  for (size_t length : {0,   1,   7,   8,    9,    63,   255,  256,  257,  511,  512,  513,
                        767, 768, 769, 1023, 1024, 3071, 3072, 3073, 3080, 4096, 6144, 9000}) {
    for (size_t offset = 0; offset < 9; ++offset) {
      std::string_view part = std::string_view(text).substr(offset, length);
      uint32_t expected = BitwiseCrc32c(part);
      ASSERT_EQ(Crc32c(part), expected) << length << " bytes at " << offset;
      ASSERT_EQ(ExtendCrc32cPortable(0, part), expected) << length << " bytes at " << offset;
    }
  }
}

TEST(Crc32cTest, ExtendingIsConcatenating) {
  std::string text = RandomText(8'000, 2);
  uint32_t whole = Crc32c(text);
  for (size_t cut : {size_t{0}, size_t{1}, size_t{13}, size_t{3072}, size_t{7'999}, size_t{8'000}}) {
    std::string_view view = text;
    EXPECT_EQ(ExtendCrc32c(Crc32c(view.substr(0, cut)), view.substr(cut)), whole) << cut;
    EXPECT_EQ(ExtendCrc32cPortable(Crc32c(view.substr(0, cut)), view.substr(cut)), whole) << cut;
  }
}

TEST(Crc32cTest, NoticesEveryFlippedBit) {
  std::string text = RandomText(300, 3);
  uint32_t whole = Crc32c(text);
  for (size_t bit = 0; bit < text.size() * 8; ++bit) {
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(Crc32c(text), whole) << bit;
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
  }
}

}  // namespace isotherm
