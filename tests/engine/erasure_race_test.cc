// Erasures that others get in the way of.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <utility>

#include "blob/fault_store.h"
#include "blob/memory_store.h"
#include "tests/base/manual_clock.h"
#include "tests/engine/erasure_grown.h"
#include "tests/engine/forwarding_store.h"

namespace isotherm {
namespace {

using namespace testing_support;

// Does something once, at the n-th put of an object whose name has this prefix.
class PutHookStore : public ForwardingStore {
 public:
  PutHookStore(std::shared_ptr<BlobStore> store, std::string prefix, int at, std::function<void()> meanwhile)
      : ForwardingStore(std::move(store)), prefix_(std::move(prefix)), at_(at), meanwhile_(std::move(meanwhile)) {}

  Result<std::string> Put(const Context& context, std::string_view name, std::string_view bytes,
                          const PutCondition& condition) override {
    Meet(name);
    return store_->Put(context, name, bytes, condition);
  }
  Result<std::unique_ptr<BlobWriter>> CreateWriter(const Context& context, std::string_view name) override {
    Meet(name);
    return store_->CreateWriter(context, name);
  }
  bool met() const { return puts_ >= at_; }

 private:
  void Meet(std::string_view name) {
    if (name.starts_with(prefix_) && ++puts_ == at_) meanwhile_();
  }

  const std::string prefix_;
  const int at_;
  const std::function<void()> meanwhile_;
  int puts_ = 0;
};

// Else a segment has at most the second copy of that row.
bool IsInKeyPages(const std::string& segment, uint64_t n) {
  const uint64_t hash = HashKey(Key(MarkedKey(n)));
  return segment.find(std::string(reinterpret_cast<const char*>(&hash), sizeof(hash))) != std::string::npos;
}

class ErasureRace : public testing::Test {
 protected:
  void SetUp() override { Grow(memory_, options_); }

  // Others do something at the n-th put of the kind; false: there is no such put.
  bool EraseWhile(const std::string& prefix, int at, const std::function<void()>& meanwhile,
                  const std::vector<uint64_t>& rows = kErased) {
    auto hooked = std::make_shared<PutHookStore>(memory_, prefix, at, meanwhile);
    auto report = MustOpen(hooked, options_)->Erase(MarkedKeys(rows));
    EXPECT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report.ok() && report->complete);
    return hooked->met();
  }
  // Somebody erases when an object of that name is read through `store`, which after that lets one put of a branch's
  // head through, and nothing more.
  void EndAtRead(FaultBlobStore& store, const std::string& prefix, bool then_dies) {
    store.SetHook([this, prefix, then_dies](uint64_t, RequestKind kind, std::string_view name) {
      if (kind == RequestKind::kGet && name.starts_with(prefix) && !std::exchange(ended_, true)) {
        auto report = MustOpen(memory_, options_)->Erase(MarkedKeys(kErased));
        EXPECT_TRUE(report.ok()) << report.status();
        EXPECT_TRUE(report.ok() && report->holds.size() == 1 && !report->complete);
      }
      const bool fails = dead_;
      dead_ = dead_ || (then_dies && kind == RequestKind::kPut && name.starts_with("branches/"));
      return Fault{fails ? FaultKind::kFail : FaultKind::kNone};
    });
  }
  void StartAnew() {
    memory_ = std::make_shared<MemoryBlobStore>(environment_);
    Grow(memory_, options_);
  }

