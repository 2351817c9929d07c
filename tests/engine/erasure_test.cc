// After an erasure nothing of a row is left: not in any object of the store, on any branch, nor in any file of a cache.
#include <gtest/gtest.h>

#include "isotherm/events.h"
#include "tests/cache/fake_environment.h"
#include "tests/engine/erasure.h"
#include "tests/engine/every_store.h"

namespace isotherm {
namespace {

using namespace testing_support;

constexpr uint64_t kRows = 60;
const std::vector<uint64_t> kErased = {7, 33, 59};

class ErasureTest : public EveryStore {
 protected:
  void SetUp() override {
    EveryStore::SetUp();
    // Deadlines are held against the machine's own clock by the stores.
    clock_->AdvanceNs(Environment::Default()->clock->NowNs());
    options_ = CreatingMarked();
    options_.env = environment_;
    options_.cache_dir = cache_.path();
    options_.compaction.min_rows_for_cells = 1;
    options_.compaction.cells = 6;
  }

  Options Opening(const std::string& branch = "") const {
    Options options = OptionsOf(0);
    options.cache_dir.clear();
    options.branch = branch;
    return options;
  }

  static ErasureReport MustErase(Collection& collection, const std::vector<uint64_t>& rows = kErased,
                                 const ErasureOptions& options = {}) {
    auto report = collection.Erase(MarkedKeys(rows), options);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : ErasureReport{};
  }

  // Searches and reads so that blocks of all segments come into the caches.
  static void ReadAll(Collection& collection) {
    SearchOptions search;
    search.probes = 1000;
    auto found = collection.Search(MarkedRow(kErased[0]).vector, search);
    EXPECT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(MarkedRowsIn(collection, kRows).size(), kRows);
  }

  void ExpectErased(Collection& collection, const std::vector<uint64_t>& rows = kErased) {
    EXPECT_EQ(TracesInStore(*Connect(), rows), std::vector<std::string>());
    EXPECT_EQ(TracesInFiles(cache_.path(), rows), std::vector<std::string>());
    EXPECT_EQ(MarkedRowsIn(collection, kRows), AllBut(kRows, rows));
    ExpectClean(collection);
  }

