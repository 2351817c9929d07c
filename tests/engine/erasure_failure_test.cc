// Erasures whose store fails, whose process dies, and that others get in the way of.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <utility>

#include "blob/fault_store.h"
#include "blob/memory_store.h"
#include "tests/base/manual_clock.h"
#include "tests/base/simulated_file_system.h"
#include "tests/engine/erasure.h"
#include "tests/engine/every_store.h"

namespace isotherm {
namespace {

using namespace testing_support;

constexpr uint64_t kRows = 40;
const std::vector<uint64_t> kErased = {3, 17, 39};
const std::vector<std::string> kNothing;

Options Opening(std::shared_ptr<Environment> environment) {
  Options options = CreatingMarked();
  options.env = std::move(environment);
  options.inline_bytes = 200;
  options.compaction.min_rows_for_cells = 1;
  options.compaction.cells = 4;
  return options;
}

// Cells, a flat segment, rows in the head, deletions, old versions and a branch that went its own way.
void Grow(const std::shared_ptr<BlobStore>& store, const Options& options) {
  auto collection = MustOpen(store, options);
  ASSERT_TRUE(collection->InsertBatch(MarkedRows(0, 30)).ok());
  ASSERT_TRUE(collection->Commit().ok());
  ASSERT_TRUE(collection->Compact(IntoCells(4)).ok());
  ASSERT_TRUE(collection->InsertBatch(MarkedRows(30, 9)).ok());
  ASSERT_TRUE(collection->SoftDelete(MarkedKey(17)).ok());
  ASSERT_TRUE(collection->Commit().ok());
  ASSERT_TRUE(collection->CreateBranch("side").ok());
  ASSERT_TRUE(collection->Insert(MarkedRow(39)).ok());
  ASSERT_TRUE(collection->Commit().ok());
}

void ExpectErased(const std::shared_ptr<BlobStore>& store, Options options) {
  EXPECT_EQ(TracesInStore(*store, kErased), kNothing);
  auto collection = MustOpen(store, options);
  EXPECT_EQ(MarkedRowsIn(*collection, kRows), AllBut(kRows, kErased));
  ExpectClean(*collection);
  options.create.reset();
  options.branch = "side";
  auto side = MustOpen(store, options);
  EXPECT_EQ(MarkedRowsIn(*side, kRows), AllBut(kRows, kErased));
  ExpectClean(*side);
}

// Files stay, where it is told so.
class KeepingFileSystem : public SimulatedFileSystem {
 public:
  Status Remove(const std::string& path) override {
    return keeps ? Status::IoError(path + ": cannot be removed") : SimulatedFileSystem::Remove(path);
  }
  std::atomic<bool> keeps{false};
};

TEST(ErasureFailure, IsNotCompleteWhileTheDiskCacheCanNotBeEmptied) {
  auto files = std::make_shared<KeepingFileSystem>();
  auto environment = EnvironmentWithClock(std::make_shared<ManualClock>());
  environment->file_system = files;
  auto memory = std::make_shared<MemoryBlobStore>(environment);
  Options options = Opening(environment);
  Grow(memory, options);
  options.cache_dir = "cache";
  options.metrics = std::make_shared<Metrics>();
  auto collection = MustOpen(memory, options);
  SearchOptions search;
  search.probes = 1000;
  ASSERT_TRUE(collection->Search(MarkedRow(3).vector, search).ok());
  // Files are written behind; closing waits for them.
  ASSERT_TRUE(collection->Close().ok());
  collection = MustOpen(memory, options);
  ASSERT_GT(collection->Stats().disk_cache_bytes, 0U);
  files->keeps = true;
  auto report = collection->Erase(MarkedKeys(kErased));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->holds.empty());
  EXPECT_FALSE(report->caches_emptied);
  EXPECT_FALSE(report->complete);
  files->keeps = false;
  collection.reset();
  collection = MustOpen(memory, options);
  report = collection->Erase(MarkedKeys(kErased));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->caches_emptied);
  EXPECT_TRUE(report->complete);
  EXPECT_EQ(options.metrics->Snapshot().Value(MetricId::kErasures), 2U);
  EXPECT_EQ(options.metrics->Snapshot().Value(MetricId::kErasuresIncomplete), 1U);
}