  // Once for every put of such an object from the `first` on: others do something at it, and what came of it is
  // checked. Returns how many there were.
  int AtEachPut(const std::string& prefix, int first, const std::function<void()>& meanwhile,
                const std::function<void()>& check, const std::vector<uint64_t>& rows = kErased) {
    for (int at = first; true; ++at) {
      SCOPED_TRACE(prefix + " " + std::to_string(at));
      StartAnew();
      if (!EraseWhile(prefix, at, meanwhile, rows)) return at - first;
      check();
      if (HasFailure()) return at - first;
    }
  }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<Environment> environment_ = EnvironmentWithClock(clock_);
  Options options_ = Opening(environment_);
  std::shared_ptr<BlobStore> memory_ = std::make_shared<MemoryBlobStore>(environment_);
  bool ended_ = false;
  bool dead_ = false;
};

TEST_F(ErasureRace, ARowThatIsWrittenAfterItBeganIsANewOneAndStays) {
  const auto meanwhile = [&] {
    auto writer = MustOpen(memory_, options_);
    ASSERT_TRUE(writer->Upsert(MarkedRow(3, 1)).ok());
    ASSERT_TRUE(writer->Commit().ok());
    ASSERT_TRUE(writer->Upsert(MarkedRow(3, 2)).ok());
    ASSERT_TRUE(writer->Upsert(MarkedRow(5, 1)).ok());
    ASSERT_TRUE(writer->Commit().ok());
  };
  const auto check = [&] {
    EXPECT_EQ(TracesInStore(*memory_, kErased, false), kNothing);
    auto reader = MustOpen(memory_, options_);
    auto row = reader->Get(MarkedKey(3));
    ASSERT_TRUE(row.ok()) << row.status();
    EXPECT_EQ(row->payload, "edition 2");
    EXPECT_TRUE(reader->Get(MarkedKey(5)).ok());
    ExpectClean(*reader);
  };
  EXPECT_GE(AtEachPut("head", 2, meanwhile, check), 4);
}

TEST_F(ErasureRace, ABranchThatIsMadeMeanwhileIsErasedAsWell) {
  const auto meanwhile = [&] {
    auto writer = MustOpen(memory_, options_);
    auto versions = writer->Versions();
    ASSERT_TRUE(versions.ok()) << versions.status();
    Status made = writer->CreateBranch("new", versions->front().version);
    EXPECT_TRUE(made.ok() || made.code() == StatusCode::kNotFound) << made;
    ASSERT_TRUE(writer->CreateBranch("newest").ok());
  };
  const auto check = [&] { ExpectErased(memory_, options_); };
  EXPECT_GE(AtEachPut("head", 1, meanwhile, check), 4);
}

// When it is made again its head is older than the one that it takes the place of.
TEST_F(ErasureRace, ABranchThatIsDeletedMeanwhileHoldsNothingUpAndOneThatIsMadeAgainIsErasedAsWell) {
  Options aside = options_;
  aside.create.reset();
  aside.branch = "side";
  for (bool again : {false, true}) {
    int at = 1;
    for (bool met = true; met && !HasFailure(); ++at) {
      SCOPED_TRACE((again ? "made again, " : "deleted, ") + std::to_string(at));
      StartAnew();
      auto side = MustOpen(memory_, aside);
      for (int commit = 0; commit < 20; ++commit) {
        ASSERT_TRUE(side->Upsert(MarkedRow(5)).ok());
        ASSERT_TRUE(side->Commit().ok());
      }
      met = EraseWhile("branches/side/head", at, [&] {
        auto writer = MustOpen(memory_, options_);
        ASSERT_GT(MustOpen(memory_, aside)->Stats().version, writer->Stats().version);
        ASSERT_TRUE(writer->DeleteBranch("side").ok());
        if (again) {
          ASSERT_TRUE(writer->CreateBranch("side").ok());
        }
      });
      if (met && !again) {
        // The erasure may have been about to archive a version of it.
        auto writer = MustOpen(memory_, options_);
        ASSERT_TRUE(writer->Vacuum().ok());
        ASSERT_TRUE(writer->CreateBranch("side").ok());
      }
      ExpectErased(memory_, options_);
    }
    EXPECT_GE(at, 6);
  }
}

TEST_F(ErasureRace, ARollbackOrACompactionMeanwhileBringsNothingBack) {
  const auto meanwhile = [&] {
    auto writer = MustOpen(memory_, options_);
    const uint64_t version = writer->Stats().version;
    Status back = writer->Rollback(version - 1);
    EXPECT_TRUE(back.ok() || back.code() == StatusCode::kNotFound) << back;
    Status compacted = writer->Compact(IntoCells(4));
    EXPECT_TRUE(compacted.ok()) << compacted;
  };
  const auto check = [&] {
    EXPECT_EQ(TracesInStore(*memory_, kErased), kNothing);
    ExpectClean(*MustOpen(memory_, options_));
  };
  EXPECT_GE(AtEachPut("head", 1, meanwhile, check), 4);
}

TEST_F(ErasureRace, AHandleWhoseVersionAVacuumRemovedMovesOn) {
  auto eraser = MustOpen(memory_, options_);
  auto other = MustOpen(memory_, options_);
  ASSERT_TRUE(other->Compact(IntoCells(4)).ok());
  VacuumOptions newest;
  newest.keep_versions = 1;
  newest.keep_soft_deleted = true;
  ASSERT_TRUE(other->DeleteBranch("side").ok());
  ASSERT_TRUE(other->Vacuum(newest).ok());
  auto report = eraser->Erase(MarkedKeys(kErased));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->complete);
  EXPECT_EQ(TracesInStore(*memory_, kErased), kNothing);
  EXPECT_EQ(MarkedRowsIn(*eraser, kRows), AllBut(kRows, kErased));
}

