// Collections whose compactions die, and handles that go on with them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "blob/fault_store.h"
#include "blob/memory_store.h"
#include "engine/object_names.h"
#include "isotherm/compaction.h"
#include "tests/base/manual_clock.h"
#include "tests/engine/commits.h"

namespace isotherm::testing_support {

inline constexpr uint64_t kResumeRows = 240;

class CompactionResumption : public testing::Test {
 protected:
  void SetUp() override { Begin(); }

  void Begin() {
    options_.env = environment_;
    options_.inline_bytes = 0;
    compact_.min_rows_for_cells = 1;
    compact_.cells = 6;
    compact_.max_object_bytes = 2048;
    store_ = std::make_shared<HeadHistory>(std::make_shared<MemoryBlobStore>(environment_));
    auto writer = MustOpen(store_, options_);
    Commit(*writer, WriteBatch(), NumberedRows(0, kResumeRows / 2));
    Commit(*writer, WriteBatch(), NumberedRows(kResumeRows / 2, kResumeRows / 2));
    Commit(*writer, std::move(WriteBatch().Delete(uint64_t{5})));
  }

  static void Commit(Collection& collection, WriteBatch batch, const std::vector<Row>& rows = {}) {
    for (const Row& row : rows) batch.Insert(row);
    Status status = collection.Write(std::move(batch));
    EXPECT_TRUE(status.ok()) << status;
    status = collection.Commit();
    EXPECT_TRUE(status.ok()) << status;
  }

  // A handle of a process of its own.
  struct Handle {
    std::shared_ptr<FaultBlobStore> store;
    std::unique_ptr<Collection> collection;
    std::set<std::string> stages;  // of its compactions
    std::vector<std::string> put;  // names
  };

  std::shared_ptr<Handle> OpenHandle() {
    auto handle = std::make_shared<Handle>();
    handle->store = std::make_shared<FaultBlobStore>(store_, environment_);
    handle->collection = MustOpen(handle->store, options_);
    return handle;
  }

  Status Compact(Handle& handle) { return Compact(handle, compact_); }
  static Status Compact(Handle& handle, const CompactOptions& options) {
    return handle.collection->Compact(
        options, [&](std::string_view stage, uint64_t, uint64_t) { handle.stages.insert(std::string(stage)); });
  }
  // As Compact, telling what it has put.
  Status CompactAndNote(Handle& handle) {
    handle.store->SetHook([&](uint64_t, RequestKind kind, std::string_view name) {
      if (kind == RequestKind::kPut) handle.put.emplace_back(name);
      return Fault{};
    });
    Status status = Compact(handle);
    handle.store->SetHook(nullptr);
    return status;
  }

  // Compacts until the n-th request from now on, which happens or not; nothing happens after it. False: it came to its
  // end before that.
  bool CompactAndDie(uint64_t n, bool happens) {
    auto dying = OpenHandle();
    const uint64_t first = dying->store->requests();
    dying->store->SetHook([=](uint64_t index, RequestKind, std::string_view) {
      if (index < first + n) return Fault{};
      return Fault{happens && index == first + n ? FaultKind::kLoseAnswer : FaultKind::kFail};
    });
    return !Compact(*dying).ok();
  }

  // Dies after the n-th segment, from 1, was written.
  void DieAfterSegment(int n) {
    auto dying = OpenHandle();
    auto segments = std::make_shared<std::atomic<int>>(0);
    dying->store->SetHook([=](uint64_t, RequestKind kind, std::string_view name) {
      if (*segments >= n) return Fault{FaultKind::kFail};
      if (kind == RequestKind::kPut && name.starts_with("segment-")) ++*segments;
      return Fault{};
    });
    EXPECT_FALSE(Compact(*dying).ok());
  }

  Head ReadHead() {
    ReadRequest request{kHeadObject, {}, {}};
    auto head = DecodeHead(store_->Read({}, {&request, 1})[0].data);
    EXPECT_TRUE(head.ok()) << head.status();
    return head.ok() ? std::move(head).value() : Head();
  }

  // Names of the records of the builds that the head tells of, as far as they are there.
  std::vector<std::string> Records() {
    std::vector<std::string> names;
    for (const Build& build : ReadHead().builds) {
      const std::string name = BuildRecordName(build.gc_epoch, build.id);
      if (CountObjects(*store_, name) > 0) names.push_back(name);
    }
    return names;
  }

  static std::vector<uint64_t> AllKeys() {
    std::vector<uint64_t> keys = KeyRange(0, kResumeRows);
    keys.erase(keys.begin() + 5);
    return keys;
  }

  void ExpectRows(const std::vector<uint64_t>& keys) {
    auto reader = MustOpen(store_);
    EXPECT_EQ(ScanKeys(*reader), keys);
    ExpectClean(*reader);
    store_->ExpectUnbroken();
    for (uint64_t key : {keys.front(), keys[keys.size() / 2]}) {
      SearchOptions exact;
      exact.exact = true;
      exact.k = keys.size() + 1;
      auto found = reader->Search(NumberedRow(key).vector, exact);
      ASSERT_TRUE(found.ok()) << found.status();
      EXPECT_EQ(found->hits.size(), keys.size());
      EXPECT_EQ(found->hits[0].distance, 0);
      SearchOptions all;
      all.probes = 100;
      all.k = keys.size() + 1;
      found = reader->Search(NumberedRow(key).vector, all);
      ASSERT_TRUE(found.ok()) << found.status();
      EXPECT_EQ(found->hits.size(), keys.size());
    }
  }

  // The segments but for their names, and what the routing object says.
  std::vector<std::string> Shape() {
    const CollectionStats stats = MustOpen(store_)->Stats();
    std::vector<std::string> shape{std::to_string(stats.cells) + " " + std::to_string(stats.default_probes)};
    for (const SegmentInfo& segment : ReadHead().segments) {
      shape.push_back(std::to_string(segment.bytes) + " " + std::to_string(segment.rows) + " " +
                      std::to_string(segment.entries) + " " + std::to_string(segment.first_cell) + " " +
                      std::to_string(segment.filter_crc32c));
    }
    return shape;
  }

  // Of `names`, those that were there before.
  static size_t Among(const std::vector<std::string>& names, const std::vector<std::string>& before) {
    return static_cast<size_t>(std::count_if(names.begin(), names.end(), [&](const std::string& name) {
      return std::find(before.begin(), before.end(), name) != before.end();
    }));
  }

  size_t SegmentsPut(const Handle& handle) {
    return static_cast<size_t>(std::count_if(handle.put.begin(), handle.put.end(),
                                             [](const std::string& name) { return name.starts_with("segment-"); }));
  }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<Environment> environment_ = EnvironmentWithClock(clock_);
  std::shared_ptr<HeadHistory> store_;
  Options options_ = CreatingSmall();
  CompactOptions compact_;
};

}  // namespace isotherm::testing_support