using FaultOf = std::function<Fault(uint64_t after_begin)>;

// One run for each request of an erasure: `fault` is told how many requests behind the one that is at issue it is.
void EraseWithFaults(const FaultOf& fault) {
  bool reached = true;
  uint64_t failing = 0;
  for (; reached; ++failing) {
    SCOPED_TRACE("request " + std::to_string(failing));
    auto environment = EnvironmentWithClock(std::make_shared<ManualClock>());
    const Options options = Opening(environment);
    auto memory = std::make_shared<MemoryBlobStore>(environment);
    Grow(memory, options);
    auto faulty = std::make_shared<FaultBlobStore>(memory, environment);
    auto collection = MustOpen(faulty, options);
    const uint64_t begin = faulty->requests();
    faulty->SetHook([&, begin](uint64_t index, RequestKind, std::string_view) {
      return index < begin + failing ? Fault{} : fault(index - begin - failing);
    });
    auto erased = collection->Erase(MarkedKeys(kErased));
    reached = faulty->requests() - begin > failing;
    faulty->SetHook(nullptr);
    (void)faulty->DeliverLate();
    if (erased.ok()) {
      EXPECT_TRUE(erased->complete);
      EXPECT_EQ(TracesInStore(*memory, kErased), kNothing);
    }
    // Of a process that comes after it.
    auto again = MustOpen(memory, options)->Erase(MarkedKeys(kErased));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(again->complete);
    ExpectErased(memory, options);
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(failing, 60U) << "an erasure makes many more requests than this";
  testing::Test::RecordProperty("requests", static_cast<int>(failing));
}

TEST(ErasureFailure, WhenItDiesAtAnyRequestTheNextOneCompletesIt) {
  EraseWithFaults([](uint64_t) { return Fault{FaultKind::kFail}; });
}

TEST(ErasureFailure, WhenAnyAnswerIsLostTheNextOneCompletesIt) {
  EraseWithFaults([](uint64_t behind) { return Fault{behind == 0 ? FaultKind::kLoseAnswer : FaultKind::kNone}; });
}

TEST(ErasureFailure, WhenAnyRequestFailsOnceTheNextOneCompletesIt) {
  EraseWithFaults([](uint64_t behind) { return Fault{behind == 0 ? FaultKind::kFail : FaultKind::kNone}; });
}

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
  void StartAnew() {
    memory_ = std::make_shared<MemoryBlobStore>(environment_);
    Grow(memory_, options_);
  }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<Environment> environment_ = EnvironmentWithClock(clock_);
  Options options_ = Opening(environment_);
  std::shared_ptr<BlobStore> memory_ = std::make_shared<MemoryBlobStore>(environment_);
};

TEST_F(ErasureRace, ARowThatIsWrittenAfterItBeganIsANewOneAndStays) {
  int times = 0;
  for (int at = 2; true; ++at) {
    SCOPED_TRACE("head " + std::to_string(at));
    StartAnew();
    const bool met = EraseWhile("head", at, [&] {
      auto writer = MustOpen(memory_, options_);
      ASSERT_TRUE(writer->Upsert(MarkedRow(3, 1)).ok());
      ASSERT_TRUE(writer->Commit().ok());
      ASSERT_TRUE(writer->Upsert(MarkedRow(3, 2)).ok());
      ASSERT_TRUE(writer->Upsert(MarkedRow(5, 1)).ok());
      ASSERT_TRUE(writer->Commit().ok());
    });
    if (!met) break;
    ++times;
    EXPECT_EQ(TracesInStore(*memory_, kErased, false), kNothing);
    auto reader = MustOpen(memory_, options_);
    auto row = reader->Get(MarkedKey(3));
    ASSERT_TRUE(row.ok()) << row.status();
    EXPECT_EQ(row->payload, "edition 2");
    EXPECT_TRUE(reader->Get(MarkedKey(5)).ok());
    ExpectClean(*reader);
    if (HasFailure()) return;
  }
  EXPECT_GE(times, 4);
}