// Between the vacuum's reading it and the look at what is left.
TEST_F(ErasureRace, ALeasedVersionThatAnotherVacuumRemovesKeepsNothing) {
  Options past = options_;
  past.create.reset();
  past.as_of_version = MustOpen(memory_, options_)->Stats().version - 1;
  past.lease_ms = 3'600'000;
  auto reader = MustOpen(memory_, past);
  auto objects = ListObjects(*memory_, "", {});
  ASSERT_TRUE(objects.ok()) << objects.status();
  std::string version;
  std::string lease;
  for (const ListEntry& object : *objects) {
    if (object.name.starts_with("lease-")) lease = object.name;
    if (auto name = ParseVersionName(object.name); name && name->version == past.as_of_version) version = object.name;
  }
  auto eraser_store = std::make_shared<FaultBlobStore>(memory_, environment_);
  auto eraser = MustOpen(eraser_store, options_);
  int reads = 0;
  eraser_store->SetHook([&](uint64_t, RequestKind kind, std::string_view name) {
    if (reads == 2 && name != version) {
      EXPECT_TRUE(memory_->Delete({}, version).ok() && memory_->Delete({}, lease).ok());
      ++reads;
    }
    if (kind == RequestKind::kGet && name == version) ++reads;
    return Fault{};
  });
  auto report = eraser->Erase(MarkedKeys(kErased));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_GT(reads, 2);
  EXPECT_TRUE(report->complete);
  EXPECT_EQ(TracesInStore(*memory_, kErased), kNothing);
}

// Whether a version holds rows that are to go depends on the head that it is held against.
TEST_F(ErasureRace, ALeaseOfAVersionThatHasRowsOfItsKeysThatAreNewHoldsNothing) {
  bool met = true;
  int at = 1;
  for (; met && !HasFailure(); ++at) {
    SCOPED_TRACE(at);
    StartAnew();
    auto store = std::make_shared<FaultBlobStore>(memory_, environment_);
    auto eraser = MustOpen(store, options_);
    std::unique_ptr<Collection> reader;
    int lists = 0;
    store->SetHook([&](uint64_t, RequestKind kind, std::string_view name) {
      if (kind != RequestKind::kList || name != "version-" || ++lists != at) return Fault{};
      auto writer = MustOpen(memory_, options_);
      EXPECT_TRUE(writer->Upsert(MarkedRow(3, 1)).ok());
      EXPECT_TRUE(writer->Compact(IntoCells(4)).ok());
      EXPECT_TRUE(writer->Vacuum().ok());
      Options leasing = options_;
      leasing.lease_ms = 3'600'000;
      reader = MustOpen(memory_, leasing);
      return Fault{};
    });
    auto report = eraser->Erase(MarkedKeys(kErased));
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->complete);
    EXPECT_EQ(TracesInStore(*memory_, kErased, false), kNothing);
    met = lists >= at;
  }
  EXPECT_GE(at, 4);
}

