#include "engine/head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/coding.h"
#include "base/crc32c.h"
#include "segment/row_codec.h"
#include "tests/engine/damage.h"

namespace isotherm {
namespace {

using namespace testing_support;
using testing::HasSubstr;

constexpr size_t kFormatAt = 12;
constexpr size_t kBodyAt = 24;

std::string SampleHead(Layout layout = Layout::kMixed, KeyType type = KeyType::kString) {
  return ReadObject(*MakeSample(layout, type).store, kHeadObject);
}

// With the checksum and length that it should have, so that what was changed is looked at.
std::string Sealed(std::string head) {
  uint64_t length = head.size() - kBodyAt;
  std::memcpy(head.data() + 16, &length, sizeof(length));
  uint32_t crc = Crc32c(std::string_view(head).substr(kFormatAt));
  std::memcpy(head.data() + 8, &crc, sizeof(crc));
  return head;
}

TEST(Head, ComesBackEqual) {
  for (Layout layout : {Layout::kInline, Layout::kFlat, Layout::kCells, Layout::kMixed}) {
    for (KeyType type : {KeyType::kInteger, KeyType::kString}) {
      std::string bytes = SampleHead(layout, type);
      auto head = DecodeHead(bytes);
      ASSERT_TRUE(head.ok()) << head.status();
      EXPECT_EQ(EncodeHead(*head), bytes);
    }
  }
}

TEST(Head, WithAnyFlippedBitIsCorruption) {
  std::string bytes = SampleHead();
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_EQ(DecodeHead(bytes).status().code(), StatusCode::kCorruption) << bit;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  }
}

TEST(Head, CutOffAnywhereOrWithBytesBehindItIsCorruption) {
  std::string bytes = SampleHead();
  for (size_t length = 0; length < bytes.size(); ++length) {
    ASSERT_EQ(DecodeHead(bytes.substr(0, length)).status().code(), StatusCode::kCorruption) << length;
  }
  EXPECT_EQ(DecodeHead(bytes + '\0').status().code(), StatusCode::kCorruption);
  EXPECT_EQ(DecodeHead(Sealed(bytes + '\0')).status().code(), StatusCode::kCorruption);
}

TEST(Head, WithAWrongMagicNumberIsCorruption) {
  std::string bytes = SampleHead();
  std::memcpy(bytes.data(), "SQLite f", 8);
  Status status = DecodeHead(Sealed(bytes)).status();
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_THAT(status.message(), HasSubstr("magic"));
}

TEST(Head, OfALaterFormatVersionIsUnsupportedAndNamed) {
  std::string bytes = SampleHead();
  uint32_t version = kHeadFormatVersion + 1;
  std::memcpy(bytes.data() + kFormatAt, &version, sizeof(version));
  Status status = DecodeHead(Sealed(bytes)).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("version 3"));
  auto store = std::make_shared<MemoryBlobStore>();
  WriteObjectBytes(*store, kHeadObject, Sealed(bytes));
  EXPECT_EQ(Open(store).status().code(), StatusCode::kUnsupported);
}

TEST(Head, ThatNeedsAnUnknownFeatureIsUnsupportedAndNamed) {
  std::string bytes = SampleHead();
  std::string features;
  PutFixed<uint16_t>(features, 2);
  PutBytes(features, "warp-drive");
  PutBytes(features, "more");
  bytes.replace(kBodyAt, sizeof(uint16_t), features);
  auto store = std::make_shared<MemoryBlobStore>();
  WriteObjectBytes(*store, kHeadObject, Sealed(bytes));
  Status status = Open(store).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("warp-drive"));
}

TEST(Head, AfterAnErasureComesBackEqualAndNamesTheFeature) {
  auto head = DecodeHead(SampleHead());
  ASSERT_TRUE(head.ok()) << head.status();
  const size_t before = EncodeHead(*head).size();
  head->erasure = {7, 5, {11, 13}};
  const std::string bytes = EncodeHead(*head);
  EXPECT_THAT(bytes, HasSubstr("erasure"));
  EXPECT_GT(bytes.size(), before);
  auto again = DecodeHead(bytes);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(EncodeHead(*again), bytes);
  EXPECT_EQ(again->erasure.version, 7U);
  EXPECT_EQ(again->erasure.oldest_version, 5U);
  EXPECT_EQ(again->erasure.id, (Nonce{11, 13}));
}

TEST(Head, ThatSaysWhatCannotBeIsCorruption) {
  auto decoded = DecodeHead(SampleHead());
  ASSERT_TRUE(decoded.ok());
  auto changed = [&](auto change) {
    Head head = *decoded;
    change(head);
    return DecodeHead(EncodeHead(head)).status().code();
  };
  EXPECT_EQ(changed([](Head&) {}), StatusCode::kOk);
  EXPECT_EQ(changed([](Head& h) { h.schema.dimension = 0; }), StatusCode::kCorruption);
  EXPECT_EQ(changed([](Head& h) { h.schema.dimension = kMaxDimension + 1; }), StatusCode::kCorruption);
  EXPECT_EQ(changed([](Head& h) { h.schema.metric = Metric{0}; }), StatusCode::kCorruption);
  EXPECT_EQ(changed([](Head& h) { h.schema.metric = Metric{4}; }), StatusCode::kCorruption);
  EXPECT_EQ(changed([](Head& h) { h.schema.key_type = KeyType{3}; }), StatusCode::kCorruption);
  EXPECT_EQ(changed([](Head& h) { h.routing.generation = 0; }), StatusCode::kCorruption) << "cells without routing";
  EXPECT_EQ(changed([](Head& h) { h.routing.sha256_hex = "ab"; }), StatusCode::kCorruption);
  EXPECT_EQ(changed([](Head& h) { h.segments[0].name = "../elsewhere"; }), StatusCode::kCorruption);
  EXPECT_EQ(changed([](Head& h) { h.segments[0].rows += 1; }), StatusCode::kCorruption);
  EXPECT_EQ(changed([](Head& h) { h.segments[0].keys.length += 1; }), StatusCode::kCorruption);
}

// Counts of four thousand million in a head with a right checksum: nothing of that size may be asked for.
TEST(Head, WithHugeCountsIsCorruption) {
  std::string bytes = SampleHead();
  for (size_t at = kBodyAt; at + 4 <= bytes.size(); ++at) {
    std::string damaged = bytes;
    std::memset(damaged.data() + at, 0xff, 4);
    auto head = DecodeHead(Sealed(damaged));
    if (!head.ok()) {
      EXPECT_TRUE(head.status().code() == StatusCode::kCorruption || at < kBodyAt + 2) << head.status();
    }
  }
}

}  // namespace
}  // namespace isotherm