TEST_F(ErasureRace, ABranchThatIsMadeMeanwhileIsErasedAsWell) {
  int times = 0;
  for (int at = 1; true; ++at) {
    SCOPED_TRACE("head " + std::to_string(at));
    StartAnew();
    const bool met = EraseWhile("head", at, [&] {
      auto writer = MustOpen(memory_, options_);
      auto versions = writer->Versions();
      ASSERT_TRUE(versions.ok()) << versions.status();
      Status made = writer->CreateBranch("new", versions->front().version);
      EXPECT_TRUE(made.ok() || made.code() == StatusCode::kNotFound) << made;
      ASSERT_TRUE(writer->CreateBranch("newest").ok());
    });
    if (!met) break;
    ++times;
    ExpectErased(memory_, options_);
    if (HasFailure()) return;
  }
  EXPECT_GE(times, 4);
}

TEST_F(ErasureRace, ARollbackOrACompactionMeanwhileBringsNothingBack) {
  int times = 0;
  for (int at = 1; true; ++at) {
    SCOPED_TRACE("head " + std::to_string(at));
    StartAnew();
    const bool met = EraseWhile("head", at, [&] {
      auto writer = MustOpen(memory_, options_);
      const uint64_t version = writer->Stats().version;
      Status back = writer->Rollback(version - 1);
      EXPECT_TRUE(back.ok() || back.code() == StatusCode::kNotFound) << back;
      Status compacted = writer->Compact(IntoCells(4));
      EXPECT_TRUE(compacted.ok()) << compacted;
    });
    if (!met) break;
    ++times;
    EXPECT_EQ(TracesInStore(*memory_, kErased), kNothing);
    ExpectClean(*MustOpen(memory_, options_));
    if (HasFailure()) return;
  }
  EXPECT_GE(times, 4);
}

// The other one's mark makes this one look at all branches again.
TEST_F(ErasureRace, TwoAtOnceTakeNoRowThatIsNew) {
  int times = 0;
  for (const std::string prefix : {"head", "branches/side/head"}) {
    // The row is written after the main branch's turn.
    for (int at = prefix == "head" ? 2 : 1; true; ++at) {
      SCOPED_TRACE(prefix + " " + std::to_string(at));
      StartAnew();
      const bool met = EraseWhile(prefix, at, [&] {
        auto other = MustOpen(memory_, options_);
        ASSERT_TRUE(other->Upsert(MarkedRow(3, 2)).ok());
        ASSERT_TRUE(other->Commit().ok());
        auto report = other->Erase(MarkedKeys({5}));
        ASSERT_TRUE(report.ok()) << report.status();
        EXPECT_TRUE(report->complete);
      });
      if (!met) break;
      ++times;
      EXPECT_EQ(TracesInStore(*memory_, kErased, false), kNothing);
      EXPECT_EQ(TracesInStore(*memory_, {5}), kNothing);
      auto reader = MustOpen(memory_, options_);
      auto row = reader->Get(MarkedKey(3));
      ASSERT_TRUE(row.ok()) << row.status();
      EXPECT_EQ(row->payload, "edition 2");
      ExpectClean(*reader);
      if (HasFailure()) return;
    }
  }
  EXPECT_GE(times, 8);
}

