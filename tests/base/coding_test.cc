#include "base/coding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/sha256.h"

namespace isotherm {

TEST(CodingTest, WhatWasPutIsDecoded) {
  enum class Colour : uint8_t { kRed = 3 };
  std::string text;
  PutFixed<uint8_t>(text, 200);
  PutFixed<int16_t>(text, -2);
  PutFixed<uint32_t>(text, 0xdeadbeef);
  PutFixed<uint64_t>(text, std::numeric_limits<uint64_t>::max());
  PutFixed<float>(text, -0.5f);
  PutFixed<double>(text, std::numeric_limits<double>::infinity());
  PutFixed(text, Colour::kRed);
  PutBytes(text, "");
  PutBytes(text, std::string_view("a\0b", 3));
  Decoder decoder(text);
  EXPECT_EQ(decoder.Fixed<uint8_t>(), 200);
  EXPECT_EQ(decoder.Fixed<int16_t>(), -2);
  EXPECT_EQ(decoder.Fixed<uint32_t>(), 0xdeadbeef);
  EXPECT_EQ(decoder.Fixed<uint64_t>(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(decoder.Fixed<float>(), -0.5f);
  EXPECT_TRUE(std::isinf(decoder.Fixed<double>()));
  EXPECT_EQ(decoder.Fixed<Colour>(), Colour::kRed);
  EXPECT_EQ(decoder.Bytes(), "");
  EXPECT_FALSE(decoder.done());
  EXPECT_EQ(decoder.Bytes(), std::string_view("a\0b", 3));
  EXPECT_TRUE(decoder.done());
}

TEST(CodingTest, NumbersAreLittleEndian) {
  std::string text;
  PutFixed<uint32_t>(text, 0x01020304);
  EXPECT_EQ(text, "\x04\x03\x02\x01");
}

TEST(CodingTest, AnyTruncationFails) {
  std::string text;
  PutFixed<uint32_t>(text, 7);
  PutBytes(text, "hello");
  PutFixed<uint64_t>(text, 8);
  for (size_t size = 0; size < text.size(); ++size) {
    Decoder decoder(std::string_view(text).substr(0, size));
    decoder.Fixed<uint32_t>();
    decoder.Bytes();
    decoder.Fixed<uint64_t>();
    EXPECT_FALSE(decoder.ok()) << size;
    EXPECT_FALSE(decoder.done()) << size;
  }
}

TEST(CodingTest, AfterAFailureEverythingIsEmpty) {
  Decoder decoder(
      "\xff\xff\xff\xff"
      "abcdefgh");
  EXPECT_EQ(decoder.Bytes(), "");
  EXPECT_FALSE(decoder.ok());
  EXPECT_EQ(decoder.Fixed<uint64_t>(), 0u);
  EXPECT_EQ(decoder.Raw(1), "");
  EXPECT_EQ(decoder.Raw(0), "");
  EXPECT_FALSE(decoder.ok());
  Decoder huge("abc");
  EXPECT_EQ(huge.Raw(std::numeric_limits<uint64_t>::max()), "");
  EXPECT_FALSE(huge.ok());
}

// FIPS 180-4's examples.
TEST(Sha256Test, KnownVectors) {
  auto hex = [](std::string_view text) {
    Sha256Digest digest = Sha256(text);
    return ToHex({reinterpret_cast<const char*>(digest.data()), digest.size()});
  };
  EXPECT_EQ(hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

}  // namespace isotherm
