// Leases: what is renewed while a vacuum is at work, in any order, is kept or is gone, and its reader knows.
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "blob/fault_store.h"
#include "blob/memory_store.h"
#include "engine/history.h"
#include "tests/base/manual_clock.h"
#include "tests/engine/commits.h"

namespace isotherm {
namespace {

using namespace testing_support;

constexpr int64_t kLeaseMs = 60'000;
constexpr int64_t kLongMs = 3'600'000;  // more than a lease holds, clocks that differ and all

// Background work is done before the call that starts it returns.
class InlineExecutor : public Executor {
 public:
  void Schedule(std::function<void()> task) override { task(); }
  void ParallelFor(size_t n, const std::function<void(size_t)>& body) override {
    for (size_t i = 0; i < n; ++i) body(i);
  }
  size_t Concurrency() const override { return 1; }
};

// Calls `meanwhile` once: around the deletion of a lease, or behind the first list of them.
class LeaseHookStore : public ForwardingStore {
 public:
  enum class When { kBeforeDelete, kAfterDelete, kAfterList };
  LeaseHookStore(std::shared_ptr<BlobStore> store, When when) : ForwardingStore(std::move(store)), when_(when) {}

  Status Delete(const Context& context, std::string_view name) override {
    const bool lease = name.starts_with(kLeasePrefix);
    if (lease && when_ == When::kBeforeDelete) CallOnce();
    Status deleted = store_->Delete(context, name);
    if (lease && when_ == When::kAfterDelete) CallOnce();
    return deleted;
  }
  Result<ListPage> List(const Context& context, std::string_view prefix, std::string_view start_after,
                        size_t limit) override {
    auto page = store_->List(context, prefix, start_after, limit);
    if (prefix == kLeasePrefix && when_ == When::kAfterList) CallOnce();
    return page;
  }
  std::function<void()> meanwhile;

 private:
  void CallOnce() {
    if (auto call = std::exchange(meanwhile, nullptr)) call();
  }
  const When when_;
};

class LeaseTest : public testing::Test {
 protected:
  void SetUp() override {
    environment_->executor = std::make_shared<InlineExecutor>();
    writer_ = OpenWriter(store_);
    Commit(0, 8);
  }