  TempDirectory cache_;
};

TEST_P(ErasureTest, LeavesNothingOfARowWhereverItLies) {
  for (RowPlace place : kAllPlaces) {
    SCOPED_TRACE(PlaceName(place));
    UseNewPlace();
    auto collection = Place(store_, options_, place, MarkedRows(0, kRows));
    ReadAll(*collection);
    const bool committed = place != RowPlace::kPending;
    EXPECT_EQ(TracesInStore(*store_, kErased).empty(), !committed);
    const ErasureReport report = MustErase(*collection);
    EXPECT_TRUE(report.complete && report.caches_emptied && !report.late);
    EXPECT_EQ(report.keys, 3U);
    ASSERT_EQ(report.branches.size(), 1U);
    EXPECT_EQ(report.branches[0].keys_found, 3U);
    EXPECT_GE(report.branches[0].versions_held, 1U);
    EXPECT_GE(report.versions_removed, report.branches[0].versions_held);
    EXPECT_FALSE(report.objects_removed.empty());
    ExpectErased(*collection);
    auto reader = MustOpen(Connect(), Opening());
    EXPECT_EQ(MarkedRowsIn(*reader, kRows), AllBut(kRows, kErased));
    const ErasureReport again = MustErase(*collection);
    EXPECT_TRUE(again.complete);
    EXPECT_EQ(again.branches[0].keys_found, 0U);
    EXPECT_EQ(again.branches[0].segments_rewritten, 0U);
  }
}

TEST_P(ErasureTest, ReachesAllBranchesAndOldVersions) {
  auto collection = Place(store_, options_, RowPlace::kMixed, MarkedRows(0, kRows));
  ASSERT_TRUE(collection->Commit().ok());
  ASSERT_TRUE(collection->CreateBranch("side").ok());
  auto side = MustOpen(Connect(), Opening("side"));
  ASSERT_TRUE(side->Insert(MarkedRow(100)).ok());
  ASSERT_TRUE(side->Commit().ok());
  // Deleted, and gone from the newest version, but not from older ones.
  ASSERT_TRUE(collection->Delete(MarkedKey(33)).ok());
  ASSERT_TRUE(collection->Commit().ok());
  ASSERT_TRUE(collection->Compact(IntoCells()).ok());
  const ErasureReport report = MustErase(*collection, {7, 33, 59, 100});
  EXPECT_TRUE(report.complete);
  ASSERT_EQ(report.branches.size(), 2U);
  EXPECT_EQ(report.branches[0].keys_found, 2U);
  EXPECT_EQ(report.branches[1].name, "side");
  EXPECT_EQ(report.branches[1].keys_found, 4U);
  ExpectErased(*collection, {7, 33, 59, 100});
  auto other = MustOpen(Connect(), Opening("side"));
  EXPECT_EQ(MarkedRowsIn(*other, kRows), AllBut(kRows, kErased));
  ExpectClean(*other);
}

TEST_P(ErasureTest, TakesRowsThatWereDeletedSoftlyPatchedReplacedOrHadExpired) {
  std::vector<Row> rows = MarkedRows(0, kRows);
  rows[33].expires_at_ms = NowMs() + 1000;
  auto collection = Place(store_, options_, RowPlace::kFlat, rows);
  ASSERT_TRUE(collection->SoftDelete(MarkedKey(7)).ok());
  ASSERT_TRUE(collection->Patch(MarkedKey(59), {{{"more", "text " + MarkerOf(59)}}, {}}).ok());
  ASSERT_TRUE(collection->Upsert(MarkedRow(20, 1)).ok());
  ASSERT_TRUE(collection->SoftDelete(MarkedKey(21)).ok());
  ASSERT_TRUE(collection->Commit().ok());
  clock_->AdvanceWallMs(2000);
  const ErasureReport report = MustErase(*collection, {7, 20, 33, 59});
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.branches[0].keys_found, 4U);
  EXPECT_EQ(TracesInStore(*Connect(), {7, 20, 33, 59}), std::vector<std::string>());
  EXPECT_EQ(MarkedRowsIn(*collection, kRows), AllBut(kRows, {7, 20, 21, 33, 59}));
  // What else was deleted softly can still be restored.
  EXPECT_EQ(collection->Restore(MarkedKey(7)).code(), StatusCode::kNotFound);
  ASSERT_TRUE(collection->Restore(MarkedKey(21)).ok());
  EXPECT_EQ(MarkedRowsIn(*collection, kRows), AllBut(kRows, {7, 20, 33, 59}));
}

TEST_P(ErasureTest, KeepsVersionsThatAreNewerThanAnyWithTheRow) {
  auto collection = Place(store_, options_, RowPlace::kFlat, MarkedRows(0, kRows));
  ASSERT_TRUE(collection->Delete(MarkedKey(7)).ok());
  ASSERT_TRUE(collection->Compact(IntoCells()).ok());
  const uint64_t clean = collection->Stats().version;
  ASSERT_TRUE(collection->Insert(MarkedRow(100)).ok());
  ASSERT_TRUE(collection->Commit().ok());
  const ErasureReport report = MustErase(*collection, {7});
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.branches[0].keys_found, 0U);
  EXPECT_EQ(report.branches[0].segments_rewritten, 0U);
  EXPECT_EQ(TracesInStore(*Connect(), {7}), std::vector<std::string>());
  auto versions = collection->Versions();
  ASSERT_TRUE(versions.ok()) << versions.status();
  EXPECT_EQ(versions->front().version, clean);
  EXPECT_EQ(MarkedRowsIn(*Reader(clean), kRows), AllBut(kRows, {7}));
}