// The version that the rollback makes holds the row too, and is younger than the deletion.
TEST_F(ErasureRace, ARowOfTheHeadThatARollbackBringsBackGoesFromItsVersionsToo) {
  const std::vector<uint64_t> last = {39};
  options_.inline_bytes = 2000;
  int times = 0;
  for (int at = 1; true; ++at) {
    SCOPED_TRACE("head " + std::to_string(at));
    StartAnew();
    const bool met = EraseWhile(
        "head", at,
        [&] {
          auto writer = MustOpen(memory_, options_);
          const uint64_t version = writer->Stats().version;
          Status back = writer->Rollback(version - 1);
          EXPECT_TRUE(back.ok() || back.code() == StatusCode::kNotFound) << back;
        },
        last);
    if (!met) break;
    ++times;
    EXPECT_EQ(TracesInStore(*memory_, last), kNothing);
    if (HasFailure()) return;
  }
  EXPECT_GE(times, 4);
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
    if (++lists == 2) EXPECT_TRUE(memory_->Put({}, request.name, head).ok());
    if (lists == 4) EXPECT_TRUE(beside->DeleteBranch("brief").ok());
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

// Its maker looks at the lease, and then somebody ends the version.
TEST_F(ErasureRace, ABranchOfAVersionThatIsEndedMeanwhileCanBeLeased) {
  auto slow = std::make_shared<FaultBlobStore>(memory_, environment_);
  auto maker = MustOpen(slow, options_);
  bool erased = false;
  slow->SetHook([&](uint64_t, RequestKind kind, std::string_view name) {
    if (kind == RequestKind::kGet && name.starts_with("version-") && !std::exchange(erased, true)) {
      auto report = MustOpen(memory_, options_)->Erase(MarkedKeys(kErased));
      EXPECT_TRUE(report.ok()) << report.status();
      EXPECT_TRUE(report.ok() && report->holds.size() == 1 && !report->complete);
    }
    return Fault{};
  });
  ASSERT_TRUE(maker->CreateBranch("late", maker->Stats().version - 1).ok());
  EXPECT_TRUE(erased);
  Options late = options_;
  late.create.reset();
  late.branch = "late";
  late.lease_ms = 3'600'000;
  EXPECT_EQ(MarkedRowsIn(*MustOpen(memory_, late), kRows), AllBut(kRows, {17, 39}));
  auto report = MustOpen(memory_, options_)->Erase(MarkedKeys(kErased));
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

TEST(ErasureErrors, OfABadRequestAreSaid) {
  auto environment = EnvironmentWithClock(std::make_shared<ManualClock>());
  auto store = std::make_shared<MemoryBlobStore>(environment);
  const Options options = Opening(environment);
  auto collection = MustOpen(store, options);
  ASSERT_TRUE(collection->Insert(MarkedRow(0)).ok());
  ASSERT_TRUE(collection->Commit().ok());
  const std::vector<Key> texts = {Key(std::string("text"))};
  EXPECT_EQ(collection->Erase({}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(collection->Erase(texts).status().code(), StatusCode::kInvalidArgument);
  const std::vector<Key> too_many(kMaxBatchRows + 1, Key(uint64_t{1}));
  EXPECT_EQ(collection->Erase(too_many).status().code(), StatusCode::kInvalidArgument);
  ErasureOptions before_1970;
  before_1970.by_ms = -1;
  EXPECT_EQ(collection->Erase(MarkedKeys({0}), before_1970).status().code(), StatusCode::kInvalidArgument);
  Options reading = options;
  reading.create.reset();
  reading.read_only = true;
  EXPECT_EQ(MustOpen(store, reading)->Erase(MarkedKeys({0})).status().code(), StatusCode::kReadOnly);
  auto nothing = collection->Erase(MarkedKeys({1, 2, 2}));
  ASSERT_TRUE(nothing.ok()) << nothing.status();
  EXPECT_TRUE(nothing->complete && !nothing->late);
  EXPECT_EQ(nothing->keys, 2U);
  EXPECT_EQ(nothing->branches[0].keys_found, 0U);
  EXPECT_EQ(MarkedRowsIn(*collection, 3), std::vector<uint64_t>{0});
  ASSERT_TRUE(collection->Close().ok());
  EXPECT_EQ(collection->Erase(MarkedKeys({0})).status().code(), StatusCode::kClosed);
}

}  // namespace
}  // namespace isotherm
