// A change that is made of one that is being committed is made of what that one comes to, whatever base it lands on.
#include <gtest/gtest.h>

#include "blob/fault_store.h"
#include "blob/memory_store.h"
#include "engine/object_names.h"
#include "tests/base/manual_clock.h"
#include "tests/engine/commits.h"

namespace isotherm {
namespace {

using namespace testing_support;

MetadataPatch Setting(const std::string& field, int64_t value) {
  MetadataPatch patch;
  patch.set[field] = value;
  return patch;
}

class ReapplyTest : public testing::Test {
 protected:
  void SetUp() override {
    writer_ = MustOpen(faulty_, CreatingSmall());
    ASSERT_TRUE(writer_->Insert(NumberedRow(1)).ok());
    ASSERT_TRUE(writer_->Commit().ok());
    other_ = MustOpen(store_);
  }

  // `meanwhile`: when the writer has frozen what it commits, before another writer replaces the row and is faster.
  void CommitWhileItIsReplaced(const std::function<void()>& meanwhile) {
    bool done = false;
    faulty_->SetHook([&](uint64_t, RequestKind kind, std::string_view name) {
      if (kind != RequestKind::kPut || name != kHeadObject || std::exchange(done, true)) return Fault{};
      meanwhile();
      replaced_ = NumberedRow(2);
      replaced_.key = uint64_t{1};
      EXPECT_TRUE(other_->Upsert(replaced_).ok());
      EXPECT_TRUE(other_->Commit().ok());
      return Fault{};
    });
    Status status = writer_->Commit();
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_TRUE(done);
    status = writer_->Commit();
    EXPECT_TRUE(status.ok()) << status;
    faulty_->SetHook(nullptr);
  }

  // It lands, and the writer does not learn of it. The other one sees it.
  void CommitUnknowingly() {
    bool lost = false;
    faulty_->SetHook([&](uint64_t, RequestKind kind, std::string_view name) {
      if (name != kHeadObject) return Fault{};
      if (kind == RequestKind::kPut && !std::exchange(lost, true)) return Fault{FaultKind::kLoseAnswer};
      return lost ? Fault{FaultKind::kFail} : Fault{};
    });
    EXPECT_EQ(writer_->Commit().code(), StatusCode::kUnknown);
    faulty_->SetHook(nullptr);
    EXPECT_TRUE(other_->Refresh().ok());
    EXPECT_EQ(other_->Stats().version, writer_->Stats().version + 1);
  }

  void ExpectTheOthersRowWith(const std::map<std::string, int64_t>& fields) {
    for (const auto& [name, value] : fields) replaced_.metadata[name] = value;
    auto reader = MustOpen(store_);
    for (Collection* collection : {writer_.get(), reader.get()}) {
      auto row = collection->Get(uint64_t{1});
      ASSERT_TRUE(row.ok()) << row.status();
      EXPECT_EQ(row->vector, replaced_.vector);
      EXPECT_EQ(row->metadata, replaced_.metadata);
      EXPECT_EQ(row->payload, replaced_.payload);
    }
  }