// The other one's mark makes this one look at all branches again.
TEST_F(ErasureRace, TwoAtOnceTakeNoRowThatIsNew) {
  const auto meanwhile = [&] {
    auto other = MustOpen(memory_, options_);
    ASSERT_TRUE(other->Upsert(MarkedRow(3, 2)).ok());
    ASSERT_TRUE(other->Commit().ok());
    auto report = other->Erase(MarkedKeys({5}));
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->complete);
  };
  const auto check = [&] {
    EXPECT_EQ(TracesInStore(*memory_, kErased, false), kNothing);
    EXPECT_EQ(TracesInStore(*memory_, {5}), kNothing);
    auto reader = MustOpen(memory_, options_);
    auto row = reader->Get(MarkedKey(3));
    ASSERT_TRUE(row.ok()) << row.status();
    EXPECT_EQ(row->payload, "edition 2");
    ExpectClean(*reader);
  };
  // The row is written after the main branch's turn.
  EXPECT_GE(AtEachPut("head", 2, meanwhile, check) + AtEachPut("branches/side/head", 1, meanwhile, check), 8);
}

// The version that the rollback makes holds the row too, and is younger than the deletion.
TEST_F(ErasureRace, ARowOfTheHeadThatARollbackBringsBackGoesFromItsVersionsToo) {
  const std::vector<uint64_t> last = {39};
  options_.inline_bytes = 2000;
  const auto meanwhile = [&] {
    auto writer = MustOpen(memory_, options_);
    const uint64_t version = writer->Stats().version;
    Status back = writer->Rollback(version - 1);
    EXPECT_TRUE(back.ok() || back.code() == StatusCode::kNotFound) << back;
  };
  const auto check = [&] { EXPECT_EQ(TracesInStore(*memory_, last), kNothing); };
  EXPECT_GE(AtEachPut("head", 1, meanwhile, check, last), 4);
}

// It keeps everything that is as young as itself, on whatever branch that was written.
TEST_F(ErasureRace, ACompactionThatBeginsMeanwhileKeepsNothing) {
  // Before the other branch's turn.
  for (int at = 2; at <= 4; ++at) {
    SCOPED_TRACE("head " + std::to_string(at));
    StartAnew();
    EXPECT_TRUE(EraseWhile("head", at, [&] {
      ASSERT_TRUE(MustOpen(memory_, options_)->Vacuum().ok());
      Options aside = options_;
      aside.create.reset();
      aside.branch = "side";
      auto side = MustOpen(memory_, aside);
      for (uint64_t n : {3, 17, 39}) ASSERT_TRUE(side->Upsert(MarkedRow(n)).ok());
      ASSERT_TRUE(side->Commit().ok());
      auto dying = std::make_shared<FaultBlobStore>(memory_, environment_);
      bool dead = false;
      dying->SetHook([&dead](uint64_t, RequestKind kind, std::string_view name) {
        dead = dead || (kind == RequestKind::kPut && name.starts_with("segment-"));
        return Fault{dead ? FaultKind::kFail : FaultKind::kNone};
      });
      EXPECT_FALSE(MustOpen(dying, options_)->Compact(IntoCells(4)).ok());
    }));
    ExpectErased(memory_, options_);
    if (HasFailure()) return;
  }
}

