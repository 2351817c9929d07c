// What a compaction leaves for another one to go on with.
#include "engine/build_record.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <limits>
#include <set>

#include "base/crc32c.h"
#include "engine/compaction_job.h"
#include "engine/object_names.h"

namespace isotherm {
namespace {

constexpr size_t kCheckedFrom = 12;

BuildRecord SampleRecord() {
  BuildRecord record;
  record.collection = {1, 2};
  record.builds = {{3, 4}, {5, 6}};
  record.inputs.resize(2);
  record.inputs[0].name = "segment-a";
  record.inputs[1].name = "segment-b";
  for (uint32_t ordinal : {3U, 4U, 70'000U}) record.inputs[1].dropped.Add(ordinal);
  record.now_ms = -7;
  record.keep_cells = true;
  record.cells = 8;
  record.min_rows_for_cells = 9;
  record.max_object_bytes = 10;
  record.seed = 11;
  record.key_bytes = 12;
  record.dimension = 3;
  record.scales = {0.5F, 0.25F};
  record.codes = {1, -2, 3, -127, 127, 0};
  record.query_origins = {13};
  record.queries = {1.5F, -2, 0};
  return record;
}

BuildRecord KeptRecord() {
  BuildRecord record = SampleRecord();
  record.routing_sha256_hex = std::string(64, 'a');
  record.scales = {};
  record.codes = {};
  record.query_origins = {};
  record.queries = {};
  return record;
}

void Seal(std::string& bytes) {
  const uint32_t crc = Crc32c(std::string_view(bytes).substr(kCheckedFrom));
  std::memcpy(bytes.data() + 8, &crc, sizeof(crc));
}

TEST(BuildRecord, ComesBackAsItWas) {
  for (const BuildRecord& record : {SampleRecord(), KeptRecord()}) {
    const std::string bytes = EncodeBuildRecord(record);
    auto decoded = DecodeBuildRecord(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(EncodeBuildRecord(*decoded), bytes);
    EXPECT_EQ(decoded->collection, record.collection);
    EXPECT_EQ(decoded->builds, record.builds);
    ASSERT_EQ(decoded->inputs.size(), 2U);
    EXPECT_EQ(decoded->inputs[1].name, "segment-b");
    EXPECT_EQ(decoded->inputs[1].dropped, record.inputs[1].dropped);
    EXPECT_TRUE(decoded->inputs[0].dropped.empty());
    EXPECT_EQ(decoded->now_ms, -7);
    EXPECT_EQ(decoded->key_bytes, 12U);
    EXPECT_EQ(decoded->keeps_cells(), record.keeps_cells());
    EXPECT_EQ(decoded->codes, record.codes);
    EXPECT_EQ(decoded->queries, record.queries);
  }
}

TEST(BuildRecord, EveryBitThatFlipsAndEveryCutIsNoticed) {
  const std::string bytes = EncodeBuildRecord(SampleRecord());
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(DecodeBuildRecord(damaged).status().code(), StatusCode::kCorruption) << bit;
  }
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(DecodeBuildRecord(bytes.substr(0, size)).status().code(), StatusCode::kCorruption) << size;
    std::string cut = bytes.substr(0, size);
    if (size <= kCheckedFrom) continue;
    Seal(cut);
    EXPECT_EQ(DecodeBuildRecord(cut).status().code(), StatusCode::kCorruption) << size << " with a checksum";
  }
}

TEST(BuildRecord, WhatDoesNotFitTogetherIsRefused) {
  auto refused = [](const std::function<void(BuildRecord&)>& change) {
    BuildRecord record = SampleRecord();
    change(record);
    return DecodeBuildRecord(EncodeBuildRecord(record)).status().code() == StatusCode::kCorruption;
  };
  EXPECT_FALSE(refused([](BuildRecord&) {}));
  EXPECT_TRUE(refused([](BuildRecord& record) { record.builds.clear(); }));
  EXPECT_TRUE(refused([](BuildRecord& record) { record.inputs.clear(); }));
  EXPECT_TRUE(refused([](BuildRecord& record) { record.inputs[0].name = "../x"; }));
  EXPECT_TRUE(refused([](BuildRecord& record) { record.dimension = 0; }));
  EXPECT_TRUE(refused([](BuildRecord& record) { record.scales[1] = std::numeric_limits<float>::quiet_NaN(); }));
  EXPECT_TRUE(refused([](BuildRecord& record) { record.queries[1] = std::numeric_limits<float>::infinity(); }));
  EXPECT_TRUE(refused([](BuildRecord& record) { record.routing_sha256_hex = std::string(64, 'a'); }));
  EXPECT_TRUE(refused([](BuildRecord& record) {
    record.scales.clear();
    record.codes.clear();
  }));
}

TEST(BuildRecord, NeedsAsMuchMemoryAsItsCellsTake) {
  BuildRecord record = SampleRecord();
  record.key_bytes = 64 << 10;
  EXPECT_TRUE(CompactionJob::FitsMemory(record, 256 << 10));
  EXPECT_FALSE(CompactionJob::FitsMemory(record, (256 << 10) - 4)) << "keys of an object";
  record.key_bytes = 0;
  EXPECT_TRUE(CompactionJob::FitsMemory(record, 48)) << "two centroids of three floats";
  EXPECT_FALSE(CompactionJob::FitsMemory(record, 46));
}

TEST(BuildObjectNames, AreOfTheBuildThePlaceAndTheEpoch) {
  std::set<std::string> names;
  for (uint64_t build : {1U, 2U}) {
    for (uint32_t place : {0U, 1U}) names.insert(BuildObjectName("segment", 7, {build, 0}, place));
  }
  EXPECT_EQ(names.size(), 4U);
  for (const std::string& name : names) EXPECT_EQ(EpochOfObject(name), 7U) << name;
  EXPECT_EQ(BuildObjectName("segment", 7, {1, 0}, 1), "segment-0000000000000007-263296264503a60e3e960f824cfbd914");
  EXPECT_EQ(EpochOfObject(BuildRecordName(3, {1, 2})), 3U);
  EXPECT_EQ(BuildRecordName(3, {1, 2}), "build-0000000000000003-" + NonceHex({1, 2}));
}

}  // namespace
}  // namespace isotherm