TEST_P(ErasureTest, SaysWhichLeaseHoldsUntilWhenAndIsCompleteAfterIt) {
  auto collection = Place(store_, options_, RowPlace::kPartition, MarkedRows(0, kRows));
  Options past = Opening();
  past.as_of_version = collection->Stats().version;
  past.lease_ms = 3'600'000;
  // Whose leases are renewed when the test says so.
  auto executor = std::make_shared<test::ManualExecutor>();
  Options reading = past;
  reading.env = std::make_shared<Environment>(*environment_);
  reading.env->executor = executor;
  auto reader = MustOpen(Connect(), reading);
  const int64_t until_ms = NowMs() + past.lease_ms + kLeaseSkewMs;
  ErasureOptions by;
  by.by_ms = until_ms - 1;
  by.dry_run = true;
  ErasureReport report = MustErase(*collection, kErased, by);
  EXPECT_TRUE(report.late && !report.complete);
  EXPECT_EQ(report.blocked_until_ms, until_ms);
  by.dry_run = false;
  by.by_ms = until_ms;
  report = MustErase(*collection, kErased, by);
  EXPECT_TRUE(!report.late && !report.complete);
  ASSERT_EQ(report.holds.size(), 1U);
  EXPECT_EQ(report.holds[0].version, past.as_of_version);
  EXPECT_EQ(report.holds[0].until_ms, until_ms);
  EXPECT_EQ(MarkedRowsIn(*reader, kRows).size(), kRows);
  EXPECT_EQ(MarkedRowsIn(*collection, kRows), AllBut(kRows, kErased));
  // It is neither renewed nor taken anew.
  clock_->AdvanceWallMs(past.lease_ms / 2);
  EXPECT_TRUE(reader->Get(MarkedKey(1)).ok());
  executor->RunAll();
  EXPECT_FALSE(Open(Connect(), past).ok());
  EXPECT_FALSE(collection->CreateBranch("late", past.as_of_version).ok());
  EXPECT_FALSE(collection->Rollback(past.as_of_version).ok());
  clock_->AdvanceWallMs(past.lease_ms / 2 + kLeaseSkewMs + 1);
  report = MustErase(*collection);
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.blocked_until_ms, 0);
  ExpectErased(*collection);
}

TEST_P(ErasureTest, BreaksLeasesWhenToldTo) {
  auto collection = Place(store_, options_, RowPlace::kFlat, MarkedRows(0, kRows));
  Options past = Opening();
  past.as_of_version = collection->Stats().version;
  past.lease_ms = 3'600'000;
  auto reader = MustOpen(Connect(), past);
  ErasureOptions options;
  options.break_leases = true;
  EXPECT_TRUE(MustErase(*collection, kErased, options).complete);
  ExpectErased(*collection);
  EXPECT_EQ(reader->Get(MarkedKey(1)).status().code(), StatusCode::kCorruption);
}

TEST_P(ErasureTest, EmptiesTheCachesOfOthersWhenTheySeeIt) {
  { Place(store_, options_, RowPlace::kPartition, MarkedRows(0, kRows)); }
  Options cached = OptionsOf(0);
  cached.cache_dir = cache_.path();
  {
    auto reader = MustOpen(Connect(), cached);
    ReadAll(*reader);
    ASSERT_TRUE(reader->Close().ok());
  }
  ASSERT_FALSE(TracesInFiles(cache_.path(), kErased).empty());
  auto following = MustOpen(Connect(), Opening());
  ReadAll(*following);
  auto collection = MustOpen(Connect(), Opening());
  EXPECT_TRUE(MustErase(*collection).complete);
  EXPECT_FALSE(TracesInFiles(cache_.path(), kErased).empty());
  const uint64_t cached_bytes = following->Stats().ram_cache_bytes;
  ASSERT_TRUE(following->Refresh().ok());
  EXPECT_LT(following->Stats().ram_cache_bytes, cached_bytes);
  auto reader = MustOpen(Connect(), cached);
  ExpectErased(*reader);
  // Once only.
  ASSERT_TRUE(reader->Search(MarkedRow(1).vector).ok());
  reader.reset();
  reader = MustOpen(Connect(), cached);
  ASSERT_TRUE(reader->Search(MarkedRow(1).vector).ok());
  EXPECT_GT(reader->Stats().disk_hits, 0U);
}

