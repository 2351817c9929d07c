// Versions, rollback, branches, leases and vacuum.
#include <gtest/gtest.h>

#include "blob/memory_store.h"
#include "tests/base/manual_clock.h"
#include "tests/engine/commits.h"
#include "tests/engine/damage.h"

namespace isotherm {
namespace {

using namespace testing_support;

class HistoryTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.env = environment_;
    writer_ = MustOpen(store_, options_);
  }

  // Commits rows with these keys; returns the version.
  uint64_t CommitRows(Collection& collection, uint64_t first, uint64_t count) {
    EXPECT_TRUE(collection.InsertBatch(NumberedRows(first, count)).ok());
    Status status = collection.Commit();
    EXPECT_TRUE(status.ok()) << status;
    return collection.Stats().version;
  }

  std::unique_ptr<Collection> OpenAt(uint64_t version, const std::string& branch = "") {
    Options options;
    options.env = environment_;
    options.as_of_version = version;
    options.branch = branch;
    return MustOpen(store_, options);
  }

  std::unique_ptr<Collection> OpenBranch(const std::string& branch) {
    Options options = options_;
    options.create.reset();
    options.branch = branch;
    return MustOpen(store_, options);
  }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<Environment> environment_ = EnvironmentWithClock(clock_);
  std::shared_ptr<BlobStore> store_ = std::make_shared<MemoryBlobStore>(environment_);
  Options options_ = CreatingSmall();
  std::unique_ptr<Collection> writer_;
};

TEST_F(HistoryTest, EveryVersionOpensAsItWas) {
  for (uint64_t inline_bytes : {uint64_t{1} << 20, uint64_t{0}}) {
    store_ = std::make_shared<MemoryBlobStore>(environment_);
    options_.inline_bytes = inline_bytes;
    writer_ = MustOpen(store_, options_);
    std::vector<std::pair<uint64_t, std::vector<uint64_t>>> states;
    auto keep = [&] { states.emplace_back(writer_->Stats().version, ScanKeys(*writer_)); };
    keep();
    for (uint64_t step = 0; step < 6; ++step) {
      CommitRows(*writer_, step * 5, 5);
      keep();
      ASSERT_TRUE(writer_->Delete(step * 5 + 2).ok());
      ASSERT_TRUE(writer_->Commit().ok());
      keep();
      if (step % 2 == 1) {
        CompactOptions compact;
        compact.min_rows_for_cells = 4;
        Status status = writer_->Compact(compact);
        ASSERT_TRUE(status.ok()) << status;
        keep();
      }
    }
    for (const auto& [version, keys] : states) {
      auto reader = OpenAt(version);
      ASSERT_NE(reader, nullptr);
      EXPECT_EQ(reader->Stats().version, version);
      EXPECT_EQ(ScanKeys(*reader), keys) << "version " << version;
      EXPECT_EQ(reader->Insert(NumberedRow(1000)).code(), StatusCode::kReadOnly);
      ExpectClean(*reader);
    }
  }
}

TEST_F(HistoryTest, AMomentOpensTheNewestVersionOfItsTime) {
  std::vector<std::pair<int64_t, uint64_t>> times;
  for (uint64_t i = 0; i < 5; ++i) {
    clock_->AdvanceWallMs(1000);
    uint64_t version = CommitRows(*writer_, i, 1);
    times.emplace_back(clock_->WallMs(), version);
  }
  for (const auto& [ms, version] : times) {
    for (int64_t later : {0, 999}) {
      Options options;
      options.env = environment_;
      options.as_of_ms = ms + later;
      auto reader = MustOpen(store_, options);
      ASSERT_NE(reader, nullptr);
      EXPECT_EQ(reader->Stats().version, version);
    }
  }
  Options before;
  before.env = environment_;
  before.as_of_ms = 1;
  EXPECT_EQ(Open(store_, before).status().code(), StatusCode::kNotFound);
}

TEST_F(HistoryTest, AVersionThatNeverWasIsNotFound) {
  CommitRows(*writer_, 0, 1);
  Options options;
  options.as_of_version = 99;
  EXPECT_EQ(Open(store_, options).status().code(), StatusCode::kNotFound);
}