// When the vacuum looks it is there, and when branches are looked for again it is not.
TEST_F(ErasureRace, ABranchThatIsMadeAndDeletedMeanwhileKeepsNothing) {
  auto beside = MustOpen(memory_, options_);
  auto eraser_store = std::make_shared<FaultBlobStore>(memory_, environment_);
  auto eraser = MustOpen(eraser_store, options_);
  // Its head as it would be if its maker were slow.
  ASSERT_TRUE(beside->CreateBranch("brief").ok());
  ReadRequest request{"branches/brief/head", {}, {}};
  const std::string head = memory_->Read({}, {&request, 1})[0].data;
  ASSERT_TRUE(beside->DeleteBranch("brief").ok());
  int lists = 0;
  eraser_store->SetHook([&](uint64_t, RequestKind kind, std::string_view name) {
    if (kind != RequestKind::kList || !name.starts_with("branches/") || name.size() > 9) return Fault{};
    // At first, by the vacuum before its epoch and after it, and at last.
    ++lists;
    if (lists == 2) {
      EXPECT_TRUE(memory_->Put({}, request.name, head).ok());
    } else if (lists == 4) {
      EXPECT_TRUE(beside->DeleteBranch("brief").ok());
    }
    return Fault{};
  });
  auto report = eraser->Erase(MarkedKeys(kErased));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->complete);
  EXPECT_GT(lists, 4);
  ExpectErased(memory_, options_);
}

// Of a lease and a version that were removed.
TEST_F(ErasureRace, RequestsThatAreExecutedAgainAfterItKeepNobodyFromErasing) {
  Options past = options_;
  past.create.reset();
  past.as_of_version = MustOpen(memory_, options_)->Stats().version - 1;
  past.lease_ms = 3'600'000;
  auto reader = MustOpen(memory_, past);
  auto objects = ListObjects(*memory_, "", {});
  ASSERT_TRUE(objects.ok()) << objects.status();
  std::map<std::string, std::string> before;
  for (const ListEntry& object : *objects) {
    if (!object.name.starts_with("lease-") && !object.name.starts_with("version-")) continue;
    ReadRequest request{object.name, {}, {}};
    before[object.name] = memory_->Read({}, {&request, 1})[0].data;
  }
  ErasureOptions breaking;
  breaking.break_leases = true;
  auto report = MustOpen(memory_, options_)->Erase(MarkedKeys(kErased), breaking);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->complete);
  for (const auto& [name, bytes] : before) ASSERT_TRUE(memory_->Put({}, name, bytes).ok());
  report = MustOpen(memory_, options_)->Erase(MarkedKeys({3}));
  ASSERT_TRUE(report.ok()) << report.status();
  report = MustOpen(memory_, options_)->Erase(MarkedKeys(kErased), breaking);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->complete);
  ExpectErased(memory_, options_);
}