// Rows that are searched in RAM after their commit, through a graph over their vectors.
TEST_P(ErasureTest, LeavesNoRowsInRam) {
  auto collection = Place(store_, options_, RowPlace::kFlat, MarkedRows(0, 2500));
  ASSERT_EQ(collection->Stats().recent_rows, 2500U);
  MustErase(*collection);
  EXPECT_EQ(collection->Stats().recent_rows, 0U);
  auto found = collection->Search(MarkedRow(7).vector);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->hits.size(), 10U);
  EXPECT_NE(found->hits[0].key, Key(MarkedKey(7)));
}

TEST_P(ErasureTest, TheLogsTellOfItAndNameNoKey) {
  Options options = options_;
  options.events = std::make_shared<EventLog>();
  auto collection = Place(store_, options, RowPlace::kFlat, MarkedRows(0, kRows));
  MustErase(*collection);
  size_t events = 0;
  for (const Event& event : options.events->After()) {
    events += event.kind == EventKind::kErasure ? 1 : 0;
    EXPECT_EQ(event.ToJsonLine().find(std::to_string(MarkedKey(7))), std::string::npos);
  }
  EXPECT_GE(events, 3U);
  auto log = collection->Log();
  ASSERT_TRUE(log.ok()) << log.status();
  auto erases = std::count_if(log->begin(), log->end(), [](const VersionInfo& v) { return v.operation == "erase"; });
  EXPECT_GE(erases, 1);
}

TEST_P(ErasureTest, ADryRunTellsAndChangesNothing) {
  auto collection = Place(store_, options_, RowPlace::kMixed, MarkedRows(0, kRows));
  ASSERT_TRUE(collection->Commit().ok());
  const std::vector<std::string> before = ObjectNames(*store_);
  ErasureOptions dry;
  dry.dry_run = true;
  auto reader = Reader();
  const ErasureReport report = MustErase(*reader, kErased, dry);
  EXPECT_EQ(ObjectNames(*store_), before);
  EXPECT_EQ(report.branches[0].keys_found, 3U);
  EXPECT_GT(report.branches[0].bytes_rewritten, 0U);
  const ErasureReport done = MustErase(*collection);
  EXPECT_EQ(done.branches[0].keys_found, report.branches[0].keys_found);
  EXPECT_EQ(done.branches[0].segments_rewritten, report.branches[0].segments_rewritten);
  EXPECT_EQ(done.branches[0].bytes_rewritten, report.branches[0].bytes_rewritten);
  ExpectErased(*collection);
}

TEST_P(ErasureTest, IsKeptByACopyOfTheCollection) {
  auto collection = Place(store_, options_, RowPlace::kFlat, MarkedRows(0, kRows));
  auto backup = std::make_shared<MemoryBlobStore>(environment_);
  ASSERT_TRUE(Backup(*store_, *backup).ok());
  EXPECT_TRUE(MustErase(*collection).complete);
  ASSERT_TRUE(Backup(*store_, *backup).ok());
  EXPECT_FALSE(TracesInStore(*backup, kErased).empty());
  auto copy = MustOpen(backup, Opening());
  EXPECT_TRUE(MustErase(*copy).complete);
  EXPECT_EQ(TracesInStore(*backup, kErased), std::vector<std::string>());
}

ISOTHERM_OVER_EVERY_STORE(ErasureTest);

}  // namespace
}  // namespace isotherm