TEST_F(HistoryTest, RollbackIsANewVersionWithTheOldContent) {
  uint64_t version = CommitRows(*writer_, 0, 5);
  ASSERT_TRUE(writer_->Delete(uint64_t{3}).ok());
  CommitRows(*writer_, 5, 5);
  Status status = writer_->Rollback(version);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(writer_->Stats().version, version + 2);
  EXPECT_EQ(ScanKeys(*writer_), KeyRange(0, 5));
  EXPECT_EQ(ScanKeys(*MustOpen(store_)), KeyRange(0, 5));
  CommitRows(*writer_, 7, 1);
  ExpectClean(*writer_);
}

TEST_F(HistoryTest, VacuumWithoutAPolicyRemovesNoVersion) {
  for (uint64_t i = 0; i < 4; ++i) CommitRows(*writer_, i, 1);
  auto report = writer_->Vacuum();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->versions_removed, 0U);
  EXPECT_TRUE(report->objects_removed.empty());
  for (uint64_t version = 1; version <= 5; ++version) EXPECT_NE(OpenAt(version), nullptr);
}

TEST_F(HistoryTest, VacuumKeepsWhatThePolicyKeepsAndRemovesTheRest) {
  options_.inline_bytes = 0;
  writer_ = MustOpen(store_, options_);
  for (uint64_t i = 0; i < 6; ++i) CommitRows(*writer_, i * 3, 3);
  CompactOptions compact;
  compact.min_rows_for_cells = 4;
  ASSERT_TRUE(writer_->Compact(compact).ok());
  uint64_t newest = writer_->Stats().version;
  VacuumOptions options;
  options.keep_versions = 2;
  options.dry_run = true;
  auto planned = writer_->Vacuum(options);
  ASSERT_TRUE(planned.ok()) << planned.status();
  EXPECT_EQ(writer_->Stats().version, newest);
  options.dry_run = false;
  auto report = writer_->Vacuum(options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_GT(report->versions_removed, 0U);
  EXPECT_GT(report->bytes_removed, 0U);
  EXPECT_GE(report->objects_removed.size(), planned->objects_removed.size());
  EXPECT_EQ(ScanKeys(*MustOpen(store_)), KeyRange(0, 18));
  EXPECT_EQ(ScanKeys(*OpenAt(newest)), KeyRange(0, 18));
  EXPECT_EQ(Open(store_,
                 [] {
                   Options at;
                   at.as_of_version = 2;
                   return at;
                 }())
                .status()
                .code(),
            StatusCode::kNotFound);
  options.keep_versions = 1;
  ASSERT_TRUE(writer_->Vacuum(options).ok());
  ExpectClean(*writer_);
  EXPECT_EQ(CountObjects(*store_, "segment-"), writer_->Stats().segments.size());
  CommitRows(*writer_, 18, 1);
  EXPECT_EQ(ScanKeys(*MustOpen(store_)), KeyRange(0, 19));
}

TEST_F(HistoryTest, SoftDeletedRowsCanBeRestoredUntilAVacuum) {
  for (uint64_t inline_bytes : {uint64_t{1} << 20, uint64_t{0}}) {
    store_ = std::make_shared<MemoryBlobStore>(environment_);
    options_.inline_bytes = inline_bytes;
    writer_ = MustOpen(store_, options_);
    CommitRows(*writer_, 0, 4);
    for (uint64_t key : {1, 2}) ASSERT_TRUE(writer_->SoftDelete(key).ok());
    ASSERT_TRUE(writer_->Commit().ok());
    EXPECT_EQ(ScanKeys(*MustOpen(store_)), (std::vector<uint64_t>{0, 3}));
    EXPECT_EQ(writer_->Stats().soft_deleted_rows, 2U);
    ASSERT_TRUE(writer_->Restore(uint64_t{1}).ok());
    EXPECT_EQ(ScanKeys(*writer_), (std::vector<uint64_t>{0, 1, 3}));
    ASSERT_TRUE(writer_->Commit().ok());
    EXPECT_EQ(ScanKeys(*MustOpen(store_)), (std::vector<uint64_t>{0, 1, 3}));
    auto row = MustOpen(store_)->Get(uint64_t{1});
    ASSERT_TRUE(row.ok()) << row.status();
    EXPECT_EQ(*row, NumberedRow(1));
    auto report = writer_->Vacuum();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->soft_deleted_rows_removed, 1U);
    EXPECT_EQ(writer_->Restore(uint64_t{2}).code(), StatusCode::kNotFound);
    ExpectClean(*writer_);
  }
}

