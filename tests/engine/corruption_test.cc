// Every object of small collections cut off and every extent damaged: Corruption that names the object, or the
// identical answer; never another one. E25.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/splitmix.h"
#include "segment/routing_object.h"
#include "tests/engine/damage.h"

namespace isotherm {
namespace {

using namespace testing_support;

// Flips one bit of an object for as long as it lives.
class FlippedBit {
 public:
  FlippedBit(const Sample& sample, const std::string& object, uint64_t byte, int bit)
      : store_(*sample.store), object_(object), good_(ReadObject(store_, object)) {
    std::string damaged = good_;
    damaged[byte] = static_cast<char>(damaged[byte] ^ (1 << bit));
    WriteObjectBytes(store_, object_, damaged);
  }
  ~FlippedBit() { WriteObjectBytes(store_, object_, good_); }

 private:
  BlobStore& store_;
  const std::string object_;
  const std::string good_;
};

Result<VerifyReport> VerifyAnew(const Sample& sample) {
  auto collection = Open(sample.store, QuietOptions());
  if (!collection.ok()) return collection.status();
  return (*collection)->Verify();
}

class CorruptCollection : public testing::TestWithParam<std::tuple<Layout, KeyType>> {
 protected:
  CorruptCollection()
      : sample_(MakeSample(std::get<0>(GetParam()), std::get<1>(GetParam()))), answers_(AnswersOf(sample_)) {}