// One segment of its partition, which may have second copies of rows in those that are gone, whose key pages alone tell
// of them.
TEST_F(ErasureRace, AVersionOfWhichLateRequestsPutAPartAgainIsNamedOrKeepsNothing) {
  CompactOptions cut = IntoCells(6);
  cut.max_object_bytes = 1;
  const std::vector<uint64_t> erased = {3, 5, 17};
  auto writer = MustOpen(memory_, options_);
  ASSERT_TRUE(writer->DeleteBranch("side").ok());
  ASSERT_TRUE(writer->Compact(cut).ok());
  Options past = options_;
  past.create.reset();
  past.as_of_version = writer->Stats().version;
  past.lease_ms = 3'600'000;
  ASSERT_TRUE(writer->Insert(MarkedRow(50)).ok());
  ASSERT_TRUE(writer->Commit().ok());
  auto reader = MustOpen(memory_, past);
  std::map<std::string, std::string> leased;
  std::map<std::string, std::string> segments;
  auto objects = ListObjects(*memory_, "", {});
  ASSERT_TRUE(objects.ok()) << objects.status();
  for (const ListEntry& object : *objects) {
    ReadRequest request{object.name, {}, {}};
    const std::string bytes = memory_->Read({}, {&request, 1})[0].data;
    auto version = ParseVersionName(object.name);
    if (object.name.starts_with("lease-") || (version && version->version == past.as_of_version)) {
      leased[object.name] = bytes;
    } else if (object.name.starts_with("segment-")) {
      segments[object.name] = bytes;
    }
  }
  ASSERT_EQ(leased.size(), 2U);
  ErasureOptions breaking;
  breaking.break_leases = true;
  auto report = writer->Erase(MarkedKeys(erased), breaking);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->complete);
  int only_copies = 0;
  for (const auto& [name, bytes] : segments) {
    SCOPED_TRACE(name);
    for (const auto& [object, content] : leased) ASSERT_TRUE(memory_->Put({}, object, content).ok());
    ASSERT_TRUE(memory_->Put({}, name, bytes).ok());
    for (uint64_t n : erased) only_copies += !TraceIn(bytes, n, false).empty() && !IsInKeyPages(bytes, n) ? 1 : 0;
    report = writer->Erase(MarkedKeys(erased));
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->complete, report->holds.empty());
    EXPECT_TRUE(!report->complete || TracesInStore(*memory_, erased) == kNothing);
    report = writer->Erase(MarkedKeys(erased), breaking);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->complete);
    EXPECT_EQ(TracesInStore(*memory_, erased), kNothing);
  }
  EXPECT_GT(only_copies, 0);
}

// Its maker takes a lease, and then somebody ends the version.
TEST_F(ErasureRace, ABranchOfAVersionThatIsEndedMeanwhileIsTakenBack) {
  auto slow = std::make_shared<FaultBlobStore>(memory_, environment_);
  auto maker = MustOpen(slow, options_);
  EndAtRead(*slow, "version-", /*then_dies=*/false);
  EXPECT_EQ(maker->CreateBranch("late", maker->Stats().version - 1).code(), StatusCode::kConflict);
  EXPECT_TRUE(ended_);
  auto branches = maker->Branches();
  ASSERT_TRUE(branches.ok()) << branches.status();
  EXPECT_EQ(branches->size(), 2U);
}

TEST_F(ErasureRace, WhereItsMakerDiedTheBranchCanBeLeasedAndErased) {
  auto slow = std::make_shared<FaultBlobStore>(memory_, environment_);
  auto maker = MustOpen(slow, options_);
  EndAtRead(*slow, "version-", /*then_dies=*/true);
  EXPECT_FALSE(maker->CreateBranch("late", maker->Stats().version - 1).ok());
  EXPECT_TRUE(ended_);
  Options late = options_;
  late.create.reset();
  late.branch = "late";
  late.lease_ms = 3'600'000;
  EXPECT_EQ(MarkedRowsIn(*MustOpen(memory_, late), kRows), AllBut(kRows, {17, 39}));
  ErasureOptions breaking;
  breaking.break_leases = true;
  auto report = MustOpen(memory_, options_)->Erase(MarkedKeys(kErased), breaking);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->complete);
  EXPECT_EQ(MarkedRowsIn(*MustOpen(memory_, late), kRows), AllBut(kRows, kErased));
  ExpectErased(memory_, options_);
}

// What it has written already holds the rows.
TEST_F(ErasureRace, ACompactionThatBeganBeforeComesToNothing) {
  std::unique_ptr<Collection> eraser = MustOpen(memory_, options_);
  auto hooked = std::make_shared<PutHookStore>(memory_, "routing-", 1, [&] {
    auto report = eraser->Erase(MarkedKeys(kErased));
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->complete);
    EXPECT_EQ(TracesInStore(*memory_, kErased), kNothing);
  });
  EXPECT_EQ(MustOpen(hooked, options_)->Compact(IntoCells(4)).code(), StatusCode::kConflict);
  EXPECT_TRUE(hooked->met());
  EXPECT_EQ(TracesInStore(*memory_, kErased), kNothing);
}

}  // namespace
}  // namespace isotherm