TEST_F(HistoryTest, ABranchGoesItsOwnWay) {
  for (uint64_t inline_bytes : {uint64_t{1} << 20, uint64_t{0}}) {
    store_ = std::make_shared<MemoryBlobStore>(environment_);
    options_.inline_bytes = inline_bytes;
    writer_ = MustOpen(store_, options_);
    uint64_t fork = CommitRows(*writer_, 0, 5);
    Status status = writer_->CreateBranch("trial");
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(writer_->CreateBranch("trial").code(), StatusCode::kAlreadyExists);
    EXPECT_EQ(writer_->CreateBranch("no/slash").code(), StatusCode::kInvalidArgument);
    auto branch = OpenBranch("trial");
    ASSERT_NE(branch, nullptr);
    CommitRows(*branch, 5, 5);
    ASSERT_TRUE(branch->Delete(uint64_t{0}).ok());
    ASSERT_TRUE(branch->Commit().ok());
    EXPECT_EQ(ScanKeys(*MustOpen(store_)), KeyRange(0, 5));
    EXPECT_EQ(ScanKeys(*OpenBranch("trial")), KeyRange(1, 9));
    // The branch has the versions of before, too.
    EXPECT_EQ(ScanKeys(*OpenAt(fork, "trial")), KeyRange(0, 5));
    EXPECT_EQ(ScanKeys(*OpenAt(1, "trial")), KeyRange(0, 0));
    auto branches = writer_->Branches();
    ASSERT_TRUE(branches.ok());
    ASSERT_EQ(branches->size(), 2U);
    EXPECT_EQ((*branches)[1].name, "trial");
    EXPECT_EQ((*branches)[1].fork_version, fork);
    // A vacuum of the main branch leaves what the branch needs.
    VacuumOptions keep_one;
    keep_one.keep_versions = 1;
    ASSERT_TRUE(writer_->Compact().ok());
    ASSERT_TRUE(writer_->Vacuum(keep_one).ok());
    auto fresh = OpenBranch("trial");
    EXPECT_EQ(ScanKeys(*fresh), KeyRange(1, 9));
    ExpectClean(*fresh);
    // The main branch moved on: compaction and vacuum are versions of their own.
    EXPECT_EQ(writer_->FastForward("trial").code(), StatusCode::kConflict);
    ASSERT_TRUE(writer_->DeleteBranch("trial").ok());
    EXPECT_EQ(writer_->DeleteBranch("trial").code(), StatusCode::kNotFound);
    ASSERT_TRUE(writer_->Vacuum(keep_one).ok());
    ExpectClean(*writer_);
  }
}

// Else those of the one before would be taken for its own: by readers of its past, and by erasures.
TEST_F(HistoryTest, ABranchUnderTheNameOfADeletedOneHasNoneOfItsVersions) {
  const uint64_t fork = CommitRows(*writer_, 0, 5);
  ASSERT_TRUE(writer_->CreateBranch("trial").ok());
  auto branch = OpenBranch("trial");
  CommitRows(*branch, 5, 5);
  const uint64_t newest = CommitRows(*branch, 10, 5);
  auto page = store_->List({}, "branches/trial/version-", "");
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->entries.size(), newest - fork);
  const std::string left = page->entries.back().name;
  const std::string bytes = ReadObject(*store_, left);
  ASSERT_TRUE(writer_->DeleteBranch("trial").ok());
  EXPECT_TRUE(store_->List({}, "branches/trial/version-", "")->entries.empty());

  // As by somebody who was committing to it.
  ASSERT_TRUE(store_->Put({}, left, bytes).ok());
  Status refused = writer_->CreateBranch("trial");
  EXPECT_EQ(refused.code(), StatusCode::kConflict);
  EXPECT_NE(refused.message().find("a vacuum removes them"), std::string::npos) << refused;
  ASSERT_TRUE(writer_->Vacuum({}).ok());
  ASSERT_TRUE(writer_->CreateBranch("trial", fork).ok());
  branch = OpenBranch("trial");
  EXPECT_EQ(ScanKeys(*branch), KeyRange(0, 5));
  auto versions = branch->Versions();
  ASSERT_TRUE(versions.ok());
  EXPECT_EQ(versions->size(), 1U);
  ExpectClean(*writer_);
}