  Sample sample_;
  std::vector<std::string> answers_;
};

TEST_P(CorruptCollection, IntactItHasAllLayersThatItShouldAndIsClean) {
  auto report = VerifyAnew(sample_);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(report->problems, testing::IsEmpty());
  EXPECT_EQ(report->rows, sample_.rows.size());
  std::set<std::string> kinds;
  for (const CheckedExtent& extent : AllExtents(sample_)) kinds.insert(extent.kind);
  EXPECT_EQ(kinds.count("block"), std::get<0>(GetParam()) == Layout::kInline ? 0U : 1U);
  EXPECT_EQ(kinds.count("routing"), std::get<0>(GetParam()) >= Layout::kCells ? 1U : 0U);
}

TEST_P(CorruptCollection, AnObjectCutOffAnywhereIsCorruptionOrTheIdenticalAnswer) {
  std::vector<std::string> objects = ImmutableObjects(*sample_.store);
  objects.emplace_back(kHeadObject);
  for (const std::string& object : objects) {
    std::string good = ReadObject(*sample_.store, object);
    bool copy_is_intact = object.starts_with(kRoutingObject);
    for (size_t length = 0; length < good.size(); length += object == kHeadObject ? 64 : 4096) {
      SCOPED_TRACE(object + " cut off at " + std::to_string(length));
      WriteObjectBytes(*sample_.store, object, good.substr(0, length));
      size_t corrupt = ExpectAnswersOrCorruption(sample_, answers_, object);
      if (copy_is_intact) {
        EXPECT_EQ(corrupt, 0U);
      } else if (length == 0) {
        EXPECT_GT(corrupt, 0U);
      }
      auto report = VerifyAnew(sample_);
      if (object == kHeadObject) {
        EXPECT_EQ(report.status().code(), StatusCode::kCorruption);
      } else {
        ASSERT_TRUE(report.ok()) << report.status();
        EXPECT_THAT(report->problems, testing::Contains(testing::HasSubstr(object)));
      }
    }
    WriteObjectBytes(*sample_.store, object, good);
  }
}

TEST_P(CorruptCollection, AMissingObjectIsCorruptionAndNeverAMissingRow) {
  for (const std::string& object : ImmutableObjects(*sample_.store)) {
    std::string good = ReadObject(*sample_.store, object);
    ASSERT_TRUE(sample_.store->Delete({}, object).ok());
    SCOPED_TRACE(object);
    ExpectAnswersOrCorruption(sample_, answers_, object);
    auto report = VerifyAnew(sample_);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_THAT(report->problems, testing::Contains(testing::HasSubstr(object)));
    WriteObjectBytes(*sample_.store, object, good);
  }
}

TEST_P(CorruptCollection, OneFlippedBitInAnyExtentIsCorruptionOrTheIdenticalAnswer) {
  SplitMix64 random(7);
  std::vector<CheckedExtent> extents = AllExtents(sample_);
  for (size_t i = 0; i < 5 * extents.size(); ++i) {
    const CheckedExtent& extent = extents[i % extents.size()];
    uint64_t byte = extent.offset + random.Below(extent.length);
    SCOPED_TRACE(extent.object + ": " + extent.kind + ", byte " + std::to_string(byte));
    FlippedBit flipped(sample_, extent.object, byte, static_cast<int>(random.Below(8)));
    size_t corrupt = ExpectAnswersOrCorruption(sample_, answers_, extent.object);
    // What these hold is needed by some question; the header and the tail are for whoever has no head.
    if (extent.kind != "header" && extent.kind != "tail" && extent.kind != "routing" && extent.kind != "key page") {
      EXPECT_GT(corrupt, 0U);
    }
  }
}

// The head refuses to be opened; all else is found by Verify, which says where.
TEST_P(CorruptCollection, OneFlippedBitInAnyCheckedByteIsReported) {
  SplitMix64 random(8);
  auto collection = Open(sample_.store, QuietOptions());
  ASSERT_TRUE(collection.ok()) << collection.status();
  for (const CheckedExtent& extent : AllExtents(sample_)) {
    // Most of a key page is empty, and under the same checksum as the rest.
    uint64_t step = extent.kind == "key page" ? 61 : 1;
    for (uint64_t byte = extent.offset; byte < extent.offset + extent.length; byte += step) {
      FlippedBit flipped(sample_, extent.object, byte, static_cast<int>(random.Below(8)));
      if (extent.kind == "head") {
        Status opened = Open(sample_.store, QuietOptions()).status();
        ASSERT_EQ(opened.code(), StatusCode::kCorruption) << "byte " << byte << ": " << opened;
        continue;
      }
      auto report = (*collection)->Verify();
      ASSERT_TRUE(report.ok()) << extent.kind << ", byte " << byte << ": " << report.status();
      ASSERT_NE(ProblemNaming(*report, extent), "")
          << extent.object << ": " << extent.kind << " at " << extent.offset << ", byte " << byte << ": "
          << (report->problems.empty() ? "no problem" : report->problems.front());
    }
  }
}

TEST_P(CorruptCollection, PaddingIsNotLookedAt) {
  std::vector<CheckedExtent> extents = AllExtents(sample_);
  for (const std::string& object : ImmutableObjects(*sample_.store)) {
    std::string good = ReadObject(*sample_.store, object);
    std::string damaged = good;
    std::vector<bool> checked(good.size(), false);
    for (const CheckedExtent& extent : extents) {
      if (extent.object != object) continue;
      std::fill_n(checked.begin() + static_cast<ptrdiff_t>(extent.offset), extent.length, true);
    }
    for (size_t byte = 0; byte < good.size(); ++byte) {
      if (checked[byte]) continue;
      ASSERT_EQ(good[byte], '\0') << object << " at " << byte << " is neither checked nor padding";
      damaged[byte] = 'x';
    }
    WriteObjectBytes(*sample_.store, object, damaged);
    EXPECT_EQ(ExpectAnswersOrCorruption(sample_, answers_, object), 0U);
    auto report = VerifyAnew(sample_);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_THAT(report->problems, testing::IsEmpty());
    WriteObjectBytes(*sample_.store, object, good);
  }
}

TEST_P(CorruptCollection, AnObjectThatIsAnotherOneIsCorruption) {
  std::vector<std::string> objects = ImmutableObjects(*sample_.store);
  for (size_t i = 0; i + 1 < objects.size(); ++i) {
    if (!objects[i + 1].starts_with("segment-")) continue;
    std::string good = ReadObject(*sample_.store, objects[i]);
    WriteObjectBytes(*sample_.store, objects[i], ReadObject(*sample_.store, objects[i + 1]));
    SCOPED_TRACE(objects[i] + " is " + objects[i + 1]);
    EXPECT_GT(ExpectAnswersOrCorruption(sample_, answers_, objects[i]), 0U);
    auto report = VerifyAnew(sample_);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_THAT(report->problems, testing::Contains(testing::HasSubstr(objects[i])));
    WriteObjectBytes(*sample_.store, objects[i], good);
  }
}

std::string NameOf(const testing::TestParamInfo<std::tuple<Layout, KeyType>>& info) {
  static const char* const kLayouts[] = {"Inline", "Flat", "Cells", "Mixed"};
  bool integer = std::get<1>(info.param) == KeyType::kInteger;
  return kLayouts[static_cast<int>(std::get<0>(info.param))] + std::string(integer ? "IntegerKeys" : "StringKeys");
}

INSTANTIATE_TEST_SUITE_P(All, CorruptCollection,
                         testing::Combine(testing::Values(Layout::kInline, Layout::kFlat, Layout::kCells,
                                                          Layout::kMixed),
                                          testing::Values(KeyType::kInteger, KeyType::kString)),
                         NameOf);

}  // namespace
}  // namespace isotherm
