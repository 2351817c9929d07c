// What changes, versions, branches and copies are refused with: docs/errors.md has the table.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blob/memory_store.h"
#include "tests/base/manual_clock.h"
#include "tests/engine/commits.h"

namespace isotherm {
namespace {

using namespace testing_support;
using testing::HasSubstr;

class ChangeErrors : public testing::Test {
 protected:
  void SetUp() override {
    options_.env = EnvironmentWithClock(clock_);
    collection_ = MustOpen(store_, options_);
    Commit(NumberedRows(0, 5));  // version 2
  }

  void Commit(std::vector<Row> rows) {
    ASSERT_TRUE(collection_->UpsertBatch(std::move(rows)).ok());
    Status status = collection_->Commit();
    ASSERT_TRUE(status.ok()) << status;
  }

  Status OpenStatus(const std::function<void(Options&)>& change) {
    Options options = options_;
    options.create.reset();
    change(options);
    return Open(store_, options).status();
  }

  void ExpectNothingPending() { EXPECT_EQ(collection_->Stats().pending_rows, 0U); }

  const std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<BlobStore> store_ = std::make_shared<MemoryBlobStore>();
  Options options_ = CreatingSmall();
  std::unique_ptr<Collection> collection_;
};

TEST_F(ChangeErrors, APatchOfWhatIsNotThereIsNotFound) {
  EXPECT_EQ(collection_->Patch(uint64_t{9}, {{{"a", 1}}, {}}).code(), StatusCode::kNotFound);
  ASSERT_TRUE(collection_->SoftDelete(uint64_t{1}).ok());
  EXPECT_EQ(collection_->Patch(uint64_t{1}, {{{"a", 1}}, {}}).code(), StatusCode::kNotFound);
}

TEST_F(ChangeErrors, ADeletionOfWhatIsNotThereIsNoError) {
  EXPECT_TRUE(collection_->Delete(uint64_t{9}).ok());
  EXPECT_TRUE(collection_->SoftDelete(uint64_t{9}).ok());
  EXPECT_TRUE(collection_->Commit().ok());
  EXPECT_EQ(ScanKeys(*collection_), KeyRange(0, 5));
}

TEST_F(ChangeErrors, ARestoreNeedsASoftlyDeletedRow) {
  EXPECT_EQ(collection_->Restore(uint64_t{9}).code(), StatusCode::kNotFound);
  EXPECT_TRUE(collection_->Restore(uint64_t{1}).ok()) << "there is nothing to do";
  ASSERT_TRUE(collection_->Delete(uint64_t{1}).ok());
  EXPECT_EQ(collection_->Restore(uint64_t{1}).code(), StatusCode::kNotFound);
}

TEST_F(ChangeErrors, AConditionThatDoesNotHoldIsAConflictAndItsBatchIsNotApplied) {
  ASSERT_EQ(collection_->Get(uint64_t{1})->version, 2U);
  WriteBatch batch;
  batch.Upsert(NumberedRow(7)).Upsert(NumberedRow(1), 3);
  Status status = collection_->Write(batch);
  EXPECT_EQ(status.code(), StatusCode::kConflict);
  EXPECT_THAT(status.message(), HasSubstr("expected was version 3"));
  ExpectNothingPending();
  EXPECT_EQ(collection_->Write(WriteBatch().Delete(uint64_t{9}, 2)).code(), StatusCode::kConflict);
  EXPECT_TRUE(collection_->Write(WriteBatch().Upsert(NumberedRow(1), 2)).ok());
}

TEST_F(ChangeErrors, AConditionThatAnotherWriterBrokeIsAConflictAtCommit) {
  ASSERT_TRUE(collection_->Write(WriteBatch().Upsert(NumberedRow(1), 2)).ok());
  Options options = options_;
  options.create.reset();
  auto other = MustOpen(store_, options);
  ASSERT_TRUE(other->Upsert(NumberedRow(1)).ok());
  ASSERT_TRUE(other->Commit().ok());
  Status status = collection_->Commit();
  EXPECT_EQ(status.code(), StatusCode::kConflict) << status;
  EXPECT_EQ(collection_->Stats().pending_rows, 1U);
  ASSERT_TRUE(collection_->DiscardPending().ok());
  EXPECT_EQ(collection_->Get(uint64_t{1})->version, 3U);
}

TEST_F(ChangeErrors, AnExpiryBefore1970IsRefused) {
  Row row = NumberedRow(9);
  row.expires_at_ms = -1;
  EXPECT_EQ(collection_->Insert(row).code(), StatusCode::kInvalidArgument);
}

TEST_F(ChangeErrors, AVersionThatIsNotKeptIsNotFound) {
  EXPECT_EQ(OpenStatus([](Options& o) { o.as_of_version = 3; }).code(), StatusCode::kNotFound);
  EXPECT_EQ(OpenStatus([](Options& o) { o.as_of_ms = 1; }).code(), StatusCode::kNotFound);
  EXPECT_EQ(collection_->Rollback(3).code(), StatusCode::kNotFound);
  EXPECT_EQ(collection_->CreateBranch("b", 3).code(), StatusCode::kNotFound);
  VacuumOptions keep_one;
  keep_one.keep_versions = 1;
  ASSERT_TRUE(collection_->Vacuum(keep_one).ok());
  EXPECT_EQ(OpenStatus([](Options& o) { o.as_of_version = 1; }).code(), StatusCode::kNotFound);
  EXPECT_EQ(collection_->Rollback(1).code(), StatusCode::kNotFound);
  EXPECT_EQ(OpenStatus([](Options& o) { o.as_of_version = 1, o.lease_ms = 1000; }).code(), StatusCode::kNotFound);
}

TEST_F(ChangeErrors, OptionsThatExcludeEachOtherAreRefused) {
  auto create = options_.create;
  for (const std::function<void(Options&)>& change : {
           std::function<void(Options&)>([](Options& o) { o.as_of_version = 1, o.as_of_ms = 1; }),
           std::function<void(Options&)>([&](Options& o) { o.create = create, o.as_of_version = 1; }),
           std::function<void(Options&)>([&](Options& o) { o.create = create, o.branch = "b"; }),
       }) {
    EXPECT_EQ(OpenStatus(change).code(), StatusCode::kInvalidArgument);
  }
}

TEST_F(ChangeErrors, ARollbackWithChangesPendingIsRefused) {
  ASSERT_TRUE(collection_->Upsert(NumberedRow(9)).ok());
  EXPECT_EQ(collection_->Rollback(1).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(collection_->Stats().pending_rows, 1U);
}

TEST_F(ChangeErrors, ABranchOfABadNameATakenOneAndOneThatIsMissing) {
  for (const char* name : {"", ".hidden", "a/b", "a b", "ü"}) {
    EXPECT_EQ(collection_->CreateBranch(name).code(), StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(collection_->DeleteBranch(name).code(), StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(collection_->FastForward(name).code(), StatusCode::kInvalidArgument) << name;
  }
  EXPECT_EQ(OpenStatus([](Options& o) { o.branch = "a/b"; }).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenStatus([](Options& o) { o.branch = "missing"; }).code(), StatusCode::kNotFound);
  EXPECT_EQ(collection_->DeleteBranch("missing").code(), StatusCode::kNotFound);
  EXPECT_EQ(collection_->FastForward("missing").code(), StatusCode::kNotFound);
  ASSERT_TRUE(collection_->CreateBranch("b").ok());
  EXPECT_EQ(collection_->CreateBranch("b").code(), StatusCode::kAlreadyExists);
}

TEST_F(ChangeErrors, TheBranchThatIsOpenIsNotDeleted) {
  ASSERT_TRUE(collection_->CreateBranch("b").ok());
  Options options = options_;
  options.create.reset();
  options.branch = "b";
  auto branch = MustOpen(store_, options);
  EXPECT_EQ(branch->DeleteBranch("b").code(), StatusCode::kInvalidArgument);
}

TEST_F(ChangeErrors, AFastForwardOfABranchThatBeganElsewhereIsAConflict) {
  ASSERT_TRUE(collection_->CreateBranch("b", 1).ok());
  EXPECT_EQ(collection_->FastForward("b").code(), StatusCode::kConflict);
  EXPECT_EQ(ScanKeys(*collection_), KeyRange(0, 5));
}

TEST_F(ChangeErrors, ACopyThatIsSomethingElseOrNewerIsLeftAlone) {
  MemoryBlobStore other;
  ASSERT_TRUE(other.Put({}, kHeadObject, "something else").ok());
  EXPECT_EQ(Backup(*store_, other).status().code(), StatusCode::kAlreadyExists);
  MemoryBlobStore copy;
  ASSERT_TRUE(Backup(*store_, copy).ok());
  BackupOptions older;
  older.version = 1;
  EXPECT_EQ(Backup(*store_, copy, older).status().code(), StatusCode::kConflict);
  older.version = 99;
  EXPECT_EQ(Backup(*store_, copy, older).status().code(), StatusCode::kNotFound);
  MemoryBlobStore empty;
  EXPECT_EQ(Backup(empty, copy).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(Recover(empty).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(Recover(*store_).status().code(), StatusCode::kAlreadyExists);
}

}  // namespace
}  // namespace isotherm