TEST_F(HistoryTest, FastForwardMakesTheMainBranchWhatTheOtherBecame) {
  CommitRows(*writer_, 0, 5);
  ASSERT_TRUE(writer_->CreateBranch("trial").ok());
  auto branch = OpenBranch("trial");
  CommitRows(*branch, 5, 5);
  ASSERT_TRUE(branch->Compact().ok());
  Status status = writer_->FastForward("trial");
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(ScanKeys(*MustOpen(store_)), KeyRange(0, 10));
  CommitRows(*writer_, 10, 1);
  ExpectClean(*writer_);
}

// Else a condition on the version of a row that the branch wrote would hold for another row that is written later.
TEST_F(HistoryTest, WhatABranchWroteIsOfTheVersionOfTheFastForwardThatBroughtIt) {
  for (uint64_t inline_bytes : {uint64_t{0}, uint64_t{1} << 20}) {
    for (bool compacted : {false, true}) {
      SCOPED_TRACE(std::to_string(inline_bytes) + (compacted ? ", compacted" : ""));
      store_ = std::make_shared<MemoryBlobStore>(environment_);
      options_.inline_bytes = inline_bytes;
      writer_ = MustOpen(store_, options_);
      const uint64_t first = CommitRows(*writer_, 0, 5);
      ASSERT_TRUE(writer_->CreateBranch("trial").ok());
      auto branch = OpenBranch("trial");
      for (uint64_t key = 5; key < 8; ++key) CommitRows(*branch, key, 1);
      ASSERT_TRUE(branch->Upsert(NumberedRow(0)).ok());
      ASSERT_TRUE(branch->Commit().ok());
      if (compacted) {
        ASSERT_TRUE(branch->Compact().ok());
      }
      const uint64_t of_branch = branch->Stats().version;
      ASSERT_TRUE(writer_->FastForward("trial").ok());
      auto expect_versions = [&](uint64_t zero, uint64_t others) {
        std::map<Key, uint64_t> versions;
        for (uint64_t key = 0; key < 8; ++key) versions[key] = key == 0 ? zero : key < 5 ? first : others;
        Status scanned = writer_->Scan([&](Row row) {
          EXPECT_EQ(row.version, versions[row.key]) << row.key.ToString();
          auto got = writer_->Get(row.key);
          EXPECT_TRUE(got.ok() && got->version == row.version) << row.key.ToString();
          return Status::Ok();
        });
        EXPECT_TRUE(scanned.ok()) << scanned;
      };
      const uint64_t brought = first + 1;
      EXPECT_EQ(writer_->Stats().version, brought);
      expect_versions(brought, brought);
      for (uint64_t version = brought + 1; version <= of_branch + 1; ++version) {
        ASSERT_TRUE(writer_->Write(WriteBatch().Upsert(NumberedRow(0), version - 1)).ok());
        ASSERT_TRUE(writer_->Commit().ok());
        expect_versions(version, brought);
      }
      ASSERT_TRUE(writer_->Compact().ok());
      expect_versions(of_branch + 1, brought);
      ExpectClean(*writer_);
    }
  }
}

TEST_F(HistoryTest, ALeaseKeepsAReadersVersion) {
  options_.inline_bytes = 0;
  writer_ = MustOpen(store_, options_);
  CommitRows(*writer_, 0, 8);
  Options leasing;
  leasing.env = environment_;
  leasing.read_only = true;
  leasing.lease_ms = 60'000;
  auto reader = MustOpen(store_, leasing);
  ASSERT_NE(reader, nullptr);
  ASSERT_TRUE(writer_->Compact().ok());
  VacuumOptions keep_one;
  keep_one.keep_versions = 1;
  ASSERT_TRUE(writer_->Vacuum(keep_one).ok());
  EXPECT_EQ(ScanKeys(*reader), KeyRange(0, 8));
  ASSERT_TRUE(reader->Close().ok());
  reader = nullptr;
  EXPECT_EQ(CountObjects(*store_, "lease-"), 0U);
  auto report = writer_->Vacuum(keep_one);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(CountObjects(*store_, "segment-"), writer_->Stats().segments.size());
}