  std::unique_ptr<Collection> OpenWriter(const std::shared_ptr<BlobStore>& store) {
    Options options = CreatingSmall();
    options.env = environment_;
    options.inline_bytes = 0;
    return MustOpen(store, options);
  }
  uint64_t Commit(uint64_t first, uint64_t count) {
    EXPECT_TRUE(writer_->InsertBatch(NumberedRows(first, count)).ok());
    EXPECT_TRUE(writer_->Commit().ok());
    return writer_->Stats().version;
  }
  // Leased; `version`: 0 for the newest. Whatever it reads it reads from the store.
  Options Leasing(uint64_t version = 0) {
    Options options;
    options.env = environment_;
    options.read_only = true;
    options.block_cache_bytes = 0;
    options.as_of_version = version;
    options.lease_ms = kLeaseMs;
    return options;
  }
  Options Past(uint64_t version) {
    Options options = Leasing(version);
    options.lease_ms = 0;
    return options;
  }
  // Of what was committed before nothing is needed by the newest version any more, and nothing but it is kept.
  void ReplaceAll(Collection& writer) {
    Status compacted = writer.Compact();
    ASSERT_TRUE(compacted.ok()) << compacted;
    ASSERT_TRUE(writer.Vacuum(KeepOne()).ok());
  }
  static VacuumOptions KeepOne() {
    VacuumOptions keep_one;
    keep_one.keep_versions = 1;
    return keep_one;
  }
  // A clock that differs from the reader's: by it what was taken so far has lapsed.
  std::shared_ptr<Environment> LateEnvironment() {
    auto late = std::make_shared<ManualClock>(clock_->NowNs(), clock_->WallMs() + kLongMs);
    return EnvironmentWithClock(late);
  }
  std::unique_ptr<Collection> OpenLate(const std::shared_ptr<BlobStore>& store) {
    Options options = CreatingSmall();
    options.env = LateEnvironment();
    return MustOpen(store, options);
  }
  // Reads, by which it renews its lease.
  Status ReadAll(Collection& reader) {
    return reader.Scan([](Row) { return Status::Ok(); });
  }
  void ExpectAll(const std::unique_ptr<Collection>& reader) {
    ASSERT_NE(reader, nullptr);
    EXPECT_EQ(ScanKeys(*reader), KeyRange(0, 8));
  }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<Environment> environment_ = EnvironmentWithClock(clock_);
  std::shared_ptr<BlobStore> store_ = std::make_shared<MemoryBlobStore>(environment_);
  std::unique_ptr<Collection> writer_;
};

TEST_F(LeaseTest, IsRenewedByANewObjectAtAThirdOfItsTime) {
  std::set<std::string> seen;
  auto reader = MustOpen(store_, Leasing());
  for (int i = 0; i < 10; ++i) {
    auto leases = ListLeases(*store_, {});
    ASSERT_TRUE(leases.ok()) << leases.status();
    ASSERT_EQ(leases->size(), 1U);
    EXPECT_EQ(leases->begin()->second.version, reader->Stats().version);
    EXPECT_EQ(leases->begin()->second.expires_ms, clock_->WallMs() + kLeaseMs);
    EXPECT_TRUE(seen.insert(leases->begin()->first).second) << "written again";
    clock_->AdvanceWallMs(kLeaseMs / 3 - 1);
    ASSERT_TRUE(ReadAll(*reader).ok());
    EXPECT_EQ(ListLeases(*store_, {})->begin()->first, leases->begin()->first) << "renewed too early";
    clock_->AdvanceWallMs(1);
    ASSERT_TRUE(ReadAll(*reader).ok());
  }
  ASSERT_TRUE(reader->Close().ok());
  EXPECT_EQ(CountObjects(*store_, kLeasePrefix), 0U);
}

TEST_F(LeaseTest, IsRenewedWhenTheClockWasSetBack) {
  auto reader = MustOpen(store_, Leasing());
  clock_->AdvanceWallMs(-kLongMs);
  ASSERT_TRUE(ReadAll(*reader).ok());
  EXPECT_EQ(ListLeases(*store_, {})->begin()->second.expires_ms, clock_->WallMs() + kLeaseMs);
}

TEST_F(LeaseTest, WhatIsRenewedBeforeAVacuumRemovesTheLeaseStays) {
  const uint64_t version = writer_->Stats().version;
  auto reader = MustOpen(store_, Leasing(version));
  ReplaceAll(*writer_);  // so that nothing but the lease keeps it
  auto hooked = std::make_shared<LeaseHookStore>(store_, LeaseHookStore::When::kBeforeDelete);
  auto late = OpenLate(hooked);
  bool renewed = false;
  hooked->meanwhile = [&] {
    clock_->AdvanceWallMs(kLongMs);
    renewed = ReadAll(*reader).ok() && CountObjects(*store_, kLeasePrefix) == 1;
  };
  auto report = late->Vacuum(KeepOne());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(renewed);
  EXPECT_EQ(CountObjects(*store_, kLeasePrefix), 1U);
  ExpectAll(reader);
  ExpectAll(MustOpen(store_, Past(version)));
}

TEST_F(LeaseTest, WhatIsRenewedBetweenTheListOfLeasesAndReadingThemStays) {
  const uint64_t version = writer_->Stats().version;
  auto reader = MustOpen(store_, Leasing(version));
  ReplaceAll(*writer_);
  auto hooked = std::make_shared<LeaseHookStore>(store_, LeaseHookStore::When::kAfterList);
  auto other = OpenWriter(hooked);
  hooked->meanwhile = [&] {
    clock_->AdvanceWallMs(kLeaseMs / 3);
    ASSERT_TRUE(ReadAll(*reader).ok());
  };
  auto report = other->Vacuum(KeepOne());
  ASSERT_TRUE(report.ok()) << report.status();
  ExpectAll(reader);
  ExpectAll(MustOpen(store_, Past(version)));
}

TEST_F(LeaseTest, WhatIsRenewedAfterAVacuumRemovedTheLeaseFailsAndSaysWhatIsGone) {
  auto reader = MustOpen(store_, Leasing(writer_->Stats().version));
  ReplaceAll(*writer_);
  auto hooked = std::make_shared<LeaseHookStore>(store_, LeaseHookStore::When::kAfterDelete);
  auto late = OpenLate(hooked);
  hooked->meanwhile = [&] {
    clock_->AdvanceWallMs(kLongMs);
    ASSERT_TRUE(ReadAll(*reader).ok()) << "nothing else has been removed yet";
    EXPECT_EQ(CountObjects(*store_, kLeasePrefix), 0U) << "of a version that is being removed";
  };
  ASSERT_TRUE(late->Vacuum(KeepOne()).ok());
  Status read = ReadAll(*reader);
  EXPECT_EQ(read.code(), StatusCode::kCorruption) << read;
  EXPECT_NE(read.message().find("no such object"), std::string::npos) << read;
  EXPECT_EQ(CountObjects(*store_, kLeasePrefix), 0U);
}

TEST_F(LeaseTest, AReaderOfTheNewestVersionThatComesTooLateTakesALeaseOfTheNewestOne) {
  auto reader = MustOpen(store_, Leasing());
  ReplaceAll(*writer_);
  clock_->AdvanceWallMs(kLongMs);
  ASSERT_TRUE(writer_->Vacuum(KeepOne()).ok());
  EXPECT_EQ(CountObjects(*store_, kLeasePrefix), 0U);
  ExpectAll(reader);
  EXPECT_EQ(reader->Stats().version, writer_->Stats().version);
  auto leases = ListLeases(*store_, {});
  ASSERT_TRUE(leases.ok()) << leases.status();
  ASSERT_EQ(leases->size(), 1U);
  EXPECT_EQ(leases->begin()->second.version, writer_->Stats().version);
}

// The first vacuum has looked at leases already when one is taken; the second one sees it, and lets the version go that
// it holds.
TEST_F(LeaseTest, OfAVersionThatAnotherVacuumLetGoMeanwhileHolds) {
  const uint64_t version = writer_->Stats().version;
  ASSERT_TRUE(writer_->Compact().ok());
  auto other = OpenWriter(store_);
  auto hooked = std::make_shared<LeaseHookStore>(store_, LeaseHookStore::When::kAfterList);
  auto slow = OpenWriter(hooked);
  std::unique_ptr<Collection> reader;
  hooked->meanwhile = [&] {
    reader = MustOpen(store_, Leasing(version));
    ASSERT_TRUE(other->Vacuum(KeepOne()).ok());
    ASSERT_TRUE(other->Vacuum(KeepOne()).ok());
  };
  auto report = slow->Vacuum();
  ASSERT_TRUE(report.ok()) << report.status();
  ExpectAll(reader);
  ExpectAll(MustOpen(store_, Past(version)));
}

// The lease is there or is not, and may have been put again by a late request: what counts is that the version stays.
TEST_F(LeaseTest, ABranchOfAVersionThatIsLetGoWhileItIsMadeIsTakenBack) {
  for (bool lets_go : {true, false}) {
    for (bool lapses : {true, false}) {
      for (bool is_put_again : {true, false}) {
        SCOPED_TRACE(std::string(lets_go ? "lets go" : "keeps") + (lapses ? ", lapses" : "") +
                     (is_put_again ? ", is put again" : ""));
        store_ = std::make_shared<MemoryBlobStore>(environment_);
        writer_ = OpenWriter(store_);
        const uint64_t version = Commit(0, 8);
        ASSERT_TRUE(writer_->Compact().ok());
        auto keeper = OpenWriter(store_);
        auto slow = std::make_shared<FaultBlobStore>(store_, environment_);
        auto maker = OpenWriter(slow);
        slow->SetHook([&](uint64_t, RequestKind kind, std::string_view name) {
          if (kind != RequestKind::kPut || name != "branches/late/head") return Fault{};
          auto leases = ListLeases(*store_, {});
          EXPECT_TRUE(leases.ok() && leases->size() == 1);
          if (lapses) clock_->AdvanceWallMs(2 * kLongMs);
          EXPECT_TRUE(keeper->Vacuum(lets_go ? KeepOne() : VacuumOptions()).ok());
          EXPECT_EQ(CountObjects(*store_, kLeasePrefix), lapses ? 0U : 1U);
          for (const auto& [lease, what] : *leases) {
            if (is_put_again) {
              EXPECT_TRUE(store_->Put({}, lease, EncodeLease(what)).ok());
            }
          }
          return Fault{};
        });
        Status made = maker->CreateBranch("late", version);
        EXPECT_EQ(made.code(), lets_go ? StatusCode::kConflict : StatusCode::kOk) << made;
        EXPECT_EQ(writer_->Branches()->size(), lets_go ? 1U : 2U);
        if (lets_go) continue;
        Options branch = Past(0);
        branch.branch = "late";
        ExpectAll(MustOpen(store_, branch));
      }
    }
  }
}

TEST_F(LeaseTest, ARequestOfARenewalThatFailsLeavesTheLeaseThatThereWas) {
  for (FaultKind kind : {FaultKind::kFail, FaultKind::kLoseAnswer}) {
    for (RequestKind request : {RequestKind::kPut, RequestKind::kGet, RequestKind::kDelete}) {
      auto faulty = std::make_shared<FaultBlobStore>(store_, environment_);
      auto reader = MustOpen(faulty, Leasing());
      const std::string first = ListLeases(*store_, {})->begin()->first;
      clock_->AdvanceWallMs(kLeaseMs / 3);
      // Each of the renewal's, as it comes before what is read.
      int asked = 0;
      faulty->SetHook([&](uint64_t, RequestKind is, std::string_view name) {
        const bool renewal = is == request && (name.starts_with(kLeasePrefix) || name == kHeadObject);
        return renewal && ++asked <= 2 ? Fault{kind} : Fault{};
      });
      EXPECT_TRUE(ReadAll(*reader).ok());
      EXPECT_GE(CountObjects(*store_, kLeasePrefix), 1U);
      faulty->SetHook(nullptr);
      EXPECT_TRUE(ReadAll(*reader).ok());
      clock_->AdvanceWallMs(kLeaseMs / 3);
      EXPECT_TRUE(ReadAll(*reader).ok());
      auto leases = ListLeases(*store_, {});
      ASSERT_TRUE(leases.ok()) << leases.status();
      EXPECT_FALSE(leases->contains(first) && request != RequestKind::kDelete);
      int64_t expires_ms = 0;
      for (const auto& [name, lease] : *leases) expires_ms = std::max(expires_ms, lease.expires_ms);
      EXPECT_EQ(expires_ms, clock_->WallMs() + kLeaseMs);
      ASSERT_TRUE(reader->Close().ok());
      // What could not be removed lapses.
      leases = ListLeases(*store_, {});
      for (const auto& [name, lease] : *leases) ASSERT_TRUE(store_->Delete({}, name).ok());
    }
  }
}

}  // namespace
}  // namespace isotherm