  std::shared_ptr<BlobStore> store_ = std::make_shared<MemoryBlobStore>(Environment::Default());
  std::shared_ptr<FaultBlobStore> faulty_ = std::make_shared<FaultBlobStore>(store_, Environment::Default());
  std::unique_ptr<Collection> writer_, other_;
  Row replaced_;
};

TEST_F(ReapplyTest, APatchOfAPatchThatIsAppliedAgain) {
  ASSERT_TRUE(writer_->Patch(uint64_t{1}, Setting("first", 1)).ok());
  CommitWhileItIsReplaced([&] { EXPECT_TRUE(writer_->Patch(uint64_t{1}, Setting("second", 2)).ok()); });
  ExpectTheOthersRowWith({{"first", 1}, {"second", 2}});
}

TEST_F(ReapplyTest, ARestoredRowOfAPatchThatIsAppliedAgain) {
  ASSERT_TRUE(writer_->Patch(uint64_t{1}, Setting("first", 1)).ok());
  ASSERT_TRUE(writer_->SoftDelete(uint64_t{1}).ok());
  CommitWhileItIsReplaced([&] {
    EXPECT_TRUE(writer_->Restore(uint64_t{1}).ok());
    EXPECT_TRUE(writer_->Patch(uint64_t{1}, Setting("second", 2)).ok());
  });
  ExpectTheOthersRowWith({{"first", 1}, {"second", 2}});
}

TEST_F(ReapplyTest, ASoftlyDeletedRowOfAPatchThatIsAppliedAgain) {
  ASSERT_TRUE(writer_->Patch(uint64_t{1}, Setting("first", 1)).ok());
  ASSERT_TRUE(writer_->SoftDelete(uint64_t{1}).ok());
  CommitWhileItIsReplaced([&] {
    EXPECT_TRUE(writer_->Restore(uint64_t{1}).ok());
    EXPECT_TRUE(writer_->Patch(uint64_t{1}, Setting("second", 2)).ok());
    EXPECT_TRUE(writer_->SoftDelete(uint64_t{1}).ok());
  });
  EXPECT_EQ(writer_->Get(uint64_t{1}).status().code(), StatusCode::kNotFound);
  ASSERT_TRUE(writer_->Restore(uint64_t{1}).ok());
  ASSERT_TRUE(writer_->Commit().ok());
  ExpectTheOthersRowWith({{"first", 1}, {"second", 2}});
}

// The commit fails, so that what came meanwhile is committed together with what it had.
TEST_F(ReapplyTest, WhatIsRestoredOfAPatchWhoseCommitFailedIsAppliedAgainWithIt) {
  for (int patches = 0; patches < 3; ++patches) {
    for (bool softly : {false, true}) {
      SCOPED_TRACE(std::to_string(patches) + (softly ? ", softly deleted again" : ""));
      ASSERT_TRUE(writer_->Refresh().ok());
      ASSERT_TRUE(writer_->Patch(uint64_t{1}, Setting("first", 1)).ok());
      ASSERT_TRUE(writer_->SoftDelete(uint64_t{1}).ok());
      faulty_->SetHook([](uint64_t, RequestKind kind, std::string_view) {
        return kind == RequestKind::kPut ? Fault{FaultKind::kFail} : Fault{};
      });
      EXPECT_FALSE(writer_->Commit().ok());
      faulty_->SetHook(nullptr);
      ASSERT_TRUE(writer_->Restore(uint64_t{1}).ok());
      if (patches > 0) {
        ASSERT_TRUE(writer_->Patch(uint64_t{1}, Setting("second", 2)).ok());
      }
      if (patches > 1) {
        ASSERT_TRUE(writer_->Patch(uint64_t{1}, Setting("third", 3)).ok());
      }
      if (softly) {
        ASSERT_TRUE(writer_->SoftDelete(uint64_t{1}).ok());
      }
      replaced_ = NumberedRow(2 + static_cast<uint64_t>(patches));
      replaced_.key = uint64_t{1};
      ASSERT_TRUE(other_->Upsert(replaced_).ok());
      ASSERT_TRUE(other_->Commit().ok());
      Status status = writer_->Commit();
      EXPECT_TRUE(status.ok()) << status;
      if (softly) {
        EXPECT_EQ(writer_->Get(uint64_t{1}).status().code(), StatusCode::kNotFound);
        ASSERT_TRUE(writer_->Restore(uint64_t{1}).ok());
        ASSERT_TRUE(writer_->Commit().ok());
      }
      std::map<std::string, int64_t> fields = {{"first", 1}};
      if (patches > 0) fields["second"] = 2;
      if (patches > 1) fields["third"] = 3;
      ExpectTheOthersRowWith(fields);
      ASSERT_TRUE(other_->Refresh().ok());
    }
  }
}

std::vector<uint64_t> SoftlyDeleted(Collection& collection) {
  ScanOptions options;
  options.soft_deleted = true;
  std::vector<uint64_t> keys;
  Status scanned = collection.Scan(
      [&](Row row) {
        keys.push_back(row.key.number());
        return Status::Ok();
      },
      options);
  EXPECT_TRUE(scanned.ok()) << scanned;
  return keys;
}

// The deletion is of one version of the row only, and what the handle sees below it may be another one.
TEST_F(ReapplyTest, WhatIsDeletedInOneVersionIsRestoredInThatOneOnly) {
  const uint64_t version = writer_->Stats().version;
  for (int round = 0; round < 4; ++round) {
    const bool fails = round % 2 == 1;
    const bool deleted_again = round >= 2;  // in whichever version: the first deletion is of one version all the same
    SCOPED_TRACE(std::string(fails ? "after a commit that failed" : "before any commit") +
                 (deleted_again ? ", and deleted again" : ""));
    ASSERT_TRUE(writer_->Refresh().ok());
    ASSERT_TRUE(writer_->Write(WriteBatch().SoftDelete(uint64_t{1}, version)).ok());
    if (fails) {
      faulty_->SetHook([](uint64_t, RequestKind kind, std::string_view) {
        return kind == RequestKind::kPut ? Fault{FaultKind::kFail} : Fault{};
      });
      EXPECT_FALSE(writer_->Commit().ok());
      faulty_->SetHook(nullptr);
    }
    if (deleted_again) {
      ASSERT_TRUE(writer_->SoftDelete(uint64_t{1}).ok());
    }
    Row replaced = NumberedRow(2);
    replaced.key = uint64_t{1};
    ASSERT_TRUE(other_->Refresh().ok());
    ASSERT_TRUE(other_->Upsert(replaced).ok());
    ASSERT_TRUE(other_->Commit().ok());
    ASSERT_TRUE(writer_->Refresh().ok());
    EXPECT_EQ(writer_->Restore(uint64_t{1}).code(), StatusCode::kConflict);
    EXPECT_EQ(SoftlyDeleted(*writer_), KeyRange(1, 1));
    ASSERT_TRUE(other_->Rollback(version).ok());
    for (bool back : {false, true}) {
      if (back) {
        ASSERT_TRUE(writer_->Refresh().ok());
      }
      EXPECT_EQ(writer_->Restore(uint64_t{1}).code(), back ? StatusCode::kOk : StatusCode::kConflict);
    }
    Status status = writer_->Commit();
    EXPECT_TRUE(status.ok()) << status;
    auto row = MustOpen(store_)->Get(uint64_t{1});
    ASSERT_TRUE(row.ok()) << row.status();
    EXPECT_EQ(row->vector, NumberedRow(1).vector);
    EXPECT_EQ(row->payload, NumberedRow(1).payload);
    ASSERT_TRUE(other_->Refresh().ok());
    ASSERT_TRUE(other_->Rollback(version).ok());
  }
}

// The handle does not know yet that the row is in a version, and sees what others have put there since.
TEST_F(ReapplyTest, APatchOfARowWhoseCommitIsSettledLaterIsMadeAgain) {
  Row own = NumberedRow(3);
  own.key = uint64_t{1};
  ASSERT_TRUE(writer_->Upsert(own).ok());
  CommitUnknowingly();
  replaced_ = NumberedRow(2);
  replaced_.key = uint64_t{1};
  ASSERT_TRUE(other_->Upsert(replaced_).ok());
  ASSERT_TRUE(other_->Commit().ok());
  ASSERT_TRUE(writer_->Refresh().ok());
  ASSERT_TRUE(writer_->Patch(uint64_t{1}, Setting("first", 1)).ok());
  EXPECT_EQ(writer_->Get(uint64_t{1})->payload, own.payload);
  Status status = writer_->Commit();
  EXPECT_TRUE(status.ok()) << status;
  ExpectTheOthersRowWith({{"first", 1}});
}

// Where others have changed it, it can't be brought back any more.
TEST_F(ReapplyTest, WhatIsRestoredOfARowWhoseCommitIsSettledLaterIsThatRow) {
  for (bool replaced : {false, true}) {
    SCOPED_TRACE(replaced ? "others have replaced it" : "nobody has touched it");
    Row own = NumberedRow(3);
    own.key = uint64_t{1};
    ASSERT_TRUE(writer_->Refresh().ok());
    ASSERT_TRUE(writer_->Upsert(own).ok());
    CommitUnknowingly();
    if (replaced) {
      ASSERT_TRUE(other_->Upsert(NumberedRow(1)).ok());
      ASSERT_TRUE(other_->SoftDelete(uint64_t{1}).ok());
      ASSERT_TRUE(other_->Commit().ok());
    }
    ASSERT_TRUE(writer_->Refresh().ok());
    ASSERT_TRUE(writer_->SoftDelete(uint64_t{1}).ok());
    ASSERT_TRUE(writer_->Restore(uint64_t{1}).ok());
    EXPECT_EQ(writer_->Commit().code(), replaced ? StatusCode::kConflict : StatusCode::kOk);
    auto row = writer_->Get(uint64_t{1});
    ASSERT_TRUE(row.ok()) << row.status();
    EXPECT_EQ(row->payload, own.payload);
    EXPECT_EQ(row->vector, own.vector);
    if (!replaced) continue;
    ASSERT_TRUE(writer_->DiscardPending().ok());
    EXPECT_EQ(writer_->Get(uint64_t{1}).status().code(), StatusCode::kNotFound);
  }
}

// A deletion is of the row that is there when it is committed, whatever the handle saw when it was asked for.
TEST_F(ReapplyTest, ASoftDeletionOfWhatIsBeingDeletedIsOfWhatAnotherWriterPutsThereMeanwhile) {
  for (bool softly : {false, true}) {
    ASSERT_TRUE((softly ? writer_->SoftDelete(uint64_t{1}) : writer_->Delete(uint64_t{1})).ok());
    bool done = false;
    faulty_->SetHook([&](uint64_t, RequestKind kind, std::string_view name) {
      if (kind != RequestKind::kPut || name != kHeadObject || std::exchange(done, true)) return Fault{};
      EXPECT_TRUE(writer_->SoftDelete(uint64_t{1}).ok());
      EXPECT_EQ(SoftlyDeleted(*writer_), softly ? KeyRange(1, 1) : KeyRange(0, 0));
      if (!softly) {
        EXPECT_EQ(writer_->Restore(uint64_t{1}).code(), StatusCode::kNotFound);
      }
      return Fault{};
    });
    Status status = writer_->Commit();
    EXPECT_TRUE(status.ok()) << status;
    ASSERT_TRUE(done);
    faulty_->SetHook(nullptr);
    ASSERT_TRUE(other_->Upsert(NumberedRow(1)).ok());
    ASSERT_TRUE(other_->Commit().ok());
    ASSERT_TRUE(writer_->Refresh().ok());
    for (bool committed : {false, true}) {
      if (committed) {
        ASSERT_TRUE(writer_->Commit().ok());
      }
      EXPECT_EQ(writer_->Get(uint64_t{1}).status().code(), StatusCode::kNotFound) << committed;
      EXPECT_EQ(SoftlyDeleted(*writer_), KeyRange(1, 1)) << committed;
    }
    ASSERT_TRUE(writer_->Restore(uint64_t{1}).ok());
    ASSERT_TRUE(writer_->Commit().ok());
  }
}

TEST_F(ReapplyTest, ASoftDeletionOfARowThatHasExpiredHoldsWhenTheClockIsSetBack) {
  auto clock = std::make_shared<ManualClock>();
  Options options = CreatingSmall();
  options.env = EnvironmentWithClock(clock);
  writer_ = MustOpen(store_, options);
  Row row = NumberedRow(2);
  row.expires_at_ms = clock->WallMs() + 1000;
  ASSERT_TRUE(writer_->Upsert(row).ok());
  clock->AdvanceWallMs(2000);
  ASSERT_TRUE(writer_->SoftDelete(row.key).ok());
  clock->AdvanceWallMs(-2000);
  for (bool committed : {false, true}) {
    if (committed) {
      ASSERT_TRUE(writer_->Commit().ok());
    }
    EXPECT_EQ(writer_->Get(row.key).status().code(), StatusCode::kNotFound) << committed;
    EXPECT_EQ(SoftlyDeleted(*writer_), KeyRange(2, 1)) << committed;
  }
}

}  // namespace
}  // namespace isotherm