TEST_F(HistoryTest, AReaderWithoutALeaseMovesOnWhenItsVersionIsGone) {
  options_.inline_bytes = 0;
  writer_ = MustOpen(store_, options_);
  CommitRows(*writer_, 0, 8);
  auto reader = MustOpen(store_);
  auto asking = MustOpen(store_);
  ASSERT_TRUE(writer_->Compact().ok());
  VacuumOptions keep_one;
  keep_one.keep_versions = 1;
  ASSERT_TRUE(writer_->Vacuum(keep_one).ok());
  auto contained = asking->Contains(std::vector<Key>{uint64_t{3}, uint64_t{99}});
  ASSERT_TRUE(contained.ok()) << contained.status();
  EXPECT_EQ(*contained, (std::vector<bool>{true, false}));
  auto row = reader->Get(uint64_t{3});
  ASSERT_TRUE(row.ok()) << row.status();
  EXPECT_EQ(*row, NumberedRow(3));
  EXPECT_EQ(reader->Stats().version, writer_->Stats().version);
}

TEST_F(HistoryTest, AWriterMovesOnWhenTheVersionThatItSawIsGone) {
  options_.inline_bytes = 0;
  writer_ = MustOpen(store_, options_);
  CommitRows(*writer_, 0, 8);
  auto inserting = MustOpen(store_, options_);
  auto upserting = MustOpen(store_, options_);
  Options failing = options_;
  failing.conflict_policy = ConflictPolicy::kFail;
  auto careful = MustOpen(store_, failing);
  ASSERT_TRUE(careful->Upsert(NumberedRow(5)).ok());
  ASSERT_TRUE(upserting->Upsert(NumberedRow(3)).ok());
  ASSERT_TRUE(writer_->Compact().ok());
  VacuumOptions keep_one;
  keep_one.keep_versions = 1;
  ASSERT_TRUE(writer_->Vacuum(keep_one).ok());
  Status inserted = inserting->Insert(NumberedRow(3));
  EXPECT_EQ(inserted.code(), StatusCode::kAlreadyExists) << inserted;
  Status patched = inserting->Patch(uint64_t{4}, {{{"field", Value(int64_t{1})}}, {}});
  EXPECT_TRUE(patched.ok()) << patched;
  Status committed = upserting->Commit();
  EXPECT_TRUE(committed.ok()) << committed;
  Status conflict = careful->Commit();
  EXPECT_EQ(conflict.code(), StatusCode::kConflict) << conflict;
  EXPECT_EQ(ScanKeys(*upserting), KeyRange(0, 8));
}

TEST_F(HistoryTest, TheLogTellsWhatMadeEachVersion) {
  CommitRows(*writer_, 0, 3);
  ASSERT_TRUE(writer_->Delete(uint64_t{1}).ok());
  ASSERT_TRUE(writer_->Commit().ok());
  ASSERT_TRUE(writer_->Vacuum().ok());
  auto log = writer_->Log();
  ASSERT_TRUE(log.ok()) << log.status();
  std::vector<std::string> operations;
  for (const VersionInfo& info : *log) operations.push_back(info.operation);
  EXPECT_EQ(operations, (std::vector<std::string>{"create", "commit", "commit", "vacuum"}));
  EXPECT_EQ((*log)[1].rows_written, 3U);
  EXPECT_EQ((*log)[2].rows_deleted, 1U);
  EXPECT_EQ((*log)[2].rows, 2U);
  EXPECT_EQ(writer_->Log(2)->size(), 2U);
}

TEST_F(HistoryTest, ABackupCopiesWhatIsNewAndRestores) {
  options_.inline_bytes = 0;
  writer_ = MustOpen(store_, options_);
  uint64_t first = CommitRows(*writer_, 0, 20);
  auto copy = std::make_shared<MemoryBlobStore>(environment_);
  auto report = Backup(*store_, *copy);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->version, first);
  EXPECT_EQ(report->objects_copied, 1U);
  ASSERT_TRUE(writer_->Delete(uint64_t{3}).ok());
  uint64_t second = CommitRows(*writer_, 20, 5);
  report = Backup(*store_, *copy);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->version, second);
  EXPECT_EQ(report->objects_there, 1U);
  EXPECT_EQ(report->objects_copied, 1U);
  EXPECT_EQ(CountObjects(*store_, "lease-"), 0U);
  // The copy keeps the version that it was before.
  Options past;
  past.as_of_version = first;
  EXPECT_EQ(ScanKeys(*MustOpen(copy, past)), KeyRange(0, 20));
  auto restored = std::make_shared<MemoryBlobStore>(environment_);
  ASSERT_TRUE(Backup(*copy, *restored).ok());
  auto again = MustOpen(restored);
  EXPECT_EQ(ScanKeys(*again), ScanKeys(*writer_));
  ExpectClean(*again);
  BackupOptions old;
  old.version = first;
  EXPECT_EQ(Backup(*store_, *copy, old).status().code(), StatusCode::kConflict);
  auto other = std::make_shared<MemoryBlobStore>(environment_);
  MustOpen(other, options_);
  EXPECT_EQ(Backup(*store_, *other).status().code(), StatusCode::kAlreadyExists);
}

TEST_F(HistoryTest, ALostOrOverwrittenHeadIsRecovered) {
  for (bool overwritten : {false, true}) {
    for (bool vacuumed : {false, true}) {
      store_ = std::make_shared<MemoryBlobStore>(environment_);
      options_.inline_bytes = 0;
      writer_ = MustOpen(store_, options_);
      CommitRows(*writer_, 0, 10);
      CommitRows(*writer_, 10, 10);
      if (vacuumed) {
        VacuumOptions keep_one;
        keep_one.keep_versions = 1;
        ASSERT_TRUE(writer_->Vacuum(keep_one).ok());
      }
      EXPECT_EQ(Recover(*store_).status().code(), StatusCode::kAlreadyExists);
      ASSERT_TRUE(writer_->Close().ok());
      if (overwritten) {
        ASSERT_TRUE(store_->Put({}, kHeadObject, "not a head").ok());
      } else {
        ASSERT_TRUE(store_->Delete({}, kHeadObject).ok());
      }
      EXPECT_FALSE(Open(store_).ok());
      auto report = Recover(*store_);
      ASSERT_TRUE(report.ok()) << report.status();
      auto recovered = MustOpen(store_, options_);
      EXPECT_EQ(ScanKeys(*recovered), KeyRange(0, 20));
      CommitRows(*recovered, 20, 1);
      ExpectClean(*recovered);
    }
  }
}

TEST_F(HistoryTest, AReadIsAsFreshAsItAsksFor) {
  CommitRows(*writer_, 0, 1);
  auto reader = MustOpen(store_, [this] {
    Options options;
    options.env = environment_;
    return options;
  }());
  uint64_t version = CommitRows(*writer_, 1, 1);
  EXPECT_EQ(reader->Get(uint64_t{1}).status().code(), StatusCode::kNotFound);
  clock_->AdvanceNs(50'000'000);
  EXPECT_EQ(reader->Get(uint64_t{1}, Consistency::Bounded(100), {}).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(reader->Get(uint64_t{1}, Consistency::Bounded(10), {}).ok());
  version = CommitRows(*writer_, 2, 1);
  EXPECT_TRUE(reader->Get(uint64_t{2}, Consistency::AtLeast(version), {}).ok());
  EXPECT_EQ(reader->Get(uint64_t{2}, Consistency::AtLeast(version + 1), {}).status().code(), StatusCode::kNotFound);
  CommitRows(*writer_, 3, 1);
  EXPECT_EQ(reader->Get(uint64_t{3}).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(reader->Get(uint64_t{3}, Consistency::Strong(), {}).ok());
}

}  // namespace
}  // namespace isotherm
